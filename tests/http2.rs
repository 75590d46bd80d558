use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::frames::*;
use crate::secure::SecureGateway;
use crate::support::*;

fn credentials() -> String {
    format!("Basic {}", STANDARD.encode(format!("ada:{PASSWORD}")))
}

#[test]
fn a_session_lives_from_sign_in_to_sign_out() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let mut connection = Connection::open(&secure, &[]);
    let answer = connection.ask("POST", "/api/v2/signin", &[("authorization", &credentials())]);
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert!(answer.header("set-cookie").unwrap().contains("; Secure;"), "{answer:?}");
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=15552000"));
    let session = answer.cookie();
    let cookie = [("cookie", &*session)];

    assert_eq!(connection.ask("GET", "/api/v2/me", &cookie).json()["name"], "ada");
    let answer = connection.ask("GET", "/api/v2/buckets?a=%2F", &cookie);
    assert_eq!((answer.status, &*answer.text()), (200, "ada"));
    let seen = upstream.next();
    assert_eq!(seen.line(), "GET /api/v2/buckets?a=%2F HTTP/1.1");
    assert_eq!(seen.header("host"), Some(&*upstream.address.to_string()));
    assert_eq!(seen.header("x-forwarded-host"), Some("gateway.test"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("https"));
    assert_eq!(seen.header("cookie"), None);
    // The same session over HTTP/1.1.
    let line = crate::support::cookie(&session);
    assert_eq!(secure.connect().send(&get("/api/v2/me", &[&line])).status, 200);

    assert_eq!(connection.ask("POST", "/api/v2/signout", &cookie).status, 204);
    let answer = connection.ask("GET", "/api/v2/me", &cookie);
    assert_eq!((answer.status, answer.body.len()), (401, 55));
    assert_eq!(secure.connect().send(&get("/api/v2/me", &[&line])).status, 401);
    assert_eq!(connection.ask("GET", "/api/v2/buckets", &cookie).status, 401);
    assert!(upstream.saw_nothing());
}

#[test]
fn an_answer_to_head_has_no_body() {
    let upstream = Upstream::behaving(|seen, stream| {
        assert!(seen.line().starts_with("HEAD "), "{}", seen.head);
        std::io::Write::write_all(stream, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").is_ok()
    });
    let secure = SecureGateway::start(upstream.address);
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[]);
    for (path, cookie, status) in [
        ("/api/v2/buckets", &*session, 200),
        ("/api/v2/buckets", "a=b", 401),
        ("/nowhere", "a=b", 404),
    ] {
        let answer = connection.ask("HEAD", path, &[("cookie", cookie)]);
        assert_eq!((answer.status, answer.body.len()), (status, 0), "{path}");
    }
    // Nor has one that says why there is no other.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let secure = SecureGateway::start(nobody);
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[]);
    for (path, cookie) in [("/api/v2/buckets", &*session), ("/health", "a=b")] {
        let answer = connection.ask("HEAD", path, &[("cookie", cookie)]);
        assert_eq!((answer.status, answer.body.len()), (502, 0), "{path}");
        // Its head is its end: a stream that is reset afterwards is no answer to most clients.
        let mut other = Connection::open(&secure, &[]);
        let stream = other.send(&[&head("HEAD", path)[..], &[("cookie", cookie)]].concat(), None);
        let is_its = |frame: &Frame| frame.kind == HEADERS && frame.stream == stream;
        let frame = std::iter::from_fn(|| other.read()).find(is_its).unwrap();
        assert_ne!(frame.flags & END_STREAM, 0, "{path}");
    }
}

