//! Finds out who sends a request: by an API token, by the session cookie, or in InfluxDB 1's ways.

use std::sync::Arc;

use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::policy::Policy;
use super::request::Request;
use crate::api::rejection::Rejection;
use crate::api::route::Authentication;
use crate::api::{authorization, compatible};
use crate::auth::Auth;
use crate::auth::credential::Caller;
use crate::auth::gateway_tokens::{self, Refusal, Worthless};
use crate::auth::jwt::error::JwtError;
use crate::auth::oidc::refresh;
use crate::auth::tokens::{TokenError, Tokens};
use crate::session::Session;
use crate::session::token::SessionToken;
use crate::user::Status;
use crate::user::gateway_token::Presented;

/// Authenticates one request, and remembers the session that it finds.
pub struct Authenticator<'a> {
    auth: &'a Auth,
    policy: &'a Policy,
    request: Request<'a>,
    session: Option<Arc<Session>>,
}

/// A caller who has been authenticated.
pub struct Authenticated {
    /// The caller.
    pub caller: Caller,
    /// Rejected, if a browser has sent the session's cookie for a page of another site.
    site: Result<(), Rejection>,
}

impl Authenticated {
    /// A caller with credentials that no browser sends by itself.
    fn by_token(caller: Caller) -> Self {
        Self { caller, site: Ok(()) }
    }

    /// The caller, if they may change something.
    pub fn for_changes(self) -> Result<Caller, Rejection> {
        self.site.map(|()| self.caller)
    }
}

impl<'a> Authenticator<'a> {
    /// For `request`, by the rules of `policy`.
    pub fn new(auth: &'a Auth, policy: &'a Policy, request: Request<'a>) -> Self {
        Self { auth, policy, request, session: None }
    }

    /// The session that the request belongs to, as far as one was found.
    pub fn into_session(self) -> Option<Arc<Session>> {
        self.session
    }

    /// Notes the session that the request has created or ended.
    pub fn note(&mut self, session: Option<Arc<Session>>) {
        self.session = session;
    }

    /// Rejects what a page of another site would change.
    pub fn check_site(&self) -> Result<(), Rejection> {
        let Request { head, client, .. } = self.request;
        self.policy.origins.check(&head.method, &head.headers, client.host.as_ref())
    }

    /// Who asks: by a gateway token, a token of their own or a JWT if they bring one, good or bad; otherwise by the
    /// cookie.
    pub async fn caller(&mut self) -> Result<Authenticated, Rejection> {
        let headers = &self.request.head.headers;
        if let Some(header) = headers.get(AUTHORIZATION) {
            if let Some(presented) = authorization::gateway_token(header) {
                return self.by_gateway_token(presented).await.map(Authenticated::by_token);
            }
            if authorization::is_token(header) {
                if let Some(by_jwt) = self.by_jwt(header).await {
                    return by_jwt.map(Authenticated::by_token);
                }
                if let Some(token) = authorization::session_token(header) {
                    Box::pin(self.refuse_sessions(&[token])).await?;
                }
                let user = Box::pin(self.auth.resolve(header)).await.map_err(token_rejected)?;
                return Ok(Authenticated::by_token(Caller::Token(user)));
            }
        }
        self.by_session(self.check_site()).await
    }

    /// Who asks for a page, by the cookie alone: another credential is none there. It may be that a page of another
    /// site asks for a WebSocket.
    pub async fn visitor(&mut self, is_websocket: bool) -> Result<Authenticated, Rejection> {
        let Request { head, client, .. } = self.request;
        let site = if is_websocket {
            let (host, over_tls) = (client.host.as_ref(), client.over_tls);
            self.policy.origins.check_websocket(&head.headers, host, over_tls)
        } else {
            self.check_site()
        };
        self.by_session(site).await
    }

