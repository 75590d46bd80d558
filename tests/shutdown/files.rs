//! What the users file says after a stop, and when another process has taken over, for as long as there are requests.

use std::fs;
use std::path::Path;

use crate::cut_off::{half_write, listener};
use crate::frames::*;
use crate::gateway_tokens;
use crate::h2_upstream::H2Upstream;
use crate::secure::SecureGateway;
use crate::support::*;

/// A way in which somebody may do less: what is said of it, to whom the request was, the change, and the answer.
type Less = (&'static str, &'static str, fn(&Path), u16);

/// All of them.
const LESS: [Less; 5] = [
    ("removed, with a session", "session", remove, 401),
    ("removed, with a token", "token", remove, 401),
    ("another password", "session", give_another_password, 401),
    ("inactive", "session", |folder| add_to_user(folder, "status = \"inactive\""), 403),
    (
        "may read only, with a token",
        "token",
        |folder| add_to_user(folder, "access = \"read\""),
        403,
    ),
];

fn remove(folder: &Path) {
    replace(folder, &users(&["zoe"]));
}

fn give_another_password(folder: &Path) {
    let text = fs::read_to_string(folder.join("users.toml")).unwrap();
    replace(folder, &text.replacen("$Bmkr88", "$Cmkr88", 1));
}

fn add_to_user(folder: &Path, line: &str) {
    let text = fs::read_to_string(folder.join("users.toml")).unwrap();
    replace(folder, &text.replacen("name = \"ada\"", &format!("name = \"ada\"\n{line}"), 1));
}

/// Puts another users file into the place of the one that is there.
fn replace(folder: &Path, text: &str) {
    fs::write(folder.join("users.new"), text).unwrap();
    fs::rename(folder.join("users.new"), folder.join("users.toml")).unwrap();
}

/// Tells the gateway to stop, and waits until the delay before it is over.
fn stop(gateway: &Gateway) {
    gateway.signal("TERM");
    wait_until("it listens no more", || std::net::TcpStream::connect(gateway.address).is_err());
}

/// Waits until the gateway has read the users file, which has changed.
fn has_read(gateway: &Gateway) {
    wait_until("it was read", || gateway.has_logged("the users file was read again"));
}

#[test]
fn what_the_users_file_says_after_a_stop_counts_for_requests_that_are_still_sent() {
    for (what, by, happens, status) in LESS {
        let (upstream, heads, rests) = listener("");
        let folder = Gateway::prepare(&format!("http://{upstream}"), "", &users(&["ada", "bob"]));
        let token = gateway_tokens::add(folder.path(), &["ada"]);
        let gateway = Gateway::start_in(folder);
        let [head, first, second] = half_write(&gateway.sign_in("ada"), "length");
        let head = match by {
            "token" => {
                let length = format!("Content-Length: {}", "firstsecond".len());
                let token = format!("Authorization: Token {token}");
                request("POST", "/api/v2/write", &[&token, &length])
            }
            _ => head,
        };
        let mut client = gateway.connect();
        client.write((head + &first).as_bytes());
        heads.recv_timeout(PATIENCE).expect("the head has reached the upstream");
        stop(&gateway);
        happens(gateway.folder());
        has_read(&gateway);
        client.write_some(second.as_bytes());
        let answer = client.read();
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        let (rest, _) = rests.recv_timeout(PATIENCE).expect("the upstream is left");
        assert_eq!(String::from_utf8(rest).unwrap(), "first", "{what}");
        // Which is not waited for for long: it ends with its last request.
        assert_eq!(gateway.wait().0, Some(0), "{what}");
    }
}

#[test]
fn a_call_of_grpc_ends_after_a_stop_when_its_token_is_removed() {
    let upstream = H2Upstream::start();
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&["ada"]));
    let token = format!("Bearer {}", gateway_tokens::add(folder.path(), &["ada"]));
    let list = fs::read_to_string(folder.path().join("users.toml")).unwrap();
    let config = "kind = \"influxdb3\"\ngrpc = true\n[server]\ndrain_delay = \"0s\"\n";
    let secure = SecureGateway::start_for(upstream.address, "", config, &list);
    let mut connection = Connection::open(&secure, &[]);
    let stream = connection.next_stream();
    let fields = [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("authorization", &*token),
        ("x-do", "open"),
    ];
    let path = "/arrow.flight.protocol.FlightService/DoGet";
    let fields = [&head("POST", path)[..], &fields].concat();
    connection.write(&frame(HEADERS, END_HEADERS, stream, &block(&fields)));
    upstream.next().call();
    stop(&secure.gateway);
    remove(secure.gateway.folder());
    has_read(&secure.gateway);
    connection.write(&frame(DATA, 0, stream, &[0; 5]));
    let answer = connection.finish(stream).answer();
    assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("16")));
    assert_eq!(secure.gateway.wait().0, Some(0));
}
