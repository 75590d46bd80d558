use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::frames::*;
use crate::gateway_tokens;
use crate::h2_upstream::{H2Upstream, Told};
use crate::http2;
use crate::secure::SecureGateway;
use crate::support::*;

const DO_GET: &str = "/arrow.flight.protocol.FlightService/DoGet";
const SECOND: Duration = Duration::from_secs(1);

/// A gateway before `upstream`, and the `authorization` of `ada`.
fn start(upstream: SocketAddr, tables: &str) -> (SecureGateway, String) {
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&["ada"]));
    let token = gateway_tokens::add(folder.path(), &["ada"]);
    let users = fs::read_to_string(folder.path().join("users.toml")).unwrap();
    let config =
        format!("kind = \"influxdb3\"\ngrpc = true\n{tables}\n[server]\ndrain_delay = \"0s\"\n");
    (SecureGateway::start_for(upstream, "", &config, &users), format!("Bearer {token}"))
}

/// The head of a call that has the upstream do `what`.
fn call<'a>(authorization: &'a str, what: &'a str) -> Vec<(&'a str, &'a str)> {
    let more = [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("authorization", authorization),
        ("x-do", what),
    ];
    [&head("POST", DO_GET)[..], &more].concat()
}

/// What a call comes to: its status, and how long it took.
fn ask(connection: &mut Connection, authorization: &str, what: &str) -> (String, Duration) {
    let began = Instant::now();
    let stream = connection.send(&call(authorization, what), Some(&[0; 5]));
    let answer = connection.finish(stream).answer();
    assert_eq!(answer.status, 200);
    (answer.header("grpc-status").expect("a status").to_owned(), began.elapsed())
}

#[test]
fn a_silent_call_goes_on_while_the_upstream_lives_and_ends_when_it_does_not() {
    let upstream = H2Upstream::start();
    let tables = "[limits]\nupstream_read = \"100ms\"\nupstream_ping = \"100ms\"\n";
    let (secure, token) = start(upstream.address, tables);
    let mut connection = Connection::open(&secure, &[]);
    let (status, time) = ask(&mut connection, &token, "wait 1500");
    assert_eq!(status, "0");
    assert!(time > Duration::from_millis(1500), "{time:?}");
    // It has five seconds to answer a ping.
    let (status, time) = ask(&mut connection, &token, "hang");
    assert_eq!(status, "14");
    assert!((5 * SECOND..9 * SECOND).contains(&time), "{time:?}");
    assert!(secure.gateway.has_logged("a new connection does not answer a ping"));
    upstream.revive();
    assert_eq!(ask(&mut connection, &token, "").0, "0");
}

#[test]
fn what_comes_while_the_upstream_is_asked_keeps_its_calls() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(upstream.address, "[limits]\nupstream_ping = \"1s\"\n");
    let mut connection = Connection::open(&secure, &[]);
    assert_eq!(ask(&mut connection, &token, "").0, "0");
    upstream.deafen();
    assert_eq!(ask(&mut connection, &token, "wait 3000 5000").0, "0");
}

#[test]
fn an_upstream_that_takes_no_connection_may_finish_what_it_has_begun() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(upstream.address, "[limits]\nupstream_ping = \"100ms\"\n");
    let mut connection = Connection::open(&secure, &[]);
    let stream = connection.send(&call(&token, "wait 7000"), Some(&[0; 5]));
    upstream.next().call();
    upstream.close();
    assert_eq!(connection.finish(stream).answer().header("grpc-status"), Some("0"));
}

#[test]
fn nobody_is_asked_while_there_is_no_call() {
    let [idle, busy] = [H2Upstream::start(), H2Upstream::start()];
    let tables = "[limits]\nupstream_ping = \"50ms\"\n";
    let [(of_idle, its), (of_busy, others)] =
        [&idle, &busy].map(|upstream| start(upstream.address, tables));
    let mut connection = Connection::open(&of_idle, &[]);
    assert_eq!(ask(&mut connection, &its, "").0, "0");
    let before = idle.accepted();
    // For as long as this lasts.
    let mut clock = Connection::open(&of_busy, &[]);
    assert_eq!(ask(&mut clock, &others, "wait 1500").0, "0");
    assert!(busy.accepted() > 5);
    assert_eq!(idle.accepted(), before);
}