    /// Who asks by the cookie, with what is known of the `site` that has sent it.
    async fn by_session(
        &mut self,
        site: Result<(), Rejection>,
    ) -> Result<Authenticated, Rejection> {
        let headers = &self.request.head.headers;
        let token = self.policy.cookie.token(headers).ok_or(Rejection::Unauthorized)?;
        let session = match site {
            Ok(()) => self.auth.authenticate(&token, self.request.now).await,
            // What will be rejected renews no session.
            Err(_) => self.auth.peek(&token, self.request.now).await,
        };
        // The store says in the log what is wrong with it; nothing here would sign the client out.
        let session = session
            .map_err(|_error| Rejection::SessionsUnavailable)?
            .ok_or(Rejection::Unauthorized)?;
        self.session = Some(Arc::clone(&session));
        if session.provider().is_some() && site.is_ok() {
            // In a box, as most have none.
            let goes_on = refresh::goes_on(self.auth, &token, &session, self.request.now);
            let goes_on =
                Box::pin(goes_on).await.map_err(|_error| Rejection::SessionsUnavailable)?;
            if !goes_on {
                return Err(Rejection::Unauthorized);
            }
        }
        match session.user().status {
            Status::Active => Ok(Authenticated { caller: Caller::Session(session), site }),
            Status::Inactive => {
                // Somebody may have changed that.
                self.auth.doubt(&session);
                Err(Rejection::UserInactive)
            }
        }
    }

    /// Who asks with a gateway token, by which alone that is decided: neither cookie nor upstream is asked.
    async fn by_gateway_token(&self, presented: Presented) -> Result<Caller, Rejection> {
        match gateway_tokens::holder(self.auth, presented) {
            Ok(holder) if holder.user.status == Status::Active => Ok(Caller::Holder(holder)),
            Ok(_) => Err(Rejection::UserInactive),
            Err(worthless) => Err(Box::pin(self.refuse(worthless)).await),
        }
    }

    async fn refuse(&self, worthless: Worthless) -> Rejection {
        match gateway_tokens::refuse(self.auth, worthless, &self.request.client.meta()).await {
            Refusal::Refused => Rejection::Unauthorized,
            Refusal::Throttled(wait) => Rejection::TooManyFailures(wait),
            Refusal::Unavailable => Rejection::SessionsUnavailable,
        }
    }

    /// Refuses `tokens` if one of them is a session's: it is a cookie's value, which is no token and nobody else's affair.
    async fn refuse_sessions(&self, tokens: &[SessionToken]) -> Result<(), Rejection> {
        for token in tokens {
            let session = self.auth.peek(token, self.request.now).await;
            if session.map_err(|_error| Rejection::SessionsUnavailable)?.is_some() {
                return Err(Rejection::Unauthorized);
            }
        }
        Ok(())
    }

    /// Who asks one of InfluxDB 1's endpoints with a gateway token, wherever it is; `None` if there is none.
    async fn by_compatible_token(&self) -> Result<Option<Caller>, Rejection> {
        let presented = compatible::gateway_token(self.request.head);
        match presented.map_err(|_ambiguous| Rejection::Unauthorized)? {
            Some(presented) => self.by_gateway_token(presented).await.map(Some),
            None => Ok(None),
        }
    }

    /// Who asks with a JWT, by which alone that is decided: where it fails, or stands where none counts, neither cookie nor
    /// upstream is asked. `None` if `authorization` is none of an identity provider's.
    async fn by_jwt(&self, authorization: &HeaderValue) -> Option<Result<Caller, Rejection>> {
        let by_jwt = self.auth.by_jwt(authorization, || self.request.client.meta()).await;
        let Some(by_jwt) = by_jwt else {
            return self.auth.is_jwt(authorization).then_some(Err(Rejection::Unauthorized));
        };
        Some(match by_jwt {
            Ok(jwt) if jwt.has_token(&self.policy.shared) => Ok(Caller::Jwt(jwt)),
            Ok(_) => Err(Rejection::NotGranted),
            Err(error) => Err(jwt_rejected(&error)),
        })
    }