#[test]
fn cookies_in_several_fields_are_one_list() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[]);
    let crumbs =
        [("cookie", "a=1"), ("cookie", &*session), ("cookie", "b=\"2\""), ("cookie", "c=3")];
    assert_eq!(connection.ask("GET", "/api/v2/buckets", &crumbs).text(), "ada");
    assert_eq!(upstream.next().all("cookie"), ["a=1; b=\"2\"; c=3"]);
    // Twice the session's name, in whatever fields, is nobody's session, or one and the same rule.
    let name = session.split_once('=').unwrap().0;
    let forged = format!("{name}=forged");
    for crumbs in [
        [("cookie", &*session), ("cookie", &*forged)],
        [("cookie", &*forged), ("cookie", &*session)],
    ] {
        let line = format!("Cookie: {}; {}", crumbs[0].1, crumbs[1].1);
        let expected = secure.connect().send(&get("/api/v2/me", &[&line])).status;
        assert_eq!(connection.ask("GET", "/api/v2/me", &crumbs).status, expected);
    }
}

#[test]
fn a_body_of_unknown_length_ends_once() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[]);
    let fields = [&head("POST", "/api/v2/write")[..], &[("cookie", &session)]].concat();
    for pieces in [&[&b"m v=1\n"[..], b"m v=2", b""][..], &[b""], &[b"", b"", b"m v=1", b"", b""]] {
        let stream = connection.next_stream();
        connection.write(&frame(HEADERS, END_HEADERS, stream, &block(&fields)));
        for (index, piece) in pieces.iter().enumerate() {
            let ends = if index + 1 == pieces.len() { END_STREAM } else { 0 };
            connection.write(&frame(DATA, ends, stream, piece));
        }
        assert_eq!(connection.finish(stream).answer().text(), "ada");
        assert_eq!(upstream.next().body, pieces.concat());
        // What was left on the upstream's connection would be the beginning of this request.
        assert_eq!(connection.ask("GET", "/api/v2/x", &[("cookie", &session)]).text(), "ada");
        assert_eq!(upstream.next().line(), "GET /api/v2/x HTTP/1.1");
    }
    assert!(upstream.saw_nothing(), "no end of a body was taken for a request");
}

#[test]
fn sixteen_megabytes_go_both_ways() {
    let upstream = Upstream::behaving(|seen, stream| {
        use std::io::Write;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.body.len());
        stream.write_all(head.as_bytes()).is_ok() && stream.write_all(&seen.body).is_ok()
    });
    let secure = SecureGateway::start(upstream.address);
    let session = secure.gateway.sign_in("ada");
    let curl = |arguments: &[&str]| {
        let ca = secure.gateway.folder().join("authority.crt");
        std::fs::write(&ca, secure.authority.certificate()).unwrap();
        let mut command = std::process::Command::new("curl");
        command.args(["--silent", "--show-error", "--http2", "--max-time", "60", "--cacert"]);
        command.arg(ca).args(arguments).output().unwrap()
    };
    let body: Vec<u8> = (0..16 << 20).map(|n: u32| n.to_le_bytes()[(n % 3) as usize]).collect();
    let path = secure.gateway.folder().join("body");
    std::fs::write(&path, &body).unwrap();
    let file = format!("@{}", path.display());
    let url = format!("https://{}/api/v2/write", secure.https);
    let output = curl(&["--cookie", &session, "--data-binary", &file, &url]);
    assert!(output.stdout == body, "{}", String::from_utf8_lossy(&output.stderr));
    assert!(upstream.next().body == body);
}

#[test]
fn a_request_that_does_not_go_on_is_given_up() {
    let config = "[limits]\nbody = \"200ms\"\nhead = \"200ms\"\nkeepalive = \"1s\"\n";
    let secure = SecureGateway::start_with(closed_port(), "", config);
    let mut connection = Connection::open(&secure, &[]);
    let credentials = credentials();
    let fields = [&head("POST", "/api/v2/signin")[..], &[("authorization", &credentials)]].concat();
    let stream = connection.next_stream();
    connection.write(&frame(HEADERS, END_HEADERS, stream, &block(&fields)));
    assert_eq!(connection.finish(stream).answer().status, 408);
    // Half a head, then nothing: the connection is as idle as any.
    let half = block(&fields);
    let stream = connection.next_stream();
    connection.write(&frame(HEADERS, 0, stream, &half[..half.len() / 2]));
    assert!(matches!(connection.finish(stream), End::Gone));
}

