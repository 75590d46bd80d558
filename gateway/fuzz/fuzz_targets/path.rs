//! Paths: what is let through says the same to whoever decodes and tidies it.
#![no_main]

use http::Method;
use influx_gateway::internals::{Forwarding, Route, Ui, Unversioned, path};
use libfuzzer_sys::fuzz_target;

// A method, a blank, and the path.
fuzz_target!(|text: &str| {
    let Some((method, path)) = text.split_once(' ') else { return };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else { return };
    let forwarding = Forwarding {
        public: vec!["/health".to_owned()],
        setup: false,
        credentials: false,
        ui: Ui::Closed,
        page: None,
        unversioned: Unversioned::Closed,
        grpc: false,
    };
    if path::check(path).is_err() {
        return;
    }
    assert_eq!(Route::of(&method, path, &forwarding), Route::of(&method, path, &forwarding));
    assert_eq!(path.parse::<http::Uri>().expect("a path of a URI").path(), path);
    let decoded = decoded(path);
    let encoded = path.matches('%').count();
    assert_eq!(decoded.len() + 2 * encoded, path.len(), "each % encodes one byte");
    let count = |bytes: &[u8]| bytes.iter().filter(|&&byte| byte == b'/').count();
    assert_eq!(count(&decoded), count(path.as_bytes()), "a slash was encoded");
    let segments: Vec<_> = decoded.split(|&byte| byte == b'/').collect();
    let (_first, segments) = segments.split_first().expect("a path begins with a slash");
    for (index, segment) in segments.iter().enumerate() {
        assert!(!matches!(**segment, [b'.'] | [b'.', b'.']), "a segment that others take away");
        assert!(!segment.is_empty() || index + 1 == segments.len(), "two slashes");
        assert!(!segment.iter().any(|byte| byte.is_ascii_control() || b"\\;?#%".contains(byte)));
    }
});

/// What another server makes of the path.
fn decoded(path: &str) -> Vec<u8> {
    let mut parts = path.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        decoded.push(u8::from_str_radix(&part[..2], 16).expect("two digits"));
        decoded.extend_from_slice(&part.as_bytes()[2..]);
    }
    decoded
}
