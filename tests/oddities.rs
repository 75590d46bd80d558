use std::io::Write;

use httlib_hpack::Encoder;

use crate::frames::{Connection, END_HEADERS, END_STREAM, End, HEADERS, block, frame, head};
use crate::secure::SecureGateway;
use crate::support::*;

/// The client of its own token, whom the gateway forwards without asking.
const TOKEN: &str = "Authorization: Token x";

/// All that a client of HTTP/1.0 is answered, up to the end of the connection.
fn ask_old(gateway: &Gateway, headers: &[&str], body: &str) -> (Answer, String) {
    let length = format!("Content-Length: {}", body.len());
    let headers = [headers, &[TOKEN, &length]].concat().join("\r\n");
    let text = format!("POST /api/v2/query HTTP/1.0\r\n{headers}\r\n\r\n{body}");
    let mut client = gateway.connect();
    client.write(text.as_bytes());
    let answer = client.read_head();
    let body = String::from_utf8(client.read_rest()).unwrap();
    (answer, body)
}

#[test]
fn f_02_a_client_of_http_1_0_gets_no_chunks() {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
    let lengthy = "Content-Length: 6\r\n\r\nhello!";
    let closed = "Connection: close\r\n\r\nhello!";
    for (rest, headers) in [
        (chunked, &[][..]),
        (chunked, &["Connection: keep-alive"]),
        (chunked, &["Host: gateway.test", "Connection: close"]),
        (lengthy, &[]),
        (closed, &["Connection: keep-alive"]),
    ] {
        let upstream = Upstream::behaving(move |seen, stream| {
            let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
            assert_eq!(seen.header("expect"), None);
            stream.write_all(format!("{interim}HTTP/1.1 200 OK\r\n{rest}").as_bytes()).unwrap();
            !rest.starts_with("Connection")
        });
        let gateway = Gateway::start(upstream.address);
        // It knows of no interim answers, so it cannot mean what the header says.
        let headers = [headers, &["Expect: 100-continue"]].concat();
        let (answer, body) = ask_old(&gateway, &headers, "q");
        assert_eq!((answer.status, body.as_str()), (200, "hello!"), "{rest:?} {headers:?}");
        assert_eq!(answer.header("transfer-encoding"), None, "{rest:?} {headers:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{rest:?} {headers:?}");
        assert_eq!(upstream.next().body, b"q");
    }
}

#[test]
fn f_02_a_client_of_http_1_1_gets_them_still() {
    let upstream = Upstream::behaving(|_, stream| {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        stream.write_all(text.as_bytes()).is_ok()
    });
    let gateway = Gateway::start(upstream.address);
    let mut client = gateway.connect();
    for _ in 0..2 {
        let answer = client.send(&get("/api/v2/query", &[TOKEN]));
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        assert_eq!(answer.text(), "hello");
    }
}

/// What an upstream writes in its head, and what then is in the answer. Pingora takes some of it for
/// impossible: in a build for development, or where all is logged, it would panic.
#[test]
fn f_01_no_head_of_an_upstream_ends_an_answer() {
    for (written, name, read) in [
        (&b"X-Note: caf\xe9"[..], "x-note", Some("caf\u{e9}")),
        (b"X-Note: caf\xc3\xa9\xff", "x-note", None),
        (b"X-Note: a\r\n b\r\n\tX-Forwarded-User: eve", "x-forwarded-user", None),
        (b"X-Note: a\r\n b", "x-note", Some("a b")),
        (b"X-Note : a", "x-note", Some("a")),
        (b"X-Note:", "x-note", Some("")),
    ] {
        let upstream = Upstream::behaving(move |_, stream| {
            let head = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", written, b"\r\n\r\nok"];
            stream.write_all(&head.concat()).is_ok()
        });
        let gateway = Gateway::start(upstream.address);
        let mut client = gateway.connect();
        client.write(get("/api/v2/query", &[TOKEN, "Connection: close"]).as_bytes());
        // Latin-1: every byte is a character.
        let answer: String = client.read_rest().into_iter().map(char::from).collect();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        assert_eq!(body, "ok", "{answer:?}");
        let line = |line: &&str| line.to_ascii_lowercase().starts_with(&format!("{name}:"));
        let found = head.split("\r\n").find(line);
        if let Some(read) = read {
            let found = found.unwrap_or_else(|| panic!("{name}: {head:?}"));
            assert_eq!(found[name.len() + 1..].trim_start(), read, "{head:?}");
        } else if name != "x-note" {
            assert_eq!(found, None, "{head:?}");
        }
    }
}

