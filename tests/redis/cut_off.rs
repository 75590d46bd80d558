use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::relay::{Fault, Relay};
use super::server::Server;
use super::stage::*;
use crate::authority::{edit, reload};
use crate::cut_off::{half_write, listener};
use crate::support::*;

/// What happens at one gateway to a session whose request is still coming in at the other.
type Event = (&'static str, fn(&Gateway, &str), u16);

const EVENTS: [Event; 4] = [
    ("signed out", |gateway, session| assert_eq!(sign_out(gateway, session).status, 204), 401),
    (
        "removed",
        |gateway, _| {
            edit(gateway, "remove");
            reload(gateway);
        },
        401,
    ),
    (
        "another password",
        |gateway, _| {
            edit(gateway, "passwd");
            reload(gateway);
        },
        401,
    ),
    (
        "the owner's new password",
        |gateway, _| {
            let session = gateway.sign_in("ada");
            let headers = [&*cookie(&session), &*basic("ada", PASSWORD)];
            let body = "{\"password\":\"battery staple\"}";
            let request = with_body("PUT", "/api/v2/me/password", &headers, body);
            assert_eq!(gateway.connect().send(&request).status, 204);
        },
        401,
    ),
];

#[test]
fn a_request_still_coming_in_is_cut_off_when_its_session_is_ended_elsewhere() {
    let redis = Server::start();
    for (what, happens, expected) in EVENTS {
        let (upstream, heads, rests) = listener("");
        let [a, b] = [(); 2].map(|()| gateway(upstream, &redis.url(), ""));
        let session = a.sign_in("ada");
        let [head, first, second] = half_write(&session, "chunked");
        let mut client = a.connect();
        client.write((head + &first).as_bytes());
        heads.recv_timeout(PATIENCE).expect("the head has reached the upstream");
        happens(&b, &session);
        // By itself: nothing more is sent.
        let answer = client.read();
        assert_eq!(answer.status, expected, "{what}: {answer:?}");
        client.write_some(second.as_bytes());
        assert!(client.is_closed(), "{what}");
        let (rest, _) = rests.recv_timeout(PATIENCE).expect("the upstream is left");
        assert!(!String::from_utf8(rest).unwrap().contains("second"), "{what}");
    }
}

#[test]
fn a_request_that_outlasts_its_idle_session_goes_through() {
    let stage = Stage::start_with("idle = \"1s\"");
    let [a, b] = &stage.gateways;
    let session = a.sign_in("ada");
    let [head, first, second] = half_write(&session, "length");
    let mut client = a.connect();
    client.write((head + &first).as_bytes());
    wait_until("it has idled out", || stage.redis.ask(&["KEYS", "igw:*s:*"]).texts().is_empty());
    assert_eq!((status(b, &session), status(a, &session)), (401, 401));
    client.write(second.as_bytes());
    assert_eq!(client.read().status, 200);
    assert_eq!(stage.upstream.next().body, b"firstsecond");
}

#[test]
fn others_are_not_cut_off() {
    let stage = Stage::start();
    let [a, b] = &stage.gateways;
    let sessions = [a.sign_in("ada"), a.sign_in("ada"), a.sign_in("bob")];
    let mut clients = sessions.each_ref().map(|session| {
        let [head, first, second] = half_write(session, "length");
        let mut client = a.connect();
        client.write((head + &first).as_bytes());
        (client, second)
    });
    crate::authority::settle(a);
    assert_eq!(sign_out(b, &sessions[0]).status, 204);
    let [(ended, _), others @ ..] = &mut clients;
    assert_eq!(ended.read().status, 401);
    for (client, second) in others {
        client.write(second.as_bytes());
        assert_eq!(client.read().status, 200);
    }
}

/// An upstream that tells of each head, and answers writes that are whole.
fn upstream() -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (head, heads) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let head = head.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                let lines = reader.by_ref().lines().map_while(Result::ok);
                let lines: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                if lines.iter().any(|line| line.starts_with("POST ")) {
                    let _ = head.send(());
                    let _ = reader.read_exact(&mut [0; "firstsecond".len()]).map(|()| {
                        answer(reader.get_mut(), "204 No Content", "");
                    });
                }
            });
        }
    });
    (address, heads)
}

#[test]
fn a_gateway_that_was_away_from_redis_cuts_off_what_was_ended_meanwhile_and_nothing_else() {
    let (redis, (upstream, heads)) = (Server::start(), upstream());
    let relay = Relay::start(redis.address);
    let [a, b] = [relay.url(), redis.url()].map(|url| gateway(upstream, &url, ""));
    let sessions = [a.sign_in("ada"), a.sign_in("bob")];
    let [(mut ended, _), (mut other, second)] = sessions.each_ref().map(|session| {
        let [head, first, second] = half_write(session, "length");
        let mut client = a.connect();
        client.write((head + &first).as_bytes());
        heads.recv_timeout(PATIENCE).expect("the head has reached the upstream");
        (client, second)
    });
    relay.suffer(Fault::Refuse);
    wait_until("it is noticed", || status(&a, &sessions[1]) == 503);
    assert_eq!(sign_out(&b, &sessions[0]).status, 204);
    relay.suffer(Fault::None);
    // By itself: nothing more is sent.
    assert_eq!(ended.read().status, 401);
    other.write(second.as_bytes());
    assert_eq!(other.read().status, 204);
}
