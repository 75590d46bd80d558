use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::secure::SecureGateway;
use crate::support::*;

/// A client that connects, sends the beginning of what would be a handshake, or nothing, and waits.
fn stalled(address: SocketAddr, beginning: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(beginning).unwrap();
    stream
}

/// The head of a record of TLS that would hold the first message of a handshake.
const BEGINNING: &[u8] = &[0x16, 3, 1, 0, 200, 1];

/// How many handshakes have failed for this `reason`, by what operators are told.
fn failures(admin: SocketAddr, reason: &str) -> u64 {
    let request = get("/metrics", &[]).replace("gateway.test", "127.0.0.1");
    let text = Client::connect(admin).send(&request).text();
    let name = format!("influx_gateway_tls_handshake_failures_total{{reason=\"{reason}\"}} ");
    text.lines()
        .find_map(|line| line.strip_prefix(&*name))
        .map_or(0, |count| count.parse().unwrap())
}

#[test]
fn a_handshake_that_stalls_ends_as_a_head_does_and_is_counted() {
    let config = "[limits]\nhead = \"300ms\"\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let secure = SecureGateway::start_with(closed_port(), "", config);
    let admin = secure.gateway.next_admin().parse().unwrap();
    let mut stalled: Vec<_> =
        [&b""[..], BEGINNING].iter().map(|beginning| stalled(secure.https, beginning)).collect();
    for stream in &mut stalled {
        assert_eq!(stream.read(&mut [0; 100]).unwrap(), 0, "it is closed without a word");
    }
    wait_until("they are counted", || failures(admin, "timeout") == 2);
    assert_eq!(failures(admin, "failed"), 0);
    // What is no handshake is another matter, and so is a client that leaves.
    let mut other = stalled_with_end(secure.https);
    other.read_to_end(&mut Vec::new()).unwrap();
    drop(TcpStream::connect(secure.https).unwrap());
    wait_until("they are counted too", || failures(admin, "failed") == 2);
    assert_eq!(failures(admin, "timeout"), 2);
    assert_eq!(secure.connect().send(&get("/api/v2/me", &[])).status, 401);
    let log = secure.gateway.stop();
    let is_loud = |line: &&str| line.contains(" ERROR ") || line.contains(" WARN ");
    let loud = log.lines().filter(is_loud).find(|line| line.contains("andshake"));
    assert_eq!(loud, None, "{log}");
}

/// Speaks HTTP where TLS is expected.
fn stalled_with_end(address: SocketAddr) -> TcpStream {
    stalled(address, b"GET / HTTP/1.1\r\nHost: gateway.test\r\n\r\n")
}

/// Whoever stalls, keeps the place that a connection has, and no more.
#[test]
fn a_handshake_that_stalls_is_a_connection_like_others() {
    let config = "[limits]\nconnections = 1\n";
    let secure = SecureGateway::start_with(closed_port(), "", config);
    let held = stalled(secure.https, BEGINNING);
    let me = get("/api/v2/me", &[]);
    wait_until("it is counted", || secure.connect().send(&me).status == 503);
    drop(held);
    wait_until("its place is free", || secure.connect().send(&me).status == 401);
}
