use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::authority::{EVENTS, edit, reload, settle};
use crate::frames::*;
use crate::secure::SecureGateway;
use crate::support::*;

/// What an upstream was sent of one request after its head, and whether the connection ended there.
pub(crate) type Rest = (Vec<u8>, bool);

/// An upstream that says when a head has come, and what came after it; it answers what `early` says
/// at once, and nothing else.
pub(crate) fn listener(early: &'static str) -> (SocketAddr, Receiver<String>, Receiver<Rest>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ((head, heads), (rest, rests)) = (channel(), channel());
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (head, rest) = (head.clone(), rest.clone());
            thread::spawn(move || listen(stream, early, &head, &rest));
        }
    });
    (address, heads, rests)
}

fn listen(stream: TcpStream, early: &str, head: &Sender<String>, rest: &Sender<Rest>) {
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if reader.read_line(&mut text).unwrap_or(0) == 0 {
            return;
        }
    }
    if text.starts_with("GET /ping ") {
        answer(reader.get_mut(), "204 No Content", "");
        return;
    }
    let _ = head.send(text);
    let _ = reader.get_mut().write_all(early.as_bytes());
    let _ = reader.get_mut().set_read_timeout(Some(PATIENCE));
    let mut bytes = Vec::new();
    let has_ended = reader.read_to_end(&mut bytes).is_ok();
    let _ = rest.send((bytes, has_ended));
}

/// A write of `ada`'s: its head, and its body in two halves.
pub(crate) fn half_write(session: &str, framing: &str) -> [String; 3] {
    let line = cookie(session);
    if framing == "chunked" {
        let head = request("POST", "/api/v2/write", &[&line, "Transfer-Encoding: chunked"]);
        [head, "5\r\nfirst\r\n".to_owned(), "6\r\nsecond\r\n0\r\n\r\n".to_owned()]
    } else {
        let head = request("POST", "/api/v2/write", &[&line, "Content-Length: 11"]);
        [head, "first".to_owned(), "second".to_owned()]
    }
}

#[test]
fn f_08_a_half_sent_write_ends_with_the_authority_of_its_session() {
    for (what, happens) in EVENTS {
        for framing in ["length", "chunked"] {
            for sends_the_rest in [true, false] {
                let (upstream, heads, rests) = listener("");
                let gateway = Gateway::start(upstream);
                let session = gateway.sign_in("ada");
                let [head, first, second] = half_write(&session, framing);
                let mut client = gateway.connect();
                client.write((head + &first).as_bytes());
                heads.recv_timeout(PATIENCE).expect("the head has reached the upstream");
                happens(&gateway, &session);
                if sends_the_rest {
                    client.write(second.as_bytes());
                }
                let told = format!("{what}, {framing}, {sends_the_rest}");
                let answer = client.read();
                assert_eq!(answer.status, 401, "{told}: {answer:?}");
                assert_eq!(answer.json()["message"], "unauthorized access");
                assert_eq!(answer.header("connection"), Some("close"));
                assert!(client.is_closed(), "{told}");
                let (rest, _) = rests.recv_timeout(PATIENCE).expect("the upstream is left");
                let rest = String::from_utf8(rest).unwrap();
                assert!(
                    !rest.contains("second") && !rest.contains("0\r\n\r\n"),
                    "{told}: {rest:?}"
                );
            }
        }
    }
}

#[test]
fn f_08_others_are_not_touched() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let (of_ada, of_bob) = (gateway.sign_in("ada"), gateway.sign_in("bob"));
    let mut clients = [&of_ada, &of_bob].map(|session| {
        let [head, first, second] = half_write(session, "length");
        let mut client = gateway.connect();
        client.write((head + &first).as_bytes());
        (client, second)
    });
    settle(&gateway);
    edit(&gateway, "remove");
    reload(&gateway);
    let [(ada, _), (bob, second)] = &mut clients;
    assert_eq!(ada.read().status, 401);
    bob.write(second.as_bytes());
    assert_eq!(bob.read().status, 200);
    assert_eq!(upstream.next().body, b"firstsecond");
    assert!(upstream.saw_nothing());
}

