//! The listener for operators.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use crate::support::*;

const TOKEN: &str = "a-token-for-operators-only";

/// A gateway with a listener for operators, and where that is.
fn start(upstream: SocketAddr, keys: &str) -> (Gateway, SocketAddr) {
    let config = format!("[admin]\nlisten = \"127.0.0.1:0\"\n{keys}");
    let gateway = Gateway::start_with(upstream, &config, &users(&["ada", "bob"]));
    let address = gateway.next_admin().parse().unwrap();
    (gateway, address)
}

fn of_admin(method: &str, target: &str, headers: &[&str]) -> String {
    request(method, target, headers).replace("gateway.test", "127.0.0.1")
}

fn ask(address: SocketAddr, method: &str, target: &str, headers: &[&str]) -> Answer {
    Client::connect(address).send(&of_admin(method, target, headers))
}

/// There is none unless it is asked for, and nothing of it is on the port for clients.
#[test]
fn a_01_operators_have_a_listener_of_their_own() {
    let upstream = Upstream::start();
    let (gateway, admin) = start(upstream.address, "");
    let live = ask(admin, "GET", "/health/live", &[]);
    assert_eq!((live.status, live.text().as_str()), (200, "{\"status\":\"live\"}"));
    assert_eq!(live.header("cache-control"), Some("no-store"));
    assert_eq!(live.header("x-content-type-options"), Some("nosniff"));
    for target in ["/health/live", "/health/ready", "/status", "/sessions", "/bans", "/config"] {
        let answer = gateway.connect().send(&of_admin("GET", target, &[]));
        assert_eq!(answer.status, 404, "{target}");
        assert!(ask(admin, "GET", target, &["Origin: http://evil.test"]).status == 403);
    }
    // Nor does it forward, or sign in.
    assert_eq!(ask(admin, "GET", "/api/v2/me", &[]).status, 404);
    assert_eq!(ask(admin, "POST", "/api/v2/signin", &[]).status, 404);
    assert!(upstream.saw_nothing());
}

#[test]
fn a_02_a_session_or_an_upstream_token_is_no_token_of_the_listener() {
    let upstream = Upstream::start();
    let config = "token_file = \"influxdb.token\"\n[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"";
    let url = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&url, config, &users(&["ada"]));
    std::fs::write(folder.path().join("influxdb.token"), "the-upstream-token-of-all\n").unwrap();
    std::fs::write(folder.path().join("admin.token"), format!("{TOKEN}\n")).unwrap();
    let gateway = Gateway::start_in(folder);
    let admin: SocketAddr = gateway.next_admin().parse().unwrap();
    let session = gateway.sign_in("ada");

    let right = format!("Authorization: Bearer {TOKEN}");
    let statuses = |header: &str| ask(admin, "GET", "/nothing", &[header]).status;
    assert_eq!(statuses(&right), 404);
    for wrong in [
        cookie(&session),
        basic("ada", PASSWORD),
        "Authorization: Bearer the-upstream-token-of-all".to_owned(),
        format!("Authorization: Token {TOKEN}"),
    ] {
        assert_eq!(statuses(&wrong), 401, "{wrong}");
    }
    // The file is read again when it changes.
    std::fs::write(gateway.folder().join("admin.token"), "another-one-of-operators").unwrap();
    wait_until("the new token counts", || statuses(&right) == 401);
    assert_eq!(statuses("Authorization: Bearer another-one-of-operators"), 404);
    assert!(!gateway.log().contains(TOKEN));
}

#[test]
fn a_socket_in_the_file_system_is_its_owners() {
    let upstream = Upstream::start();
    let config = "[admin]\nlisten = \"unix:admin.sock\"";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let path = gateway.folder().join("admin.sock");
    assert_eq!(gateway.next_admin(), path.to_str().unwrap());
    let ask = || {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream
            .write_all(of_admin("GET", "/health/ready", &["Connection: close"]).as_bytes())
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert!(ask().ends_with("{\"status\":\"ready\"}"), "{}", ask());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // What a process has left that was killed, is replaced.
    let gateway = gateway.restart("KILL");
    let path = gateway.folder().join("admin.sock");
    assert_eq!(gateway.next_admin(), path.to_str().unwrap());
    assert!(UnixStream::connect(&path).is_ok());
}

#[test]
fn the_gateway_is_ready_while_the_upstream_answers_if_it_is_told_so() {
    let (_gateway, admin) = start(closed_port(), "ready_needs_upstream = true");
    let ready = ask(admin, "GET", "/health/ready", &[]);
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["message"], "not ready: upstream down");
    assert_eq!(ask(admin, "GET", "/health/live", &[]).status, 200);

    let upstream = Upstream::start();
    let (gateway, admin) = start(upstream.address, "ready_needs_upstream = true");
    let is = |status| ask(admin, "GET", "/health/ready", &[]).status == status;
    wait_until("the upstream has answered", || is(200));
    let session = gateway.sign_in("ada");
    upstream.end();
    let write = post("/api/v2/write", &[&cookie(&session)]);
    wait_until("it is missed", || {
        let _ = gateway.connect().send(&write);
        is(503)
    });
    let (_other, admin) = start(closed_port(), "");
    assert_eq!(ask(admin, "GET", "/health/ready", &[]).status, 200, "unless it is told so");
}

#[test]
fn the_requests_of_operators_are_read_strictly() {
    let upstream = Upstream::start();
    let (_gateway, admin) = start(upstream.address, "");
    let answer = ask(admin, "GET", "/health/live", &["Content-Length: 3"]);
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    for raw in [
        "GET /health/live HTTP/1.1\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /health/live HTTP/1.1\nHost: a\n\n",
        "GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let mut client = Client::connect(admin);
        client.write(raw.as_bytes());
        assert_eq!(client.read().status, 400, "{raw:?}");
    }
}
