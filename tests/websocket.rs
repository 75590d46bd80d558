use std::fs;
use std::io::{Read, Write};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};

use crate::authority::{EVENTS, edit, reload};
use crate::clock;
use crate::explorer::{OPENED, PAGES, start_with};
use crate::frames::{Connection, head};
use crate::redis::server::Server;
use crate::secure::SecureGateway;
use crate::support::*;

/// What every browser sends to ask for one.
pub(crate) const ASKED: [&str; 4] = [
    "Upgrade: websocket",
    "Connection: keep-alive, Upgrade",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
];

const AGREED: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
                      Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A server of pages whose `WebSocket`s say what they are told; and what it got on each up to its end.
pub(crate) fn echo() -> (Upstream, Receiver<usize>) {
    let (sender, ended) = channel();
    let sender = Mutex::new(sender);
    let upstream = Upstream::behaving(move |seen, stream| {
        if seen.header("upgrade") != Some("websocket") {
            return answer(stream, "200 OK", "a page");
        }
        stream.write_all(AGREED.as_bytes()).unwrap();
        let (mut buffer, mut got) = ([0; 4096], 0);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            got += count;
            if stream.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = sender.lock().unwrap().send(got);
        false
    });
    (upstream, ended)
}

/// The question for a WebSocket at `path`, with more headers.
pub(crate) fn ask(path: &str, headers: &[&str]) -> String {
    get(path, &[&ASKED[..], headers].concat())
}

/// A frame of text, masked as a client's is.
fn text(content: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let masked = content.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [&[0x81, 0xfe][..], &length, &mask, &masked.collect::<Vec<_>>()].concat()
}

/// An open one.
pub(crate) fn open(gateway: &Gateway, session: &str) -> Client {
    let mut client = gateway.connect();
    let line = cookie(session);
    let answer = client.send(&ask("/ws", &[&line, "Origin: http://gateway.test"]));
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("connection"), Some("Upgrade"));
    assert_eq!(answer.header("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    client
}

/// Whether what is said on it comes back.
pub(crate) fn echoes(client: &mut Client, content: &[u8]) {
    let frame = text(content);
    client.write(&frame);
    assert_eq!(client.read_bytes(frame.len()), frame);
}

#[test]
fn what_is_said_on_a_websocket_goes_both_ways_as_it_is() {
    let ((explorer, ended), upstream) = (echo(), Upstream::start());
    let gateway = start_with(&upstream, &explorer, "[limits]\nbody_bytes = 1000\n");
    let session = gateway.sign_in("ada");
    let mut client = open(&gateway, &session);
    explorer.next();
    for round in 0..100_u8 {
        echoes(&mut client, &[round; 5000]);
    }
    // Many at once, and the client is the first to say that it is over.
    let much = text(&vec![7; 60_000]).repeat(20);
    let mut writer = client.stream.try_clone().unwrap();
    let sent = much.clone();
    let sending = std::thread::spawn(move || writer.write_all(&sent).unwrap());
    assert_eq!(client.read_bytes(much.len()), much);
    sending.join().unwrap();
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(100 * 5008 + much.len()));
    assert!(client.is_closed());
    wait_until("it is logged", || gateway.has_logged("status=101"));
    assert!(upstream.saw_nothing());
}