#[test]
fn f_03_up_to_four_empty_lines_before_a_request_are_nothing() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let write = with_body("POST", "/api/v2/write", &[TOKEN], "m v=1");
    let question = get("/api/v2/query", &[TOKEN]);
    for lines in 0..=4 {
        let mut client = gateway.connect();
        let gap = "\r\n".repeat(lines);
        // At once, and so that the empty lines come alone.
        assert_eq!(client.send(&format!("{gap}{write}{gap}{question}{gap}")).status, 200);
        assert_eq!(client.read().status, 200, "{lines}");
        assert_eq!(client.send(&question).status, 200, "{lines}");
        for line in ["POST /api/v2/write HTTP/1.1", "GET /api/v2/query HTTP/1.1"] {
            assert_eq!(upstream.next().line(), line);
        }
        assert_eq!(upstream.next().line(), "GET /api/v2/query HTTP/1.1");
    }
    let mut client = gateway.connect();
    let refused = client.send(&format!("{}{question}", "\r\n".repeat(5)));
    assert_eq!((refused.status, refused.header("connection")), (400, Some("close")));
    assert!(client.is_closed());
    assert!(upstream.saw_nothing());
}

#[test]
fn f_03_an_empty_line_is_no_head_that_has_begun() {
    let upstream = Upstream::start();
    let config = "[limits]\nhead = \"50ms\"\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let mut client = gateway.connect();
    let write = with_body("POST", "/api/v2/write", &[TOKEN], "m v=1");
    assert_eq!(client.send(&format!("{write}\r\n")).status, 200);
    // Longer than a head may take, by the gateway's own measure: one that is never whole ends.
    let mut late = gateway.connect();
    late.write(b"GET / HT");
    assert_eq!(late.read().status, 408);
    assert_eq!(client.send(&get("/api/v2/query", &[TOKEN])).status, 200);
}

#[test]
fn f_04_an_answer_of_another_protocol_is_none() {
    let upstream = Upstream::behaving(move |seen, stream| {
        let has_body = seen.line().contains("more");
        let text = if seen.line().contains("odd") {
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        };
        stream.write_all(text.as_bytes()).unwrap();
        if has_body {
            // What would be for the client in the other protocol, or the answer to another request.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nleak");
        }
        true
    });
    let secure = SecureGateway::start(upstream.address);
    let gateway = &secure.gateway;
    for target in ["/api/v2/query?odd", "/api/v2/query?odd&more"] {
        for text in [
            get(target, &[TOKEN]),
            get(target, &[TOKEN, "Upgrade: h2c", "Connection: Upgrade"]),
            with_body("POST", target, &[TOKEN], "m v=1"),
            get(target, &[TOKEN]).replace("1.1", "1.0"),
        ] {
            let answer = gateway.connect().send(&text);
            assert_eq!((answer.status, &answer.json()["code"]), (502, &"unavailable".into()));
            let fine = gateway.connect().send(&get("/api/v2/query", &[TOKEN]));
            assert_eq!((fine.status, fine.text()), (200, "ok".to_owned()));
        }
        let mut connection = Connection::open(&secure, &[]);
        let token = [("authorization", "Token x")];
        let stream = connection.send(&[&head("GET", target)[..], &token].concat(), None);
        assert_eq!(connection.finish(stream).answer().status, 502);
    }
}

#[test]
fn f_06_an_extension_of_a_chunk_is_written_as_one_or_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let chunked = request("POST", "/api/v2/write", &[TOKEN, "Transfer-Encoding: chunked"]);
    for extension in [";", "; ", ";;", ";a;", ";=", ";a=", ";a b", ";a=\"", ";\"a\"", ";{a}"] {
        for place in
            [format!("2{extension}\r\nab\r\n0\r\n\r\n"), format!("2\r\nab\r\n0{extension}\r\n\r\n")]
        {
            let mut client = gateway.connect();
            let answer = client.send(&format!("{chunked}{place}"));
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (400, &"invalid".into()),
                "{place:?}"
            );
            assert!(client.is_closed());
            // It came whole, so nothing of it had to be passed on.
            assert!(upstream.saw_nothing(), "{place:?}");

            // The same when it comes after the head has been passed on.
            let mut client = gateway.connect();
            client.write(format!("{chunked}1\r\nx\r\n").as_bytes());
            let answer = client.send(&place);
            assert_eq!(
                (answer.status, &answer.json()["code"]),
                (400, &"invalid".into()),
                "{place:?}"
            );
            assert!(client.is_closed());
        }
    }
    for extension in [";a", ";a=b", "; a = \"b;c\" ;d"] {
        let body = format!("2{extension}\r\nab\r\n0{extension}\r\n\r\n");
        assert_eq!(
            gateway.connect().send(&format!("{chunked}{body}")).status,
            200,
            "{extension:?}"
        );
        assert_eq!(upstream.next().body, b"ab");
    }
    assert!(upstream.saw_nothing());
}