/// The timers of this process' connections to `port`, as Linux numbers them.
fn timers(port: u16) -> Vec<String> {
    let open = connections_to(port).into_iter().filter(|(state, _)| state == "01");
    open.map(|(_, timer)| timer.split(':').next().unwrap().to_owned()).collect()
}

#[test]
fn a_host_that_is_gone_is_known_by_the_probes_of_tcp_without_pings() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(upstream.address, "[limits]\nupstream_ping = \"off\"\n");
    let mut connection = Connection::open(&secure, &[]);
    let stream = connection.send(&call(&token, "open"), Some(&[0; 5]));
    upstream.next().call();
    // Once all is acknowledged, the timer is that of the probes.
    wait_until("the connection is probed", || timers(upstream.address.port()) == ["02"]);
    connection.write(&frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
}

#[test]
fn whoever_cancels_or_is_gone_is_cancelled_at_the_upstream_within_a_second() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(upstream.address, "");
    for end in ["reset", "gone"] {
        for is_whole in [true, false] {
            let mut connection = Connection::open(&secure, &[]);
            let stream = connection.next_stream();
            let head = frame(HEADERS, END_HEADERS, stream, &block(&call(&token, "open")));
            let body = frame(DATA, if is_whole { END_STREAM } else { 0 }, stream, &[0; 5]);
            connection.write(&[head, body].concat());
            upstream.next().call();
            if end == "reset" {
                connection.write(&frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            } else {
                drop(connection);
            }
            let told = upstream.next_within(SECOND);
            let is_cancelled = matches!(told, Some(Told::Cancelled(h2::Reason::CANCEL)));
            assert!(is_cancelled, "{end}, {is_whole}: {told:?}");
        }
    }
}

#[test]
fn trailers_of_a_request_tell_nobody_another_user() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(upstream.address, "");
    let mut connection = Connection::open(&secure, &[]);
    let stream = connection.next_stream();
    // `te` is there even if the client has forgotten it.
    let mut fields = call(&token, "wait 300");
    fields.retain(|(name, _)| *name != "te");
    let head = frame(HEADERS, END_HEADERS, stream, &block(&fields));
    let forged = block(&[("x-forwarded-user", "eve"), ("x-forwarded-user-bin", "ZXZl")]);
    let (first, second) = forged.split_at(9);
    let trailers = [
        frame(HEADERS, END_STREAM, stream, first),
        frame(CONTINUATION, END_HEADERS, stream, second),
    ];
    connection.write(&[head, frame(DATA, 0, stream, &[0; 5]), trailers.concat()].concat());
    let (path, headers) = upstream.next().call();
    assert_eq!((&*path, &headers["x-forwarded-user"]), (DO_GET, &"ada".parse().unwrap()));
    assert_eq!(headers["te"], "trailers");
    assert_eq!(connection.finish(stream).answer().header("grpc-status"), Some("0"));
    let told = upstream.next_within(Duration::ZERO);
    assert!(told.is_none(), "{told:?}");
}

#[test]
fn the_upstream_hears_how_long_a_client_waits() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(upstream.address, "");
    let mut connection = Connection::open(&secure, &[]);
    for timeout in [Some("1500m"), Some("8H"), None] {
        let mut fields = call(&token, "");
        fields.extend(timeout.map(|timeout| ("grpc-timeout", timeout)));
        let stream = connection.send(&fields, Some(&[0; 5]));
        let (_, headers) = upstream.next().call();
        let heard = headers.get("grpc-timeout").map(|it| it.to_str().unwrap());
        assert_eq!(heard, timeout);
        assert_eq!(connection.finish(stream).answer().header("grpc-status"), Some("0"));
    }
}

