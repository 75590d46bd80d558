use std::io::Write;
use std::net::TcpListener;

use crate::support::*;

/// Status, code and op of the answer, and that the session lives on.
fn check(gateway: &Gateway, request: &str, line: &str, expected: (u16, &str)) {
    let answer = gateway.connect().send(request);
    let json = answer.json();
    assert_eq!((answer.status, json["op"].as_str().unwrap()), expected, "{answer:?}");
    assert_eq!(json["code"], "unavailable");
    assert_eq!(answer.header("x-platform-error-code"), Some("unavailable"));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[line])).status, 200);
}

#[test]
fn an_upstream_that_is_not_there() {
    let gateway = Gateway::start(closed_port());
    let line = cookie(&gateway.sign_in("ada"));
    for request in [
        get("/api/v2/buckets", &[&line]),
        with_body("POST", "/api/v2/write", &[&line], "m v=1"),
        with_body("POST", "/api/v2/write", &[&line], &"x".repeat(1_000_000)),
    ] {
        check(&gateway, &request, &line, (502, "gateway/upstream.connect"));
    }
}

#[test]
fn an_upstream_whose_name_nobody_knows() {
    let gateway = Gateway::start_at("http://no-such-host.invalid:1", "", &users(&["ada"]));
    let line = cookie(&gateway.sign_in("ada"));
    let request = get("/api/v2/buckets", &[&line]);
    check(&gateway, &request, &line, (502, "gateway/upstream.resolve"));
}

#[test]
fn an_upstream_that_is_looked_up_by_name() {
    let upstream = Upstream::start();
    let url = format!("http://localhost:{}", upstream.address.port());
    let gateway = Gateway::start_at(&url, "", &users(&["ada"]));
    let line = cookie(&gateway.sign_in("ada"));
    wait_until("the name has an address", || {
        gateway.connect().send(&get("/api/v2/buckets", &[&line])).status == 200
    });
}

#[test]
fn an_upstream_that_does_not_answer() {
    // Connections wait in the backlog for ever.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = "[limits]\nupstream_read = \"200ms\"\n";
    let address = listener.local_addr().unwrap();
    let gateway = Gateway::start_with(address, config, &users(&["ada"]));
    let line = cookie(&gateway.sign_in("ada"));
    let request = with_body("POST", "/api/v2/query", &[&line], "{}");
    check(&gateway, &request, &line, (504, "gateway/upstream.receive"));
}

#[test]
fn an_upstream_that_hangs_up() {
    let upstream = Upstream::behaving(|_, _| false);
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    let request = with_body("POST", "/api/v2/write", &[&line], "m v=1");
    check(&gateway, &request, &line, (502, "gateway/upstream.receive"));
}

#[test]
fn an_upstream_that_speaks_something_else() {
    let upstream = Upstream::behaving(|_, stream| stream.write_all(b"220 mail\r\n\r\n").is_err());
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    let request = get("/api/v2/buckets", &[&line]);
    check(&gateway, &request, &line, (502, "gateway/upstream.receive"));
}

#[test]
fn an_upstream_that_dies_in_the_middle_of_an_answer() {
    let upstream = Upstream::behaving(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart").unwrap();
        false
    });
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    client.write(get("/api/v2/buckets", &[&line]).as_bytes());
    assert_eq!(client.read_head().header("content-length"), Some("100"));
    assert_eq!(client.read_bytes(4), b"part");
    assert!(client.is_closed(), "the client must see that something is missing");
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line])).status, 200);
}

#[test]
fn an_upstream_that_was_restarted() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    assert_eq!(client.send(&get("/api/v2/buckets", &[&line])).status, 200);
    upstream.hang_up();
    // A read is tried again on a new connection.
    assert_eq!(client.send(&get("/api/v2/buckets", &[&line])).status, 200);
}