/// The same path in Huffman's code, and through the table of fields.
#[test]
fn f_06_a_fragment_in_a_path_of_http_2_is_refused_however_it_is_written() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let others = [(":method", "GET"), (":scheme", "https"), (":authority", "gateway.test")];
    let rest = block(&[&others[..], &[("authorization", "Token x")]].concat());
    let kept = Encoder::WITH_INDEXING;
    for flags in
        [0, Encoder::HUFFMAN_VALUE, kept, kept | Encoder::HUFFMAN_VALUE | Encoder::BEST_FORMAT]
    {
        let mut encoder = Encoder::default();
        let mut connection = Connection::open(&secure, &[]);
        let mut ask = |path: &str, cut: usize| {
            let mut fields = Vec::new();
            encoder
                .encode((b":path".to_vec(), path.as_bytes().to_vec(), flags), &mut fields)
                .unwrap();
            fields.extend(&rest);
            let stream = connection.next_stream();
            let (start, end) = fields.split_at(cut.min(fields.len()));
            let first = frame(HEADERS, END_STREAM, stream, start);
            let second = frame(crate::frames::CONTINUATION, END_HEADERS, stream, end);
            connection.write(&[first, second].concat());
            connection.finish(stream)
        };
        for cut in 0..30 {
            assert_eq!(ask("/api/v2/query?fine", cut).answer().status, 200, "{flags} {cut}");
            assert_eq!(upstream.next().line(), "GET /api/v2/query?fine HTTP/1.1");
            for odd in ["/api/v2/query#fragment", "/api/v2/query?q=1#", "/api/v2/#/query"] {
                let end = ask(odd, cut);
                assert!(matches!(end, End::Reset(_)), "{flags} {cut}: {end:?}");
            }
        }
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn f_43_what_may_be_declined_quietly_is_and_every_other_protocol_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let session = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    for quiet in ["TLS/1.2", "TLS/1.3", "TLS/1.0", "tls/1.2", "h2c", "H2C", "h2c, TLS/1.2"] {
        let upgrade = format!("Upgrade: {quiet}");
        let connection = "Connection: keep-alive, Upgrade, HTTP2-Settings";
        let headers = [&*session, &upgrade, connection, "HTTP2-Settings: AAMAAABkAAQAAP__"];
        assert_eq!(client.send(&get("/api/v2/buckets", &headers)).text(), "ada", "{quiet}");
        let seen = upstream.next();
        for gone in ["upgrade", "http2-settings", "connection"] {
            assert_eq!(seen.header(gone), None, "{quiet}: {}", seen.head);
        }
        // With a body, and answered here.
        assert_eq!(client.send(&with_body("POST", "/api/v2/write", &headers, "m v=1")).status, 200);
        assert_eq!(upstream.next().body, b"m v=1");
        let me = client.send(&get("/api/v2/me", &[&session, &upgrade, "Connection: Upgrade"]));
        assert_eq!(me.json()["name"], "ada");
    }
    for other in
        ["websocket", "h2", "HTTP/2.0", "foo", "", "h2c, websocket", "TLS/", "TLS/1.2, foo"]
    {
        let upgrade = format!("Upgrade: {other}");
        let mut client = gateway.connect();
        let answer =
            client.send(&get("/api/v2/buckets", &[&session, &upgrade, "Connection: Upgrade"]));
        assert_eq!((answer.status, &answer.json()["code"]), (400, &"invalid".into()), "{other:?}");
        assert!(client.is_closed());
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn f_44_what_a_query_holds_raw_goes_upstream_encoded() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let mut client = secure.gateway.connect();
    for (query, encoded) in [
        ("q=SELECT+*+FROM+\"m\"+WHERE+v>1", "q=SELECT+*+FROM+%22m%22+WHERE+v%3E1"),
        ("q=v<1&db=`x`", "q=v%3C1&db=%60x%60"),
        ("q='gr\u{fc}n'&x={\"a\":[1]}", "q='gr%C3%BCn'&x={%22a%22:[1]}"),
        ("q=%22\u{1f355}%22", "q=%22%F0%9F%8D%95%22"),
    ] {
        let line = format!("GET /api/v2/query?{encoded} HTTP/1.1");
        for target in
            [format!("/api/v2/query?{query}"), format!("http://gateway.test/api/v2/query?{query}")]
        {
            assert_eq!(client.send(&get(&target, &[TOKEN])).status, 200, "{query}");
            assert_eq!(upstream.next().line(), line);
        }
        // With a body behind it, and another request.
        let post = with_body("POST", &format!("/api/v2/query?{query}"), &[TOKEN], query);
        client.write((post + &get("/api/v2/query", &[TOKEN])).as_bytes());
        assert_eq!((client.read().status, client.read().status), (200, 200));
        let seen = upstream.next();
        assert_eq!(
            (seen.line(), seen.body.as_slice()),
            (&*line.replace("GET", "POST"), query.as_bytes())
        );
        assert_eq!(upstream.next().line(), "GET /api/v2/query HTTP/1.1");
    }
    // Not Unicode: byte for byte all the same.
    client.write(b"GET /api/v2/query?q=\xfc\xff HTTP/1.1\r\nHost: gateway.test\r\nAuthorization: Token x\r\n\r\n");
    assert_eq!(client.read().status, 200);
    assert_eq!(upstream.next().line(), "GET /api/v2/query?q=%FC%FF HTTP/1.1");
    // Paths have one spelling.
    for path in ["/api/v2/\"", "/api/v2/>?x", "/api/v2/\u{fc}?q=1", "/api/v2/query?q=\"#\""] {
        let mut client = secure.gateway.connect();
        assert_eq!(client.send(&get(path, &[TOKEN])).status, 400, "{path}");
    }
    assert!(upstream.saw_nothing());
}

/// What every answer of the gateway's own has; the last two if it has a body.
fn manners(answer: &Answer) -> [Option<&str>; 6] {
    let names = ["cache-control", "x-content-type-options", "x-influxdb-version", "content-type"];
    let [a, b, c, d] = names.map(|name| answer.header(name));
    let is_there = |name| answer.header(name).map(|_| "");
    [a, b, c, is_there("date"), d, is_there("x-platform-error-code")]
}

/// Stops the gateway and checks that it has said of each of these what its log says, in the way of
/// `ordinary`, another refusal.
fn check_manners(gateway: Gateway, ordinary: &Answer, refused: &[Answer]) {
    let expected = manners(ordinary);
    let log = gateway.stop();
    for answer in refused {
        let count = if answer.body.is_empty() { 4 } else { 6 };
        assert_eq!(manners(answer)[..count], expected[..count], "{answer:?}");
        let id = answer.header("x-request-id").unwrap();
        let line = log.lines().find(|line| line.contains(&format!(" request_id={id} ")));
        let line = line.unwrap_or_else(|| panic!("{id} is not in the log: {answer:?}"));
        let told = format!(" status={} bytes={} ms=", answer.status, answer.body.len());
        let (_, took) = line.split_once(&told).unwrap_or_else(|| panic!("not {told}: {line}"));
        let took: f64 = took.split(' ').next().unwrap().parse().unwrap();
        // As long as the head had for itself; else the time that writing takes, at least.
        let least = if answer.status == 408 { 60.0 } else { 0.001 };
        assert!(took >= least, "{line}");
    }
    assert!(!log.contains("request_id=-"), "{log}");
}

/// An answer of a gateway that knows its upstream's version.
fn ordinary(client: &mut Client) -> Answer {
    loop {
        let answer = client.send(&get("/api/v2/buckets", &[]));
        assert_eq!((answer.status, answer.header("cache-control")), (401, Some("no-store")));
        if answer.header("x-influxdb-version").is_some() {
            return answer;
        }
    }
}

#[test]
fn f_41_an_early_refusal_is_answered_and_logged_as_any_other() {
    let upstream = Upstream::start();
    let config = "[limits]\nhead = \"60ms\"\nhead_bytes = 4096\ntarget_bytes = 1024\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let ordinary = ordinary(&mut gateway.connect());
    let ask = |text: String| gateway.connect().send(&text);
    let refused = [
        ask("GET / HTTP/1.1\r\n\r\n".to_owned()),
        ask("\0".to_owned()),
        ask("GET / HT".to_owned()),
        ask(get("/#", &[])),
        ask(get("/", &["Upgrade: websocket"])),
        ask(with_body("POST", "/", &["Transfer-Encoding: chunked"], "x")),
        ask(request("POST", "/", &["Transfer-Encoding: chunked"]) + "x"),
        ask(get(&format!("/{}", "x".repeat(2000)), &[])),
        ask(get("/", &[&format!("X: {}", "x".repeat(5000))])),
        ask(get("/", &["Expect: more"])),
        ask("TRACE / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned()),
    ];
    assert_eq!(refused[2].status, 408);
    check_manners(gateway, &ordinary, &refused);
}

#[test]
fn f_41_so_is_a_connection_for_which_there_is_no_room() {
    let upstream = Upstream::start();
    let config = "[limits]\nconnections_per_client = 1\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let mut first = gateway.connect();
    let ordinary = ordinary(&mut first);
    let refused = gateway.connect().read();
    assert_eq!(refused.status, 503);
    drop(first);
    check_manners(gateway, &ordinary, &[refused]);
}

/// With as much as can be configured.
#[test]
fn f_41_so_is_what_pingora_cannot_hold() {
    let upstream = Upstream::start();
    let config = "[limits]\nhead_bytes = 1000000\nhead_fields = 256\ntarget_bytes = 65534\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let ordinary = ordinary(&mut gateway.connect());
    let ask = |text: String| gateway.connect().send(&text);
    let fields = |count: usize| {
        let others = vec!["X: a"; count - 2];
        get("/api/v2/query", &[&[TOKEN][..], &others].concat())
    };
    assert_eq!(ask(fields(256)).status, 200);
    let target =
        |length: usize| get(&format!("/api/v2/query?{}", "x".repeat(length - 14)), &[TOKEN]);
    assert_eq!(ask(target(65_534)).status, 200);
    let refused = [
        ask(fields(257)),
        ask(target(65_535)),
        ask(get(&format!("/api/v2/query?{}", "\"".repeat(22_000)), &[TOKEN])),
        ask(get("/", &[&format!("X: {}", "x".repeat(1_200_000))])),
    ];
    assert_eq!(refused.each_ref().map(|answer| answer.status), [431, 414, 414, 431]);
    check_manners(gateway, &ordinary, &refused);
}

/// What an upstream says that is no good HTTP, and the status that the client gets.
const UNCLEAR: [(&str, u16); 6] = [
    ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200),
    ("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok", 200),
    ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
    ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 204),
    ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 502),
];