#[test]
fn no_attack_gets_through_as_a_call() {
    let upstream = H2Upstream::start();
    let (secure, _token) = start(upstream.address, "");
    let session = secure.gateway.sign_in("ada");
    let of_grpc = [("te", "trailers"), ("content-type", "application/grpc")];
    let plain = [&head("POST", DO_GET)[..], &of_grpc].concat();
    let last = [&plain[..], &[("cookie", &session), ("x-last", "1")]].concat();
    let mut good = Connection::open(&secure, &[]);
    let mut forwarded = 0;
    for case in http2::cases() {
        let (id, end) = (&case.id, case.run(&secure, &session, &plain));
        // Whatever of the case is on its way upstream comes before this.
        let stream = good.send(&last, Some(&[0; 5]));
        assert_eq!(good.finish(stream).answer().header("grpc-status"), Some("0"), "{id}");
        let mut seen = Vec::new();
        loop {
            let (path, headers) = upstream.next().call();
            if headers.contains_key("x-last") {
                break;
            }
            seen.push((path, headers));
        }
        let is_method = |method: &Option<String>| method.as_deref() == Some("POST");
        let is_other =
            case.pseudo.contains_key(":path") || !case.pseudo.get(":method").is_none_or(is_method);
        let Some(expected) = case.upstream.as_ref().filter(|_| !is_other) else {
            assert!(seen.is_empty(), "{id}: {seen:?}");
            let is_refused = match &end {
                End::Answered(answer) if answer.status == 200 => {
                    answer.header("grpc-status").is_some_and(|status| status != "0")
                }
                end => end.is_refusal(),
            };
            assert!(is_refused, "{id}: {end:?}");
            continue;
        };
        let [(path, headers)] = &seen[..] else { panic!("{id}: {seen:?}, {end:?}") };
        assert_eq!(path, DO_GET, "{id}");
        assert_eq!(end.answer().header("grpc-status"), Some("0"), "{id}");
        let is_identity = |name: &&http::HeaderName| {
            let name = name.as_str().replace(['_', '.'], "-");
            name.trim_end_matches("-bin") == "x-forwarded-user"
        };
        let identities: Vec<_> = headers.keys().filter(is_identity).collect();
        assert_eq!(identities, ["x-forwarded-user"], "{id}");
        assert_eq!(headers.get_all("x-forwarded-user").iter().collect::<Vec<_>>(), ["ada"], "{id}");
        assert_eq!(headers["te"], "trailers", "{id}");
        for name in expected.hasnt.iter().filter(|name| *name != "te") {
            assert!(!headers.contains_key(name), "{id}: {headers:?}");
        }
        if let Some(never) = &expected.never {
            assert!(!format!("{headers:?}").contains(&**never), "{id}: {headers:?}");
        }
        forwarded += 1;
    }
    assert!(forwarded > 10, "{forwarded}");
}

#[test]
fn a_flood_of_cancelled_calls_ends_the_connection_and_all_are_cancelled_upstream() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(upstream.address, "");
    let mut other = Connection::open(&secure, &[]);
    let mut connection = Connection::open(&secure, &[]);
    // Some that nobody cancels: the end of the connection does.
    let mut open = 5;
    for _ in 0..open {
        connection.send(&call(&token, "open"), Some(&[0; 5]));
        upstream.next().call();
    }
    let block = block(&call(&token, "open"));
    for _ in 0..10_000 {
        let stream = connection.next_stream();
        let open = frame(HEADERS, END_HEADERS | END_STREAM, stream, &block);
        let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
        if !connection.try_write(&[open, reset].concat()) {
            break;
        }
    }
    let reason = connection.goes_away();
    assert!(matches!(reason, None | Some(11)), "{reason:?}");
    assert_eq!(ask(&mut other, &token, "").0, "0");
    // None of those that have got so far is forgotten: the last call is the one above.
    loop {
        match upstream.next() {
            Told::Call(_, headers) if headers["x-do"].is_empty() => break,
            Told::Call(..) => open += 1,
            Told::Cancelled(_) => open -= 1,
            Told::Trailers(trailers) => panic!("{trailers:?}"),
        }
    }
    while open > 0 {
        let told = upstream.next();
        assert!(matches!(told, Told::Cancelled(_)), "{told:?}");
        open -= 1;
    }
}

