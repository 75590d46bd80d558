//! What happens at one gateway to a session whose provider is asked about it by another, or does not answer.

use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::json;

use super::log_out;
use super::provider::{Provider, Says};
use super::shared::{ask, me, sharing, sign_in};
use crate::cut_off::{half_write, listener};
use crate::redis::server::Server;
use crate::support::*;

/// Has the provider not answer any more, which `gateway` has found out with `session`.
fn fall_silent(provider: &Provider, gateway: &Gateway, session: &str) {
    provider.say(Says::Status("503 Service Unavailable", String::new()));
    provider.asked("");
    wait_until("it is found out", || {
        assert_eq!(me(gateway, session), 200);
        !provider.asked("POST /token").is_empty()
    });
}

#[test]
fn a_sign_out_counts_elsewhere_at_once_while_the_provider_does_not_answer() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let [one, two] = &sharing(&provider, upstream.address, &redis.url(), "1ms");
    for ends in [
        |two: &Gateway, _: &Provider, session: &str| {
            ask(two, session, post, "/api/v2/signout").status == 204
        },
        |two: &Gateway, provider: &Provider, _: &str| {
            log_out(two, &provider.logout_token(json!({ "sub": "0815" }))).status == 200
        },
    ] {
        provider.say(Says::Tokens);
        let session = sign_in(one, &provider);
        fall_silent(&provider, one, &session);
        // It is at hand, and nobody has asked since.
        assert!(ends(two, &provider, &session));
        assert_eq!(ask(one, &session, post, "/api/v2/write").status, 401);
        assert!(upstream.saw_nothing());
    }
}

#[test]
fn a_request_still_coming_in_is_cut_off_by_a_sign_out_elsewhere_while_the_provider_does_not_answer()
{
    let (provider, redis) = (Provider::start(), Server::start());
    let (address, heads, rests) = listener("");
    let [one, two] = &sharing(&provider, address, &redis.url(), "1ms");
    let session = sign_in(one, &provider);
    assert_eq!(me(one, &session), 200);
    provider.say(Says::Status("503 Service Unavailable", String::new()));
    let [head, first, second] = half_write(&session, "chunked");
    let mut client = one.connect();
    client.write((head + &first).as_bytes());
    heads.recv_timeout(PATIENCE).expect("the head has reached the upstream");
    assert_eq!(ask(two, &session, post, "/api/v2/signout").status, 204);
    // By itself: nothing more is sent.
    assert_eq!(client.read().status, 401);
    client.write_some(second.as_bytes());
    assert!(client.is_closed());
    let (rest, _) = rests.recv_timeout(PATIENCE).expect("the upstream is left");
    assert!(!String::from_utf8(rest).unwrap().contains("second"));
}

#[test]
fn a_request_that_waits_for_the_provider_is_not_forwarded_when_its_session_has_ended_meanwhile() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let [one, two] = &sharing(&provider, upstream.address, &redis.url(), "1ms");
    for elsewhere in [two, one] {
        let session = sign_in(one, &provider);
        let gate = Arc::new(Mutex::new(()));
        let closed = gate.lock().unwrap();
        provider.say(Says::Behind(Arc::clone(&gate)));
        provider.asked("");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| ask(one, &session, post, "/api/v2/write").status);
            wait_until("the provider is asked", || !provider.asked("POST /token").is_empty());
            let token = provider.logout_token(json!({ "sub": "0815" }));
            assert_eq!(log_out(elsewhere, &token).status, 200);
            drop(closed);
            assert_eq!(waiting.join().unwrap(), 401);
        });
        assert!(upstream.saw_nothing());
        provider.say(Says::Tokens);
    }
}

#[test]
fn a_gateway_that_leaves_the_provider_alone_lets_no_other_use_a_refresh_token_twice() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let [asking, resting, third] = &sharing(&provider, upstream.address, &redis.url(), "1ms");
    let (session, other) = (sign_in(asking, &provider), sign_in(resting, &provider));
    fall_silent(&provider, resting, &other);
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    provider.say(Says::Behind(Arc::clone(&gate)));
    provider.asked("");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| me(asking, &session));
        wait_until("the provider is asked", || !provider.asked("POST /token").is_empty());
        assert_eq!(me(resting, &session), 200);
        // It is let through, as somebody else asks.
        let third = scope.spawn(|| me(third, &session));
        wait_until("it is answered, or the provider is asked again", || {
            third.is_finished() || !provider.asked("POST /token").is_empty()
        });
        drop(closed);
        assert_eq!((waiting.join().unwrap(), third.join().unwrap()), (200, 200));
    });
    for gateway in [asking, resting, third] {
        assert_eq!(me(gateway, &session), 200);
    }
}