/// Sends the first half of a write over HTTP/2, by the cookie of `session`; on which stream.
pub(crate) fn begin_write(connection: &mut Connection, session: &str) -> u32 {
    let stream = connection.next_stream();
    let fields = [&head("POST", "/api/v2/write")[..], &[("cookie", session)]].concat();
    connection.write(&frame(HEADERS, END_HEADERS, stream, &block(&fields)));
    connection.write(&frame(DATA, 0, stream, b"first"));
    stream
}

#[test]
fn f_08_over_http_2_it_is_cut_off_at_the_next_piece() {
    for (what, happens) in EVENTS {
        let (upstream, heads, rests) = listener("");
        let config =
            "[signin]\nhash_memory_kib = 8\nhash_passes = 1\n[audit]\nfile = \"audit.jsonl\"\n";
        let secure = SecureGateway::start_with(upstream, "", config);
        let session = secure.gateway.sign_in("ada");
        let mut connection = Connection::open(&secure, &[]);
        let stream = begin_write(&mut connection, &session);
        heads.recv_timeout(PATIENCE).expect("the head has reached the upstream");
        happens(&secure.gateway, &session);
        connection.write(&frame(DATA, END_STREAM, stream, b"second"));
        assert_eq!(connection.finish(stream).answer().status, 401, "{what}");
        let (rest, _) = rests.recv_timeout(PATIENCE).expect("the upstream is left");
        assert!(!String::from_utf8(rest).unwrap().contains("second"), "{what}");
    }
}

#[test]
fn f_08_where_an_answer_has_begun_it_is_broken_off() {
    let (upstream, heads, rests) =
        listener("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n");
    let gateway = Gateway::start(upstream);
    let session = gateway.sign_in("ada");
    let [head, first, second] = half_write(&session, "chunked");
    let mut client = gateway.connect();
    client.write((head + &first).as_bytes());
    heads.recv_timeout(PATIENCE).unwrap();
    assert_eq!(client.read_head().status, 200);
    assert_eq!((client.read_line(), client.read_bytes(7)), ("5".into(), b"early\r\n".into()));
    edit(&gateway, "remove");
    reload(&gateway);
    // It may be gone already.
    let _ = client.stream.write_all(second.as_bytes());
    assert!(client.is_closed(), "no end of the answer, and no second one");
    let (rest, _) = rests.recv_timeout(PATIENCE).unwrap();
    assert!(!String::from_utf8(rest).unwrap().contains("second"));
}

#[test]
fn f_08_a_body_that_outlasts_its_idle_session_goes_through() {
    let upstream = Upstream::start();
    let config = "[session]\nidle = \"1s\"\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let start = Instant::now();
    let session = gateway.sign_in("ada");
    let [head, first, second] = half_write(&session, "length");
    let mut client = gateway.connect();
    client.write((head + &first).as_bytes());
    wait_until("it has idled out", || {
        start.elapsed() > Duration::from_secs(2) && gateway.audit().contains("\"expired\"")
    });
    client.write(second.as_bytes());
    assert_eq!(client.read().status, 200);
    assert_eq!(upstream.next().body, b"firstsecond");
}

#[test]
fn f_08_but_not_when_its_user_is_removed_after_that() {
    let (upstream, heads, rests) = listener("");
    let config = "[session]\nidle = \"1s\"\n";
    let gateway = Gateway::start_with(upstream, config, &users(&["ada", "bob"]));
    let session = gateway.sign_in("ada");
    let [head, first, second] = half_write(&session, "length");
    let mut client = gateway.connect();
    client.write((head + &first).as_bytes());
    heads.recv_timeout(PATIENCE).unwrap();
    wait_until("it has idled out", || gateway.audit().contains("\"expired\""));
    edit(&gateway, "remove");
    reload(&gateway);
    let _ = client.stream.write_all(second.as_bytes());
    assert_eq!(client.read().status, 401);
    assert_eq!(rests.recv_timeout(PATIENCE).unwrap().0, b"first");
}