/// What is said to a call, on its stream, the first time and again and again.
type Storm = fn(u32, usize) -> Vec<u8>;

/// How often that is.
const TURNS: usize = 20_000;

/// How much is sent at once by whoever sends more than it may, in bytes.
const PIECE: usize = 16_000;

/// An upstream that answers a call with what `storm` makes of its stream, again and again, and then is gone.
fn stormy(storm: Storm) -> SocketAddr {
    fn serve(mut stream: TcpStream, storm: Storm) -> std::io::Result<()> {
        stream.read_exact(&mut [0; 24])?;
        stream.write_all(&frame(SETTINGS, 0, 0, &[]))?;
        loop {
            let mut head = [0; 9];
            stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            stream.read_exact(&mut vec![0; usize::try_from(length).unwrap()])?;
            if head[3] == SETTINGS && head[4] & ACK == 0 {
                // Before that, what they allow counts for nothing.
                stream.write_all(&frame(SETTINGS, ACK, 0, &[]))?;
            }
            if head[3] == HEADERS {
                let call = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                return (0..TURNS).try_for_each(|turn| stream.write_all(&storm(call, turn)));
            }
        }
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || serve(stream, storm));
        }
    });
    address
}

#[test]
fn an_upstream_that_storms_ends_its_calls_and_nothing_else() {
    let resets = |call: u32, _: usize| frame(RST_STREAM, 0, call, &8_u32.to_be_bytes());
    let continuations = |call: u32, turn: usize| {
        let kind = if turn == 0 { HEADERS } else { CONTINUATION };
        frame(kind, 0, call, &block(&[("x-note", &"a".repeat(8000))]))
    };
    let empty_continuations = |call: u32, turn: usize| {
        frame(if turn == 0 { HEADERS } else { CONTINUATION }, 0, call, &[])
    };
    let questions = |_: u32, turn: usize| frame(PING, 0, 0, &turn.to_be_bytes());
    let too_much = |call: u32, turn: usize| match turn {
        0 => frame(HEADERS, END_HEADERS, call, &block(&[(":status", "200")])),
        _ => frame(DATA, 0, call, &[0; PIECE]),
    };
    let storms: [(&str, Storm); 5] = [
        ("resets", resets),
        ("continuations", continuations),
        ("empty continuations", empty_continuations),
        ("questions", questions),
        ("more than the window", too_much),
    ];
    for (name, storm) in storms {
        let (secure, token) = start(stormy(storm), "");
        let mut connection = Connection::open(&secure, &[]);
        for _ in 0..2 {
            let stream = connection.send(&call(&token, ""), Some(&[0; 5]));
            let answer = connection.finish(stream).answer();
            assert_eq!(answer.header("grpc-status"), Some("14"), "{name}");
            // The client opens its windows as it reads, and gets what fitted into the gateway's until then.
            assert!(answer.body.len() < TURNS / 2 * PIECE, "{name}: {}", answer.body.len());
        }
    }
}

#[test]
fn a_removed_token_ends_its_call_with_the_next_message() {
    let upstream = H2Upstream::start();
    let (secure, token) = start(upstream.address, "");
    let mut connection = Connection::open(&secure, &[]);
    let stream = connection.next_stream();
    connection.write(&frame(HEADERS, END_HEADERS, stream, &block(&call(&token, "open"))));
    upstream.next().call();
    let folder = secure.gateway.folder();
    let mark = gateway_tokens::fingerprint(folder, "ada");
    let mut remove = program();
    remove.args(["token", "remove", "ada", "--fingerprint", &mark, "--config"]);
    assert!(remove.arg(folder.join("gateway.toml")).status().unwrap().success());
    wait_until("it is gone", || ask(&mut Connection::open(&secure, &[]), &token, "").0 == "16");
    connection.write(&frame(DATA, 0, stream, &[0; 5]));
    let answer = connection.finish(stream).answer();
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("16")));
    // Before it was gone it may have made a call more, and may have lost that before its answer.
    while !matches!(upstream.next(), Told::Cancelled(h2::Reason::CANCEL)) {}
}

