//! Answers: JSON, and refusals as `{code, message}`.

use std::borrow::Cow;

use http::StatusCode;
use http::header::{ALLOW, CACHE_CONTROL, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use serde_json::{Value, json};

use crate::api::Response;
use crate::api::json::of_json;
use crate::gateway::request_id::{RequestId, X_REQUEST_ID};

/// An answer that says no.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    /// The methods that there are, with 405.
    allow: &'static str,
}

impl Refusal {
    /// There is no such path.
    pub(super) const NOT_FOUND: Self =
        Self::new(StatusCode::NOT_FOUND, "not found", "there is no such path");

    /// The request has a body.
    pub(super) const NO_BODY: Self =
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "request too large", "no request here has a body");

    /// With a message that is known here.
    pub(super) const fn new(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message: Cow::Borrowed(message), allow: "" }
    }

    /// From another site, or by a name that is not ours.
    pub(super) const fn forbidden(message: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// No token, or a wrong one.
    pub(super) const fn unauthorized(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// What was asked cannot be read.
    pub(super) fn invalid(message: String) -> Self {
        Self { message: message.into(), ..Self::new(StatusCode::BAD_REQUEST, "invalid", "") }
    }

    /// Not for now.
    pub(super) fn unavailable(message: String) -> Self {
        let (status, code) = (StatusCode::SERVICE_UNAVAILABLE, "unavailable");
        Self { message: message.into(), ..Self::new(status, code, "") }
    }

    /// The path has the methods `allow` only.
    pub(super) fn method_not_allowed(allow: &'static str) -> Self {
        let message = "the path does not have this method; Allow names those that it has";
        let refusal = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method not allowed", message);
        Self { allow, ..refusal }
    }
}

impl From<Refusal> for Response {
    fn from(refusal: Refusal) -> Self {
        let Refusal { status, code, message, allow } = refusal;
        let mut response = of_json(status, &json!({ "code": code, "message": message }));
        let headers = response.headers_mut();
        if !allow.is_empty() {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// `value` with 200.
pub(super) fn ok(value: &Value) -> Response {
    of_json(StatusCode::OK, value)
}

/// What every answer has: nobody keeps it, nobody takes it for something else, and it can be found in the audit trail.
pub(super) fn complete(mut response: Response, id: &RequestId) -> Response {
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, id.header_value());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