#[test]
fn a_client_that_never_begins_is_not_waited_for() {
    let config = "[limits]\nhead = \"200ms\"\n";
    let secure = SecureGateway::start_with(closed_port(), "", config);
    for begun in [&b""[..], b"PRI * HTTP/2.0\r\n"] {
        let mut connection = Connection::open_with(&secure, begun);
        while connection.read().is_some() {}
    }
}

/// What h2spec finds at `address` with its own cases: frames and compression that break the standard, one after the other.
fn h2spec(arguments: &[&str], address: SocketAddr) -> String {
    let output = std::process::Command::new(repository().join("target/h2spec/h2spec"))
        .args(arguments)
        .args(["--timeout", "5", "--port", &address.port().to_string()])
        .output()
        .expect("`make test-tools` has built h2spec");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn h2spec_finds_nothing() {
    let upstream = Upstream::start();
    // Its requests are of nobody, for the path `/`.
    let config = "[forward]\npublic = [\"/\"]\n";
    let secure = SecureGateway::start_with(upstream.address, "", config);
    let report = h2spec(&["--tls", "--insecure"], secure.https);
    assert!(report.contains("145 tests, 145 passed, 0 skipped, 0 failed"), "{report}");
}

#[test]
fn without_tls_h2spec_finds_http_1_and_nothing_else() {
    let upstream = Upstream::start();
    let config = "kind = \"influxdb3\"\ngrpc = true\n[forward]\npublic = [\"/\"]\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let report = h2spec(&[], gateway.address);
    assert!(report.contains("145 tests, 144 passed, 0 skipped, 1 failed"), "{report}");
    // What begins with no preface is a request of HTTP/1, and is answered as one.
    let failures = report.split("Failures:").nth(1).unwrap();
    assert!(failures.contains("× 2: Sends invalid connection preface"), "{failures}");
}

/// A request that no honest client makes, and what must become of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    pub(crate) id: String,
    class: String,
    source: String,
    /// Instead of those of an ordinary request; `null`: not at all.
    #[serde(default)]
    pub(crate) pseudo: BTreeMap<String, Option<String>>,
    #[serde(default)]
    fields: Vec<(String, String)>,
    /// Whether `fields` come before the cookie.
    #[serde(default)]
    first: bool,
    /// Whether the session is left out.
    #[serde(default)]
    pub(crate) nobody: bool,
    body: Option<String>,
    #[serde(default)]
    trailers: Vec<(String, String)>,
    /// A status, or `"refused"`: any 4xx, a reset, or the end of the connection.
    expect: serde_json::Value,
    /// What the upstream sees; `null`: nothing of it.
    pub(crate) upstream: Option<Forwarded>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forwarded {
    line: Option<String>,
    #[serde(default)]
    has: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) hasnt: Vec<String>,
    body: Option<String>,
    pub(crate) never: Option<String>,
}

