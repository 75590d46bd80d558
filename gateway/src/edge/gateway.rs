//! Decides about each request: answer it, refuse it or forward it. [`phases`](super::phases) calls this from
//! Pingora's phases.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::answer::Manners;
use super::client::Client;
use super::decision::{Asked, Authenticated, Decision, Found, Outcome};
use super::identity::Preparation;
use super::origin::TrustedProxies;
use super::room::Room;
use super::upstream::Upstream;
use super::version::Version;
use crate::api::cookie::CookieRules;
use crate::api::csrf::AllowedOrigins;
use crate::api::forward::Forward;
use crate::api::hosts::AnsweredHosts;
use crate::api::identity::IdentityHeaders;
use crate::api::rejection::Rejection;
use crate::api::route::{Authentication, Forwarding, Route};
use crate::api::{
    Response, authorization, framing, me, options, path, route, signin, signout, users,
};
use crate::auth::Auth;
use crate::auth::credential::{Caller, Shared};
use crate::auth::tokens::TokenError;
use crate::directory::influxdb::UpstreamClient;
use crate::limits::Limits;
use crate::session::store::StoreError;
use crate::user::Status;

/// What the gateway is made of.
pub struct Settings {
    /// Users and their sessions.
    pub auth: Arc<Auth>,
    /// The session cookie.
    pub cookie: CookieRules,
    /// What is forwarded besides the API.
    pub forwarding: Forwarding,
    /// The headers that carry the user upstream.
    pub identity: IdentityHeaders,
    /// The token for users who have none of their own.
    pub shared: Arc<Shared>,
    /// Where requests go.
    pub upstream: Arc<Upstream>,
    /// What asks the upstream on the gateway's own behalf.
    pub client: Arc<Client>,
    /// Limits.
    pub limits: Limits,
    /// Whose word about other clients counts.
    pub trusted: TrustedProxies,
    /// Which hosts are answered.
    pub hosts: AnsweredHosts,
    /// Whose pages may use a session, besides our own.
    pub origins: AllowedOrigins,
    /// Whether a session alone may set a new password.
    pub password_by_session: bool,
    /// `Strict-Transport-Security` of answers over TLS.
    pub hsts: Option<HeaderValue>,
}

/// The public listener.
pub struct Gateway {
    pub(super) auth: Arc<Auth>,
    pub(super) cookie: CookieRules,
    pub(super) forwarding: Forwarding,
    pub(super) preparation: Preparation,
    pub(super) tokenless: super::tokenless::Tokenless,
    pub(super) upstream: Arc<Upstream>,
    pub(super) manners: Arc<Manners>,
    pub(super) client: Arc<Client>,
    pub(super) room: Arc<Room>,
    pub(super) limits: Limits,
    pub(super) trusted: TrustedProxies,
    pub(super) hosts: AnsweredHosts,
    pub(super) origins: AllowedOrigins,
    pub(super) password_by_session: bool,
}

impl Gateway {
    /// A gateway of these parts.
    pub fn new(settings: Settings) -> Self {
        let Settings {
            auth,
            cookie,
            forwarding,
            identity,
            shared,
            upstream,
            client,
            limits,
            trusted,
            hosts,
            origins,
            password_by_session,
            hsts,
        } = settings;
        let authority = upstream.authority();
        let version =
            Version::new(Arc::clone(&client) as Arc<dyn UpstreamClient>, Arc::clone(&shared));
        let manners = Arc::new(Manners::new(hsts, Arc::new(version)));
        let preparation =
            Preparation { headers: identity, cookie: cookie.clone(), shared, authority };
        Self {
            auth,
            cookie,
            forwarding,
            preparation,
            tokenless: super::tokenless::Tokenless::default(),
            upstream,
            manners,
            client,
            room: Room::new(&limits),
            limits,
            trusted,
            hosts,
            origins,
            password_by_session,
        }
    }

    /// The life of a request, up to the point where the upstream takes over.
    pub(super) async fn handle(&self, asked: Asked<'_>) -> Outcome {
        let mut session = None;
        let decision = self.decide(asked, &mut session).await;
        Outcome { decision, session }
    }

