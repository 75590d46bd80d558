//! Decides about each request: answer it, refuse it or forward it. [`phases`](super::phases) calls this from
//! Pingora's phases.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::answer::Manners;
use super::client::Client;
use super::context::Context;
use super::exchange;
use super::identity::Preparation;
use super::origin::TrustedProxies;
use super::room::Room;
use super::upstream::Upstream;
use super::version::Version;
use crate::api::cookie::CookieRules;
use crate::api::crosssite::AllowedOrigins;
use crate::api::hosts::AnsweredHosts;
use crate::api::identity::IdentityHeaders;
use crate::api::rejection::Rejection;
use crate::api::route::{Door, Forwarding, Proof, Route};
use crate::api::{Response, authorization, me, options, path, route, signin, signout, users};
use crate::auth::credential::{Caller, Shared};
use crate::auth::tokens::TokenError;
use crate::auth::{Auth, InForce};
use crate::clock::Moment;
use crate::directory::influxdb::Ask;
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

/// What is to be done with a request. [`Decision::Forward`] is the only way through, and it takes
/// a [`Caller`]: nobody is forwarded for nobody.
pub(super) enum Decision {
    /// The gateway answers by itself.
    Respond(Response),
    /// The gateway answers, once it has read what the new password is.
    ChangePassword(InForce, Proof),
    /// The upstream answers.
    Forward(Caller),
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
        let version = Version::new(Arc::clone(&client) as Arc<dyn Ask>, Arc::clone(&shared));
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

    /// The whole life of a request, up to the point where the upstream takes over.
    pub(super) async fn decide(
        &self,
        request: &Parts,
        context: &mut Context,
    ) -> Result<Decision, Rejection> {
        let (headers, now) = (&request.headers, Moment::now());
        if !route::is_known(&request.method) {
            return Err(Rejection::MethodNotAllowed(route::METHODS));
        }
        path::check(request.uri.path())?;
        if let Some(response) = options::preflight(&self.origins, request) {
            return Ok(Decision::Respond(response));
        }
        self.check_declared_length(headers)?;
        match Route::of(&request.method, request.uri.path(), &self.forwarding) {
            Route::SignIn(door) => {
                // Nobody is to be signed in, unknowingly, as somebody else.
                self.check_site(request, context)?;
                self.pass(door, request, now, context).await?;
                // In a box, as all that is long and seldom: whoever only passes carries none of it.
                let visit = context.visit();
                let post = Box::pin(signin::post(&self.auth, &self.cookie, headers, &visit)).await;
                let (response, session) = post?;
                context.session = session;
                Ok(Decision::Respond(response))
            }
            Route::SignOut(door) => {
                self.check_site(request, context)?;
                self.pass(door, request, now, context).await?;
                let (response, session) =
                    signout::post(&self.auth, &self.cookie, headers, &context.visit(), now).await?;
                context.session = Some(session);
                Ok(Decision::Respond(response))
            }
            Route::Me => match self.authenticate(request, now, context).await? {
                Caller::Session(session) => {
                    Ok(Decision::Respond(me::get(&self.auth.user_of(&session, now))))
                }
                // The user of a token is the upstream's to know.
                caller => Ok(Decision::Forward(caller)),
            },
            Route::Password(account, proof) => {
                let caller = self.authenticate(request, now, context).await?;
                Self::check_site_of(&caller, context)?;
                self.decide_password(caller, account, proof, context)
            }
            Route::Options(allow) => options::answer(headers, allow).map(Decision::Respond),
            Route::WrongMethod(door, allow) => {
                self.pass(door, request, now, context).await?;
                Err(Rejection::MethodNotAllowed(allow))
            }
            Route::NoSuchPage => {
                self.authenticate(request, now, context).await?;
                Err(Rejection::NoSuchPage)
            }
            Route::Api => {
                let caller = self.authenticate(request, now, context).await?;
                Self::check_site_of(&caller, context)?;
                self.check_access(&caller, request)?;
                if let Some((deed, account)) = users::deed(&request.method, request.uri.path()) {
                    self.send_on(deed, Some(account), &caller, context)?;
                }
                Ok(Decision::Forward(caller))
            }
            Route::OnItsOwn => Ok(Decision::Forward(Box::pin(self.owner(request)).await?)),
            Route::OnItsOwnOrApi => {
                let caller = Box::pin(self.owner_or_session(request, now, context)).await?;
                Self::check_site_of(&caller, context)?;
                self.check_access(&caller, request)?;
                Ok(Decision::Forward(caller))
            }
            Route::Health => Ok(Decision::Respond(Response::default())),
            Route::SetupClosed => Err(Rejection::SetupClosed),
            Route::Public => Ok(Decision::Forward(self.nobody(context))),
            Route::Elsewhere => Err(Rejection::PathNotFound),
        }
    }

    /// Says no to a body that is too long before any of it is read.
    fn check_declared_length(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        match (exchange::declared_length(headers), self.limits.body_bytes) {
            (Some(length), Some(most)) if length > most => Err(Rejection::TooLarge),
            _ => Ok(()),
        }
    }

    /// Who asks: by their own token if they bring one, good or bad; otherwise by the cookie.
    pub(super) async fn authenticate(
        &self,
        request: &Parts,
        now: Moment,
        context: &mut Context,
    ) -> Result<Caller, Rejection> {
        let headers = &request.headers;
        if let Some(token) = authorization::token(headers) {
            let user = Box::pin(self.auth.resolve(token)).await.map_err(token_refused)?;
            return Ok(Caller::Token(user));
        }
        let token = self.cookie.token(headers).ok_or(Rejection::Unauthorized)?;
        let session = match self.check_site(request, context) {
            Ok(()) => self.auth.authenticate(&token, now).await,
            // What will be refused renews no session.
            Err(_) => self.auth.peek(&token, now).await,
        };
        let session = session.map_err(store_error)?.ok_or(Rejection::Unauthorized)?;
        context.session = Some(Arc::clone(&session));
        match session.user().status {
            Status::Active => Ok(Caller::Session(session)),
            Status::Inactive => {
                // Somebody may have changed that.
                self.auth.doubt(&session);
                Err(Rejection::UserInactive)
            }
        }
    }

    async fn pass(
        &self,
        door: Door,
        request: &Parts,
        now: Moment,
        context: &mut Context,
    ) -> Result<(), Rejection> {
        match door {
            Door::Open => Ok(()),
            Door::Guarded => self.authenticate(request, now, context).await.map(|_caller| ()),
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
