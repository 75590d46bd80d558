//! Tests of the throttle: what counts as too many failures, and what follows.

use super::*;
use crate::user::login_name::LoginName;

/// The defaults of the configuration.
pub(crate) const RULES: ThrottleRules = ThrottleRules {
    pair: 5,
    client: 50,
    user: 100,
    window: Duration::from_secs(300),
    first: Duration::from_secs(60),
    longest: Duration::from_secs(900),
};

pub(super) fn at(seconds: u64) -> Moment {
    Moment::START.after(Duration::from_secs(seconds))
}

fn guess(throttle: &Throttle, address: &str, name: &str) -> Guess {
    let name = CanonicalName::from(&LoginName::of(name.as_bytes()));
    throttle.guess(ClientKey::of(Some(address.parse().unwrap())), &name)
}

/// Fails so often; returns the waits of the last time.
fn fail(throttle: &Throttle, guess: &Guess, times: usize, now: Moment) -> Vec<Ban> {
    (0..times).map(|_| throttle.fail(guess, now).unwrap()).last().unwrap_or_default()
}

fn wait(throttle: &Throttle, guess: &Guess, now: Moment) -> u64 {
    throttle.admit(guess, now).err().map_or(0, |Throttled(wait)| wait.as_secs())
}

#[test]
fn b_03_five_failures_of_a_pair_are_followed_by_waits_that_double() {
    let throttle = Throttle::new(RULES);
    let ada = guess(&throttle, "10.0.0.1", "ada");
    assert_eq!(fail(&throttle, &ada, 4, at(0)), []);
    assert_eq!(wait(&throttle, &ada, at(0)), 0);
    let mut now = 1;
    for expected in [60, 120, 240, 480, 900, 900] {
        let ban = Ban { scope: Scope::Pair, time: Duration::from_secs(expected) };
        assert_eq!(fail(&throttle, &ada, 1, at(now)), [ban]);
        assert_eq!(wait(&throttle, &ada, at(now)), expected);
        assert_eq!(throttle.succeed(&ada, at(now)), Err(Throttled(ban.time)), "not even if right");
        assert_eq!(throttle.fail(&ada, at(now)), Err(Throttled(ban.time)), "and not counted");
        now += expected;
        assert_eq!(wait(&throttle, &ada, at(now)), 0, "a wait ends on time");
    }
    now += 300;
    assert_eq!(fail(&throttle, &ada, 4, at(now)), [], "all is forgotten in the end");
}

#[test]
fn b_03_a_success_clears_the_pair() {
    let throttle = Throttle::new(RULES);
    let ada = guess(&throttle, "10.0.0.1", "ada");
    for _ in 0..10 {
        assert_eq!(fail(&throttle, &ada, 4, at(0)), []);
        assert_eq!(throttle.succeed(&ada, at(0)), Ok(()));
    }
}

#[test]
fn failures_count_for_five_minutes() {
    let throttle = Throttle::new(RULES);
    let ada = guess(&throttle, "10.0.0.1", "ada");
    assert_eq!(fail(&throttle, &ada, 4, at(0)), []);
    assert_eq!(fail(&throttle, &ada, 4, at(300)), []);
    assert_eq!(fail(&throttle, &ada, 1, at(599)).len(), 1);
}

#[test]
fn a_pair_is_a_client_and_a_name() {
    let throttle = Throttle::new(RULES);
    fail(&throttle, &guess(&throttle, "10.0.0.1", "ada"), 5, at(0));
    let waits = |address, name| wait(&throttle, &guess(&throttle, address, name), at(0)) > 0;
    assert!(waits("10.0.0.1", "ada") && waits("::ffff:10.0.0.1", " ADA "));
    assert!(!waits("10.0.0.1", "bob") && !waits("10.0.0.2", "ada"));
}

#[test]
fn b_07_fifty_failures_of_a_client_with_whatever_names() {
    let throttle = Throttle::new(RULES);
    for n in 0..50 {
        let address = format!("2001:db8::{n:x}");
        let guess = guess(&throttle, &address, &format!("user{n}"));
        assert_eq!(wait(&throttle, &guess, at(n)), 0);
        fail(&throttle, &guess, 1, at(n));
    }
    assert_eq!(wait(&throttle, &guess(&throttle, "2001:db8::ffff", "bob"), at(49)), 60);
    assert_eq!(wait(&throttle, &guess(&throttle, "2001:db8:0:1::1", "bob"), at(49)), 0);
}

#[test]
fn b_11_a_name_under_attack_is_slow_for_strangers_and_open_to_its_owner() {
    let throttle = Throttle::new(RULES);
    let owner = guess(&throttle, "10.9.9.9", "ada");
    throttle.succeed(&owner, at(0)).unwrap();
    let attacker = |n: u64| guess(&throttle, &format!("10.0.{}.{}", n / 250, n % 250), "ada");
    for n in 0..100 {
        fail(&throttle, &attacker(n), 1, at(n));
    }
    assert_eq!(wait(&throttle, &attacker(200), at(99)), 1);
    assert_eq!(throttle.succeed(&owner, at(99)), Ok(()));
    assert_eq!(wait(&throttle, &guess(&throttle, "10.0.0.200", "bob"), at(99)), 0);
    // Each guess of a stranger makes the next one slower, up to half a minute.
    let (mut now, mut guesses) = (100, 0);
    while now < 100 + 3600 {
        let guess = attacker(300 + guesses);
        if throttle.admit(&guess, at(now)).is_ok() {
            throttle.fail(&guess, at(now)).unwrap();
            guesses += 1;
        }
        now += 1;
    }
    assert!((100..140).contains(&guesses), "{guesses} guesses in an hour");
    let owner_elsewhere = guess(&throttle, "10.8.8.8", "ada");
    assert!(wait(&throttle, &owner_elsewhere, at(now)) <= 30, "slow is not locked out");
}

#[test]
fn b_10_of_many_guesses_at_once_only_those_allowed_are_judged() {
    let throttle = Throttle::new(RULES);
    let ada = guess(&throttle, "10.0.0.1", "ada");
    let let_in = (0..500).filter(|_| throttle.admit(&ada, at(0)).is_ok()).count();
    assert_eq!(let_in, 500);
    let judged = (0..499).filter(|_| throttle.fail(&ada, at(1)).is_ok()).count();
    assert_eq!(judged, 5);
    assert!(throttle.succeed(&ada, at(1)).is_err(), "the right one among them came too late");
}
