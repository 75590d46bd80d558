use std::fs;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::cut_off::{begin_write, half_write, listener};
use crate::frames::*;
use crate::gateway_tokens;
use crate::h2_upstream::{H2Upstream, Told};
use crate::secure::SecureGateway;
use crate::support::*;

const DO_GET: &str = "/arrow.flight.protocol.FlightService/DoGet";
const EARLY: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnope";

/// Reasons of resets.
const NO_ERROR: u32 = 0;
const CANCEL: u32 = 8;

/// A gateway for calls, with these limits, and the `authorization` of `ada`.
fn start(upstream: &H2Upstream, limits: &str) -> (SecureGateway, String) {
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&["ada"]));
    let token = gateway_tokens::add(folder.path(), &["ada"]);
    let users = fs::read_to_string(folder.path().join("users.toml")).unwrap();
    let config = format!("kind = \"influxdb3\"\ngrpc = true\n[limits]\n{limits}\n");
    (SecureGateway::start_for(upstream.address, "", &config, &users), format!("Bearer {token}"))
}

/// The head of a call that has the upstream do `what`.
fn call(stream: u32, (name, value): (&str, &str), what: &str) -> Vec<u8> {
    let more = [("te", "trailers"), ("content-type", "application/grpc"), ("x-do", what)];
    let fields = [&head("POST", DO_GET)[..], &more, &[(name, value)]].concat();
    frame(HEADERS, END_HEADERS, stream, &block(&fields))
}

fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

/// The reason for which `stream`, whose answer has been read, is reset.
fn reason(connection: &mut Connection, stream: u32) -> u32 {
    loop {
        let frame = connection.read().expect("a reset");
        connection.acknowledge(&frame);
        if (frame.kind, frame.stream) == (RST_STREAM, stream) {
            return u32::from_be_bytes(frame.payload[..].try_into().unwrap());
        }
    }
}

/// Asks of a call whether there is room for it.
fn has_room(secure: &SecureGateway, token: &str) -> bool {
    let mut connection = Connection::open(secure, &[]);
    let stream = connection.next_stream();
    let message = frame(DATA, END_STREAM, stream, &[0; 5]);
    connection.write(&[call(stream, ("authorization", token), ""), message].concat());
    let answer = connection.finish(stream).answer();
    match answer.header("grpc-status") {
        Some("0") => true,
        Some("8") => false,
        status => panic!("{status:?}"),
    }
}

#[test]
fn a_request_is_over_when_its_answer_is_though_its_body_never_ends() {
    let (upstream, heads, _rests) = listener(EARLY);
    let limits = "[limits]\nupstream_connections_per_client = 1\n";
    let secure = SecureGateway::start_with(upstream, "", limits);
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[]);
    for (path, cookie) in [("/health", "a=b"), ("/api/v2/write", &session)] {
        for body in [&b""[..], b"half"] {
            let method = if path == "/health" { "GET" } else { "POST" };
            let fields = [&head(method, path)[..], &[("cookie", cookie)]].concat();
            let stream = connection.next_stream();
            connection.write(&frame(HEADERS, END_HEADERS, stream, &block(&fields)));
            if !body.is_empty() {
                connection.write(&frame(DATA, 0, stream, body));
            }
            let answer = connection.finish(stream).answer();
            assert_eq!((answer.status, &*answer.text()), (401, "nope"), "{path}, {body:?}");
            heads.recv_timeout(PATIENCE).unwrap();
            assert_eq!(reason(&mut connection, stream), NO_ERROR, "{path}, {body:?}");
        }
    }
    // There was room for each after the other; and each has its line.
    let count = |path: &str| {
        let line = format!("path={path} status=401");
        secure.gateway.log().matches(&line).count()
    };
    wait_until("all are logged", || count("/health") == 2 && count("/api/v2/write") == 2);
    // The gateway's own answers hold nothing either.
    let stream = connection.next_stream();
    let fields = block(&head("GET", "/api/v2/buckets"));
    connection.write(&frame(HEADERS, END_HEADERS, stream, &fields));
    assert_eq!(connection.finish(stream).answer().status, 401);
    assert_eq!(reason(&mut connection, stream), NO_ERROR);
}

#[test]
fn a_call_is_over_when_its_answer_is() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(&upstream, "upstream_connections_per_client = 1");
    let mut connection = Connection::open(&secure, &[]);
    for body in [&[][..], &[0; 5]] {
        let stream = connection.next_stream();
        let message = frame(DATA, 0, stream, body);
        connection.write(&[call(stream, ("authorization", &token), ""), message].concat());
        assert_eq!(connection.finish(stream).answer().header("grpc-status"), Some("0"));
        assert_eq!(reason(&mut connection, stream), NO_ERROR, "{body:?}");
        wait_until("there is room", || has_room(&secure, &token));
        // What comes after that is nobody's, and nobody's fault.
        connection.write(&frame(DATA, END_STREAM, stream, &[0; 5]));
    }
}

#[test]
fn a_body_that_stalls_is_cut_over_http_2_too() {
    let (upstream, heads, rests) = listener("");
    let secure = SecureGateway::start_with(upstream, "", "[limits]\nbody = \"300ms\"\n");
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[]);
    let stream = begin_write(&mut connection, &session);
    heads.recv_timeout(PATIENCE).unwrap();
    assert_eq!(connection.finish(stream).answer().status, 408);
    let (rest, _) = rests.recv_timeout(PATIENCE).expect("the upstream is left");
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it does not look complete");
}

