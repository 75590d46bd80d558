use std::thread;

use super::server::Server;
use super::stage::*;
use crate::attack::*;
use crate::support::*;

/// Two gateways that share a Redis, and believe what tests say in `X-Forwarded-For`. With these keys of
/// `[signin]`.
fn start(keys: &str) -> ([Gateway; 2], Server) {
    start_with("", keys)
}

/// With these keys of `[session]`, too.
fn start_with(session: &str, keys: &str) -> ([Gateway; 2], Server) {
    let redis = Server::start();
    let config = config(&redis.url(), &format!("{session}\n[signin]\n{keys}"));
    let gateways = [(); 2].map(|()| behind_a_proxy_with(&config, &users(&["ada", "bob"])));
    (gateways, redis)
}

/// A sign-in of `name` from `address`.
fn try_at(gateway: &Gateway, address: &str, name: &str, password: &str) -> Answer {
    try_with(gateway, name, password, &[&format!("X-Forwarded-For: {address}")])
}

/// That the right password gets 429 at both, and for how long.
fn check_banned(gateways: &[Gateway; 2], address: &str, name: &str, seconds: u64) {
    for gateway in gateways {
        let answer = try_at(gateway, address, name, PASSWORD);
        assert_eq!(answer.status, 429, "{answer:?}");
        let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=seconds).contains(&wait) && wait + 30 > seconds, "{answer:?}");
    }
}

#[test]
fn a_name_that_is_guessed_at_both_is_banned_at_both() {
    let (gateways, _redis) = start("");
    let [a, b] = &gateways;
    for gateway in [a, b, b, a, b] {
        assert_eq!(try_from(gateway, "10.1.1.1", "ada", WRONG), 401);
    }
    check_banned(&gateways, "10.1.1.1", "ada", 60);
    for gateway in &gateways {
        assert_eq!(try_from(gateway, "10.1.1.1", "bob", PASSWORD), 204, "another name");
        assert_eq!(try_from(gateway, "10.1.1.2", "ada", PASSWORD), 204, "from elsewhere");
    }
}

#[test]
fn a_client_that_guesses_at_both_is_banned_at_both() {
    let (gateways, _redis) = start("failures_per_client = 6\nban = \"5m\"");
    for n in 0..6 {
        let address = format!("2001:db8::{n:x}");
        assert_eq!(try_from(&gateways[n % 2], &address, &format!("user{n}"), WRONG), 401);
    }
    check_banned(&gateways, "2001:db8::ffff", "ada", 300);
    for gateway in &gateways {
        assert_eq!(try_from(gateway, "2001:db8:0:1::1", "ada", PASSWORD), 204);
    }
}

#[test]
fn a_success_at_one_clears_the_count_of_both() {
    let (gateways, _redis) = start("");
    let [a, b] = &gateways;
    for _ in 0..2 {
        for gateway in [a, b, a, b] {
            assert_eq!(try_from(gateway, "10.1.1.1", "ada", WRONG), 401);
        }
        assert_eq!(try_from(b, "10.1.1.1", "ada", PASSWORD), 204);
    }
}

#[test]
fn who_has_signed_in_at_one_is_known_at_the_other_when_many_guess() {
    let (gateways, _redis) = start("failures_per_user = 10");
    let [a, b] = &gateways;
    assert_eq!(try_from(b, "10.9.9.9", "ada", PASSWORD), 204);
    for n in 0..10 {
        assert_eq!(try_from(&gateways[n % 2], &format!("10.2.0.{n}"), "ada", WRONG), 401);
    }
    // Longer than it takes to ask, and each guess doubles it.
    let stranger = |gateway| try_from(gateway, "10.3.0.1", "ada", WRONG);
    wait_until("strangers are slow", || stranger(a) == 429 && stranger(b) == 429);
    assert_eq!([a, b].map(|gateway| try_from(gateway, "10.9.9.9", "ada", PASSWORD)), [204, 204]);
}

#[test]
fn of_many_guesses_at_once_at_both_only_those_allowed_are_judged() {
    let (gateways, _redis) = start("");
    let statuses: Vec<_> = thread::scope(|scope| {
        let guess = |n: usize| {
            let gateway = &gateways[n % 2];
            scope.spawn(move || try_from(gateway, "10.1.1.1", "ada", WRONG))
        };
        let all: Vec<_> = (0..40).map(guess).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 35, "{statuses:?}");
}

#[test]
fn each_gateway_writes_down_what_it_has_refused_and_one_the_ban() {
    let ([a, b], _redis) = start("failures = 2");
    assert_eq!(try_from(&a, "10.1.1.1", "ada", WRONG), 401);
    assert_eq!(try_from(&b, "10.1.1.1", "ada", WRONG), 401);
    assert_eq!(try_from(&a, "10.1.1.1", "ada", PASSWORD), 429);
    let lines = |gateway: &Gateway| -> Vec<String> {
        let trail = gateway.audited(2);
        let text = |line: &serde_json::Value| {
            assert_eq!((&line["client"], &line["user"]), (&"10.1.1.1".into(), &"ada".into()));
            format!("{} {}", line["event"].as_str().unwrap(), line["reason"].as_str().unwrap())
        };
        trail.iter().map(text).collect()
    };
    assert_eq!(lines(&a), ["refused wrong_password", "refused throttled"]);
    assert_eq!(lines(&b), ["refused wrong_password", "banned pair"]);
    assert_eq!(b.audited(2)[1]["seconds"], 60);
}

/// Whether it is right or wrong, nobody is told while nobody can count.
#[test]
fn without_redis_no_password_is_checked_and_afterwards_bans_go_on() {
    let (gateways, redis) = start_with("store_timeout = \"500ms\"", "failures = 2");
    let [a, b] = &gateways;
    for gateway in [a, b] {
        wait_until("it is there", || try_from(gateway, "10.1.1.1", "ada", WRONG) == 401);
    }
    redis.signal("STOP");
    // It takes a while, in which whatever was hashed before comes to its end.
    for gateway in [a, b] {
        check_unknown(&try_at(gateway, "10.1.1.1", "ada", WRONG));
    }
    let before = [a, b].map(hashing_time);
    for gateway in [a, b] {
        for (name, password) in [("ada", PASSWORD), ("bob", PASSWORD), ("bob", WRONG)] {
            check_unknown(&try_at(gateway, "10.1.1.1", name, password));
        }
        let trail = gateway.audit();
        let last = trail.lines().last().unwrap();
        assert!(last.contains("\"refused\",\"reason\":\"unavailable\""), "{last}");
    }
    assert_eq!([a, b].map(hashing_time), before, "nothing is hashed");
    redis.signal("CONT");
    for gateway in [a, b] {
        wait_until("it is there again", || {
            let status = try_from(gateway, "10.1.1.1", "ada", PASSWORD);
            assert!([429, 503].contains(&status), "{status}");
            status == 429
        });
        assert_eq!(try_from(gateway, "10.1.1.1", "bob", PASSWORD), 204);
    }
}
