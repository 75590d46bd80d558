//! The listener for operators: [`Admin::answer`] answers its requests.
//!
//! There is no socket and no Pingora in here but in [`service`], which asks.

mod bans;
pub mod certificates;
pub mod guard;
mod health;
mod metrics;
pub mod providers;
mod query;
mod reload;
mod response;
mod route;
pub mod service;
mod sessions;
mod status;

use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::api::Response;
use crate::auth::Auth;
use crate::clock::Moment;
use crate::gateway::readiness::Readiness;
use crate::gateway::reloads::Reloads;
use crate::gateway::request_id::RequestId;
use crate::gateway::version::Version;
use crate::request_meta::{ClientKind, RequestMeta};
use certificates::CertificateInUse;
use guard::Guard;
use providers::ProviderInUse;
use response::Refusal;
use route::Route;

/// A request of an operator.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Its method.
    pub method: &'a Method,
    /// Path and query, as they were sent: nothing in the path is decoded.
    pub target: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Where it comes from; `None`: from a socket in the file system.
    pub address: Option<IpAddr>,
}

/// What operators can ask for.
pub struct Admin {
    /// Who may ask.
    pub guard: Arc<Guard>,
    /// Whether the gateway is ready.
    pub readiness: Arc<Readiness>,
    /// Users, sessions and bans.
    pub auth: Arc<Auth>,
    /// The upstream.
    pub version: Arc<Version>,
    /// The configuration in use, without secrets. Whoever puts another in use, says so here.
    pub config: Arc<ArcSwap<Value>>,
    /// The certificates in use.
    pub certificates: Vec<CertificateInUse>,
    /// The identity providers.
    pub providers: Vec<ProviderInUse>,
    /// When the process began to serve.
    pub started: Moment,
    /// Has files read again.
    pub reloads: Reloads,
}

impl Admin {
    /// The answer to `request`.
    pub async fn answer(&self, request: &Request<'_>) -> Response {
        let id = RequestId::of(request.headers);
        let decided = self.decide(request, id.as_str()).await;
        response::complete(decided.unwrap_or_else(Response::from), &id)
    }

    async fn decide(&self, request: &Request<'_>, id: &str) -> Result<Response, Refusal> {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        self.guard.check_site(request.headers)?;
        let route = Route::of(path);
        if !route.is_some_and(Route::is_public) {
            self.guard.check_token(request.headers)?;
        }
        let route = route.ok_or(Refusal::NOT_FOUND)?;
        route.check_method(request.method)?;
        let meta = RequestMeta {
            address: request.address,
            request_id: id,
            over_tls: false,
            kind: ClientKind::default(),
        };
        match route {
            Route::Live => Ok(health::live()),
            Route::Ready => health::ready(&self.readiness),
            Route::Status => Ok(status::get(self).await),
            Route::Config => Ok(response::ok(&self.config.load())),
            Route::Sessions if *request.method == Method::DELETE => {
                sessions::revoke_user(&self.auth, query, &meta).await
            }
            Route::Sessions => sessions::list(&self.auth, query).await,
            Route::Session(fingerprint) => sessions::revoke(&self.auth, fingerprint, &meta).await,
            Route::Bans => bans::list(&self.auth, query),
            Route::Ban(id) => bans::lift(&self.auth, id, &meta).await,
            Route::Reload => reload::post(&self.reloads).await,
            Route::Metrics => Ok(metrics::get(request.headers)),
        }
    }
}

#[cfg(test)]
mod tests;
