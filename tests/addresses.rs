use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::secure::Authority;
use crate::support::*;
use crate::tls::SecureUpstream;

/// The name of every upstream here.
const NAME: &str = "up.test";

/// In the gateway's folder: which addresses the name has.
const HOSTS: &str = "hosts";

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

/// An address that does not answer at all, as of a machine that is gone: nobody accepts, and there is no
/// room to wait.
struct Dead {
    _listener: Socket,
    _waiting: TcpStream,
}

impl Dead {
    fn at(address: SocketAddr) -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&address.into()).unwrap();
        listener.listen(0).unwrap();
        Self { _listener: listener, _waiting: TcpStream::connect(address).unwrap() }
    }
}

/// Says which addresses [`NAME`] has from now on; `turn` tells one time from the other.
fn set_addresses(folder: &Path, addresses: &[Ipv4Addr], turn: u64) {
    let lines: Vec<_> = addresses.iter().map(|ip| format!("{ip} {NAME}\n")).collect();
    let fresh = folder.join("hosts.fresh");
    fs::write(&fresh, lines.concat()).unwrap();
    // Whoever reads it looks at seconds only.
    let time = fs::metadata(&fresh).unwrap().modified().unwrap();
    let time = time + Duration::from_secs(turn * 10);
    File::options().write(true).open(&fresh).unwrap().set_modified(time).unwrap();
    fs::rename(fresh, folder.join(HOSTS)).unwrap();
}

/// A gateway whose upstream has these addresses under its name. `config` as in [`Gateway::prepare`].
fn start(scheme: &str, port: u16, addresses: &[Ipv4Addr], config: &str) -> Gateway {
    let url = format!("{scheme}://{NAME}:{port}");
    start_in(Gateway::prepare(&url, config, &users(&["ada"])), addresses)
}

fn start_in(folder: tempfile::TempDir, addresses: &[Ipv4Addr]) -> Gateway {
    set_addresses(folder.path(), addresses, 0);
    let mut command = program();
    // It answers when the program asks for the addresses of a name.
    command.env("LD_PRELOAD", "libnss_wrapper.so");
    command.env("NSS_WRAPPER_HOSTS", folder.path().join(HOSTS));
    Gateway::start_by(command, folder)
}

/// Long enough that a test gives up when it is waited for.
const LONG: &str = "[limits]\nupstream_connect = \"60s\"\nupstream_ask = \"60s\"\n";

/// That an address is tried last from now on.
const LAST: &str = "trying other addresses first";

#[test]
fn f_29_a_dead_first_address_holds_up_one_connection_and_not_for_long() {
    // No connection is used twice.
    let upstream = Upstream::behaving(|seen, stream| {
        let method = seen.line().split(' ').next().unwrap().to_owned();
        answer(stream, "200 OK\r\nConnection: close", &method);
        false
    });
    let port = upstream.address.port();
    let _dead = Dead::at((ip(2), port).into());
    let gateway = start("http", port, &[ip(2), ip(1)], LONG);
    let line = cookie(&gateway.sign_in("ada"));
    for request in [
        with_body("POST", "/api/v2/write", &[&line], "m v=1"),
        get("/api/v2/buckets", &[&line]),
        with_body("POST", "/api/v2/write", &[&line], &"x".repeat(1_000_000)),
        get("/api/v2/buckets", &[&line]),
    ] {
        let method = request.split(' ').next().unwrap();
        let answer = gateway.connect().send(&request);
        assert_eq!((answer.status, &*answer.text()), (200, method));
        assert!(upstream.next().line().starts_with(method));
    }
    assert!(upstream.saw_nothing(), "each came once");
    let log = gateway.stop();
    assert_eq!(log.matches(LAST).count(), 1, "{log}");
}

#[test]
fn f_29_a_first_address_that_refuses_is_left_alone_too() {
    let upstream = Upstream::behaving(|_, stream| {
        answer(stream, "200 OK\r\nConnection: close", "");
        false
    });
    let port = upstream.address.port();
    let gateway = start("http", port, &[ip(2), ip(3), ip(1)], LONG);
    let line = cookie(&gateway.sign_in("ada"));
    for _ in 0..5 {
        assert_eq!(gateway.connect().send(&post("/api/v2/query", &[&line])).status, 200);
    }
    let log = gateway.stop();
    assert_eq!(log.matches(LAST).count(), 2, "{log}");
}

