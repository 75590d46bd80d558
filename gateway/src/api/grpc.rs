//! gRPC, as far as the gateway has to speak it: what is a call, and how one is refused.

use std::fmt::Write;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Response;
use super::rejection::Rejection;

/// The media type of calls and of their answers.
pub const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// The status of a call, in its trailers or in place of an answer.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// The status in words, percent-encoded.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Whether a request claims to be a call, of gRPC or of one of its relatives: whoever sends it reads refusals in gRPC's
/// form only.
pub fn is_call(headers: &HeaderMap) -> bool {
    let prefix = GRPC.as_bytes().len();
    let value = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    value
        .and_then(|value| value.get(..prefix))
        .is_some_and(|it| it.eq_ignore_ascii_case(GRPC.as_bytes()))
}

/// Whether it is a call of gRPC itself, whose messages Arrow Flight reads.
pub fn is_plain_call(headers: &HeaderMap) -> bool {
    let rest = headers.get(CONTENT_TYPE).and_then(|value| value.as_bytes().get(GRPC.len()..));
    is_call(headers)
        && rest.is_some_and(|rest| {
            rest.is_empty() || rest[0] == b';' || rest.eq_ignore_ascii_case(b"+proto")
        })
}

/// The status that a call is refused with: the numbers are gRPC's.
pub fn status(rejection: Rejection) -> u8 {
    /// The caller is not known.
    const UNAUTHENTICATED: u8 = 16;
    /// The caller may not do that.
    const PERMISSION_DENIED: u8 = 7;
    /// There was too much of something.
    const RESOURCE_EXHAUSTED: u8 = 8;
    /// There is no such method.
    const UNIMPLEMENTED: u8 = 12;
    /// Nobody is there to answer; it can be tried again.
    const UNAVAILABLE: u8 = 14;
    /// The call makes no sense.
    const INVALID_ARGUMENT: u8 = 3;
    /// A fault of the gateway.
    const INTERNAL: u8 = 13;
    match rejection {
        // The caps on what a client, or all of them, may have of the upstream.
        Rejection::UpstreamBusy | Rejection::TooManyConnections => return RESOURCE_EXHAUSTED,
        Rejection::Unimplemented => return UNIMPLEMENTED,
        _ => {}
    }
    match rejection.table().0 {
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        StatusCode::FORBIDDEN => PERMISSION_DENIED,
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => RESOURCE_EXHAUSTED,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => UNIMPLEMENTED,
        StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT
        | StatusCode::REQUEST_TIMEOUT => UNAVAILABLE,
        StatusCode::INTERNAL_SERVER_ERROR => INTERNAL,
        _ => INVALID_ARGUMENT,
    }
}

/// The trailers that say so.
pub fn trailers(rejection: Rejection) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    trailers.insert(GRPC_STATUS, HeaderValue::from(u16::from(status(rejection))));
    trailers.insert(GRPC_MESSAGE, encoded(rejection.table().2));
    trailers
}

/// A refusal whole: an answer of trailers only.
pub fn refusal(rejection: Rejection) -> Response {
    let mut response = Response::new(Bytes::new());
    *response.headers_mut() = trailers(rejection);
    response.headers_mut().insert(CONTENT_TYPE, GRPC);
    response
}

/// `text` as gRPC has it in a header: visible ASCII and blanks but `%`, all else percent-encoded.
fn encoded(text: &str) -> HeaderValue {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' '..=b'~' if byte != b'%' => encoded.push(char::from(byte)),
            // To a string, that does not fail.
            _ => write!(encoded, "%{byte:02X}").unwrap_or_default(),
        }
    }
    HeaderValue::try_from(encoded).unwrap_or(HeaderValue::from_static("-"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::api::rejection::Step;

    fn headers(content_type: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap())])
    }

    #[test]
    fn calls_are_known_by_their_media_type() {
        for (media_type, call, plain) in [
            ("application/grpc", true, true),
            ("Application/gRPC", true, true),
            ("application/grpc+proto", true, true),
            ("application/grpc;charset=utf-8", true, true),
            ("application/grpc+json", true, false),
            ("application/grpc-web", true, false),
            ("application/grp", false, false),
            ("application/json", false, false),
        ] {
            let headers = headers(media_type);
            assert_eq!((is_call(&headers), is_plain_call(&headers)), (call, plain), "{media_type}");
        }
        assert!(!is_call(&HeaderMap::new()));
    }

    #[test]
    fn a_refusal_is_trailers_only() {
        for (rejection, expected) in [
            (Rejection::Unauthorized, "16"),
            (Rejection::AccessDenied, "7"),
            (Rejection::CrossSite, "7"),
            (Rejection::TooManyFailures(Duration::from_secs(1)), "8"),
            (Rejection::TooManyAtOnce, "8"),
            (Rejection::UpstreamBusy, "8"),
            (Rejection::TooLarge, "8"),
            (Rejection::Unimplemented, "12"),
            (Rejection::PathNotFound, "12"),
            (Rejection::UpstreamFailed(Step::Connect), "14"),
            (Rejection::UpstreamTimedOut(Step::Receive), "14"),
            (Rejection::SessionsUnavailable, "14"),
            (Rejection::Internal, "13"),
            (Rejection::BadPath, "3"),
        ] {
            let response = refusal(rejection);
            assert_eq!(response.status(), StatusCode::OK);
            assert!(response.body().is_empty());
            assert_eq!(response.headers()[GRPC_STATUS], expected, "{rejection:?}");
            let message = response.headers()[GRPC_MESSAGE].to_str().unwrap();
            assert_eq!(message.trim_end_matches("%0A"), rejection.table().2.trim_end());
        }
        assert_eq!(encoded("50 % ü"), "50 %25 %C3%BC");
    }
}