pub(crate) fn cases() -> Vec<Case> {
    let text = std::fs::read_to_string(repository().join("tests/http2/cases.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

impl Case {
    /// Sends it, as a request that is otherwise like this `plain` one.
    pub(crate) fn run(&self, secure: &SecureGateway, session: &str, plain: &[Field<'_>]) -> End {
        let (plain, more): (Vec<Field<'_>>, Vec<_>) =
            plain.iter().partition(|(name, _)| name.starts_with(':'));
        let mut pseudo: Vec<_> =
            plain.iter().filter(|(name, _)| !self.pseudo.contains_key(*name)).copied().collect();
        let told = |(name, value): (&'_ String, &'_ Option<String>)| {
            value.as_ref().map(|value| (name.clone(), value.clone()))
        };
        let own: Vec<_> = self.pseudo.iter().filter_map(told).collect();
        pseudo.extend(own.iter().map(|(name, value)| (&**name, &**value)));
        let credentials = credentials();
        let mut fields: Vec<_> =
            self.fields.iter().map(|(name, value)| (&**name, &**value)).collect();
        for (_, value) in &mut fields {
            if *value == "{basic}" {
                *value = &credentials;
            }
        }
        let cookie = if self.nobody { vec![] } else { vec![("cookie", session)] };
        let order = if self.first {
            [pseudo, fields, more, cookie]
        } else {
            [pseudo, more, cookie, fields]
        };
        let head = order.concat();

        let mut connection = Connection::open(secure, &[]);
        let stream = if self.trailers.is_empty() {
            connection.send(&head, self.body.as_deref().map(str::as_bytes))
        } else {
            let trailers: Vec<_> =
                self.trailers.iter().map(|(name, value)| (&**name, &**value)).collect();
            let stream = connection.next_stream();
            let body = self.body.as_deref().unwrap_or_default();
            let frames = [
                frame(HEADERS, END_HEADERS, stream, &block(&head)),
                frame(DATA, 0, stream, body.as_bytes()),
                frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&trailers)),
            ];
            connection.write(&frames.concat());
            stream
        };
        connection.finish(stream)
    }

    /// Complains about the end of the request and what the upstream saw of it.
    fn judge(&self, end: &End, seen: &[Seen]) {
        let id = &self.id;
        if let Some(status) = self.expect.as_u64() {
            let End::Answered(answer) = end else { panic!("{id}: {end:?}") };
            assert_eq!(u64::from(answer.status), status, "{id}");
        } else {
            assert_eq!(self.expect, "refused", "{id}");
            assert!(end.is_refusal(), "{id}: {end:?}");
        }
        let Some(forwarded) = &self.upstream else {
            assert!(seen.is_empty(), "{id}: {seen:?}");
            return;
        };
        assert_eq!(seen.len(), 1, "{id}: {seen:?}");
        let seen = &seen[0];
        if let Some(line) = &forwarded.line {
            assert_eq!(seen.line(), line, "{id}");
        }
        for (name, value) in &forwarded.has {
            assert_eq!(seen.header(name), Some(&**value), "{id}: {}", seen.head);
        }
        for name in &forwarded.hasnt {
            assert_eq!(seen.all(name), [""; 0], "{id}: {}", seen.head);
        }
        if let Some(body) = &forwarded.body {
            assert_eq!(seen.body, body.as_bytes(), "{id}");
        }
        if let Some(never) = &forwarded.never {
            assert!(!seen.head.contains(&**never), "{id}: {}", seen.head);
        }
        let identities = seen.head.split("\r\n").filter(|line| {
            let name = line.split(':').next().unwrap().to_ascii_lowercase();
            name.replace(['_', '.'], "-") == "x-forwarded-user"
        });
        assert_eq!(identities.count(), 1, "{id}: {}", seen.head);
        assert_eq!(seen.all("host").len(), 1, "{id}: {}", seen.head);
    }
}

#[test]
fn no_attack_gets_through() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let session = secure.gateway.sign_in("ada");
    let line = cookie(&session);
    let mut good = secure.gateway.connect();
    for case in cases() {
        let end = case.run(&secure, &session, &head("GET", "/api/v2/buckets"));
        // Whatever of the case is on its way upstream comes before this.
        assert_eq!(good.send(&get("/api/v2/good", &[&line])).text(), "ada", "{}", case.id);
        let mut seen = upstream.seen_by_clients();
        seen.retain(|seen| !seen.line().starts_with("GET /api/v2/good "));
        case.judge(&end, &seen);
    }
}

#[test]
fn every_case_says_what_it_is() {
    let (cases, mut ids) = (cases(), BTreeSet::new());
    assert!(cases.len() >= 100, "only {} cases", cases.len());
    for case in &cases {
        assert!(ids.insert(&case.id), "{} is there twice", case.id);
        assert!(!case.class.is_empty() && !case.source.is_empty(), "{}", case.id);
    }
}

/// Runs `attack` on a connection of its own, beside which a second one is answered before, during
/// and after.
fn beside(attack: impl FnOnce(&mut Connection, &str)) {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let session = secure.gateway.sign_in("ada");
    let mut other = Connection::open(&secure, &[]);
    let mut is_answered = || {
        let answer = other.ask("GET", "/api/v2/buckets", &[("cookie", &session)]);
        assert_eq!(answer.text(), "ada");
    };
    is_answered();
    let mut connection = Connection::open(&secure, &[]);
    attack(&mut connection, &session);
    is_answered();
    drop(connection);
    is_answered();
    let mut late = Connection::open(&secure, &[]);
    assert_eq!(late.ask("GET", "/api/v2/me", &[("cookie", &session)]).status, 200);
}

const ENHANCE_YOUR_CALM: u32 = 11;

/// Writes `bytes` until the other side takes no more, at most so often, and waits for the end of
/// the connection, which must come; returns the reason, if it was told.
fn flood(connection: &mut Connection, times: usize, bytes: impl Fn(u32) -> Vec<u8>) -> Option<u32> {
    for _ in 0..times {
        let stream = connection.next_stream();
        if !connection.try_write(&bytes(stream)) {
            break;
        }
    }
    connection.goes_away()
}

#[test]
fn a_flood_of_resets_ends_the_connection() {
    beside(|connection, session| {
        let fields = [&head("GET", "/api/v2/buckets")[..], &[("cookie", session)]].concat();
        let block = block(&fields);
        let reason = flood(connection, 10_000, |stream| {
            let open = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
            [open, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
        });
        assert!(matches!(reason, None | Some(ENHANCE_YOUR_CALM)), "{reason:?}");
    });
}

#[test]
fn a_flood_of_resets_that_the_gateway_is_made_to_send_ends_the_connection() {
    beside(|connection, session| {
        let fields = [&head("POST", "/api/v2/write")[..], &[("cookie", session)]].concat();
        let block = block(&fields);
        flood(connection, 10_000, |stream| {
            // A window that is opened by nothing is an error of the stream.
            let open = frame(HEADERS, END_HEADERS, stream, &block);
            [open, frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()
        });
    });
}

#[test]
fn a_flood_of_continuations_ends_the_connection() {
    beside(|connection, _session| {
        let fields = block(&head("GET", "/api/v2/buckets"));
        let stream = connection.next_stream();
        connection.write(&frame(HEADERS, END_STREAM, stream, &fields));
        let piece = block(&[("x-note", &"a".repeat(8000)), ("x-note", &"a".repeat(8000))]);
        let reason = flood(connection, 10_000, |_| frame(CONTINUATION, 0, stream, &piece));
        assert!(matches!(reason, None | Some(ENHANCE_YOUR_CALM | 1)), "{reason:?}");
    });
}

#[test]
fn a_flood_of_empty_continuations_ends_the_connection() {
    beside(|connection, _session| {
        let fields = block(&head("GET", "/api/v2/buckets"));
        let stream = connection.next_stream();
        connection.write(&frame(HEADERS, END_STREAM, stream, &fields));
        let reason = flood(connection, 100_000, |_| frame(CONTINUATION, 0, stream, &[]));
        assert!(matches!(reason, None | Some(ENHANCE_YOUR_CALM | 1)), "{reason:?}");
    });
}

#[test]
fn a_bomb_of_compressed_fields_is_refused() {
    beside(|connection, session| {
        // One entry of the table (0xbe names it), 3,000 bytes, and a byte for each of 4,000 times that it is named.
        let mut fields =
            block(&[&head("GET", "/api/v2/buckets")[..], &[("cookie", session)]].concat());
        let mut entry = block(&[("x-note", &"a".repeat(3000))]);
        entry[0] = 0x40;
        fields.extend(entry);
        fields.extend([0xbe; 4000]);
        let stream = connection.next_stream();
        connection.write(&frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields));
        let end = connection.finish(stream);
        assert!(end.is_refusal(), "{end:?}");
    });
}

#[test]
fn there_are_no_more_streams_than_may_be() {
    const REFUSED_STREAM: u32 = 7;
    beside(|connection, session| {
        let fields = [&head("POST", "/api/v2/write")[..], &[("cookie", session)]].concat();
        let block = block(&fields);
        let streams: Vec<_> = (0..101).map(|_| connection.next_stream()).collect();
        let open = |stream: &u32| frame(HEADERS, END_HEADERS, *stream, &block);
        connection.write(&streams.iter().flat_map(open).collect::<Vec<_>>());
        let end = connection.finish(streams[100]);
        assert!(matches!(end, End::Reset(REFUSED_STREAM)), "{end:?}");
        connection.write(&frame(DATA, END_STREAM, streams[0], b"m v=1"));
        assert_eq!(connection.finish(streams[0]).answer().text(), "ada");
    });
}

#[test]
fn questions_without_end_stop_nobody_else() {
    for question in [
        frame(SETTINGS, 0, 0, &[]),
        frame(PING, 0, 0, &[7; 8]),
        frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()),
        // Kinds that nobody knows are passed over.
        frame(0xee, 0, 0, &[0; 64]),
    ] {
        beside(|connection, session| {
            // Nothing is read meanwhile: the gateway must not hold all the answers for us.
            let many = question.repeat(1000);
            for _ in 0..20 {
                connection.write(&many);
            }
            let fields = [&head("GET", "/api/v2/buckets")[..], &[("cookie", session)]].concat();
            let stream = connection.send(&fields, None);
            assert!(matches!(connection.finish(stream), End::Answered(_) | End::Gone));
        });
    }
}

#[test]
fn a_client_that_leaves_before_an_answer_of_the_gateways_own_is_no_error() {
    const CANCEL: [u8; 4] = 8_u32.to_be_bytes();
    let gateway = SecureGateway::start(Upstream::start().address);
    let mut connection = Connection::open(&gateway, &[]);
    for (method, path) in
        [("GET", "/api/v2/me"), ("POST", "/api/v2/signin"), ("GET", "/api/v2/buckets")]
    {
        let stream = connection.next_stream();
        let asked = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&head(method, path)));
        connection.write(&[asked, frame(RST_STREAM, 0, stream, &CANCEL)].concat());
    }
    assert_eq!(connection.ask("GET", "/gateway/health", &[]).status, 200);
    wait_until("all are over", || gateway.gateway.log().matches(" access] ").count() == 4);
    assert!(!gateway.gateway.has_logged("ERROR"), "{}", gateway.gateway.log());
}

