//! `X-Request-Id`: the client's own if it is well-formed, otherwise a new one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of one request: in logs, upstream and in the answer.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's id if there is exactly one, of 1 to 128 letters, digits, `-`, `_`, `.`, `:`,
    /// `/`, `+` or `=`; otherwise a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut brought = headers.get_all(&X_REQUEST_ID).iter();
        match (brought.next(), brought.next()) {
            (Some(value), None) if is_sane(value.as_bytes()) => Self::once(value.clone()),
            _ => Self::make(),
        }
    }

    /// The id of a request whose header has not been read.
    pub fn unset() -> Self {
        Self(HeaderValue::from_static("-"))
    }

    /// The id as the value of the header.
    pub fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("an id is letters, digits and a few signs")
    }

    /// The same, without a look at it.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// A new id: 64 random bits of this process, then a counter: unique, and cheap on each request.
    pub fn make() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let process = PROCESS.get_or_init(|| getrandom::u64().unwrap_or_default());
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let mut text = [b'-'; 33];
        put_hex(*process, &mut text[..16]);
        put_hex(count, &mut text[17..]);
        // The counter without its leading zeros, but for the last.
        let zeros = text[17..32].iter().take_while(|digit| **digit == b'0').count();
        text.copy_within(17 + zeros.., 17);
        let text = &text[..33 - zeros];
        let value = HeaderValue::from_bytes(text);
        Self::once(value.expect("hex digits and a hyphen are a header value"))
    }

    /// An id stands in one request and its answer. So marked it is not put into HTTP/2's table of fields, where
    /// some sixty such ids would be all that there is, each compared with the next.
    fn once(mut value: HeaderValue) -> Self {
        value.set_sensitive(true);
        Self(value)
    }
}

/// Writes the lowest digits of `number`, as many as there is room for. By hand, without the standard
/// library's machinery of formats: an id is made for every request.
pub(super) fn put_hex(number: u64, room: &mut [u8]) {
    let mut rest = number;
    for digit in room.iter_mut().rev() {
        *digit = b"0123456789abcdef"[usize::try_from(rest & 15).expect("four bits")];
        rest >>= 4;
    }
}

fn is_sane(id: &[u8]) -> bool {
    (1..=128).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/+=".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sane_id_is_kept_and_any_other_replaced() {
        let of = |values: &[&str]| {
            let header = |value: &&str| (X_REQUEST_ID, HeaderValue::from_str(value).unwrap());
            RequestId::of(&values.iter().map(header).collect()).as_str().to_owned()
        };
        assert_eq!(of(&["abc-123"]), "abc-123");
        let long = "x".repeat(129);
        for odd in [&["a b"][..], &[""], &["a\"b"], &[&long], &["a", "b"], &[]] {
            let made = of(odd);
            assert!(!odd.contains(&made.as_str()) && made.len() < 40, "{odd:?}");
        }
        assert_ne!(of(&[]), of(&[]));
    }

    #[test]
    fn numbers_are_written_in_hex() {
        let hex = |number, digits| {
            let mut room = vec![0; digits];
            put_hex(number, &mut room);
            String::from_utf8(room).unwrap()
        };
        assert_eq!(hex(0xfeed_beef, 16), format!("{:016x}", 0xfeed_beef_u32));
        assert_eq!(hex(u64::MAX, 16), "f".repeat(16));
        for _ in 0..20 {
            let made = RequestId::make();
            let (process, count) = made.as_str().split_once('-').unwrap();
            assert_eq!(process.len(), 16);
            let again = u64::from_str_radix(count, 16).unwrap();
            assert_eq!(count, format!("{again:x}"));
        }
    }
}
