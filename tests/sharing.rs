use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use crate::frames::{self, Connection, SETTINGS, frame, head};
use crate::secure::SecureGateway;
use crate::support::*;

/// The client of its own token, whom the gateway forwards without asking.
const TOKEN: &str = "Authorization: Token x";

/// The setting of HTTP/2 that says how much of each answer may be sent unasked.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// An upstream that answers one path when the gate is opened, and everything else at once.
struct Gate {
    upstream: Upstream,
    is_open: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    fn start() -> Self {
        Self::before("/api/v2/slow")
    }

    fn before(path: &'static str) -> Self {
        let is_open = Arc::new((Mutex::new(false), Condvar::new()));
        let gate = Arc::clone(&is_open);
        let upstream = Upstream::behaving(move |seen, stream| {
            if seen.line().contains(path) {
                let closed = |is_open: &mut bool| !*is_open;
                let (lock, change) = &*gate;
                drop(change.wait_timeout_while(lock.lock().unwrap(), PATIENCE, closed));
            }
            answer(stream, "200 OK", "fine")
        });
        Self { upstream, is_open }
    }

    fn open(&self) {
        *self.is_open.0.lock().unwrap() = true;
        self.is_open.1.notify_all();
    }
}

/// A gateway that believes whoever comes from this machine.
fn behind_proxies(upstream: SocketAddr, limits: &str) -> Gateway {
    let config = format!("[limits]\n{limits}\n");
    let folder = Gateway::prepare(&format!("http://{upstream}"), &config, &users(&["ada"]));
    let path = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let trusted = "[listen]\ntrusted_proxies = [\"127.0.0.1\"]";
    std::fs::write(&path, text.replace("[listen]", trusted)).unwrap();
    Gateway::start_in(folder)
}

fn check_refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, &answer.json()["code"]), (status, &code.into()), "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("1"));
    assert_eq!(answer.header("x-platform-error-code"), Some(code));
}

#[test]
fn f_22_connections_to_the_upstream_are_bounded_in_all_and_for_each_client() {
    let gate = Gate::start();
    let limits = "upstream_connections = 3\nupstream_connections_per_client = 2";
    let gateway = behind_proxies(gate.upstream.address, limits);
    let line = cookie(&gateway.sign_in("ada"));
    let from = |client: &str| format!("X-Forwarded-For: {client}");
    let [ada, bob, eve] = ["192.0.2.1", "2001:db8::1", "192.0.2.3"].map(from);
    // Whatever a request comes with, and whatever it brings.
    let mut held: Vec<_> = [
        get("/api/v2/slow", &[&line, &ada]),
        with_body("POST", "/api/v2/slow", &[TOKEN, &ada], "m v=1"),
        get("/api/v2/slow", &[TOKEN, &bob]),
    ]
    .iter()
    .map(|request| {
        let mut client = gateway.connect();
        client.write(request.as_bytes());
        gate.upstream.next();
        client
    })
    .collect();
    for request in [
        get("/api/v2/buckets", &[&line, &ada]),
        get("/health", &[&ada]),
        with_body("POST", "/api/v2/write", &[TOKEN, &ada], "m v=1"),
    ] {
        check_refused(&gateway.connect().send(&request), 429, "too many requests");
    }
    for request in [
        get("/api/v2/buckets", &[&line, &eve]),
        get("/health", &[&eve]),
        with_body("POST", "/api/v2/write", &[TOKEN, &bob], &"x".repeat(100_000)),
    ] {
        check_refused(&gateway.connect().send(&request), 503, "unavailable");
    }
    // What the gateway answers by itself takes nothing.
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line, &ada])).status, 200);
    assert!(gate.upstream.saw_nothing());
    gate.open();
    for client in &mut held {
        assert_eq!(client.read().status, 200);
    }
    // One that is given back is there for the next, also when its client has left.
    for _ in 0..10 {
        for client in [&ada, &bob, &eve] {
            let request = get("/api/v2/buckets", &[&line, client]);
            wait_until("there is room", || gateway.connect().send(&request).status == 200);
        }
    }
}