#[test]
fn f_08_less_access_counts_at_once_too() {
    for (line, told) in [("status = \"inactive\"", "inactive"), ("access = \"read\"", "access")] {
        let (upstream, heads, rests) = listener("");
        let gateway = Gateway::start(upstream);
        let session = gateway.sign_in("bob");
        let [head, first, second] = half_write(&session, "length");
        let mut client = gateway.connect();
        client.write((head + &first).as_bytes());
        heads.recv_timeout(PATIENCE).unwrap();
        let path = gateway.folder().join("users.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{text}{line}\n")).unwrap();
        reload(&gateway);
        let _ = client.stream.write_all(second.as_bytes());
        let answer = client.read();
        assert_eq!(answer.status, 403, "{line}");
        assert!(answer.text().contains(told), "{answer:?}");
        assert_eq!(rests.recv_timeout(PATIENCE).unwrap().0, b"first");
    }
}

#[test]
fn f_08_a_change_that_takes_nothing_away_cuts_nothing_off() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let session = gateway.sign_in("bob");
    let [head, first, second] = half_write(&session, "length");
    let mut client = gateway.connect();
    client.write((head + &first).as_bytes());
    settle(&gateway);
    let path = gateway.folder().join("users.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "access = \"write\"\ntoken = \"his-own\"\n").unwrap();
    reload(&gateway);
    client.write(second.as_bytes());
    assert_eq!(client.read().status, 200);
    assert_eq!(upstream.next().body, b"firstsecond");
}

/// An upstream that takes no connection while `closed` is locked, and how many it has room for until then is one. What it was
/// asked, but for what the gateway asks by itself.
fn upstream_with_a_door(closed: Arc<Mutex<()>>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, asks) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let line = lines.next().and_then(Result::ok).unwrap_or_default();
            if line.contains("/api/v2/write") {
                asked.send(line).unwrap();
            }
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
            drop(closed.lock());
        }
    });
    (address, asks)
}

/// Whether somebody waits for a connection to `address`, as Linux numbers that.
fn is_waited_for(address: SocketAddr) -> bool {
    connections_to(address.port()).iter().any(|(state, _)| state == "02")
}

#[test]
fn a_small_write_whose_session_ends_while_it_waits_for_a_connection_is_not_sent() {
    let closed = Arc::new(Mutex::new(()));
    let (upstream, asks) = upstream_with_a_door(Arc::clone(&closed));
    // A host that drops the first word of a connection is told once more after 1, 3 and 7 seconds.
    let config = "[limits]\nupstream_connect = \"30s\"\n";
    let gateway = Gateway::start_with(upstream, config, &users(&["ada"]));
    for ends in [false, true] {
        let line = cookie(&gateway.sign_in("ada"));
        let door = closed.lock().unwrap();
        // There is no more room when one is not taken in so long, on a machine that is busy too.
        let long = Duration::from_secs(2);
        let room = std::iter::from_fn(|| TcpStream::connect_timeout(&upstream, long).ok());
        let room: Vec<_> = room.collect();
        let mut client = gateway.connect();
        client.write(with_body("POST", "/api/v2/write", &[&line], "m v=1").as_bytes());
        wait_until("it waits for a connection", || is_waited_for(upstream));
        if ends {
            assert_eq!(
                gateway.connect().send(&request("POST", "/api/v2/signout", &[&line])).status,
                204
            );
        }
        drop((door, room));
        assert_eq!(client.read().status, if ends { 401 } else { 204 });
        assert_eq!(asks.try_iter().count(), usize::from(!ends));
    }
}
