//! What is one request, and what is none.

use super::*;
use proptest::prelude::*;

const LIMITS: HeadLimits =
    HeadLimits { bytes: 16 * 1024, fields: 100, target: 8 * 1024, websockets: false };

fn read(text: &str) -> Result<Body, Rejection> {
    let end = HeadScan::default().scan(text.as_bytes(), &LIMITS)?.expect("a whole head");
    check(&text.as_bytes()[..end], &LIMITS).map(|checked| checked.body)
}

fn head_end(bytes: &[u8]) -> Result<Option<usize>, Rejection> {
    // In two pieces, wherever they are cut, and at once: the same.
    let at_once = HeadScan::default().scan(bytes, &LIMITS);
    for cut in 0..bytes.len().min(64) {
        let mut scan = HeadScan::default();
        if let Ok(None) = scan.scan(&bytes[..cut], &LIMITS) {
            assert_eq!(scan.scan(bytes, &LIMITS), at_once);
        }
    }
    at_once
}

/// The same, byte for byte.
fn plain_scan(bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Rejection> {
    let (mut previous, mut line_start) = (0, 0);
    for (at, &byte) in bytes.iter().enumerate() {
        if at >= limits.bytes {
            let is_first_line = line_start == 0;
            let (target, head) = (Rejection::TargetTooLong, Rejection::HeadTooLarge);
            return Err(if is_first_line { target } else { head });
        }
        let is_control = byte < 0x20 && !b"\t\r\n".contains(&byte) || byte == 0x7f;
        if is_control || (previous == b'\r') != (byte == b'\n') {
            return Err(Rejection::Unreadable);
        }
        if byte == b'\n' {
            if at - 1 == line_start {
                return Ok(Some(at + 1));
            }
            line_start = at + 1;
        }
        previous = byte;
    }
    Ok(None)
}

fn with(fields: &str) -> Result<Body, Rejection> {
    read(&format!("POST /api/v2/write HTTP/1.1\r\nHost: h\r\n{fields}\r\n"))
}

#[test]
fn what_follows_the_head() {
    assert_eq!(with(""), Ok(Body::Length(0)));
    assert_eq!(with("Content-Length: 0\r\n"), Ok(Body::Length(0)));
    assert_eq!(with("content-length:12\r\n"), Ok(Body::Length(12)));
    assert_eq!(with("Transfer-Encoding: Chunked\r\n"), Ok(Body::Chunked));
    assert_eq!(with("X: a\tb\u{e9}\r\nExpect: 100-continue\r\n"), Ok(Body::Length(0)));
    assert_eq!(read("GET / HTTP/1.0\r\n\r\n"), Ok(Body::Length(0)));
    assert_eq!(read("GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n"), Ok(Body::Length(0)));
}

#[test]
fn what_has_two_meanings_has_none() {
    for fields in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 3\r\nContent-Length: 3\r\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length: +3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 0x3\r\n",
        "Content-Length: \r\n",
        "Content-Length: 03\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length : 3\r\n",
        "Content_Length: 3\r\n",
        "Transfer_Encoding: chunked\r\n",
        "content.length: 3\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: \r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "X: a\r\n b\r\n",
        " X: a\r\n",
        "X\r\n",
        ": a\r\n",
        "X(A): a\r\n",
        "X A: a\r\n",
        "Host: h\r\n",
        "h\u{f6}st: a\r\n",
    ] {
        assert_eq!(with(fields).err().map(|r| r.table().0.as_u16()), Some(400), "{fields:?}");
    }
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: h:x\r\n\r\n",
        "GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.2\r\nHost: h\r\n\r\n",
        "GET / http/1.1\r\nHost: h\r\n\r\n",
        "GET /\r\nHost: h\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\n\r\n",
        "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET a HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        "G{T / HTTP/1.1\r\nHost: h\r\n\r\n",
    ] {
        assert_eq!(read(head).err().map(|r| r.table().0.as_u16()), Some(400), "{head:?}");
    }
    assert_eq!(with("Expect: foo\r\n"), Err(Rejection::ExpectationFailed));
    let method = |name: &str| read(&format!("{name} / HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert!(matches!(method("CONNECT"), Err(Rejection::MethodNotAllowed(_))));
    assert!(matches!(method("TRACE"), Err(Rejection::MethodNotAllowed(_))));
}

#[test]
fn what_may_be_declined_quietly_is() {
    for odd in [
        "websocket",
        "",
        "h2",
        "h2c/1",
        "HTTP/2.0",
        "TLS/",
        "TLS/1 2",
        "TLS/1.2/3",
        "xTLS/1.2",
        "h2c, websocket",
        "TLS/1.2,",
        ",",
        "TLS;1",
    ] {
        let upgrade = with(&format!("Upgrade: {odd}\r\n"));
        assert_eq!(upgrade, Err(Rejection::UpgradeRefused), "{odd:?}");
    }
    for fine in ["TLS/1.0", "tls/1.3", "TLS", "h2c", "H2C", "TLS/1.2, h2c", "h2c,TLS/1.0"] {
        let upgrade = with(&format!("Upgrade: {fine}\r\nContent-Length: 2\r\n"));
        assert_eq!(upgrade, Ok(Body::Length(2)), "{fine:?}");
    }
    let websockets = HeadLimits { websockets: true, ..LIMITS };
    for (value, fine) in [
        ("websocket", true),
        ("WebSocket", true),
        ("h2c", true),
        ("websocket/13", false),
        ("websocket, h2c", false),
        ("websockets", false),
        ("foo", false),
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: h\r\nUpgrade: {value}\r\n\r\n");
        assert_eq!(check(head.as_bytes(), &websockets).is_ok(), fine, "{value}");
    }
    let both = with("Upgrade: h2c\r\nUpgrade: websocket\r\n");
    assert_eq!(both, Err(Rejection::UpgradeRefused));
}

#[test]
fn what_cannot_become_a_head_is_refused_before_it_is_complete() {
    for start in ["GET / HTTP/1.1\n", "GET / HTTP/1.1\rX", "\0", "\x16\x03\x01", "GET /\x7f", "\n"]
    {
        assert_eq!(head_end(start.as_bytes()), Err(Rejection::Unreadable), "{start:?}");
    }
    for start in ["", "G", "GET / HTTP/1.1\r", "GET / HTTP/1.1\r\nHost: h\r\n\r"] {
        assert_eq!(head_end(start.as_bytes()), Ok(None), "{start:?}");
    }
}

#[test]
fn sizes() {
    let target = |length: usize| {
        read(&format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(length - 1)))
    };
    assert!(target(LIMITS.target).is_ok());
    assert_eq!(target(LIMITS.target + 1), Err(Rejection::TargetTooLong));
    assert_eq!(head_end("GET/".repeat(5000).as_bytes()), Err(Rejection::TargetTooLong));
    let whole = |length: usize| {
        let (start, end) = ("GET / HTTP/1.1\r\nHost: h\r\nX: ", "\r\n\r\n");
        read(&format!("{start}{}{end}", "a".repeat(length - start.len() - end.len())))
    };
    assert!(whole(LIMITS.bytes).is_ok());
    assert_eq!(whole(LIMITS.bytes + 1), Err(Rejection::HeadTooLarge));
    assert!(with(&"X: a\r\n".repeat(99)).is_ok());
    assert_eq!(with(&"X: a\r\n".repeat(100)), Err(Rejection::HeadTooLarge));
    let long = format!("X: {}\r\n", "a".repeat(LIMITS.bytes));
    assert_eq!(
        head_end(format!("GET / HTTP/1.1\r\n{long}").as_bytes()),
        Err(Rejection::HeadTooLarge)
    );
}

#[test]
fn hosts() {
    for right in ["h", "a.b-c_d", "h:80", "1.2.3.4:8086", "[::1]", "[::1]:8086", "h:"] {
        assert!(is_host(right.as_bytes()), "{right}");
    }
    for wrong in
        ["", ":80", "h:80:80", "[::1", "[x]", "[::1]x", "h:123456", "h:65536", "h h", "é", "h,i"]
    {
        assert!(!is_host(wrong.as_bytes()), "{wrong}");
    }
}

proptest! {
    /// However many bytes are looked at together, and however a head is cut into pieces.
    #[test]
    fn heads_end_where_they_end_byte_for_byte(
        head in "([a-z\t:\u{e9}]{0,6}(\r\n|\r\n|\r\n|\r|\n|\u{1}|\u{7f}|\r\n\r\n)){0,8}[a-z]{0,4}",
        cuts in proptest::collection::vec(0_usize..80, 0..4),
        most in 1_usize..80,
    ) {
        let limits = HeadLimits { bytes: most, ..LIMITS };
        let (bytes, mut scan, mut found) = (head.as_bytes(), HeadScan::default(), Ok(None));
        let mut cuts = cuts;
        cuts.sort_unstable();
        for cut in cuts.into_iter().chain([bytes.len()]) {
            if found == Ok(None) {
                found = scan.scan(&bytes[..cut.min(bytes.len())], &limits);
            }
        }
        prop_assert_eq!(found, plain_scan(bytes, &limits), "{:?}", head);
    }
}

proptest! {
    /// Never two messages about where a request ends: an accepted head has at most one length,
    /// of digits, or is chunked, and not both.
    #[test]
    fn an_accepted_head_ends_in_one_way(
        fields in proptest::collection::vec(
            ("Content-Length|Transfer-Encoding|content_length|X|Host",
             "[0-9]{1,3}|chunked|gzip, chunked|\\+1|h|"), 0..5)
    ) {
        let lines: Vec<_> =
            fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let lines = lines.concat();
        let of = |wanted: &str| {
            let named = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(wanted);
            fields.iter().filter(named).map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let (lengths, codings) = (of("content-length"), of("transfer-encoding"));
        match with(&lines) {
            Ok(Body::Chunked) => {
                prop_assert_eq!(codings, vec!["chunked".to_owned()]);
                prop_assert!(lengths.is_empty());
            }
            Ok(Body::Length(length)) => {
                prop_assert!(codings.is_empty() && lengths.len() <= 1);
                let told = lengths.first().map_or("0".to_owned(), Clone::clone);
                prop_assert_eq!(length.to_string(), told);
            }
            Err(_) => {}
        }
    }

    #[test]
    fn reading_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(Some(end)) = head_end(&bytes) {
            prop_assert!(bytes[..end].ends_with(b"\r\n") && end <= bytes.len());
            let _ = check(&bytes[..end], &LIMITS);
        }
    }
}

/// The attacks that the black-box tests replay, as seeds.
fn seeds() -> Vec<Vec<u8>> {
    let corpus = include_str!("../../../../tests/corpus/framing.jsonl");
    let send = |line: &str| {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        case["send"].as_str().unwrap().chars().map(|c| c as u8).collect()
    };
    corpus.lines().map(send).collect()
}

/// What Pingora's own parser makes of a head: its fields' names and values.
fn parsed_by_pingora(head: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut request = httparse::Request::new(&mut fields);
    let parsed = request.parse(head).ok()?;
    let fields = request.headers.iter();
    let fields = fields.map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec()));
    parsed.is_complete().then(|| fields.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Two parsers, one meaning: whatever is accepted here, Pingora's parser reads whole and
    /// with the same end of the body. Attacks, with a few bytes changed.
    #[test]
    fn what_is_accepted_pingora_reads_the_same(
        seed in any::<proptest::sample::Index>(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), 0..3), 0..4),
    ) {
        let mut bytes = seed.get(&seeds()).clone();
        for (at, byte, kind) in changes {
            let at = at.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                break;
            }
        }
        let Ok(Some(end)) = HeadScan::default().scan(&bytes, &LIMITS) else { return Ok(()) };
        let Ok(Checked { body, .. }) = check(&bytes[..end], &LIMITS) else { return Ok(()) };
        let fields = parsed_by_pingora(&bytes[..end]);
        prop_assert!(fields.is_some(), "{:?}", String::from_utf8_lossy(&bytes[..end]));
        let of = |wanted: &str| {
            let named = |(name, _): &&(String, Vec<u8>)| name == wanted;
            fields.iter().flatten().filter(named).map(|(_, v)| v.clone()).collect::<Vec<_>>()
        };
        let (lengths, codings) = (of("content-length"), of("transfer-encoding"));
        match body {
            Body::Chunked => prop_assert!(lengths.is_empty() && codings.len() == 1),
            Body::Length(length) => {
                prop_assert!(codings.is_empty() && lengths.len() <= 1);
                let told = lengths.first().map_or(&b"0"[..], Vec::as_slice);
                prop_assert_eq!(std::str::from_utf8(told).unwrap(), length.to_string());
            }
        }
    }
}
