//! What every answer of the gateway's own has, whoever writes it and however early.

use http::HeaderMap;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS};

use super::Gateway;
use super::policy::Policy;
use super::request_id::{RequestId, X_REQUEST_ID};
use crate::api::{Response, options};

/// To whom an answer goes.
pub struct Recipient<'a> {
    /// The id of the request.
    pub id: &'a RequestId,
    /// Whether the client spoke TLS.
    pub over_tls: bool,
    /// The headers of the request; `None` if they could not be read.
    pub headers: Option<&'a HeaderMap>,
}

impl Gateway {
    /// `response`, completed: a local response, a rejection before a request was read, or what
    /// stands for an error of Pingora's.
    pub fn complete(
        &self,
        response: impl Into<Response>,
        policy: &Policy,
        to: &Recipient<'_>,
    ) -> Response {
        let mut response = response.into();
        let headers = response.headers_mut();
        headers.insert(X_REQUEST_ID, to.id.header_value());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(hsts) = policy.hsts(to.over_tls) {
            headers.insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        self.version.add_to(headers);
        if let Some(request) = to.headers {
            options::share(&policy.origins, request, headers);
        }
        response
    }
}
