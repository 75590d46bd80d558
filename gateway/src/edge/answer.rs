//! What the gateway answers by itself: bodies read, responses completed.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::context::Context;
use super::gateway::Gateway;
use super::request_id::{RequestId, X_REQUEST_ID};
use super::version::Version;
use super::{Downstream, exchange};
use crate::api::rejection::Rejection;
use crate::api::route::{Proof, Route};
use crate::api::{Response, authorization, options, password};
use crate::auth::InForce;

/// What every answer of the gateway's own has, whoever writes it and however early.
pub struct Manners {
    /// `Strict-Transport-Security` of answers over TLS.
    hsts: Option<HeaderValue>,
    version: Arc<Version>,
}

impl Manners {
    /// These, and what the upstream says of itself.
    pub fn new(hsts: Option<HeaderValue>, version: Arc<Version>) -> Self {
        Self { hsts, version }
    }

    /// What learns the upstream's version.
    pub fn version(&self) -> Arc<Version> {
        Arc::clone(&self.version)
    }

    /// `Strict-Transport-Security` of an answer over TLS or not.
    pub fn hsts(&self, over_tls: bool) -> Option<&HeaderValue> {
        self.hsts.as_ref().filter(|_| over_tls)
    }

    /// Adds to the headers of an answer what every one has.
    pub fn complete(&self, headers: &mut HeaderMap, id: &RequestId, over_tls: bool) {
        headers.insert(X_REQUEST_ID, id.header_value());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(hsts) = self.hsts(over_tls) {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        self.version.add_to(headers);
    }
}

impl Gateway {
    /// Reads a body away that the endpoint does not want, which must be short.
    pub(super) async fn read_unwanted_body(
        &self,
        downstream: &mut Downstream,
    ) -> Result<(), Rejection> {
        if downstream.as_downstream_mut().is_body_done() {
            return Ok(());
        }
        let request = downstream.req_header();
        let route = Route::of(&request.method, request.uri.path(), &self.forwarding);
        if matches!(route, Route::SignIn(_) | Route::SignOut(_) | Route::Me) {
            exchange::read_body(downstream, &self.limits).await?;
        }
        Ok(())
    }

    /// Reads the new password from the request's body and sets it.
    pub(super) async fn change_password(
        &self,
        downstream: &mut Downstream,
        password: &InForce,
        proof: Proof,
        context: &Context,
    ) -> Result<Response, Rejection> {
        let body = exchange::read_body(downstream, &self.limits).await?;
        let body = Zeroizing::new(body.to_vec());
        // The head came some time ago: whose it was then says nothing of now.
        self.look_again(password.session())?;
        let old = authorization::basic(&downstream.req_header().headers);
        password::change(&self.auth, password, proof, old, &body, &context.visit()).await
    }

    /// Writes a local answer, with the headers that every answer has.
    pub(super) async fn respond(
        &self,
        downstream: &mut Downstream,
        mut response: Response,
        context: &Context,
    ) -> pingora::Result<()> {
        let over_tls = context.origin.over_tls;
        self.manners.complete(response.headers_mut(), &context.request_id, over_tls);
        let request = &downstream.req_header().headers;
        options::share(&self.origins, request, response.headers_mut());
        exchange::write(downstream, response).await
    }
}
