//! Refusals as answers.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use serde::Serialize;

use super::{JSON, Rejection};
use crate::api::{Response, compact_json, pretty_json};

impl Rejection {
    /// The body of the answer.
    fn body(self) -> Bytes {
        let (_, code, message) = self.table();
        let (op, err) = match self {
            Self::UpstreamFailed(step) => (Some(step.op()), Some("connection failed")),
            Self::UpstreamTimedOut(step) => (Some(step.op()), Some("timeout")),
            _ => (None, None),
        };
        let body = Body { code, message, op, err };
        match self {
            // InfluxDB's two encoders: handlers of sessions and users write indented, the
            // authentication in front of everything writes compact.
            Self::Unauthorized | Self::UserInactive | Self::NotGranted | Self::NameTaken => {
                compact_json(&body)
            }
            Self::MethodNotAllowed(_) => Bytes::new(),
            Self::NoSuchPage => Bytes::from_static(message.as_bytes()),
            _ => pretty_json(&body),
        }
    }

    /// The value of `Retry-After`, if there is one.
    fn retry_after(self) -> Option<Duration> {
        match self {
            Self::TooManySessions => Some(Duration::from_secs(60)),
            Self::TooManyFailures(wait) => Some(wait),
            Self::UpstreamBusy | Self::TooManyAtOnce => Some(Duration::from_secs(1)),
            Self::DirectoryUnavailable | Self::SessionsUnavailable | Self::TooManySignIns => {
                Some(Duration::from_secs(5))
            }
            _ => None,
        }
    }
}

impl From<Rejection> for Response {
    /// Never with `WWW-Authenticate`: a browser would open its own dialogue over the page.
    fn from(rejection: Rejection) -> Self {
        let (status, code, _) = rejection.table();
        let mut response = Response::new(rejection.body());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        match rejection {
            Rejection::MethodNotAllowed(allow) => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Rejection::NoSuchPage => {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
                headers.insert("X-Content-Type-Options", HeaderValue::from_static("nosniff"));
            }
            _ => {
                headers.insert(CONTENT_TYPE, JSON);
                headers.insert("X-Platform-Error-Code", HeaderValue::from_static(code));
            }
        }
        if let Some(wait) = rejection.retry_after() {
            // Rounded up: whoever comes back then is let in.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// InfluxDB's error body, with the two members of its API documents where they help.
#[derive(Serialize)]
struct Body {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    op: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    err: Option<&'static str>,
}
