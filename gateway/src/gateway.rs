//! The life of a request: [`Gateway::handle`] decides whether it is answered, rejected or forwarded.
//!
//! There is no socket and no Pingora in here: whoever has those asks.

pub mod access;
pub mod access_log;
pub mod authenticator;
pub mod client_info;
mod navigation;
pub mod oidc;
mod page;
pub mod policy;
pub mod readiness;
pub mod reloads;
pub mod request;
pub mod request_id;
pub mod response_headers;
mod sessions;
mod sessions_page;
pub mod traceparent;
mod ui;
pub mod user_changes;
pub mod version;

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};

use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::api::route::{Authentication, PublicRoute, Route};
use crate::api::{
    Response, authorization, compatible, framing, me, options, path, route, signin, signout, users,
};
use crate::auth::Auth;
use crate::auth::credential::Caller;
use crate::auth::tokens::Tokens;
use authenticator::Authenticator;
use policy::Policy;
use readiness::Readiness;
use request::{Decision, Outcome, Request};
use version::Version;

/// Decides about requests.
pub struct Gateway {
    auth: Arc<Auth>,
    policy: ArcSwap<Policy>,
    version: Arc<Version>,
    readiness: Arc<Readiness>,
}

impl Gateway {
    /// A gateway for the users and sessions of `auth`, by the rules of `policy`. Its own answers say
    /// the upstream's `version`.
    pub fn new(
        auth: Arc<Auth>,
        policy: Policy,
        version: Arc<Version>,
        readiness: Arc<Readiness>,
    ) -> Self {
        Self { auth, policy: ArcSwap::from_pointee(policy), version, readiness }
    }

