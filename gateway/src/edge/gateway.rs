//! The life of a request: what is decided about it. When, is in [`phases`](super::phases).

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;
use http::request::Parts;

use super::identity::Preparation;
use super::request_id::{RequestId, X_REQUEST_ID};
use super::upstream::Upstream;
use super::{Downstream, exchange};
use crate::api::authorization::brings_token;
use crate::api::cookie::CookieRules;
use crate::api::identity::IdentityHeaders;
use crate::api::rejection::Rejection;
use crate::api::route::{Door, Route};
use crate::api::{Response, me, signin, signout};
use crate::auth::Auth;
use crate::auth::credential::Caller;
use crate::clock::Moment;
use crate::limits::Limits;
use crate::session::Session;
use crate::user::Status;
use crate::user::secret::ApiToken;

/// What the gateway is made of.
pub struct Settings {
    /// Users and their sessions.
    pub auth: Auth,
    /// The session cookie.
    pub cookie: CookieRules,
    /// Paths forwarded without a session.
    pub public: Vec<String>,
    /// The headers that carry the user upstream.
    pub identity: IdentityHeaders,
    /// The token for users who have none of their own.
    pub shared_token: Option<ApiToken>,
    /// Where requests go.
    pub upstream: Arc<Upstream>,
    /// Time limits.
    pub limits: Limits,
}

/// The public listener.
pub struct Gateway {
    auth: Auth,
    cookie: CookieRules,
    public: Vec<String>,
    pub(super) preparation: Preparation,
    pub(super) upstream: Arc<Upstream>,
    pub(super) limits: Limits,
}

/// What is to be done with a request. [`Decision::Forward`] is the only way through, and it takes
/// a [`Caller`]: nobody is forwarded for nobody.
pub(super) enum Decision {
    /// The gateway answers by itself.
    Respond(Response),
    /// The upstream answers.
    Forward(Caller),
}

/// What one request carries from phase to phase.
pub struct Context {
    pub(super) started: Instant,
    pub(super) request_id: RequestId,
    /// On whose behalf the request is forwarded.
    pub(super) caller: Option<Caller>,
    /// Whose session it is, for the log.
    pub(super) session: Option<Arc<Session>>,
    pub(super) attempts: usize,
}

impl Gateway {
    /// A gateway of these parts.
    pub fn new(settings: Settings) -> Self {
        let Settings { auth, cookie, public, identity, shared_token, upstream, limits } = settings;
        let authority = upstream.authority();
        let preparation =
            Preparation { headers: identity, cookie: cookie.clone(), shared_token, authority };
        Self { auth, cookie, public, preparation, upstream, limits }
    }

    /// The whole life of a request, up to the point where the upstream takes over.
    pub(super) async fn decide(
        &self,
        request: &Parts,
        over_tls: bool,
        context: &mut Context,
    ) -> Result<Decision, Rejection> {
        let (headers, now) = (&request.headers, Moment::now());
        match Route::of(&request.method, request.uri.path(), &self.public) {
            Route::SignIn(door) => {
                self.pass(door, headers, now, context)?;
                let post = signin::post(&self.auth, &self.cookie, headers, over_tls).await;
                let (response, session) = post?;
                context.session = Some(session);
                Ok(Decision::Respond(response))
            }
            Route::SignOut(door) => {
                self.pass(door, headers, now, context)?;
                let (response, session) =
                    signout::post(&self.auth, &self.cookie, headers, over_tls, now)?;
                context.session = Some(session);
                Ok(Decision::Respond(response))
            }
            Route::Me => match self.authenticate(headers, now, context)? {
                Caller::Session(session) => Ok(Decision::Respond(me::get(session.user()))),
                // The user of a token is the upstream's to know.
                caller => Ok(Decision::Forward(caller)),
            },
            Route::WrongMethod(door, allow) => {
                self.pass(door, headers, now, context)?;
                Err(Rejection::MethodNotAllowed(allow))
            }
            Route::NoSuchPage => {
                self.authenticate(headers, now, context)?;
                Err(Rejection::NoSuchPage)
            }
            Route::Api => Ok(Decision::Forward(self.authenticate(headers, now, context)?)),
            Route::Public => Ok(Decision::Forward(Caller::Public)),
            Route::Elsewhere => Err(Rejection::PathNotFound),
        }
    }

    /// Who asks: by their own token if they bring one, good or bad; otherwise by the cookie.
    fn authenticate(
        &self,
        headers: &HeaderMap,
        now: Moment,
        context: &mut Context,
    ) -> Result<Caller, Rejection> {
        if brings_token(headers) {
            return Ok(Caller::Token);
        }
        let token = self.cookie.token(headers).ok_or(Rejection::Unauthorized)?;
        let session = self.auth.authenticate(&token, now).ok_or(Rejection::Unauthorized)?;
        context.session = Some(Arc::clone(&session));
        match session.user().status {
            Status::Active => Ok(Caller::Session(session)),
            Status::Inactive => Err(Rejection::UserInactive),
        }
    }

    fn pass(
        &self,
        door: Door,
        headers: &HeaderMap,
        now: Moment,
        context: &mut Context,
    ) -> Result<(), Rejection> {
        match door {
            Door::Open => Ok(()),
            Door::Guarded => self.authenticate(headers, now, context).map(|_caller| ()),
        }
    }

    pub(super) async fn respond(
        &self,
        downstream: &mut Downstream,
        mut response: Response,
        context: &Context,
    ) -> pingora::Result<()> {
        response.headers_mut().insert(X_REQUEST_ID, context.request_id.header_value());
        exchange::write(downstream, response).await
    }
}