    /// Decides; leaves in `session` whose it is, whatever comes of it.
    async fn decide(&self, asked: Asked<'_>, session: &mut Found) -> Result<Decision, Rejection> {
        let Asked { route, head, client, .. } = asked;
        if !route::is_known(&head.method) {
            return Err(Rejection::MethodNotAllowed(route::METHODS));
        }
        path::check(head.uri.path())?;
        if let Some(response) = options::preflight(&self.origins, head) {
            return Ok(Decision::Respond(response));
        }
        self.check_declared_length(&head.headers)?;
        match route {
            Route::SignIn(door) => {
                // Nobody is to be signed in, unknowingly, as somebody else.
                self.check_site(asked)?;
                self.pass(door, asked, session).await?;
                // In a box, as all that is long and seldom: whoever only passes carries none of it.
                let meta = client.meta();
                let post = signin::post(&self.auth, &self.cookie, &head.headers, &meta);
                let (response, opened) = Box::pin(post).await?;
                *session = opened;
                Ok(Decision::Respond(response))
            }
            Route::SignOut(door) => {
                self.check_site(asked)?;
                self.pass(door, asked, session).await?;
                let (meta, now) = (client.meta(), asked.now);
                let post = signout::post(&self.auth, &self.cookie, &head.headers, &meta, now);
                let (response, ended) = post.await?;
                *session = Some(ended);
                Ok(Decision::Respond(response))
            }
            Route::Me => match self.authenticate(asked, session).await?.caller {
                Caller::Session(session) => {
                    Ok(Decision::Respond(me::get(&self.auth.user_of(&session, asked.now))))
                }
                // The user of a token is the upstream's to know.
                caller @ Caller::Token(_) => Ok(Decision::on_behalf_of(caller)),
            },
            Route::Password(account, proof) => {
                let caller = self.authenticate(asked, session).await?.for_changes()?;
                Box::pin(self.new_password(caller, account, proof, asked)).await
            }
            Route::Options(allow) => options::answer(&head.headers, allow).map(Decision::Respond),
            Route::WrongMethod(door, allow) => {
                self.pass(door, asked, session).await?;
                Err(Rejection::MethodNotAllowed(allow))
            }
            Route::NoSuchPage => {
                self.authenticate(asked, session).await?;
                Err(Rejection::NoSuchPage)
            }
            Route::Api => self.decide_api(asked, session).await,
            Route::OnItsOwn(route) => match Box::pin(self.owner(head)).await? {
                Some(caller) => Ok(Decision::on_behalf_of(caller)),
                None => Ok(Decision::Forward(self.public(route))),
            },
            Route::OnItsOwnOrApi(route) => {
                let owner = Box::pin(self.owner_or_session(asked, session)).await?;
                match owner {
                    Some(owner) => self.on_behalf_of(owner.for_changes()?, head),
                    None => Ok(Decision::Forward(self.public(route))),
                }
            }
            Route::Health => Ok(Decision::Respond(Response::default())),
            Route::SetupClosed => Err(Rejection::SetupClosed),
            Route::Public(route) => Ok(Decision::Forward(self.public(route))),
            Route::Elsewhere => Err(Rejection::PathNotFound),
        }
    }

    /// The API of InfluxDB: forwarded for whoever is allowed to ask for it.
    async fn decide_api(
        &self,
        asked: Asked<'_>,
        session: &mut Found,
    ) -> Result<Decision, Rejection> {
        let Asked { head, client, .. } = asked;
        let caller = self.authenticate(asked, session).await?.for_changes()?;
        self.check_access(&caller, head)?;
        let errand = match users::deed(&head.method, head.uri.path()) {
            Some((deed, account)) => self.errand(deed, Some(account), &caller, client)?,
            None => None,
        };
        Ok(Decision::Forward(Forward::on_behalf_of(caller).with_errand(errand)))
    }

    fn on_behalf_of(&self, caller: Caller, head: &Parts) -> Result<Decision, Rejection> {
        self.check_access(&caller, head)?;
        Ok(Decision::on_behalf_of(caller))
    }

    /// Says no to a body that is too long before any of it is read.
    fn check_declared_length(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        match (framing::declared_length(headers), self.limits.body_bytes) {
            (Some(length), Some(most)) if length > most => Err(Rejection::TooLarge),
            _ => Ok(()),
        }
    }

    /// Who asks: by their own token if they bring one, good or bad; otherwise by the cookie.
    pub(super) async fn authenticate(
        &self,
        asked: Asked<'_>,
        found: &mut Found,
    ) -> Result<Authenticated, Rejection> {
        let headers = &asked.head.headers;
        if let Some(token) = authorization::token(headers) {
            let user = Box::pin(self.auth.resolve(token)).await.map_err(token_refused)?;
            return Ok(Authenticated::by_token(Caller::Token(user)));
        }
        let token = self.cookie.token(headers).ok_or(Rejection::Unauthorized)?;
        let site = self.check_site(asked);
        let session = match site {
            Ok(()) => self.auth.authenticate(&token, asked.now).await,
            // What will be refused renews no session.
            Err(_) => self.auth.peek(&token, asked.now).await,
        };
        let session = session.map_err(store_error)?.ok_or(Rejection::Unauthorized)?;
        *found = Some(Arc::clone(&session));
        match session.user().status {
            Status::Active => Ok(Authenticated { caller: Caller::Session(session), site }),
            Status::Inactive => {
                // Somebody may have changed that.
                self.auth.doubt(&session);
                Err(Rejection::UserInactive)
            }
        }
    }

    async fn pass(
        &self,
        door: Authentication,
        asked: Asked<'_>,
        found: &mut Found,
    ) -> Result<(), Rejection> {
        match door {
            Authentication::Exempt => Ok(()),
            Authentication::Required => self.authenticate(asked, found).await.map(drop),
        }
    }
}

/// What a client reads whose session cannot be looked up: nothing that would sign it out.
pub(super) fn store_error(error: StoreError) -> Rejection {
    log::error!("{error}");
    Rejection::SessionsUnavailable
}

/// What a client reads whose token is not taken.
pub(super) fn token_refused(error: TokenError) -> Rejection {
    match error {
        TokenError::Refused => Rejection::Unauthorized,
        TokenError::Inactive => Rejection::UserInactive,
        TokenError::Unnamable => Rejection::NameTooLong,
        TokenError::Unavailable => Rejection::DirectoryUnavailable,
    }
}

#[cfg(test)]
mod tests;
