use std::fs::{self, File};

use super::server::Server;
use super::stage::*;
use crate::authority::edit;
use crate::support::*;

const NEW: &str = "another long password";

/// Two gateways that read the users file of the first.
struct Shared {
    gateways: [Gateway; 2],
    _upstream: Upstream,
    _redis: Server,
}

impl Shared {
    /// With hashes that take so many passes.
    fn start(passes: u32) -> Self {
        let (redis, upstream) = (Server::start(), Upstream::start());
        let config = config(&redis.url(), "");
        let start = |config: &str| start(&upstream, config, passes);
        let a = start(&config);
        let file = a.folder().join("users.toml");
        let b = start(&format!("{config}\n[users]\nfile = \"{}\"\n", file.display()));
        Self { gateways: [a, b], _upstream: upstream, _redis: redis }
    }
}

/// A gateway that hashes with so many passes; the passwords of its users are hashed with one.
fn start(upstream: &Upstream, config: &str, passes: u32) -> Gateway {
    let url = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&url, config, &users(&["ada", "bob"]));
    let path = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(path, text.replace("hash_passes = 1", &format!("hash_passes = {passes}"))).unwrap();
    Gateway::start_in(folder)
}

/// Has `gateway` read its users file now.
fn read_again(gateway: &Gateway) {
    let before = gateway.audit().matches("\"reload").count();
    gateway.signal("HUP");
    wait_until("it has", || gateway.audit().matches("\"reload").count() > before);
}

#[test]
fn who_sets_a_new_password_stays_at_every_gateway_and_the_others_go() {
    let shared = Shared::start(1);
    let [a, b] = &shared.gateways;
    let [own, other, of_bob] = [a.sign_in("ada"), b.sign_in("ada"), b.sign_in("bob")];
    let headers = [&*basic("ada", PASSWORD), &*cookie(&own)];
    let body = format!("{{\"password\":\"{NEW}\"}}");
    let request = with_body("PUT", "/api/v2/me/password", &headers, &body);
    assert_eq!(a.connect().send(&request).status, 204);
    for gateway in [b, a] {
        read_again(gateway);
        assert_eq!([&own, &other, &of_bob].map(|it| status(gateway, it)), [200, 401, 200]);
    }
    let with_old = post("/api/v2/signin", &[&basic("ada", PASSWORD)]);
    assert_eq!(b.connect().send(&with_old).status, 401);
}

#[test]
fn a_password_that_is_hashed_anew_ends_no_session_anywhere() {
    let shared = Shared::start(2);
    let [a, b] = &shared.gateways;
    let file = a.folder().join("users.toml");
    let before = fs::read_to_string(&file).unwrap();
    let [at_b, at_a] = [b.sign_in("ada"), a.sign_in("ada")];
    wait_until("it was hashed anew", || fs::read_to_string(&file).unwrap() != before);
    for gateway in [b, a] {
        read_again(gateway);
        assert_eq!([&at_a, &at_b].map(|it| status(gateway, it)), [200; 2]);
    }
}

#[test]
fn a_password_that_two_gateways_hash_anew_at_once_ends_no_session() {
    let (redis, upstream) = (Server::start(), Upstream::start());
    let config = config(&redis.url(), "");
    let [a, b] = [(); 2].map(|()| start(&upstream, &config, 2));
    let files = [&a, &b].map(|gateway| gateway.folder().join("users.toml"));
    let before = fs::read_to_string(&files[1]).unwrap();
    // So it has hashed anew and cannot store that yet.
    let locked = File::open(&files[0]).unwrap();
    locked.lock().unwrap();
    let at_a = a.sign_in("ada");
    wait_until("the store is told", || !redis.ask(&["KEYS", "igw:*same:*"]).texts().is_empty());
    let at_b = b.sign_in("ada");
    wait_until("it was hashed anew", || fs::read_to_string(&files[1]).unwrap() != before);
    // The other was quicker.
    fs::write(&files[0], fs::read_to_string(&files[1]).unwrap()).unwrap();
    for gateway in [&a, &b] {
        read_again(gateway);
        assert_eq!([&at_a, &at_b].map(|it| status(gateway, it)), [200; 2]);
    }
}

#[test]
fn what_has_changed_while_no_gateway_ran_counts_when_one_starts() {
    let Stage { gateways: [a, b], upstream: _upstream, redis: _redis } = Stage::start();
    let [of_ada, of_bob] = [a.sign_in("ada"), a.sign_in("bob")];
    b.stop();
    // It is there, but sees and does nothing any more.
    a.signal("STOP");
    edit(&a, "passwd");
    let path = a.folder().join("users.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (before, of_bobs) = text.split_at(text.rfind("[[user]]\n").unwrap() + "[[user]]\n".len());
    fs::write(&path, format!("{before}access = \"read\"\n{of_bobs}")).unwrap();
    let a = a.restart("KILL");
    wait_until("ada is signed out", || status(&a, &of_ada) == 401);
    let delete = request("DELETE", "/api/v2/buckets/1", &[&cookie(&of_bob)]);
    assert_eq!(a.connect().send(&delete).status, 403);
    assert_eq!(status(&a, &of_bob), 200);
    wait_until("the end is written down", || a.audit().contains("\"revoked\""));
}

#[test]
fn gateways_say_that_their_users_files_differ_and_that_they_do_not_any_more() {
    let stage = Stage::start();
    let [a, b] = &stage.gateways;
    edit(b, "remove");
    let differs = "the users file differs from that of the gateway on ";
    for gateway in [a, b] {
        wait_until("it says so", || gateway.has_logged(differs));
    }
    edit(a, "remove");
    for gateway in [a, b] {
        wait_until("it says so", || gateway.has_logged(" again"));
        assert_eq!(gateway.log().matches(differs).count(), 1);
    }
}
