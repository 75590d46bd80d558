//! `X-Request-Id`: kept if the client brought a sane one, else made.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Names one request in logs, upstream and in the answer.
#[derive(Clone, Debug)]
pub struct RequestId(HeaderValue);

impl RequestId {
    /// The client's id if there is exactly one, of 1 to 128 letters, digits, `-`, `_`, `.`, `:`,
    /// `/`, `+` or `=`; otherwise a new one.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut brought = headers.get_all(&X_REQUEST_ID).iter();
        match (brought.next(), brought.next()) {
            (Some(value), None) if is_sane(value.as_bytes()) => Self(value.clone()),
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

    /// A new id: 64 random bits of this process, then a counter: unique, and cheap on each request.
    pub fn make() -> Self {
        static PROCESS: OnceLock<u64> = OnceLock::new();
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let process = PROCESS.get_or_init(|| getrandom::u64().unwrap_or_default());
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let text = format!("{process:016x}-{count:x}");
        Self(HeaderValue::from_str(&text).expect("hex digits and a hyphen are a header value"))
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
}