#[test]
fn f_29_the_gateways_own_questions_find_the_address_that_answers() {
    let upstream = Upstream::start();
    let port = upstream.address.port();
    let _dead = Dead::at((ip(2), port).into());
    let gateway = start("http", port, &[ip(2), ip(1)], LONG);
    wait_until("the upstream has said its version", || {
        let answer = gateway.connect().send(&get("/api/v2/me", &[]));
        answer.header("x-influxdb-version") == Some("v2.9.1")
    });
}

/// Has an upstream over TLS at the second of two addresses answer, and the first left alone from then on.
fn check_over_tls(authority: &Authority, port: u16, limits: &str) {
    let config = format!("ca_file = \"ca.crt\"\n{limits}");
    let folder = Gateway::prepare(&format!("https://{NAME}:{port}"), &config, &users(&["ada"]));
    fs::write(folder.path().join("ca.crt"), authority.certificate()).unwrap();
    let gateway = start_in(folder, &[ip(2), ip(1)]);
    let line = cookie(&gateway.sign_in("ada"));
    for _ in 0..3 {
        let answer = gateway.connect().send(&post("/api/v2/query", &[&line]));
        assert_eq!((answer.status, &*answer.text()), (200, "ada"));
    }
    assert_eq!(gateway.stop().matches(LAST).count(), 1);
}

#[test]
fn f_29_over_tls_a_dead_first_address_is_left_alone_too() {
    let authority = Authority::new();
    let upstream = SecureUpstream::start(&authority.pair(NAME), None);
    let port = upstream.address.port();
    let _dead = Dead::at((ip(2), port).into());
    check_over_tls(&authority, port, LONG);
}

#[test]
fn f_29_an_address_that_is_mute_over_tls_is_left_alone_too() {
    let authority = Authority::new();
    let upstream = SecureUpstream::start(&authority.pair(NAME), None);
    let port = upstream.address.port();
    // Connections are opened there, and that is all.
    let _mute = TcpListener::bind((ip(2), port)).unwrap();
    check_over_tls(&authority, port, "[limits]\nupstream_connect = \"3s\"\n");
}

#[test]
fn f_29_a_post_that_was_sent_is_never_sent_again() {
    let hangs_up = |seen: &Seen, _: &mut TcpStream| !seen.line().starts_with("POST");
    let first = Upstream::behaving(hangs_up);
    let port = first.address.port();
    let second = Upstream::on(TcpListener::bind((ip(2), port)).unwrap(), Arc::new(hangs_up));
    let gateway = start("http", port, &[ip(2), ip(1)], "");
    let line = cookie(&gateway.sign_in("ada"));
    for body in ["m v=1", ""] {
        let answer = gateway.connect().send(&with_body("POST", "/api/v2/write", &[&line], body));
        assert_eq!(answer.status, 502);
        let seen = first.seen_by_clients().len() + second.seen_by_clients().len();
        assert_eq!(seen, 1);
    }
}

#[test]
fn f_30_another_address_is_found_when_nothing_connects() {
    let upstream = Upstream::start();
    let port = upstream.address.port();
    for is_dead in [false, true] {
        let before = if is_dead { 4 } else { 3 };
        let _dead = is_dead.then(|| Dead::at((ip(before), port).into()));
        let config = if is_dead { LONG } else { "" };
        let gateway = start("http", port, &[ip(before)], config);
        let line = cookie(&gateway.sign_in("ada"));
        let ask = || gateway.connect().send(&post("/api/v2/query", &[&line])).status;
        if !is_dead {
            assert_eq!(ask(), 502);
        }
        set_addresses(gateway.folder(), &[ip(1)], 1);
        // Long before the name is looked up again as a matter of course.
        wait_until("the other address is found", || ask() == 200);
    }
}

#[test]
fn f_30_a_name_is_looked_up_at_most_once_a_second() {
    let gateway = start("http", closed_port().port(), &[ip(1)], "");
    let line = cookie(&gateway.sign_in("ada"));
    let start = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&line])).status, 502);
    }
    let seconds = usize::try_from(start.elapsed().as_secs()).unwrap();
    let log = gateway.stop();
    // At the start, in the first second that has begun, and in each that is over.
    let looked_up = log.matches("looked up: ").count();
    assert!((1..=seconds + 3).contains(&looked_up), "{looked_up} times in {seconds} s: {log}");
}