#[test]
fn every_method_has_its_right() {
    let upstream = H2Upstream::start();
    let list = users(&["reader", "writer", "full"])
        .replace("name = \"reader\"", "access = \"read\"\nname = \"reader\"")
        .replace("name = \"writer\"", "access = \"write\"\nname = \"writer\"");
    let secure = SecureGateway::start_for(
        upstream.address,
        "",
        "kind = \"influxdb3\"\ngrpc = true\n",
        &list,
    );
    let sessions = ["reader", "writer", "full"].map(|name| secure.gateway.sign_in(name));
    let mut connection = Connection::open(&secure, &[]);
    let rows = include_str!("roles/flight.txt").lines().filter(|line| !line.starts_with('#'));
    for (needed, name) in rows.filter_map(|row| row.split_once("  ")) {
        let expected = match needed {
            "read" => ["0"; 3],
            "full" => ["7", "7", "0"],
            "none" => ["12"; 3],
            word => panic!("{word}"),
        };
        let path = format!("/arrow.flight.protocol.FlightService/{name}");
        for (session, expected) in sessions.iter().zip(expected) {
            let more =
                [("te", "trailers"), ("content-type", "application/grpc"), ("cookie", &**session)];
            let fields = [&head("POST", &path)[..], &more].concat();
            let stream = connection.send(&fields, Some(&[0; 5]));
            let answer = connection.finish(stream).answer();
            assert_eq!(
                (answer.status, answer.header("grpc-status")),
                (200, Some(expected)),
                "{name}"
            );
            let told = upstream.next_within(Duration::ZERO).map(|told| told.call().0);
            assert_eq!(told, (expected == "0").then(|| path.clone()), "{name}");
        }
    }
}

#[test]
fn a_client_that_does_not_read_loses_its_call_and_the_upstream_is_told() {
    const INITIAL_WINDOW_SIZE: u16 = 4;
    let upstream = H2Upstream::start();
    let (secure, token) = start(upstream.address, "[limits]\nbody = \"500ms\"\n");
    let mut connection = Connection::open(&secure, &[(INITIAL_WINDOW_SIZE, 0)]);
    let began = Instant::now();
    connection.send(&call(&token, "open"), Some(&[0; 5]));
    upstream.next().call();
    let told = upstream.next();
    assert!(matches!(told, Told::Cancelled(h2::Reason::CANCEL)), "{told:?}");
    let time = began.elapsed();
    assert!((Duration::from_millis(400)..5 * SECOND).contains(&time), "{time:?}");
}

#[test]
fn more_calls_than_may_be_at_once_are_8() {
    for limit in ["upstream_connections", "upstream_connections_per_client"] {
        let upstream = H2Upstream::start();
        let (secure, token) = start(upstream.address, &format!("[limits]\n{limit} = 1\n"));
        let mut connection = Connection::open(&secure, &[]);
        let first = connection.send(&call(&token, "open"), Some(&[0; 5]));
        upstream.next().call();
        let mut other = Connection::open(&secure, &[]);
        assert_eq!(ask(&mut other, &token, "").0, "8", "{limit}");
        connection.write(&frame(RST_STREAM, 0, first, &8_u32.to_be_bytes()));
        assert!(matches!(upstream.next(), Told::Cancelled(_)));
        wait_until("there is room", || {
            ask(&mut Connection::open(&secure, &[]), &token, "").0 == "0"
        });
    }
}
