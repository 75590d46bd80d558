//! What becomes of a session and of its refresh token while its provider is asked, and after that.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use super::shared::{ask, me, sharing, sign_in};
use super::*;
use crate::redis::relay::{Fault, Relay};
use crate::redis::server::Server;

fn silence() -> Says {
    Says::Status("503 Service Unavailable", String::new())
}

/// Uses `session` until the provider is asked about it.
fn use_until_asked(provider: &Provider, gateway: &Gateway, session: &str) {
    provider.asked("");
    wait_until("the provider is asked", || {
        assert_eq!(me(gateway, session), 200);
        !provider.asked("POST /token").is_empty()
    });
}

#[test]
fn an_outage_is_counted_from_its_own_beginning() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "grace = \"7s\"");
    let (idle, busy) = (sign_in(&gateway, &provider), sign_in(&gateway, &provider));
    use_until_asked(&provider, &gateway, &idle);
    provider.say(silence());
    let first = Instant::now();
    use_until_asked(&provider, &gateway, &idle);
    // It is asked again after five seconds, about another session.
    provider.say(Says::Tokens);
    use_until_asked(&provider, &gateway, &busy);
    wait_until("`grace` is over", || first.elapsed() > Duration::from_secs(7));
    provider.say(silence());
    use_until_asked(&provider, &gateway, &idle);
    assert_eq!(me(&gateway, &idle), 200);
    // This one lasts too long.
    wait_until("it ends", || me(&gateway, &idle) == 401);
    let why = "as keycloak has not answered for oidc.grace";
    wait_until("it says why", || gateway.has_logged(why));
}

#[test]
fn what_a_provider_refuses_one_session_is_counted_whatever_it_answers_others() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "grace = \"2s\"");
    let (unfit, other) = (sign_in(&gateway, &provider), sign_in(&gateway, &provider));
    wait_until("it ends", || {
        let error = "{\"error\":\"invalid_request\"}".to_owned();
        provider.say(Says::Status("400 Bad Request", error));
        let status = me(&gateway, &unfit);
        provider.say(Says::Tokens);
        assert_eq!(me(&gateway, &other), 200);
        status == 401
    });
}

#[test]
fn a_request_waits_for_five_seconds_at_most_the_keys_included() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let session = sign_in(&gateway, &provider);
    let gates = [(); 2].map(|()| Arc::new(Mutex::new(())));
    let (tokens, keys) = (gates[0].lock().unwrap(), gates[1].lock().unwrap());
    provider.rotate(true);
    provider.say(Says::Behind(Arc::clone(&gates[0])));
    provider.hold_keys_back(&gates[1]);
    thread::scope(|scope| {
        let begun = Instant::now();
        let waiting = scope.spawn(|| {
            // The first of them may come before the provider is to be asked.
            let slow = |took: &Duration| *took > Duration::from_secs(2);
            let once = || {
                let begun = Instant::now();
                assert_eq!(me(&gateway, &session), 200);
                begun.elapsed()
            };
            std::iter::repeat_with(once).find(slow).unwrap()
        });
        wait_until("four seconds are over", || begun.elapsed() > Duration::from_secs(4));
        drop(tokens);
        waiting.join().unwrap();
        // The keys are waited for in vain until nine seconds are over.
        assert!(!gateway.has_logged("cannot be read"));
    });
    // What has come in the meantime is not lost.
    drop(keys);
    provider.say(Says::Tokens);
    use_until_asked(&provider, &gateway, &session);
    assert_eq!(me(&gateway, &session), 200);
}

#[test]
fn the_refresh_token_that_comes_for_a_session_that_has_ended_is_given_back() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let alone = start_asking(&provider, &upstream, "");
    let [one, two] = &sharing(&provider, upstream.address, &redis.url(), "1ms");
    for (here, there) in [(&alone, &alone), (one, one), (one, two)] {
        for by_provider in [false, true] {
            provider.say(Says::Tokens);
            let session = sign_in(here, &provider);
            let gate = Arc::new(Mutex::new(()));
            let closed = gate.lock().unwrap();
            provider.say(Says::Behind(Arc::clone(&gate)));
            provider.asked("");
            thread::scope(|scope| {
                let waiting = scope.spawn(|| ask(here, &session, post, "/api/v2/write").status);
                wait_until("it is asked", || !provider.asked("POST /token").is_empty());
                if by_provider {
                    let token = provider.logout_token(json!({ "sub": "0815" }));
                    assert_eq!(log_out(there, &token).status, 200);
                } else {
                    assert_eq!(ask(there, &session, post, "/api/v2/signout").status, 204);
                    wait_until("the old one is given back", || {
                        !provider.asked("POST /revoke").is_empty()
                    });
                }
                drop(closed);
                assert_eq!(waiting.join().unwrap(), 401);
            });
            assert!(upstream.saw_nothing());
            wait_until("the new one is given back", || provider.refreshable() == 0);
        }
    }
}

#[test]
fn a_refresh_token_that_redis_cannot_be_told_of_is_not_lost() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let relay = Relay::start(redis.address);
    let [gateway] = &sharing(&provider, upstream.address, &relay.url(), "1ms");
    let session = sign_in(gateway, &provider);
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    provider.say(Says::Behind(Arc::clone(&gate)));
    provider.asked("");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| me(gateway, &session));
        wait_until("it is asked", || !provider.asked("POST /token").is_empty());
        relay.suffer(Fault::Refuse);
        wait_until("Redis is gone", || gateway.has_logged("the session store is lost"));
        drop(closed);
        assert_eq!(waiting.join().unwrap(), 503);
    });
    relay.suffer(Fault::None);
    wait_until("Redis is back", || match me(gateway, &session) {
        503 => false,
        status => {
            assert_eq!(status, 200);
            true
        }
    });
    // By the new one: the old one would end the session.
    use_until_asked(&provider, gateway, &session);
    assert_eq!(me(gateway, &session), 200);
}
