//! Bodies of refusals, and when to come back.

use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::Rejection;
use crate::api::{compact_json, pretty_json};

impl Rejection {
    /// The body of the answer.
    pub(super) fn body(self) -> Bytes {
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
    pub(super) fn retry_after(self) -> Option<Duration> {
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
