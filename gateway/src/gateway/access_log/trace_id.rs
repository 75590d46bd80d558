//! The trace id that a request brings.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

use crate::gateway::traceparent::{self, TRACEPARENT};

const ZAP_TRACE_SPAN: HeaderName = HeaderName::from_static("zap-trace-span");
const UBER_TRACE_ID: HeaderName = HeaderName::from_static("uber-trace-id");

/// The trace id that the request brings, in the first of these headers that has one: InfluxDB's
/// `Zap-Trace-Span` (JSON with `trace_id`), Jaeger's `uber-trace-id` (`trace:span:parent:flags`),
/// the W3C's `traceparent` (`version-trace-span-flags`). Anything else is no error, and no id.
pub fn trace_id(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    // Most requests bring none, and to see that costs less than to look for three.
    let is_one = |name: &HeaderName| [ZAP_TRACE_SPAN, UBER_TRACE_ID, TRACEPARENT].contains(name);
    if !headers.keys().any(is_one) {
        return None;
    }
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let zap = || {
        let text = text(&ZAP_TRACE_SPAN).filter(|text| text.len() <= 4096)?;
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        sane_id(value.get("trace_id")?.as_str()?).map(|id| Cow::Owned(id.to_owned()))
    };
    let jaeger = || sane_id(text(&UBER_TRACE_ID)?.split_once(':')?.0);
    let w3c = || traceparent::trace_id(headers);
    zap().or_else(|| jaeger().or_else(w3c).map(Cow::Borrowed))
}

fn sane_id(id: &str) -> Option<&str> {
    let is_sane = (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    is_sane.then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn trace_ids_are_read_and_anything_else_does_not_matter() {
        let read = |name: &'static str, text: &str| {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(name),
                HeaderValue::from_str(text).unwrap(),
            )]);
            trace_id(&headers).map(Cow::into_owned)
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
        let trace = "0af7651916cd43dd8448eb211c80319c";
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(read("traceparent", traceparent).as_deref(), Some(trace));
        assert_eq!(read("traceparent", "00-0af7-b7ad-01"), None);
    }
}
