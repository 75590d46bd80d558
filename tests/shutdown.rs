mod authority;
mod files;

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::frames;
use crate::secure::SecureGateway;
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
fn a_client_of_http_2_that_is_asleep_holds_up_no_stop() {
    let gateway = SecureGateway::start(Upstream::start().address);
    let mut asleep = frames::Connection::open(&gateway, &[]);
    assert_eq!(asleep.ask("GET", "/gateway/health", &[]).status, 200);
    // Neither has this one said all that a client says first.
    let _mute = frames::Connection::open_with(&gateway, b"PRI * HTTP/2.0\r\n\r\n");
    gateway.gateway.signal("TERM");
    let (code, log) = gateway.gateway.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("all requests are answered"), "{log}");
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
fn f_42_nothing_promises_that_pingoras_socket_hands_listeners_over() {
    for file in ["conf/gateway.toml", "docs/configuration.md", "docs/guide.md", "README.md"] {
        let text = std::fs::read_to_string(repository().join(file)).unwrap();
        for promise in ["upgrade_sock ", "upgrade_sock`", "SIGQUIT"] {
            assert!(!text.contains(promise), "{file}: {promise}");
        }
    }
}

#[test]
fn a_request_that_never_ends_is_cut_after_the_grace_period() {
    let (forever, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Upstream::behaving(move |_, _| gate.lock().unwrap().recv().is_ok());
    let config = "[server]\ngrace = \"1s\"\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let mut client = gateway.connect();
    client.write(get("/api/v2/query", &["Authorization: Token x"]).as_bytes());
    upstream.next();
    gateway.signal("TERM");
    let (code, log) = gateway.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("1 requests were cut off: they were not answered within 1s"), "{log}");
    drop(forever);
}

#[test]
fn an_idle_gateway_ends_at_once() {
    let gateway = Gateway::start(closed_port());
    gateway.signal("TERM");
    // Which is not waited for that long: the grace period is not waited out.
    assert_eq!(gateway.wait().0, Some(0));
}

/// A load balancer that looks at the gateway's health sends nothing more once that says so. Up to then, and a while longer,
/// everything is answered; connections are closed after an answer, and what is in flight at the end is answered too.
#[test]
fn r_01_a_stop_under_load_is_seen_first_and_resets_nothing() {
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Upstream::behaving(move |seen, stream| {
        if seen.line().contains("/query") {
            gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate").is_ok()
    });
    // A second signal ends the delay.
    let config = "[server]\ndrain_delay = \"1h\"\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let line = cookie(&gateway.sign_in("ada"));
    let health = || gateway.connect().send(&get("/gateway/health", &[])).status;
    let (is_told, closed, answered) =
        (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let work = || {
            let mut client = gateway.connect();
            while !is_told.load(Ordering::Relaxed) {
                let answer = client.send(&get("/api/v2/buckets", &[&line]));
                assert_eq!((answer.status, answer.text()), (200, "late".to_owned()));
                answered.fetch_add(1, Ordering::Relaxed);
                if answer.header("connection") == Some("close") {
                    closed.fetch_add(1, Ordering::Relaxed);
                    client = gateway.connect();
                }
            }
        };
        let workers = [scope.spawn(work), scope.spawn(work)];
        let mut slow = gateway.connect();
        slow.write(get("/api/v2/query", &[&line]).as_bytes());
        wait_until("there is load", || answered.load(Ordering::Relaxed) > 20);
        assert_eq!((health(), closed.load(Ordering::Relaxed)), (200, 0));
        gateway.signal("TERM");
        wait_until("it is not ready", || health() == 503);
        // Each of these was answered first; those that were under way before are not closed.
        wait_until("it serves as ever", || closed.load(Ordering::Relaxed) > 20);
        is_told.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.join().unwrap();
        }
        gateway.signal("TERM");
        wait_until("the listener is closed", || {
            std::net::TcpStream::connect(gateway.address).is_err()
        });
        release.send(()).unwrap();
        let answer = slow.read();
        assert_eq!((answer.status, answer.text()), (200, "late".to_owned()));
        assert_eq!(answer.header("connection"), Some("close"));
    });
    let (code, log) = gateway.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("all requests are answered"), "{log}");
}

#[test]
fn the_delay_before_a_stop_passes_by_itself() {
    let config = "[server]\ndrain_delay = \"100ms\"\n";
    let gateway = Gateway::start_with(closed_port(), config, &users(&["ada"]));
    gateway.signal("TERM");
    let (code, log) = gateway.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("not ready any more; in 100ms, or at another signal"), "{log}");
}