    /// The same where InfluxDB 1's ways count: a JWT may stand behind a name, and in `Basic`.
    async fn owner_by_jwt(&self) -> Option<Result<Caller, Rejection>> {
        let head = self.request.head;
        let by_jwt = self.by_jwt(head.headers.get(AUTHORIZATION)?).await?;
        // The upstream could go by what is in the query, which would be another's.
        Some(if compatible::is_in_query(head) { Err(Rejection::Unauthorized) } else { by_jwt })
    }

    /// Makes sure that somebody is authenticated where an endpoint requires it.
    pub async fn require(&mut self, authentication: Authentication) -> Result<(), Rejection> {
        match authentication {
            Authentication::Exempt => Ok(()),
            Authentication::Required => self.caller().await.map(drop),
        }
    }

    /// On whose behalf a request to one of InfluxDB 1's endpoints goes upstream. It goes with the
    /// credentials that it brings, as that of a client with a token does everywhere. `None` if it
    /// brings none.
    pub async fn owner(&self) -> Result<Option<Caller>, Rejection> {
        match self.by_compatible_token().await? {
            Some(holder) => Ok(Some(holder)),
            None => self.owner_elsewhere().await,
        }
    }

    /// The same for whoever brings no gateway token.
    async fn owner_elsewhere(&self) -> Result<Option<Caller>, Rejection> {
        let head = self.request.head;
        if let Some(by_jwt) = self.owner_by_jwt().await {
            return by_jwt.map(Some);
        }
        if !compatible::brings_any(head) {
            return Ok(None);
        }
        let tokens = compatible::session_tokens(head);
        if !tokens.is_empty() {
            Box::pin(self.refuse_sessions(&tokens)).await?;
        }
        match self.auth.tokens() {
            Tokens::Pass => Ok(Some(Caller::Token(None))),
            Tokens::Deny => Err(Rejection::Unauthorized),
            Tokens::Resolve(_) => {
                let token = compatible::only_token(head);
                let Some(token) = token.map_err(|_ambiguous| Rejection::Unauthorized)? else {
                    return Ok(None);
                };
                let user = Box::pin(self.auth.resolve(&token)).await.map_err(token_rejected)?;
                Ok(Some(Caller::Token(user)))
            }
        }
    }

    /// The same where a session counts too: a token goes before it, `Basic` does not unless it holds a JWT.
    pub async fn owner_or_session(&mut self) -> Result<Option<Authenticated>, Rejection> {
        if let Some(by_jwt) = self.owner_by_jwt().await {
            return by_jwt.map(Authenticated::by_token).map(Some);
        }
        let Request { head, .. } = self.request;
        let headers = &head.headers;
        if let Some(holder) = self.by_compatible_token().await? {
            return Ok(Some(Authenticated::by_token(holder)));
        }
        let is_own = authorization::token(headers).is_none()
            && (compatible::is_in_query(head)
                || (authorization::is_basic(headers)
                    && self.policy.cookie.token(headers).is_none()));
        if is_own {
            return Ok(self.owner_elsewhere().await?.map(Authenticated::by_token));
        }
        self.caller().await.map(Some)
    }
}

/// The answer to a client whose JWT is not accepted.
pub fn jwt_rejected(error: &JwtError) -> Rejection {
    match error {
        JwtError::Refused(_) => Rejection::Unauthorized,
        JwtError::NoGrant(_) => Rejection::NotGranted,
        JwtError::NameTaken(_) => Rejection::NameTaken,
        JwtError::Unavailable => Rejection::DirectoryUnavailable,
        JwtError::Throttled(wait) => Rejection::TooManyFailures(*wait),
    }
}

/// The answer to a client whose token is not accepted.
fn token_rejected(error: TokenError) -> Rejection {
    match error {
        TokenError::Refused => Rejection::Unauthorized,
        TokenError::Inactive => Rejection::UserInactive,
        TokenError::Unnamable => Rejection::NameTooLong,
        TokenError::Unavailable => Rejection::DirectoryUnavailable,
    }
}
