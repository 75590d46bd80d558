//! The listener for operators: [`Admin::answer`] answers its requests.
//!
//! There is no socket and no Pingora in here but in [`service`], which asks.

pub mod guard;
mod health;
mod response;
mod route;
pub mod service;

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::api::Response;
use crate::gateway::readiness::Readiness;
use guard::Guard;
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
}

/// What operators can ask for.
pub struct Admin {
    /// Who may ask.
    pub guard: Arc<Guard>,
    /// Whether the gateway is ready.
    pub readiness: Arc<Readiness>,
}

impl Admin {
    /// The answer to `request`.
    pub async fn answer(&self, request: &Request<'_>) -> Response {
        let decided = self.decide(request).await;
        response::complete(decided.unwrap_or_else(Response::from))
    }

    #[expect(clippy::unused_async, reason = "the store of sessions will be asked")]
    async fn decide(&self, request: &Request<'_>) -> Result<Response, Refusal> {
        let (path, _query) = request.target.split_once('?').unwrap_or((request.target, ""));
        self.guard.check_site(request.headers)?;
        let route = Route::of(path);
        if !route.is_some_and(Route::is_public) {
            self.guard.check_token(request.headers)?;
        }
        let route = route.ok_or(Refusal::NOT_FOUND)?;
        route.check_method(request.method)?;
        match route {
            Route::Live => Ok(health::live()),
            Route::Ready => health::ready(&self.readiness),
        }
    }
}

#[cfg(test)]
mod tests;