#[test]
fn f_22_who_comes_directly_is_counted_too_and_over_every_connection() {
    let gate = Gate::start();
    let limits = "[limits]\nupstream_connections_per_client = 2\n";
    let secure = SecureGateway::start_with(gate.upstream.address, "", limits);
    let line = cookie(&secure.gateway.sign_in("ada"));
    let mut connection = Connection::open(&secure, &[]);
    let slow = [&head("GET", "/api/v2/slow")[..], &[("authorization", "Token x")]].concat();
    let stream = connection.send(&slow, None);
    gate.upstream.next();
    let mut client = secure.gateway.connect();
    client.write(get("/api/v2/slow", &[&line]).as_bytes());
    gate.upstream.next();
    let request = get("/api/v2/buckets", &[&line]);
    check_refused(&secure.gateway.connect().send(&request), 429, "too many requests");
    check_refused(&secure.connect().send(&get("/health", &[])), 429, "too many requests");
    let refused = connection.ask("GET", "/api/v2/buckets", &[("cookie", &line[8..])]);
    check_refused(&refused, 429, "too many requests");
    gate.open();
    assert_eq!(connection.finish(stream).answer().status, 200);
    assert_eq!(client.read().status, 200);
    // A client that leaves gives back what it had.
    for _ in 0..10 {
        let mut leaves = secure.gateway.connect();
        leaves.write(request.as_bytes());
        drop(leaves);
        wait_until("there is room", || secure.gateway.connect().send(&request).status == 200);
    }
}

#[test]
fn f_22_a_closed_window_holds_nothing_and_who_has_no_session_gets_fewer_streams() {
    let gate = Gate::start();
    let limits = "[limits]\nupstream_connections_per_client = 30\n";
    let secure = SecureGateway::start_with(gate.upstream.address, "", limits);
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[(INITIAL_WINDOW_SIZE, 0)]);
    let streams: Vec<_> =
        (0..100).map(|_| connection.send(&head("GET", "/health"), None)).collect();
    for _ in 0..25 {
        assert!(gate.upstream.next().line().starts_with("GET /health "));
    }
    // Another connection, the same client: every place is free.
    wait_until("all have their place", || {
        let mut clients: Vec<_> = (0..30).map(|_| secure.gateway.connect()).collect();
        for client in &mut clients {
            client.write(get("/api/v2/buckets", &[&cookie(&session)]).as_bytes());
        }
        clients.iter_mut().all(|client| client.read().status == 200)
    });
    let more = gate.upstream.seen_by_clients();
    assert!(more.iter().all(|seen| seen.line().starts_with("GET /api/v2/buckets ")), "{more:?}");
    // As soon as the client reads, the others have their turn.
    let window = 65_535_u32.to_be_bytes();
    let open = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window].concat();
    connection.write(&frame(SETTINGS, 0, 0, &open));
    for answer in connection.answers(&streams) {
        assert_eq!((answer.status, &*answer.text()), (200, "fine"));
    }
}

#[test]
fn f_22_with_a_session_all_streams_are_there() {
    let gate = Gate::start();
    let secure = SecureGateway::start(gate.upstream.address);
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[]);
    let fields = [&head("GET", "/api/v2/slow")[..], &[("cookie", &session)]].concat();
    let streams: Vec<_> = (0..60).map(|_| connection.send(&fields, None)).collect();
    for _ in 0..60 {
        gate.upstream.next();
    }
    gate.open();
    assert!(connection.answers(&streams).iter().all(|answer| answer.status == 200));
}