#[test]
fn an_answer_says_one_thing_of_its_body() {
    for (said, status) in UNCLEAR {
        let upstream = Upstream::behaving(move |_, stream| {
            let _ = stream.write_all(said.as_bytes());
            false
        });
        // It closes without a word, so none of its connections is good for another request.
        let config = "[server]\nupstream_keepalive_pool_size = 0\n";
        let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
        let written = format!(
            "POST /api/v2/write HTTP/1.1\r\nHost: gateway.test\r\n{TOKEN}\r\nContent-Length: 2\r\n\r\na="
        );
        for request in [get("/api/v2/buckets", &[TOKEN]), get("/health", &[]), written] {
            let answer = gateway.connect().send(&request);
            assert_eq!(answer.status, status, "{said}");
            let coding = answer.header("transfer-encoding");
            assert!(coding.is_none_or(|coding| coding == "chunked" && status == 200), "{said}");
            if status != 502 {
                // What came in chunks may be read whole first, and has a length then.
                let is_said = coding.is_some() || status == 204;
                assert_eq!(answer.header("content-length").is_none(), is_said, "{said}");
                assert_eq!(answer.text(), if status == 204 { "" } else { "ok" }, "{said}");
            }
        }
    }
}

/// Below sign-in, sign-out and `me` there is nothing; pages may ask what they may do there, as anywhere.
#[test]
fn options_below_a_local_endpoint_needs_nobody() {
    let gateway = Gateway::start(closed_port());
    let session = cookie(&gateway.sign_in("ada"));
    for path in ["/api/v2/signin/x", "/api/v2/signout/x/y", "/api/v2/me/x"] {
        for credential in [&*session, "Authorization: Token some", "A: b"] {
            let ask = |line| gateway.connect().send(&request("OPTIONS", path, &[credential, line]));
            let answer = ask("B: c");
            assert_eq!((answer.status, answer.text()), (405, String::new()), "{path} {credential}");
            let answer = ask("Origin: https://other.test");
            assert_eq!(answer.status, 204, "{path} {credential}");
            let origin = answer.header("access-control-allow-origin");
            assert_eq!(origin, Some("https://other.test"), "{path} {credential}");
        }
    }
}
