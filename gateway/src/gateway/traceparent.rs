//! `traceparent` of the W3C's Trace Context: which trace a request is part of. It is for logs and traces only.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::request_id::put_hex;
use crate::seeds::nth_of;

/// The header.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Version, trace id, span id, flags: how long the header is as far as it is understood.
const LENGTH: usize = 55;

/// What the flags may say: that the trace is recorded, and that its id is random.
const KNOWN_FLAGS: u8 = 0b11;

/// The flag that says the first of these.
const RECORDED: u8 = 0b01;

/// The gateway's own part in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    trace_id: [u8; 32],
    /// Of the gateway's own span, whose parent the client named.
    span_id: u64,
    flags: u8,
    /// The client's span, if it has begun the trace.
    parent: Option<u64>,
}

/// What a client says of a trace.
struct Brought {
    trace_id: [u8; 32],
    span_id: u64,
    flags: u8,
}

impl TraceParent {
    /// Continues the client's trace, or begins one if what the client says of it cannot be read. `None` if it says
    /// nothing.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        headers
            .contains_key(&TRACEPARENT)
            .then(|| Self::continued_or_begun(headers, |_trace_id| false))
    }

    /// Continues the client's trace, or begins one, which is recorded if `is_wanted` says so of the last 64 bits of its id.
    pub fn continued_or_begun(headers: &HeaderMap, is_wanted: impl FnOnce(u64) -> bool) -> Self {
        let span_id = new_span_id();
        if let Some(Brought { trace_id, span_id: parent, flags }) =
            only(headers).and_then(|value| parse(value.as_bytes()))
        {
            return Self { trace_id, span_id, flags, parent: Some(parent) };
        }
        let (trace_id, low) = new_trace_id();
        let flags = if is_wanted(low) { RECORDED } else { 0 };
        Self { trace_id, span_id, flags, parent: None }
    }

    /// Whether it is recorded, as whoever has begun it has decided.
    pub fn is_recorded(&self) -> bool {
        self.flags & RECORDED != 0
    }

    /// The id of the gateway's own span.
    pub fn span_id(&self) -> u64 {
        self.span_id
    }

    /// The client's span, if it has begun the trace.
    pub fn parent(&self) -> Option<u64> {
        self.parent
    }

    /// The flags, as they go upstream.
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// The id of the trace: 32 hex digits.
    pub fn trace_id(&self) -> &str {
        std::str::from_utf8(&self.trace_id).unwrap_or_default()
    }

    /// Tells the upstream, whose spans are children of the gateway's.
    pub fn put(&self, headers: &mut HeaderMap) {
        let mut text = [b'-'; LENGTH];
        text[..2].copy_from_slice(b"00");
        text[3..35].copy_from_slice(&self.trace_id);
        put_hex(self.span_id, &mut text[36..52]);
        put_hex(self.flags.into(), &mut text[53..]);
        if let Ok(value) = HeaderValue::from_bytes(&text) {
            headers.insert(TRACEPARENT, value);
        }
        if self.parent.is_none() {
            // It belongs to a trace that cannot be read.
            headers.remove(TRACESTATE);
        }
    }
}

/// The trace id of the only `traceparent`, if that can be read.
pub fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let value = only(headers)?.as_bytes();
    parse(value).and_then(|_| std::str::from_utf8(&value[3..35]).ok())
}

fn only(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    all.next().filter(|_| all.next().is_none())
}

/// Reads `version-trace-span-flags`. A later version may have more to say, after another `-`.
fn parse(value: &[u8]) -> Option<Brought> {
    let (head, more) = value.split_at_checked(LENGTH)?;
    let (version, trace, span, flags) = (&head[..2], &head[3..35], &head[36..52], &head[53..]);
    let are_apart = [2, 35, 52].iter().all(|&place| head[place] == b'-');
    let are_digits = [version, trace, span, flags]
        .iter()
        .all(|digits| digits.iter().all(|&byte| is_digit(byte)));
    let is_id = |digits: &[u8]| digits.iter().any(|&digit| digit != b'0');
    let is_known = match version {
        b"ff" => false,
        b"00" => more.is_empty(),
        _later => more.first().is_none_or(|&byte| byte == b'-'),
    };
    let is_sound = are_apart && are_digits && is_known && is_id(trace) && is_id(span);
    let number = |digits| u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
    let flags = u8::try_from(number(flags)?).ok()? & KNOWN_FLAGS;
    let brought = Brought { trace_id: *trace.first_chunk()?, span_id: number(span)?, flags };
    is_sound.then_some(brought)
}

fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// 128 bits that nobody else has, and the last 64 of them; 0 is none.
fn new_trace_id() -> ([u8; 32], u64) {
    let (mut digits, low) = ([0; 32], new_span_id());
    put_hex(new_span_id(), &mut digits[..16]);
    put_hex(low, &mut digits[16..]);
    (digits, low)
}

/// 64 bits that look random, and are no others' of this process; 0 is none.
fn new_span_id() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let seed = *SEED.get_or_init(|| getrandom::u64().unwrap_or_default());
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    nth_of(seed, count).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    fn headers(values: &[&str]) -> HeaderMap {
        let header = |value: &&str| (TRACEPARENT, HeaderValue::from_str(value).unwrap());
        let state = (TRACESTATE, HeaderValue::from_static("a=1"));
        values.iter().map(header).chain([state]).collect()
    }

    fn forwarded(values: &[&str]) -> (String, bool) {
        let mut headers = headers(values);
        TraceParent::of(&headers).unwrap().put(&mut headers);
        assert_eq!(headers.get_all(TRACEPARENT).iter().count(), 1);
        let value = headers[TRACEPARENT].to_str().unwrap().to_owned();
        (value, headers.contains_key(TRACESTATE))
    }

    #[test]
    fn a_trace_is_continued_by_a_span_of_our_own() {
        let span = "b7ad6b7169203331";
        for (brought, flags) in [
            (format!("00-{TRACE}-{span}-01"), "01"),
            (format!("00-{TRACE}-{span}-00"), "00"),
            (format!("00-{TRACE}-{span}-03"), "03"),
            (format!("00-{TRACE}-{span}-ff"), "03"),
            (format!("01-{TRACE}-{span}-01-more"), "01"),
            (format!("fe-{TRACE}-{span}-01"), "01"),
        ] {
            let (value, has_state) = forwarded(&[&brought]);
            assert_eq!(trace_id(&headers(&[&brought])), Some(TRACE));
            assert_eq!(
                (&value[..36], &value[52..]),
                (&*format!("00-{TRACE}-"), &*format!("-{flags}"))
            );
            assert_ne!(&value[36..52], span);
            assert_ne!(value, forwarded(&[&brought]).0);
            assert!(has_state && parse(value.as_bytes()).is_some(), "{value}");
        }
        assert_eq!(TraceParent::of(&HeaderMap::new()), None);
    }

    #[test]
    fn what_cannot_be_read_begins_a_new_trace() {
        let good = format!("00-{TRACE}-b7ad6b7169203331-01");
        for odd in [
            &[""][..],
            &["00"],
            &[&good[1..]],
            &[&good[..54]],
            &[&format!("{good}-more")],
            &[&format!("{good} ")],
            &[&good.to_uppercase()],
            &[&good.replace("00-0", "ff-0")],
            &[&good.replace("00-0", "0g-0")],
            &[&good.replace(TRACE, &"0".repeat(32))],
            &[&good.replace("b7ad6b7169203331", &"0".repeat(16))],
            &[&good.replace('-', "_")],
            &[&good.replace("-01", "-0x")],
            &[&good.replace("-01", "-+1")],
            &[&good.replace("00-0", "01-0").replace("-01", "-01x")],
            &[&good, &good],
        ] {
            assert_eq!(trace_id(&headers(odd)), None, "{odd:?}");
            let (value, has_state) = forwarded(odd);
            assert!(parse(value.as_bytes()).is_some() && !value.contains(TRACE), "{value}");
            assert!(value.ends_with("-00") && !has_state, "{value}");
        }
    }

    proptest! {
        /// Whatever comes in, one sound header goes out; and what was sound keeps its trace.
        #[test]
        fn one_sound_header_goes_out(
            value in "[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.{0,5})?|[ -~]{0,60}|[0-9a-fA-F-]{55}",
            times in 1..3_usize,
        ) {
            let brought = vec![&*value; times];
            let Ok(_) = HeaderValue::from_str(&value) else { return Ok(()) };
            let (out, has_state) = forwarded(&brought);
            let Brought { trace_id: trace, flags, .. } = parse(out.as_bytes()).unwrap();
            prop_assert!(out.len() == LENGTH && out.starts_with("00-") && flags <= KNOWN_FLAGS);
            let read = trace_id(&headers(&brought)).map(str::to_owned);
            prop_assert_eq!(has_state, read.is_some());
            if let Some(read) = read {
                prop_assert_eq!(read.as_bytes(), trace);
                prop_assert_eq!(&read, &value[3..35]);
            }
        }
    }
}