#[test]
fn f_22_a_client_of_http_1_that_does_not_read_holds_nothing() {
    const ANSWER: usize = 60_000;
    let upstream = Upstream::behaving(|_, stream| answer(stream, "200 OK", &"x".repeat(ANSWER)));
    let gateway = Gateway::start_with(
        upstream.address,
        "[limits]\nupstream_connections = 1\n",
        &users(&["ada"]),
    );
    let line = cookie(&gateway.sign_in("ada"));
    // More than all buffers on the way hold.
    let count = 64 * 1024 * 1024 / ANSWER;
    let mut deaf = gateway.connect();
    let is_over = Arc::new(AtomicBool::new(false));
    let (mut writer, over) = (deaf.stream.try_clone().unwrap(), Arc::clone(&is_over));
    let asking = std::thread::spawn(move || {
        for _ in 0..count {
            if writer.write_all(get("/health", &[]).as_bytes()).is_err() {
                return;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    // It is not read from, so most of its requests wait.
    let mut seen = 0;
    loop {
        let before = seen;
        for _ in 0..20 {
            let request = get("/api/v2/buckets", &[&line]);
            wait_until("there is room", || gateway.connect().send(&request).status == 200);
        }
        seen +=
            upstream.seen_by_clients().iter().filter(|seen| seen.line().contains("health")).count();
        if seen == before {
            break;
        }
    }
    assert!(seen < count, "all of them were answered");
    // When it reads, it gets them all.
    deaf.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..count {
        let answer = deaf.read();
        // While another had the one connection there is, there was none for it.
        assert!(answer.body.len() == ANSWER || answer.status == 503, "{}", answer.status);
    }
    asking.join().unwrap();
    assert!(is_over.load(Ordering::Relaxed));
}

/// What the upstream says on `/health`, and what the client is to get of it.
const SAID: [(&str, &str, u16, &str); 9] = [
    ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-A: b\r\n\r\nfine", 200, "fine"),
    (
        "GET",
        "HTTP/1.1 503 Down\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n1;x=y\r\nt\r\n0\r\n\r\n",
        503,
        "not",
    ),
    ("GET", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nup to the end", 200, "up to the end"),
    ("GET", "HTTP/1.0 200 OK\r\n\r\nold", 200, "old"),
    (
        "GET",
        "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        200,
        "ok",
    ),
    ("GET", "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", 204, ""),
    ("GET", "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n", 304, ""),
    ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 200, ""),
    ("GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""),
];

#[test]
fn f_22_answers_that_are_read_whole_are_the_upstreams_own() {
    for (method, said, status, body) in SAID {
        let goes_on = !said.contains("close") && !said.contains("HTTP/1.0");
        let upstream = Upstream::behaving(move |_, stream| {
            stream.write_all(said.as_bytes()).is_ok() && goes_on
        });
        let secure = SecureGateway::start(upstream.address);
        let mut client = secure.gateway.connect();
        // The client of these tests does not know that an answer without news has no body.
        for _ in 0..if status == 304 { 0 } else { 3 } {
            let mut answer =
                client.send(&request(method, "/health?a=b", &["X-Mine: 1", "Cookie: a=b"]));
            if said.contains("103") {
                assert_eq!((answer.status, answer.header("x")), (103, Some("y")));
                answer = client.read();
            }
            assert_eq!((answer.status, &*answer.text()), (status, body), "{said}");
            assert!(answer.header("x-request-id").is_some());
            assert_eq!(answer.header("x-a"), said.contains("X-A").then_some("b"));
            let length = match method {
                "HEAD" => Some("9".to_owned()),
                _ if status == 204 => None,
                _ => Some(body.len().to_string()),
            };
            assert_eq!(answer.header("content-length"), length.as_deref(), "{said}");
            let seen = upstream.next();
            assert_eq!(seen.line(), format!("{method} /health?a=b HTTP/1.1"));
            assert_eq!((seen.header("x-mine"), seen.header("cookie")), (Some("1"), Some("a=b")));
            assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
        }
        let mut connection = Connection::open(&secure, &[]);
        let answer = connection.ask(method, "/health", &[]);
        assert_eq!((answer.status, &*answer.text()), (status, body), "{said}");
        assert_eq!(upstream.next().line(), format!("{method} /health HTTP/1.1"));
        let old = format!("{method} /health HTTP/1.0\r\nHost: x\r\n\r\n");
        let mut client = secure.gateway.connect();
        client.write(old.as_bytes());
        let mut answer = String::new();
        client.stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{said}: {answer}");
        assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{said}: {answer}");
        assert_eq!(upstream.next().line(), format!("{method} /health HTTP/1.1"));
    }
}

#[test]
fn f_22_a_large_public_answer_goes_on_as_it_comes() {
    const SIZE: usize = 3 << 20;
    for is_chunked in [false, true] {
        let upstream = Upstream::behaving(move |_, stream| {
            let body = "x".repeat(SIZE);
            if !is_chunked {
                return answer(stream, "200 OK", &body);
            }
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            write!(stream, "{head}{SIZE:x}\r\n{body}\r\n0\r\n\r\n").is_ok()
        });
        let secure = SecureGateway::start(upstream.address);
        let mut client = secure.gateway.connect();
        for _ in 0..2 {
            let answer = client.send(&get("/health", &[]));
            assert_eq!((answer.status, answer.body.len()), (200, SIZE));
        }
        let mut old = TcpStream::connect(secure.gateway.address).unwrap();
        old.set_read_timeout(Some(PATIENCE)).unwrap();
        old.write_all(b"GET /health HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
        let mut all = Vec::new();
        old.read_to_end(&mut all).unwrap();
        let text = String::from_utf8(all).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.to_ascii_lowercase().contains("transfer-encoding"), "{head}");
        assert_eq!(body.len(), SIZE);
        let mut connection = Connection::open(&secure, &[]);
        assert_eq!(connection.ask("GET", "/health", &[]).body.len(), SIZE);
    }
}

#[test]
fn f_22_a_public_answer_that_breaks_off_is_told_to_be_none() {
    for (said, status) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 502),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", 502),
        ("", 502),
        ("220 mail\r\n\r\n", 502),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", 502),
    ] {
        let upstream = Upstream::behaving(move |_, stream| {
            let _ = stream.write_all(said.as_bytes());
            false
        });
        let secure = SecureGateway::start(upstream.address);
        let answer = secure.gateway.connect().send(&get("/health", &[]));
        assert_eq!((answer.status, &answer.json()["code"]), (status, &"unavailable".into()));
        let mut connection = Connection::open(&secure, &[]);
        assert_eq!(connection.ask("GET", "/health", &[]).status, status, "{said}");
    }
    let gateway = Gateway::start(closed_port());
    let answer = gateway.connect().send(&get("/health", &[]));
    assert_eq!((answer.status, &answer.json()["op"]), (502, &"gateway/upstream.connect".into()));
    let config = "[limits]\nupstream_read = \"200ms\"\n";
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gateway = Gateway::start_with(mute.local_addr().unwrap(), config, &users(&["ada"]));
    assert_eq!(gateway.connect().send(&get("/health", &[])).status, 504);
}

#[test]
fn f_22_an_upstream_that_was_restarted_answers_at_once() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let mut client = gateway.connect();
    for _ in 0..5 {
        assert_eq!(client.send(&get("/health", &[])).status, 200);
        upstream.hang_up();
    }
}

#[test]
fn f_22_a_client_that_leaves_gives_its_connection_back() {
    let gate = Gate::before("/health");
    let limits = "[limits]\nupstream_connections = 1\n";
    let secure = SecureGateway::start_with(gate.upstream.address, "", limits);
    let mut connection = Connection::open(&secure, &[]);
    let ask = || {
        let mut client = secure.gateway.connect();
        let status = client.send(&get("/api/v2/buckets", &[TOKEN])).status;
        // By the time the next is answered, the one before has given back what it used.
        client.send(&get("/api/v2/me", &[]));
        status
    };
    for _ in 0..3 {
        let stream = connection.send(&head("GET", "/health"), None);
        assert!(gate.upstream.next().line().contains("/health"));
        assert_eq!(ask(), 503);
        connection.write(&frame(frames::RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        wait_until("there is room", || ask() == 200);
        gate.upstream.seen_by_clients();
        let mut client = secure.gateway.connect();
        client.write(get("/health", &[]).as_bytes());
        assert!(gate.upstream.next().line().contains("/health"));
        drop(client);
        wait_until("there is room", || ask() == 200);
        gate.upstream.seen_by_clients();
    }
    gate.open();
}

#[test]
fn f_22_so_does_one_that_leaves_in_the_middle_of_a_body() {
    let upstream = Upstream::behaving(|seen, stream| {
        if seen.line().contains("/health") {
            return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf").is_ok();
        }
        answer(stream, "200 OK", "all")
    });
    let limits = "[limits]\nupstream_connections = 1\n";
    let gateway = Gateway::start_with(upstream.address, limits, &users(&["ada"]));
    let mut client = gateway.connect();
    client.write(get("/health", &[]).as_bytes());
    assert!(upstream.next().line().contains("/health"));
    drop(client);
    let ask = || gateway.connect().send(&get("/api/v2/buckets", &[TOKEN])).status;
    wait_until("there is room", || ask() == 200);
}
