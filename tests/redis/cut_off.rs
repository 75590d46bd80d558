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