#[test]
fn what_a_client_says_too_early_waits_for_the_answer() {
    let ((explorer, ended), upstream) = (echo(), Upstream::start());
    let gateway = start_with(&upstream, &explorer, "");
    let line = cookie(&gateway.sign_in("ada"));
    let early = text(&vec![9; 20_000]);
    let mut client = gateway.connect();
    client.write(&[ask("/ws", &[&line]).as_bytes(), &early].concat());
    assert_eq!(client.read_head().status, 101);
    assert_eq!(client.read_bytes(early.len()), early);
    drop(client);
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(early.len()));
    // Of what is no WebSocket after all, it is no request either.
    for (text, status) in [
        (ask("/ws", &[&line, "Sec-Fetch-Site: cross-site"]), 403),
        (ask("/ws", &[]), 401),
        (ask("/api/v3/query_sql", &[&line]), 400),
    ] {
        let mut client = gateway.connect();
        client.write((text + &get("/api/v3/query_sql", &[&line])).as_bytes());
        assert_eq!(client.read().status, status);
        assert!(client.is_closed(), "{status}");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn a_question_for_a_websocket_says_nothing_of_the_user() {
    let ((explorer, _ended), upstream) = (echo(), Upstream::start());
    let gateway = start_with(&upstream, &explorer, "");
    let session = gateway.sign_in("ada");
    let cookies = format!("Cookie: sid=1; {session}");
    let more = [
        &*cookies,
        "Origin: http://gateway.test",
        "Sec-WebSocket-Protocol: graphql-ws",
        "Sec-WebSocket-Extensions: permessage-deflate",
        "Authorization: Bearer mine",
        "X-Forwarded-User: eve",
        "X_Forwarded_User: eve",
        "HTTP2-Settings: AAMAAABkAAQAAP__",
        "X-Corp: of-this-hop",
    ];
    // What `Connection` names besides goes no further, and takes nothing of the gateway's with it.
    let asked = ask("/ws?x=1", &more)
        .replace("keep-alive, Upgrade", "Upgrade, X-Corp, HTTP2-Settings, X-Forwarded-For");
    assert_eq!(gateway.connect().send(&asked).status, 101);
    let seen = explorer.next();
    assert_eq!(seen.line(), "GET /ws?x=1 HTTP/1.1");
    assert_eq!(
        (seen.header("upgrade"), seen.header("connection")),
        (Some("websocket"), Some("Upgrade"))
    );
    assert_eq!(seen.header("sec-websocket-protocol"), Some("graphql-ws"));
    assert_eq!(seen.header("sec-websocket-extensions"), Some("permessage-deflate"));
    assert_eq!(seen.header("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(seen.header("cookie"), Some("sid=1"));
    assert_eq!(seen.header("origin"), Some("http://gateway.test"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!((seen.header("http2-settings"), seen.header("x-corp")), (None, None));
    let token = session.split_once('=').unwrap().1;
    for secret in [token, "ada", "eve", "mine", "of-all"] {
        assert!(!seen.head.contains(secret), "{secret}: {}", seen.head);
    }
}

#[test]
fn a_websocket_is_for_pages_of_this_site_and_for_who_has_a_session() {
    let ((explorer, _ended), upstream) = (echo(), Upstream::start());
    let config = "[page]\nenabled = true\n";
    let gateway = start_with(&upstream, &explorer, config);
    let line = cookie(&gateway.sign_in("ada"));
    for (headers, status) in [
        (&[&*line, "Origin: http://gateway.test"][..], 101),
        (&[&*line, "Origin: https://gateway.test"], 101),
        (&[&*line], 101),
        (&[&*line, "Origin: https://evil.test"], 403),
        (&[&*line, "Origin: http://evil.gateway.test"], 403),
        (&[&*line, "Origin: http://gateway.test.evil.test"], 403),
        (&[&*line, "Origin: null"], 403),
        (&[&*line, "Origin: http://gateway.test", "Origin: https://evil.test"], 403),
        (&[&*line, "Origin: https://evil.test", "Sec-Fetch-Site: cross-site"], 403),
        (&[&*line, "Sec-Fetch-Site: same-site"], 403),
        (&[&*line, "Sec-Fetch-Site: same-origin"], 101),
        (&["Origin: http://gateway.test"], 401),
        (&["Authorization: Bearer of-all"], 401),
        (&["Cookie: influxdb-oss-session=guess"], 401),
        (&OPENED, 401),
    ] {
        let answer = gateway.connect().send(&ask("/ws", headers));
        assert_eq!(answer.status, status, "{headers:?}");
    }
    let reader = cookie(&gateway.sign_in("reader"));
    assert_eq!(gateway.connect().send(&ask("/ws", &[&reader])).status, 403);
    let asked = explorer.seen_by_clients().len();
    assert_eq!(asked, 4, "of those that are refused, none comes through");
}

#[test]
fn there_are_websockets_of_pages_only_and_no_other_protocol_at_all() {
    let ((explorer, _ended), upstream) = (echo(), Upstream::start());
    let gateway = start_with(&upstream, &explorer, "[page]\nenabled = true\n");
    let line = cookie(&gateway.sign_in("ada"));
    for path in [
        "/api/v2/buckets",
        "/api/v3/query_sql",
        "/api/v2/me",
        "/api/v2/signin",
        "/query",
        "/health",
        "/gateway/",
        "/gateway/health",
        "/metrics",
        "/api/v2/../ws",
        "/api%2fv2/ws",
    ] {
        let mut client = gateway.connect();
        let answer = client.send(&ask(path, &[&line]));
        assert_eq!((answer.status, &answer.json()["code"]), (400, &"invalid".into()), "{path}");
        assert!(client.is_closed(), "{path}");
    }
    for protocol in ["foo", "h2", "websocket, foo", "websocket/13", "", "HTTP/2.0"] {
        let text =
            ask("/ws", &[&line]).replace("Upgrade: websocket", &format!("Upgrade: {protocol}"));
        assert_eq!(gateway.connect().send(&text).status, 400, "{protocol}");
    }
    let right = ask("/ws", &[&line]);
    for wrong in [
        right.replace("GET ", "POST "),
        right.replace("HTTP/1.1", "HTTP/1.0"),
        right.replace(": keep-alive, Upgrade", ": keep-alive"),
        right.replace("Version: 13", "Version: 12"),
        right.replace("dGhlIHNhbXBsZSBub25jZQ==", "short"),
        ask("/ws", &[&line, "Upgrade: h2c"]),
        ask("/ws", &[&line, "Upgrade: websocket"]),
        ask("/ws", &[&line, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]),
        ask("/ws", &[&line, "Content-Length: 5"]) + "hello",
        ask("/ws", &[&line, "Transfer-Encoding: chunked"]) + "0\r\n\r\n",
    ] {
        let mut client = gateway.connect();
        assert_eq!(client.send(&wrong).status, 400, "{wrong}");
        assert!(client.is_closed(), "{wrong}");
    }
    assert!(upstream.saw_nothing() && explorer.saw_nothing());
    // What may be declined quietly is.
    for quiet in ["h2c", "TLS/1.2"] {
        let upgrade = format!("Upgrade: {quiet}");
        let headers =
            [&*line, &upgrade, "Connection: Upgrade, HTTP2-Settings", "HTTP2-Settings: AAMA"];
        assert_eq!(gateway.connect().send(&get("/", &headers)).text(), "a page", "{quiet}");
        let seen = explorer.next();
        for gone in ["upgrade", "http2-settings", "connection"] {
            assert_eq!(seen.header(gone), None, "{quiet}: {}", seen.head);
        }
    }
}

#[test]
fn a_websocket_ends_with_its_session() {
    for (what, happens) in EVENTS {
        let ((explorer, ended), upstream) = (echo(), Upstream::start());
        let gateway = start_with(&upstream, &explorer, "");
        let session = gateway.sign_in("ada");
        let (mut client, mut other) =
            (open(&gateway, &session), open(&gateway, &gateway.sign_in("bob")));
        echoes(&mut client, b"hello");
        happens(&gateway, &session);
        // By itself: nobody says anything on it.
        assert!(client.is_closed(), "{what}");
        assert!(ended.recv_timeout(PATIENCE).is_ok(), "{what}");
        echoes(&mut other, b"still here");
    }
}

#[test]
fn a_websocket_of_a_user_who_may_no_longer_do_that_ends_too() {
    for change in ["status = \"inactive\"", "access = \"read\""] {
        let ((explorer, ended), upstream) = (echo(), Upstream::start());
        let gateway = start_with(&upstream, &explorer, "");
        let mut client = open(&gateway, &gateway.sign_in("ada"));
        echoes(&mut client, b"hello");
        let path = gateway.folder().join("users.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replace("name = \"ada\"", &format!("{change}\nname = \"ada\""));
        fs::write(gateway.folder().join("new"), text).unwrap();
        fs::rename(gateway.folder().join("new"), &path).unwrap();
        reload(&gateway);
        // By itself: nobody says anything on it.
        assert!(client.is_closed(), "{change}");
        assert_eq!(ended.recv_timeout(PATIENCE), Ok(13), "{change}");
    }
}

/// A gateway with a clock of the test's, in front of this Explorer.
fn with_clock(explorer: &Upstream, config: &str) -> Gateway {
    let config = format!("{PAGES}[ui]\nurl = \"http://{}\"\n{config}", explorer.address);
    clock::start(closed_port(), &config, &users(&["ada"]))
}

#[test]
fn what_is_said_on_a_websocket_does_not_keep_its_session() {
    let (explorer, ended) = echo();
    let gateway = with_clock(&explorer, "");
    let session = gateway.sign_in("ada");
    let mut client = open(&gateway, &session);
    for _ in 0..3 {
        clock::pass(&gateway, 190);
        echoes(&mut client, b"hello");
    }
    // Of the ten minutes, half a minute is left.
    clock::pass_until_closed(&gateway, 31, &client);
    assert!(ended.recv_timeout(PATIENCE).is_ok());
    assert_eq!(gateway.connect().send(&get("/", &[&cookie(&session)])).status, 401);
    let log = gateway.stop();
    assert!(log.contains("a WebSocket is closed: its session has ended"), "{log}");
}

#[test]
fn a_live_websocket_outlasts_what_limits_a_request_and_a_silent_one_ends() {
    let (explorer, ended) = echo();
    let gateway = with_clock(&explorer, "[session]\nidle = \"2h\"\n");
    let mut client = open(&gateway, &gateway.sign_in("ada"));
    // Longer than a body, a head or an idle connection may take, and less than the five minutes of an answer.
    for _ in 0..8 {
        clock::pass(&gateway, 240);
        echoes(&mut client, b"hello");
    }
    clock::pass_until_closed(&gateway, 301, &client);
    assert!(ended.recv_timeout(PATIENCE).is_ok());
    let log = gateway.stop();
    assert!(
        log.contains("a WebSocket has ended") && !log.contains("its session has ended"),
        "{log}"
    );
    assert!(!log.contains(" ERROR "), "{log}");
}

#[test]
fn a_websocket_lives_on_while_its_session_is_used() {
    let (explorer, _ended) = echo();
    let gateway = with_clock(&explorer, "");
    let session = gateway.sign_in("ada");
    let mut client = open(&gateway, &session);
    for _ in 0..8 {
        clock::pass(&gateway, 240);
        let used = gateway.connect().send(&get("/api/v2/me", &[&cookie(&session)]));
        assert_eq!(used.status, 200);
        echoes(&mut client, b"hello");
    }
}

#[test]
fn a_server_that_wants_no_websocket_is_heard_and_another_protocol_is_none() {
    let upstream = Upstream::start();
    let explorer = Upstream::behaving(|seen, stream| {
        let text = match seen.line().split(' ').nth(1).unwrap() {
            "/foo" => {
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n"
            }
            "/none" => "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\n",
            "/early" => {
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nno"
            }
            _ => "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno",
        };
        stream.write_all(text.as_bytes()).is_ok()
    });
    let gateway = start_with(&upstream, &explorer, "");
    let line = cookie(&gateway.sign_in("ada"));
    for (path, status) in [("/ws", 403), ("/early", 426), ("/foo", 502), ("/none", 502)] {
        let mut client = gateway.connect();
        client.write(ask(path, &[&line]).as_bytes());
        let answer = client.next_final("GET").unwrap();
        assert_eq!(answer.status, status, "{path}");
        assert!(client.is_closed(), "{path}");
    }
}

#[test]
fn a_websocket_does_not_hold_up_a_stop() {
    let ((explorer, ended), upstream) = (echo(), Upstream::start());
    let gateway = start_with(&upstream, &explorer, "[server]\ngrace = \"10m\"\n");
    let mut client = open(&gateway, &gateway.sign_in("ada"));
    echoes(&mut client, b"hello");
    gateway.signal("TERM");
    assert!(client.is_closed());
    assert!(ended.recv_timeout(PATIENCE).is_ok());
    let (code, log) = gateway.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("all requests are answered"), "{log}");
}

#[test]
fn websockets_count_as_requests_that_use_the_upstream() {
    let ((explorer, ended), upstream) = (echo(), Upstream::start());
    let gateway = start_with(&upstream, &explorer, "[limits]\nupstream_connections = 1\n");
    let session = gateway.sign_in("ada");
    let client = open(&gateway, &session);
    assert_eq!(gateway.connect().send(&ask("/ws", &[&cookie(&session)])).status, 503);
    drop(client);
    assert!(ended.recv_timeout(PATIENCE).is_ok());
    wait_until("there is room", || {
        gateway.connect().send(&get("/", &[&cookie(&session)])).status == 200
    });
}

#[test]
fn over_tls_there_are_websockets_and_over_http_2_there_are_none() {
    let (explorer, _ended) = echo();
    let config = format!("{PAGES}[ui]\nurl = \"http://{}\"\n", explorer.address);
    let secure = SecureGateway::start_with(closed_port(), "", &config);
    let session = secure.gateway.sign_in("ada");
    let roots = secure.authority.roots();
    let versions = rustls::ALL_VERSIONS;
    let mut stream = crate::secure::connect(secure.https, roots, &[b"http/1.1"], versions).unwrap();
    let asked = ask("/ws", &[&cookie(&session), "Origin: https://gateway.test"]);
    stream.write_all(asked.as_bytes()).unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        seen.push(byte[0]);
    }
    assert!(seen.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&seen));
    let frame = text(b"hello");
    stream.write_all(&frame).unwrap();
    let mut back = vec![0; frame.len()];
    stream.read_exact(&mut back).unwrap();
    assert_eq!(back, frame);
    explorer.next();
    // A page that came over HTTP may be anybody's who is on the way.
    for (of_browser, status) in [("X-None: x", 403), ("Sec-Fetch-Site: cross-site", 403)] {
        let headers = [&*cookie(&session), "Origin: http://gateway.test", of_browser];
        assert_eq!(secure.connect().send(&ask("/ws", &headers)).status, status, "{of_browser}");
    }
    // RFC 8441: browsers ask over HTTP/2 only where it is announced, and over HTTP/1 otherwise.
    let fields = [
        &head("CONNECT", "/ws")[..],
        &[(":protocol", "websocket"), ("cookie", &session), ("sec-websocket-version", "13")],
    ];
    let mut connection = Connection::open(&secure, &[]);
    let stream = connection.send(&fields.concat(), None);
    assert!(connection.finish(stream).is_refusal());
    assert!(explorer.saw_nothing());
    // Pages there are.
    let mut connection = Connection::open(&secure, &[]);
    assert_eq!(connection.ask("GET", "/", &[]).status, 401);
    assert_eq!(connection.ask("POST", "/save", &[("cookie", &session)]).text(), "a page");
    assert_eq!(explorer.next().header("cookie"), None);
}

#[test]
fn a_websocket_ends_when_its_user_is_edited_while_it_is_opened() {
    let upstream = Upstream::start();
    let (sender, asked) = channel();
    let (agree, agreed) = channel::<()>();
    let (sender, agreed) = (Mutex::new(sender), Mutex::new(agreed));
    let explorer = Upstream::behaving(move |_, stream| {
        sender.lock().unwrap().send(()).unwrap();
        let _ = agreed.lock().unwrap().recv_timeout(PATIENCE);
        let _ = stream.write_all(AGREED.as_bytes());
        let _ = stream.read(&mut [0; 16]);
        false
    });
    let gateway = start_with(&upstream, &explorer, "");
    let line = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    client.write(ask("/ws", &[&line]).as_bytes());
    asked.recv_timeout(PATIENCE).unwrap();
    edit(&gateway, "remove");
    reload(&gateway);
    agree.send(()).unwrap();
    // Whether the answer or the end was first.
    let answer = client.next_final("GET");
    assert!(answer.as_ref().is_ok_and(|answer| [101, 401].contains(&answer.status)), "{answer:?}");
    assert!(client.is_closed());
}

#[test]
fn a_websocket_ends_when_its_session_is_ended_at_another_gateway_or_is_gone() {
    let redis = Server::start();
    let (explorer, ended) = echo();
    let config = format!(
        "[session]\nstore = \"{}\"\nstore_timeout = \"10s\"\n{PAGES}[ui]\nurl = \"http://{}\"\n",
        redis.url(),
        explorer.address
    );
    let [a, b] =
        [(); 2].map(|()| Gateway::start_with(closed_port(), &config, &users(&["ada", "bob"])));
    let session = a.sign_in("ada");
    let mut clients = [open(&a, &session), open(&b, &session)];
    let mut other = open(&a, &a.sign_in("bob"));
    for client in &mut clients {
        echoes(client, b"hello");
    }
    let gone = b.connect().send(&post("/api/v2/signout", &[&cookie(&session)]));
    assert_eq!(gone.status, 204);
    for client in &mut clients {
        assert!(client.is_closed());
        assert!(ended.recv_timeout(PATIENCE).is_ok());
    }
    echoes(&mut other, b"still here");
}
