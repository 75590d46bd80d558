//! The head of a request: one reading, however it arrives, and the one that Pingora's parser has.
#![no_main]

use influx_gateway::internals::framing::{self, Body, Checked};
use influx_gateway::internals::{HeadLimits, HeadScan};
use libfuzzer_sys::fuzz_target;

const LIMITS: HeadLimits = HeadLimits { bytes: 4096, fields: 20, target: 1024, websockets: false };

fuzz_target!(|bytes: &[u8]| {
    let at_once = HeadScan::default().scan(bytes, &LIMITS);
    let mut scan = HeadScan::default();
    let in_pieces = (0..=bytes.len())
        .map(|end| scan.scan(&bytes[..end], &LIMITS))
        .find(|found| *found != Ok(None))
        .unwrap_or(Ok(None));
    assert_eq!(in_pieces, at_once, "in pieces, and at once");
    let Ok(Some(end)) = at_once else { return };
    let head = &bytes[..end];
    assert_eq!(framing::check(head, &LIMITS), framing::check(head, &LIMITS), "read twice");
    if let Ok(checked) = framing::check(head, &LIMITS) {
        let encoded = with_plain_target(head, &checked);
        let again = framing::check(&encoded, &WIDE).expect("what was accepted, written again");
        assert!(again.target.is_plain() && again.body == checked.body);
        pingora_reads_the_same(&encoded, &again);
    }
});

/// What is left of a target of [`LIMITS`] when each of its bytes is encoded.
const WIDE: HeadLimits = HeadLimits { target: 3 * LIMITS.target, ..LIMITS };

/// The head as it is passed on.
fn with_plain_target(head: &[u8], checked: &Checked<'_>) -> Vec<u8> {
    let mut words = head.splitn(3, |&byte| byte == b' ');
    let method = words.next().expect("a method");
    let rest = words.nth(1).expect("a version");
    let target = checked.target.encoded().expect("a short target");
    [method, &target, rest].join(&b' ')
}

fn pingora_reads_the_same(head: &[u8], checked: &Checked<'_>) {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let status = request.parse(head).expect("Pingora's parser can read it");
    assert_eq!(status, httparse::Status::Complete(head.len()));
    let all = |name: &str| -> Vec<&[u8]> {
        let named = request.headers.iter().filter(|header| header.name.eq_ignore_ascii_case(name));
        named.map(|header| header.value).collect()
    };
    let (lengths, encodings) = (all("content-length"), all("transfer-encoding"));
    assert!(all("host").len() <= 1);
    match checked.body {
        Body::Chunked => assert!(lengths.is_empty() && encodings.len() == 1),
        Body::Length(0) => {
            assert!(encodings.is_empty() && lengths.iter().all(|value| *value == b"0"))
        }
        Body::Length(length) => {
            assert!(encodings.is_empty());
            assert_eq!(lengths, [length.to_string().as_bytes()]);
        }
    }
}
