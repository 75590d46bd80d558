use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::support::*;

#[test]
fn a_request_in_flight_is_answered_and_then_the_process_ends() {
    let (release, gate) = channel::<()>();
    let (arrived, arrival) = channel();
    let (gate, arrived) = (Mutex::new(gate), Mutex::new(arrived));
    let upstream = Upstream::behaving(move |_, stream| {
        arrived.lock().unwrap().send(()).unwrap();
        gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").is_ok()
    });
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    let mut idle = gateway.connect();
    assert_eq!(idle.send(&get("/api/v2/me", &[&line])).status, 200);
    client.write(get("/api/v2/query", &[&line]).as_bytes());
    arrival.recv_timeout(PATIENCE).unwrap();

    gateway.signal("TERM");
    assert!(idle.is_closed(), "idle connections are closed at once");
    wait_until("the listener is closed", || std::net::TcpStream::connect(gateway.address).is_err());
    // Longer than it takes a gateway with nothing to do to end.
    let start = Instant::now();
    wait_until("a while has passed", || start.elapsed() > Duration::from_millis(300));
    release.send(()).unwrap();
    let answer = client.read();
    assert_eq!((answer.status, answer.text()), (200, "late".to_owned()));
    assert_eq!(answer.header("connection"), Some("close"));
    // Which is not waited for that long: the grace period is not waited out.
    assert_eq!(gateway.wait().0, Some(0));
}

#[test]
fn f_42_quit_ends_in_order_and_hands_nothing_over() {
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Upstream::behaving(move |_, stream| {
        gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").is_ok()
    });
    // Configurations from when there was such a key go on working.
    let config = "[server]\nupgrade_sock = \"upgrade.sock\"\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let mut client = gateway.connect();
    client.write(get("/api/v2/query", &["Authorization: Token x"]).as_bytes());
    upstream.next();
    gateway.signal("QUIT");
    wait_until("the listener is closed", || std::net::TcpStream::connect(gateway.address).is_err());
    release.send(()).unwrap();
    let answer = client.read();
    assert_eq!((answer.status, answer.text()), (200, "late".to_owned()));
    let (code, log) = gateway.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("all requests are answered") && !log.contains("socks"), "{log}");
    assert!(log.contains("server.upgrade_sock has no effect"), "{log}");
}

#[test]
fn f_42_nothing_promises_that_listeners_are_handed_over() {
    for file in ["conf/gateway.toml", "docs/configuration.md", "docs/guide.md", "README.md"] {
        let text = std::fs::read_to_string(repository().join(file)).unwrap();
        for promise in ["upgrade_sock", "handed over"] {
            assert!(!text.contains(promise), "{file}: {promise}");
        }
    }
}

#[test]
fn a_request_that_never_ends_is_cut_after_the_grace_period() {
    let (forever, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Upstream::behaving(move |_, _| gate.lock().unwrap().recv().is_ok());
    let config = "[server]\ngrace_period_seconds = 1\ngraceful_shutdown_timeout_seconds = 1\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let mut client = gateway.connect();
    client.write(get("/api/v2/query", &["Authorization: Token x"]).as_bytes());
    upstream.next();
    gateway.signal("TERM");
    assert_eq!(gateway.wait().0, Some(0));
    drop(forever);
}

#[test]
fn an_idle_gateway_ends_at_once() {
    let gateway = Gateway::start(closed_port());
    gateway.signal("TERM");
    // Which is not waited for that long: the grace period is not waited out.
    assert_eq!(gateway.wait().0, Some(0));
}
