use std::fs;
use std::time::Instant;

use super::stage::*;
use crate::authority::{edit, reload};
use crate::support::*;

/// Has `gateway` read its users file with `change` made to it.
fn change(gateway: &Gateway, change: impl Fn(String) -> String) {
    let path = gateway.folder().join("users.toml");
    let new = gateway.folder().join("users.new");
    fs::write(&new, change(fs::read_to_string(&path).unwrap())).unwrap();
    fs::rename(new, path).unwrap();
    reload(gateway);
}

/// Both halves of what happens to ada's sessions when her entry changes, and what they get then.
type Change = (&'static str, fn(&Gateway), u16);

const CHANGES: [Change; 3] = [
    (
        "password",
        |gateway| {
            edit(gateway, "passwd");
            gateway.signal("HUP");
        },
        401,
    ),
    (
        "removal",
        |gateway| {
            edit(gateway, "remove");
            gateway.signal("HUP");
        },
        401,
    ),
    (
        "deactivation",
        |gateway| {
            let path = gateway.folder().join("users.toml");
            let text = fs::read_to_string(&path).unwrap();
            let inactive = text.replacen("id =", "status = \"inactive\"\nid =", 1);
            fs::write(gateway.folder().join("users.new"), inactive).unwrap();
            fs::rename(gateway.folder().join("users.new"), path).unwrap();
            gateway.signal("HUP");
        },
        403,
    ),
];

#[test]
fn a_change_of_the_users_file_counts_at_the_other_gateway() {
    for (what, happens, expected) in CHANGES {
        // What is at hand is so for longer than a test waits.
        let stage = Stage::start_with("touch_interval = \"30s\"");
        let [a, b] = &stage.gateways;
        let (of_ada, of_bob) = (b.sign_in("ada"), b.sign_in("bob"));
        let me = get("/api/v2/me", &[&cookie(&of_ada)]);
        let (mut at_a, mut at_b) = (a.connect(), b.connect());
        for client in [&mut at_a, &mut at_b] {
            assert_eq!(client.send(&me).status, 200);
        }
        happens(a);
        // The first of each to say so: one is asked after the other.
        let mut first = [None; 2];
        wait_first(&mut first, &mut [at_a, at_b], &me, expected);
        let [at_a, at_b] = first.map(Option::unwrap);
        let took = at_b.saturating_duration_since(at_a);
        eprintln!("{what}, from one gateway to the other: {took:?}");
        for gateway in &stage.gateways {
            assert_eq!(status(gateway, &of_bob), 200, "{what}");
        }
    }
}

/// Asks each client in turn until each was answered with `expected`; notes when.
fn wait_first(
    first: &mut [Option<Instant>; 2],
    clients: &mut [Client; 2],
    request: &str,
    expected: u16,
) {
    let start = Instant::now();
    while first.contains(&None) {
        assert!(start.elapsed() < PATIENCE, "{first:?}");
        for (first, client) in first.iter_mut().zip(clients.iter_mut()) {
            let status = client.send(request).status;
            assert!(status == 200 || status == expected, "{status}");
            if status == expected {
                first.get_or_insert_with(Instant::now);
            }
        }
    }
}

#[test]
fn what_is_taken_back_at_one_gateway_is_taken_back_at_the_other() {
    let stage = Stage::start();
    let [a, b] = &stage.gateways;
    let session = b.sign_in("ada");
    let delete = request("DELETE", "/api/v2/buckets/1", &[&cookie(&session)]);
    let ask = |gateway: &Gateway| gateway.connect().send(&delete).status;
    assert_eq!((ask(a), ask(b)), (200, 200));
    let of_ada =
        |key: &'static str| move |text: String| text.replacen("id =", &format!("{key}\nid ="), 1);
    change(a, of_ada("access = \"read\""));
    wait_until("it counts at the other", || ask(b) == 403);
    assert_eq!(ask(a), 403);
    change(a, |text| text.replacen("access = \"read\"\n", "", 1));
    wait_until("that too", || ask(a) == 200 && ask(b) == 200);
    change(a, of_ada("status = \"inactive\""));
    wait_until("it counts at the other", || status(b, &session) == 403);
    change(a, |text| text.replacen("status = \"inactive\"\n", "", 1));
    wait_until("that too", || status(a, &session) == 200 && status(b, &session) == 200);
}

#[test]
fn who_is_unknown_at_one_gateway_has_no_session_there_and_keeps_it_elsewhere() {
    let redis = super::server::Server::start();
    let upstream = Upstream::start();
    let config = config(&redis.url(), "");
    let a = Gateway::start_with(upstream.address, &config, &users(&["ada", "bob"]));
    let session = a.sign_in("bob");
    let b = Gateway::start_with(upstream.address, &config, &users(&["ada"]));
    assert_eq!((status(&b, &session), status(&a, &session)), (401, 200));
}

/// The gateway at which it is set writes the record itself, of which Redis does not tell it.
#[test]
fn a_session_whose_user_has_set_a_new_password_can_be_ended_elsewhere() {
    let stage = Stage::start_with("touch_interval = \"30s\"");
    let [a, b] = &stage.gateways;
    let session = a.sign_in("ada");
    assert_eq!((status(a, &session), status(a, &session)), (200, 200));
    let headers = [&*cookie(&session), &*basic("ada", PASSWORD)];
    let body = "{\"password\":\"battery staple\"}";
    let request = with_body("PUT", "/api/v2/me/password", &headers, body);
    assert_eq!(a.connect().send(&request).status, 204);
    assert_eq!(status(a, &session), 200);
    assert_eq!(sign_out(b, &session).status, 204);
    wait_until("it has ended", || status(a, &session) == 401);
}