    /// Whether it should get requests.
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }

    /// The rules that are in force now. Read once a request.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Puts other rules in force. Requests that have begun go on by the old ones.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// Users and their sessions.
    pub fn auth(&self) -> &Arc<Auth> {
        &self.auth
    }

    /// Decides about `request`.
    pub async fn handle(&self, policy: &Policy, request: Request<'_>) -> Outcome {
        let mut client = Authenticator::new(&self.auth, policy, request);
        let decision = self.decide(policy, request, &mut client).await;
        Outcome { decision, session: client.into_session() }
    }

    async fn decide(
        &self,
        policy: &Policy,
        request: Request<'_>,
        client: &mut Authenticator<'_>,
    ) -> Result<Decision, Rejection> {
        let (auth, head) = (&*self.auth, request.head);
        if !route::is_known(&head.method) {
            return Err(Rejection::MethodNotAllowed(route::METHODS));
        }
        path::check(head.uri.path())?;
        if let Some(response) = options::preflight(&policy.origins, head) {
            return Ok(Decision::Respond(response));
        }
        self.check(policy, request)?;
        match request.route {
            Route::SignIn(authentication) => {
                Box::pin(self.sign_in(policy, request, client, authentication)).await
            }
            Route::SignOut(authentication) => {
                Box::pin(self.sign_out(policy, request, client, authentication)).await
            }
            Route::Me => match client.caller().await?.caller {
                Caller::Session(session) => {
                    Ok(Decision::Respond(me::get(&auth.user_of(&session, request.now))))
                }
                Caller::Jwt(jwt) => Ok(Decision::Respond(me::get(&jwt.user))),
                Caller::Holder(holder) => Ok(Decision::Respond(me::get(&holder.user))),
                // The user of a token is the upstream's to know.
                caller @ Caller::Token(_) => Ok(Decision::on_behalf_of(caller)),
            },
            Route::Sessions(asked) => {
                Box::pin(sessions::of(auth, policy, client, asked, request)).await
            }
            Route::SessionsPage => {
                Box::pin(sessions_page::answer(auth, policy, client, request)).await
            }
            Route::MyProvider => Box::pin(oidc::out::own(auth, policy, client, request)).await,
            Route::Password(account, proof) => {
                let caller = client.caller().await?.for_changes()?;
                let new = (account, proof);
                Box::pin(user_changes::new_password(auth, policy, caller, new, request)).await
            }
            Route::Options(allow) => options::answer(&head.headers, allow).map(Decision::Respond),
            Route::WrongMethod(authentication, allow) => {
                client.require(authentication).await?;
                Err(Rejection::MethodNotAllowed(allow))
            }
            Route::NoSuchPage => {
                client.caller().await?;
                Err(Rejection::NoSuchPage)
            }
            Route::Api => self.decide_api(policy, request, client).await,
            Route::OnItsOwn(route) => match Box::pin(client.owner()).await? {
                Some(caller) => within_access(policy, caller, head),
                None => Ok(Decision::Forward(self.public(route, head))),
            },
            Route::OnItsOwnOrApi(route) => match Box::pin(client.owner_or_session()).await? {
                Some(owner) => within_access(policy, owner.for_changes()?, head),
                None => Ok(Decision::Forward(self.public(route, head))),
            },
            Route::Ui => Box::pin(ui::answer(policy, client, request)).await,
            Route::Page(file) => Box::pin(page::answer(auth, policy, client, file, request)).await,
            Route::Provider(it) => Box::pin(oidc::answer(auth, policy, client, it, request)).await,
            Route::Health => Ok(Decision::Respond(self.health())),
            Route::SetupClosed => Err(Rejection::SetupClosed),
            Route::Public(route) => {
                let instead = navigation::to_page(policy, head).map(Decision::Respond);
                Ok(instead.unwrap_or_else(|| Decision::Forward(self.public(route, head))))
            }
            Route::Flight => Box::pin(flight(policy, client, head)).await,
            Route::NotImplemented => Err(Rejection::Unimplemented),
            Route::NoCall => Err(Rejection::NoCall),
            Route::Elsewhere => Err(Rejection::PathNotFound),
        }
    }

    async fn sign_in(
        &self,
        policy: &Policy,
        request: Request<'_>,
        client: &mut Authenticator<'_>,
        authentication: Authentication,
    ) -> Result<Decision, Rejection> {
        // Nobody is to be signed in, unknowingly, as somebody else.
        client.check_site()?;
        client.require(authentication).await?;
        // In a box, as all that is long and seldom: forwarded requests carry none of it.
        let meta = request.client.meta();
        let post = signin::post(&self.auth, &policy.cookie, &request.head.headers, &meta);
        let (response, created) = Box::pin(post).await?;
        client.note(created);
        Ok(Decision::Respond(response))
    }

    async fn sign_out(
        &self,
        policy: &Policy,
        request: Request<'_>,
        client: &mut Authenticator<'_>,
        authentication: Authentication,
    ) -> Result<Decision, Rejection> {
        client.check_site()?;
        client.require(authentication).await?;
        let (headers, meta) = (&request.head.headers, request.client.meta());
        let post = signout::post(&self.auth, &policy.cookie, headers, &meta, request.now);
        let (response, ended) = post.await?;
        client.note(Some(ended));
        Ok(Decision::Respond(response))
    }

    /// The API of InfluxDB: forwarded for callers who may use it.
    async fn decide_api(
        &self,
        policy: &Policy,
        request: Request<'_>,
        client: &mut Authenticator<'_>,
    ) -> Result<Decision, Rejection> {
        let head = request.head;
        let caller = client.caller().await?.for_changes()?;
        access::check(policy, &caller, head)?;
        let errand = match users::deed(&head.method, head.uri.path()) {
            Some((deed, account)) => {
                user_changes::errand(&self.auth, deed, Some(account), &caller, request.client)
                    .await?
            }
            None => None,
        };
        Ok(Decision::Forward(Forward::on_behalf_of(caller).with_errand(errand)))
    }

    /// Rejects what is nowhere to be had.
    fn check(&self, policy: &Policy, request: Request<'_>) -> Result<(), Rejection> {
        let Request { route, head, client, .. } = request;
        check_declared_length(policy, &head.headers)?;
        self.check_query(head)?;
        if let Route::Public(_) = route {
            // What changes something there, is the setting up: whoever does it gets the first token.
            policy.origins.check(&head.method, &head.headers, client.host.as_ref())?;
        }
        ui::check_protocol(policy, request)
    }

    /// Rejects a JWT or a gateway token in the query, which would go upstream with it, and which others write down.
    fn check_query(&self, head: &Parts) -> Result<(), Rejection> {
        let is_compatible = route::is_compatible(head.uri.path());
        let has_jwt = || compatible::in_query(head).any(|token| self.auth.is_jwt(&token));
        let has_ours = compatible::leaks_gateway_token(head, is_compatible);
        if has_ours || self.auth.takes_jwts() && has_jwt() {
            return Err(Rejection::Unauthorized);
        }
        Ok(())
    }

    /// Whether the process serves and goes on doing so.
    fn health(&self) -> Response {
        let mut response = Response::default();
        if self.readiness.is_draining() {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        response
    }

    /// Leave to go upstream for nobody. `Authorization` goes along, for some upstreams look at it on
    /// public routes too; unless tokens are denied, or it is a JWT or a gateway token.
    fn public(&self, route: PublicRoute, head: &Parts) -> Forward {
        let is_ours = |header: &HeaderValue| {
            authorization::gateway_token(header).is_some() || self.auth.is_jwt(header)
        };
        let has_ours = || head.headers.get(AUTHORIZATION).is_some_and(is_ours);
        Forward::public(route, !matches!(self.auth.tokens(), Tokens::Deny) && !has_ours())
    }
}

/// A call of Arrow Flight: forwarded for callers who may make it.
async fn flight(
    policy: &Policy,
    client: &mut Authenticator<'_>,
    head: &Parts,
) -> Result<Decision, Rejection> {
    if authorization::is_basic(&head.headers) {
        // No token, and what is beside it does not count.
        return Err(Rejection::Unauthorized);
    }
    within_access(policy, client.caller().await?.for_changes()?, head)
}

/// The upstream answers `caller`, who may ask for that.
fn within_access(policy: &Policy, caller: Caller, head: &Parts) -> Result<Decision, Rejection> {
    access::check(policy, &caller, head)?;
    Ok(Decision::on_behalf_of(caller))
}

/// Rejects a body that is too long before any of it is read.
fn check_declared_length(policy: &Policy, headers: &HeaderMap) -> Result<(), Rejection> {
    match (framing::declared_length(headers), policy.limits.body_bytes) {
        (Some(length), Some(most)) if length > most => Err(Rejection::TooLarge),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
