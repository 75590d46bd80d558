//! Checks whether a user may have a request forwarded.

use http::request::Parts;

use super::decision::{Asked, Authenticated, Found};
use super::gateway::{Gateway, token_refused};
use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::api::route::PublicRoute;
use crate::api::{authorization, compatible};
use crate::auth::credential::Caller;
use crate::auth::tokens::Tokens;
use crate::user::access::{Access, Right};

impl Gateway {
    /// What a user of the users file may not do is refused before anything is forwarded.
    ///
    /// A user of InfluxDB, or with an API token of their own, is bounded by InfluxDB as well; the
    /// shared token bounds nobody.
    pub(super) fn check_access(&self, caller: &Caller, request: &Parts) -> Result<(), Rejection> {
        let Some(session) = caller.session() else { return Ok(()) };
        let (user, method, path) = (session.user(), &request.method, request.uri.path());
        let trusted =
            self.forwarding.credentials || user.token.is_some() || session.upstream().is_some();
        if user.access == Access::Full {
            // Nothing else needs to be known of nearly all requests.
            let is_closed = !trusted && Right::is_credentials(method, path);
            return if is_closed { Err(Rejection::CredentialsClosed) } else { Ok(()) };
        }
        let is_allowed = user.access.allows(Right::of(method, path), trusted);
        if is_allowed { Ok(()) } else { Err(Rejection::AccessDenied) }
    }

    /// Leave to go upstream for nobody. A denied token reaches nobody: some upstreams look at it here
    /// too.
    pub(super) fn public(&self, route: PublicRoute) -> Forward {
        Forward::public(route, !matches!(self.auth.tokens(), Tokens::Deny))
    }

    /// On whose behalf a request to one of InfluxDB 1's endpoints goes upstream, which it does with
    /// the credentials that it brings, as clients with a token do everywhere; `None` if it brings none.
    pub(super) async fn owner(&self, request: &Parts) -> Result<Option<Caller>, Rejection> {
        if !compatible::brings_any(request) {
            return Ok(None);
        }
        match self.auth.tokens() {
            Tokens::Pass => Ok(Some(Caller::Token(None))),
            Tokens::Deny => Err(Rejection::Unauthorized),
            Tokens::Resolve(_) => {
                let token = compatible::only_token(request);
                let Some(token) = token.map_err(|_ambiguous| Rejection::Unauthorized)? else {
                    return Ok(None);
                };
                let user = Box::pin(self.auth.resolve(&token)).await.map_err(token_refused)?;
                Ok(Some(Caller::Token(user)))
            }
        }
    }

    /// The same where a session counts too: a token goes before it, `Basic` does not.
    pub(super) async fn owner_or_session(
        &self,
        asked: Asked<'_>,
        found: &mut Found,
    ) -> Result<Option<Authenticated>, Rejection> {
        let headers = &asked.head.headers;
        let is_own = authorization::token(headers).is_none()
            && (compatible::is_in_query(asked.head)
                || (authorization::is_basic(headers) && self.cookie.token(headers).is_none()));
        if is_own {
            return Ok(self.owner(asked.head).await?.map(Authenticated::by_token));
        }
        self.authenticate(asked, found).await.map(Some)
    }
}
