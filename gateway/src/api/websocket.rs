//! How a WebSocket is asked for (RFC 6455 section 4.2.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use super::rejection::Rejection;

/// The word for it in `Upgrade`.
pub const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// The word for it in `Connection`.
pub const UPGRADE_IT: HeaderValue = HeaderValue::from_static("Upgrade");

/// How many bytes a key has.
const KEY: usize = 16;

/// Whether a WebSocket is asked for, in whatever way.
pub fn is_wanted(headers: &HeaderMap) -> bool {
    headers.get_all(UPGRADE).iter().any(is_websocket)
}

/// The same; refused if it is asked for in a way that somebody else could take for something else: such as with a body,
/// which ends nobody knows where.
pub fn asked(head: &Parts) -> Result<bool, Rejection> {
    let headers = &head.headers;
    if !is_wanted(headers) {
        return Ok(false);
    }
    let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0")
        && !headers.contains_key(TRANSFER_ENCODING)
        && !headers.contains_key(EXPECT);
    let is_right = head.method == Method::GET
        && head.version == Version::HTTP_11
        && is_empty
        && only(headers, &UPGRADE).is_some()
        && headers.get_all(CONNECTION).iter().any(upgrades)
        && only(headers, &SEC_WEBSOCKET_KEY).is_some_and(is_key)
        && only(headers, &SEC_WEBSOCKET_VERSION).is_some_and(|version| version == "13");
    if is_right { Ok(true) } else { Err(Rejection::UpgradeRefused) }
}

/// Whether an answer is that of a server that speaks it from now on.
pub fn is_begun(status: StatusCode, headers: &HeaderMap) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS && only(headers, &UPGRADE).is_some_and(is_websocket)
}

fn is_websocket(value: &HeaderValue) -> bool {
    value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"websocket")
}

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn upgrades(value: &HeaderValue) -> bool {
    let mut words = value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
    words.any(|word| word.eq_ignore_ascii_case(b"upgrade"))
}

fn is_key(value: &HeaderValue) -> bool {
    STANDARD.decode(value.as_bytes()).is_ok_and(|key| key.len() == KEY)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: [(&str, &str); 5] = [
        ("host", "gateway.test"),
        ("upgrade", "websocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-version", "13"),
    ];

    fn of(method: &str, version: Version, headers: &[(&str, &str)]) -> Result<bool, Rejection> {
        let mut request = http::Request::builder().method(method).uri("/ws").version(version);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        asked(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn it_is_asked_for_in_one_way() {
        let refused = Err(Rejection::UpgradeRefused);
        assert_eq!(of("GET", Version::HTTP_11, &RIGHT), Ok(true));
        let empty = [&RIGHT[..], &[("content-length", "0")]].concat();
        assert_eq!(of("GET", Version::HTTP_11, &empty), Ok(true));
        for method in ["POST", "HEAD", "OPTIONS", "PUT"] {
            assert_eq!(of(method, Version::HTTP_11, &RIGHT), refused, "{method}");
        }
        for version in [Version::HTTP_10, Version::HTTP_2] {
            assert_eq!(of("GET", version, &RIGHT), refused, "{version:?}");
        }
        for left_out in 2..RIGHT.len() {
            let mut headers = RIGHT.to_vec();
            headers.remove(left_out);
            assert_eq!(of("GET", Version::HTTP_11, &headers), refused, "{headers:?}");
        }
        for odd in [
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
            ("upgrade", "websocket"),
            ("upgrade", "h2c"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
        ] {
            let headers = [&RIGHT[..], &[odd]].concat();
            assert_eq!(of("GET", Version::HTTP_11, &headers), refused, "{odd:?}");
        }
        for (at, value) in [
            (2, "close"),
            (2, "upgrades"),
            (3, "short"),
            (3, "dGhlIHNhbXBsZSBub25jZQ"),
            (4, "8"),
            (4, "013"),
        ] {
            let mut headers = RIGHT;
            headers[at].1 = value;
            assert_eq!(of("GET", Version::HTTP_11, &headers), refused, "{value}");
        }
    }

    #[test]
    fn what_is_something_else_is_none() {
        for headers in [&[][..], &[("upgrade", "h2c")], &[("connection", "upgrade")]] {
            assert_eq!(of("POST", Version::HTTP_11, headers), Ok(false), "{headers:?}");
        }
    }

    #[test]
    fn it_has_begun_when_the_other_side_says_so_once() {
        let upgrade = |value| HeaderMap::from_iter([(UPGRADE, HeaderValue::from_static(value))]);
        let (yes, no) = (StatusCode::SWITCHING_PROTOCOLS, StatusCode::OK);
        assert!(is_begun(yes, &upgrade("WebSocket")));
        assert!(!is_begun(no, &upgrade("websocket")));
        assert!(!is_begun(yes, &upgrade("h2c")) && !is_begun(yes, &HeaderMap::new()));
        let mut twice = upgrade("websocket");
        twice.append(UPGRADE, WEBSOCKET);
        assert!(!is_begun(yes, &twice));
    }
}