#[test]
fn a_call_must_begin_and_may_be_silent_then() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(&upstream, "body = \"300ms\"");
    let mut connection = Connection::open(&secure, &[]);
    let stream = connection.next_stream();
    connection.write(&call(stream, ("authorization", &token), "wait 60000"));
    assert_eq!(connection.finish(stream).answer().header("grpc-status"), Some("14"));
    upstream.next().call();
    let stream = connection.next_stream();
    let first = frame(DATA, 0, stream, &[0; 5]);
    connection.write(&[call(stream, ("authorization", &token), "open"), first].concat());
    upstream.next().call();
    let told = upstream.next_within(Duration::from_millis(1500));
    assert!(told.is_none(), "{told:?}");
    connection.write(&reset(stream));
    assert!(matches!(upstream.next(), Told::Cancelled(_)));
}

#[test]
fn a_call_with_trailers_can_be_cancelled_too() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(&upstream, "");
    for end in ["reset", "gone"] {
        let mut connection = Connection::open(&secure, &[]);
        let stream = connection.next_stream();
        let message = frame(DATA, 0, stream, &[0; 5]);
        let trailers = block(&[("x-t", "1")]);
        let trailers = frame(HEADERS, END_HEADERS | END_STREAM, stream, &trailers);
        let head = call(stream, ("authorization", &token), "wait 5000");
        connection.write(&[head, message, trailers].concat());
        upstream.next().call();
        // Whatever came before this has been read.
        let other = connection.next_stream();
        let head = call(other, ("authorization", &token), "");
        connection.write(&[head, frame(DATA, END_STREAM, other, &[0; 5])].concat());
        assert_eq!(connection.finish(other).answer().header("grpc-status"), Some("0"));
        upstream.next().call();
        if end == "reset" {
            connection.write(&reset(stream));
        } else {
            drop(connection);
        }
        // By then it would have answered.
        let told = upstream.next_within(PATIENCE);
        assert!(told.as_ref().is_some_and(Told::is_cancelled), "{end}: {told:?}");
    }
}

#[test]
fn a_cancelled_call_has_no_status() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(&upstream, "");
    let mut connection = Connection::open(&secure, &[]);
    // Before there is an answer, and after it has begun; of all of the request, and of a half.
    for (what, flags) in [("wait 60000", END_STREAM), ("wait 60000", 0), ("open", END_STREAM)] {
        let stream = connection.next_stream();
        let message = frame(DATA, flags, stream, &[0; 5]);
        connection.write(&[call(stream, ("authorization", &token), what), message].concat());
        upstream.next().call();
        connection.write(&reset(stream));
    }
    let lines = || {
        let log = secure.gateway.log();
        let lines = log.lines().filter(|line| line.contains("FlightService"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    wait_until("all are logged", || lines().len() == 3);
    for line in lines() {
        assert!(!line.contains("grpc_status="), "{line}");
    }
}

#[test]
fn a_client_of_http_1_has_a_second_for_what_nobody_waits_for() {
    for early in [EARLY, "HTTP/1.1 204 No Content\r\n\r\n"] {
        let (upstream, heads, _rests) = listener(early);
        let limits = "[limits]\nupstream_connections_per_client = 1\n";
        let gateway = Gateway::start_with(upstream, limits, &users(&["ada"]));
        let line = cookie(&gateway.sign_in("ada"));
        for is_dripping in [true, false] {
            let mut client = gateway.connect();
            let head = request("POST", "/api/v2/write", &[&line, "Content-Length: 1000000"]);
            client.write((head + "half").as_bytes());
            heads.recv_timeout(PATIENCE).unwrap();
            let status = client.read().status;
            assert!(early.contains(&status.to_string()), "{status}");
            let mut stream = client.stream.try_clone().unwrap();
            let drips = thread::spawn(move || {
                let began = Instant::now();
                while is_dripping
                    && began.elapsed() < 2 * PATIENCE
                    && stream.write_all(b".").is_ok()
                {
                    thread::park_timeout(Duration::from_millis(20));
                }
            });
            assert!(client.is_closed(), "{early}, {is_dripping}");
            drips.join().unwrap();
        }
    }
}

#[test]
fn a_session_that_has_lived_its_time_ends_a_body_that_keeps_coming() {
    let (upstream, heads, rests) = listener("");
    let config = "[session]\nidle = \"30m\"\nlifetime = \"20m\"\n[limits]\nbody = \"1day\"\n";
    let gateway = clock::start(upstream, config, &users(&["ada"]));
    let session = gateway.sign_in("ada");
    let [head, first, second] = half_write(&session, "chunked");
    let mut client = gateway.connect();
    client.write((head + &first).as_bytes());
    heads.recv_timeout(PATIENCE).unwrap();
    clock::pass(&gateway, 1201);
    client.write(second.as_bytes());
    assert_eq!(client.read().status, 401);
    let (rest, _) = rests.recv_timeout(PATIENCE).unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(!rest.contains("second"), "{rest}");
}

#[test]
fn a_session_that_has_lived_its_time_ends_a_call_with_the_next_message() {
    let upstream = H2Upstream::start();
    let config = "kind = \"influxdb3\"\ngrpc = true\n[session]\nlifetime = \"2s\"\n";
    let secure = SecureGateway::start_with(upstream.address, "", config);
    let session = secure.gateway.sign_in("ada");
    let mut connection = Connection::open(&secure, &[]);
    let stream = connection.next_stream();
    let began = Instant::now();
    connection.write(&call(stream, ("cookie", &session), "open"));
    while upstream.next_within(Duration::from_millis(20)).is_none_or(|told| !told.is_cancelled()) {
        connection.write(&frame(DATA, 0, stream, &[0; 5]));
        assert!(began.elapsed() < PATIENCE, "it goes on");
    }
    assert!(began.elapsed() > Duration::from_secs(1));
    assert_eq!(connection.finish(stream).answer().header("grpc-status"), Some("16"));
}
