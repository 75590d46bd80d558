//! The access log: one line for each request.

mod compared;

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::time::Instant;

use http::{HeaderMap, HeaderName};

use crate::session::token::Fingerprint;
pub use compared::Compared;

/// The content of an access log line. It holds no secret: only a fingerprint of the session, and only the path of the
/// target.
pub struct Entry<'a> {
    /// The client's address.
    pub client: &'a str,
    /// The resolved user's name, if there is one.
    pub user: Option<&'a str>,
    /// The session, if there is one.
    pub session: Option<Fingerprint>,
    /// The request's method.
    pub method: &'a str,
    /// The request's path, without the query.
    pub path: &'a str,
    /// The status of the answer; 0 if none was sent.
    pub status: u16,
    /// Bytes of the answer's body.
    pub bytes: usize,
    /// When the request's header had been read.
    pub started: Instant,
    /// The request's id.
    pub request_id: &'a str,
    /// The trace id of `Zap-Trace-Span`, if there is a sane one.
    pub trace_id: Option<&'a str>,
    /// What was compared, if the request was refused as one of another site's page.
    pub compared: Option<Compared<'a>>,
}

/// Whether access lines are logged at all. If not, nothing is collected for them.
pub fn is_wanted() -> bool {
    log::log_enabled!(target: "access", log::Level::Info)
}

impl Entry<'_> {
    /// Writes the line, with the target `access`.
    pub fn log(&self) {
        log::info!(target: "access", "{self}");
    }
}

impl fmt::Display for Entry<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.map_or(Cow::Borrowed("-"), escaped);
        write!(out, "client={} user={user} session=", self.client)?;
        match self.session {
            Some(session) => write!(out, "{session}")?,
            None => out.write_char('-')?,
        }
        let micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        write!(
            out,
            " method={} path={} status={} bytes={} ms={}.{:03} request_id={}",
            escaped(self.method),
            escaped(self.path),
            self.status,
            self.bytes,
            micros / 1000,
            micros % 1000,
            self.request_id
        )?;
        if let Some(trace_id) = self.trace_id {
            write!(out, " trace_id={trace_id}")?;
        }
        match &self.compared {
            Some(compared) => compared.fmt(out),
            None => Ok(()),
        }
    }
}

/// `text` with everything but visible ASCII percent-encoded: no client can end the line, add a
/// field to it, or turn a terminal's colours on. Beyond `MOST_BYTES` it is cut, and how many bytes
/// the whole has is added.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if text.len() <= MOST_BYTES && text.bytes().all(|byte| matches!(byte, b'!'..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(MOST_BYTES + 16);
    for byte in text.bytes() {
        let length = escaped.len();
        if byte.is_ascii_graphic() {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
        if escaped.len() > MOST_BYTES {
            escaped.truncate(length);
            let _ = write!(escaped, "..[{}]", text.len());
            break;
        }
    }
    Cow::Owned(escaped)
}

/// What is logged of anything that a client makes up.
const MOST_BYTES: usize = 1024;

const ZAP_TRACE_SPAN: HeaderName = HeaderName::from_static("zap-trace-span");
const UBER_TRACE_ID: HeaderName = HeaderName::from_static("uber-trace-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace id that the request brings, in the first of these headers that has one: InfluxDB's
/// `Zap-Trace-Span` (JSON with `trace_id`), Jaeger's `uber-trace-id` (`trace:span:parent:flags`),
/// the W3C's `traceparent` (`version-trace-span-flags`). Anything else is no error, and no id.
pub fn trace_id(headers: &HeaderMap) -> Option<String> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let zap = || {
        let text = text(&ZAP_TRACE_SPAN).filter(|text| text.len() <= 4096)?;
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        sane_id(value.get("trace_id")?.as_str()?)
    };
    let jaeger = || sane_id(text(&UBER_TRACE_ID)?.split_once(':')?.0);
    let w3c = || sane_id(text(&TRACEPARENT)?.split('-').nth(1)?);
    zap().or_else(jaeger).or_else(w3c)
}

fn sane_id(id: &str) -> Option<String> {
    let is_sane = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_sane.then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn nothing_can_forge_a_line() {
        assert_eq!(escaped("/api/v2/query"), "/api/v2/query");
        assert_eq!(
            escaped("/a b\r\nuser=x\u{1b}[31m\u{202e}"),
            "/a%20b%0D%0Auser=x%1B[31m%E2%80%AE"
        );
    }

    #[test]
    fn f_23_what_is_long_is_cut_between_two_characters() {
        let whole = "a".repeat(MOST_BYTES);
        assert_eq!(escaped(&whole), whole);
        assert_eq!(escaped(&format!("{whole}b")), format!("{whole}..[1025]"));
        let short = &whole[..MOST_BYTES - 2];
        assert_eq!(escaped(&format!("{short}é")), format!("{short}..[1024]"));
        assert_eq!(escaped(&format!("{short}\u{7f}")), format!("{short}..[1023]"));
    }

    #[test]
    fn trace_ids_are_read_and_anything_else_does_not_matter() {
        let read = |name: &'static str, text: &str| {
            trace_id(&HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_str(text).unwrap(),
            )]))
        };
        let zap = |text| read("zap-trace-span", text);
        assert_eq!(zap(r#"{"trace_id":"1a2b","span_id":"3"}"#).as_deref(), Some("1a2b"));
        for odd in [
            "",
            "{",
            "[]",
            "{}",
            r#"{"trace_id":7}"#,
            r#"{"trace_id":""}"#,
            r#"{"trace_id":"a b"}"#,
            r#"{"trace_id":"\n"}"#,
        ] {
            assert_eq!(zap(odd), None, "{odd}");
        }
        assert_eq!(read("uber-trace-id", "7f:1:0:1").as_deref(), Some("7f"));
        assert_eq!(read("uber-trace-id", "7f"), None);
        assert_eq!(read("uber-trace-id", ":1:0:1"), None);
        assert_eq!(read("traceparent", "00-0af7-b7ad-01").as_deref(), Some("0af7"));
        assert_eq!(read("traceparent", "00"), None);
        assert_eq!(read("traceparent", "00-a b-c-01"), None);
    }
}