#[test]
fn a_flood_of_empty_pieces_is_bounded() {
    beside(|connection, session| {
        let fields = [&head("POST", "/api/v2/write")[..], &[("cookie", session)]].concat();
        let stream = connection.next_stream();
        connection.write(&frame(HEADERS, END_HEADERS, stream, &block(&fields)));
        let empty = frame(DATA, 0, stream, &[]).repeat(1000);
        for _ in 0..100 {
            if !connection.try_write(&empty) {
                break;
            }
        }
        connection.try_write(&frame(DATA, END_STREAM, stream, &[]));
        assert!(matches!(connection.finish(stream), End::Answered(_) | End::Gone | End::Reset(_)));
    });
}

#[test]
fn a_client_that_takes_nothing_holds_up_nobody_else() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let upstream = Upstream::start();
    let config = "[limits]\nbody = \"300ms\"\n";
    let secure = SecureGateway::start_with(upstream.address, "", config);
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[(INITIAL_WINDOW_SIZE, 0)]);
    let fields = [&head("GET", "/api/v2/buckets")[..], &[("cookie", &session)]].concat();
    let stream = connection.send(&fields, None);
    let mut other = Connection::open(&secure, &[]);
    assert_eq!(other.ask("GET", "/api/v2/buckets", &[("cookie", &session)]).text(), "ada");
    // The answer cannot be written, which is not tried for ever.
    assert!(
        !matches!(connection.finish(stream), End::Answered(Answer { body, .. }) if !body.is_empty())
    );
}
