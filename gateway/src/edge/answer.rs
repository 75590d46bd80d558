//! What the gateway answers by itself, completed.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderValue};

use super::context::Context;
use super::gateway::Gateway;
use super::origin::ClientInfo;
use super::request_id::{RequestId, X_REQUEST_ID};
use super::version::Version;
use super::{Downstream, exchange};
use crate::api::{Response, options};

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
    /// Writes a local answer, with the headers that every answer has.
    pub(super) async fn respond(
        &self,
        downstream: &mut Downstream,
        mut response: Response,
        context: &Context,
    ) -> pingora::Result<()> {
        let ClientInfo { request_id, over_tls, .. } = &context.client;
        self.manners.complete(response.headers_mut(), request_id, *over_tls);
        let request = &downstream.req_header().headers;
        options::share(&self.origins, request, response.headers_mut());
        exchange::write(downstream, response).await
    }
}
