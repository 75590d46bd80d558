//! Passwords that are hashed anew, or set by their user, while two processes read the users file.

use super::*;

const NEW: &str = "battery staple";

/// Another process has taken over from `stage`'s, which goes on for a while; connections to the old one, and the new one.
fn both(stage: &Stage, passes: u32) -> (Vec<Client>, Gateway) {
    let mut at_old: Vec<_> = (0..10).map(|_| stage.gateway().connect()).collect();
    for client in &mut at_old {
        assert_eq!(client.send(&get("/gateway/health", &[])).status, 200);
    }
    stage.replace("hash_passes = 1", &format!("hash_passes = {passes}"));
    let new = stage.upgrade();
    wait_until("the old one closes connections", || {
        stage.gateway().has_logged("connections are closed with their next answer")
    });
    (at_old, new)
}

fn has_read(gateway: &Gateway) {
    wait_until("it was read", || gateway.has_logged("the users file was read again"));
}

fn sign_in(client: &mut Client, password: &str) -> String {
    let answer = client.send(&post("/api/v2/signin", &[&basic("ada", password)]));
    assert_eq!(answer.status, 204, "{answer:?}");
    answer.cookie()
}

fn set_password(client: &mut Client, session: &str) {
    let body = serde_json::json!({ "password": NEW }).to_string();
    let headers = [&*cookie(session), &*basic("ada", PASSWORD)];
    let answer = client.send(&with_body("PUT", "/api/v2/me/password", &headers, &body));
    assert_eq!(answer.status, 204, "{answer:?}");
}

fn wait_for_hash(stage: &Stage, passes: u32) {
    let cost = format!("t={passes}");
    wait_until("it is stored", || {
        fs::read_to_string(stage.path("users.toml")).unwrap().contains(&cost)
    });
}

#[test]
fn a_password_that_is_hashed_anew_signs_nobody_out_of_either_process() {
    let upstream = Upstream::start();
    let stage = Stage::start(upstream.address, "1h");
    let before = stage.gateway().sign_in("ada");
    let (mut at_old, new) = both(&stage, 2);
    let after = sign_in(&mut new.connect(), PASSWORD);
    wait_for_hash(&stage, 2);
    has_read(stage.gateway());
    let later = sign_in(&mut new.connect(), PASSWORD);
    for session in [&before, &after, &later] {
        assert_eq!(me(&mut new.connect(), session).status, 200);
        assert_eq!(me(&mut at_old.pop().unwrap(), session).status, 200);
    }
}

#[test]
fn a_password_that_its_user_sets_keeps_this_session_and_ends_the_others() {
    for by_old in [true, false] {
        let upstream = Upstream::start();
        let stage = Stage::start(upstream.address, "1h");
        let [this, other] = [stage.gateway().sign_in("ada"), stage.gateway().sign_in("ada")];
        let (mut at_old, new) = both(&stage, 1);
        let mut at_new = new.connect();
        let (here, reader) =
            if by_old { (at_old.pop().unwrap(), &new) } else { (new.connect(), stage.gateway()) };
        let mut here = here;
        set_password(&mut here, &this);
        // Before the other one has read of it.
        let mut here = if by_old { at_old.pop().unwrap() } else { new.connect() };
        let next = sign_in(&mut here, NEW);
        has_read(reader);
        for (session, status) in [(&this, 200), (&next, 200), (&other, 401)] {
            assert_eq!(me(&mut at_new, session).status, status, "by the old one: {by_old}");
            let answer = me(&mut at_old.pop().unwrap(), session);
            assert_eq!(answer.status, status, "by the old one: {by_old}");
        }
        // Whoever sets another one for the user, ends them all.
        crate::authority::edit(stage.gateway(), "passwd");
        wait_until("they are over", || me(&mut new.connect(), &this).status == 401);
        assert_eq!(me(&mut at_new, &next).status, 401);
    }
}

/// The new process has read the hash that the old one has stored, and is given sessions that are older.
#[test]
fn a_password_that_was_hashed_anew_before_an_upgrade_signs_nobody_out() {
    let upstream = Upstream::start();
    let stage = Stage::start(upstream.address, "1h");
    let first = stage.gateway().sign_in("ada");
    let (_at_old, second) = both(&stage, 2);
    let after = sign_in(&mut second.connect(), PASSWORD);
    wait_for_hash(&stage, 2);
    stage.gateway().signal("TERM");
    wait_until("the first one has ended", || {
        stage.gateway().has_logged("all requests are answered")
    });
    let third = stage.upgrade_from(&second);
    for session in [&first, &after] {
        assert_eq!(me(&mut third.connect(), session).status, 200);
    }
}
