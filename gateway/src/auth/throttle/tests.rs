//! One suite for wherever failures are counted: what counts as too many, and what follows.

use super::*;
use crate::request_meta::ClientKey;
use crate::session::Lifetime;
use crate::session::memory::Capacity;
use crate::session::redis::server::RedisServer;
use crate::session::redis::tests::store;
use crate::session::store::{EndListener, Ended};
use crate::user::login_name::{CanonicalName, LoginName};

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

pub(super) fn guess(address: &str, name: &str) -> Guess {
    let name = CanonicalName::from(&LoginName::of(name.as_bytes()));
    Guess::new(ClientKey::of(Some(address.parse().unwrap())), &name)
}

/// Nobody is told of sessions that end.
struct Nobody;

impl EndListener for Nobody {
    fn ended(&self, _: &Ended) {}
}

/// One that counts in `server`, and nothing yet.
pub(super) fn in_redis(server: &RedisServer) -> SharedThrottle {
    let lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };
    let store = store(server, lifetime, Capacity { total: 1, per_user: 1 }, Arc::new(Nobody));
    SharedThrottle::new(RULES, store)
}

/// Runs a test that needs a Redis.
pub(super) fn with_redis(test: impl AsyncFnOnce(RedisServer)) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(test(RedisServer::start()));
}

/// Fails so often; returns the waits of the last time.
async fn fail(throttle: &Throttle, guess: &Guess, times: usize, now: Moment) -> Vec<Ban> {
    let mut last = Vec::new();
    for _ in 0..times {
        last = throttle.fail(guess, now).await.unwrap();
    }
    last
}

async fn wait(throttle: &Throttle, guess: &Guess, now: Moment) -> u64 {
    match throttle.admit(guess, now).await {
        Ok(_) => 0,
        Err(Unjudged::Throttled(wait)) => wait.as_secs(),
        Err(Unjudged::Store(error)) => panic!("{error}"),
    }
}

/// Makes a throttle that has counted nothing.
type Make = dyn Fn() -> Throttle;

/// Everything that is asked of any throttle.
async fn check_throttle(make: &Make) {
    b_03_five_failures_of_a_pair_are_followed_by_waits_that_double(make()).await;
    b_03_a_success_clears_the_pair(make()).await;
    failures_count_for_five_minutes(make()).await;
    a_pair_is_a_client_and_a_name(make()).await;
    b_07_fifty_failures_of_a_client_with_whatever_names(make()).await;
    b_11_a_name_under_attack_is_slow_for_strangers_and_open_to_its_owner(make()).await;
    b_10_of_many_guesses_at_once_only_those_allowed_are_judged(make()).await;
    b_08_who_has_read_the_clock_before_a_failure_was_counted_does_not_wait(make()).await;
    a_known_client_has_a_place_of_its_own_in_a_line(make()).await;
}

#[test]
fn failures_are_counted_in_memory() {
    // Without a runtime: whatever had to wait, would panic.
    crate::session::store::wait(check_throttle(&|| {
        Throttle::Memory(Arc::new(MemoryThrottle::new(RULES)))
    }));
}

#[test]
fn failures_are_counted_in_redis_as_well() {
    with_redis(async |server| {
        check_throttle(&move || Throttle::Redis(in_redis(&server))).await;
    });
}

async fn b_03_five_failures_of_a_pair_are_followed_by_waits_that_double(throttle: Throttle) {
    let ada = guess("10.0.0.1", "ada");
    assert_eq!(fail(&throttle, &ada, 4, at(0)).await, []);
    assert_eq!(wait(&throttle, &ada, at(0)).await, 0);
    let mut now = 1;
    for expected in [60, 120, 240, 480, 900, 900] {
        let ban = Ban { scope: Scope::Pair, time: Duration::from_secs(expected) };
        assert_eq!(fail(&throttle, &ada, 1, at(now)).await, [ban]);
        assert_eq!(wait(&throttle, &ada, at(now)).await, expected);
        let throttled = Unjudged::Throttled(ban.time);
        assert_eq!(throttle.succeed(&ada, at(now)).await, Err(throttled), "not even if right");
        assert_eq!(throttle.fail(&ada, at(now)).await, Err(throttled), "and not counted");
        now += expected;
        assert_eq!(wait(&throttle, &ada, at(now)).await, 0, "a wait ends on time");
    }
    now += 300;
    assert_eq!(fail(&throttle, &ada, 4, at(now)).await, [], "all is forgotten in the end");
}

async fn b_03_a_success_clears_the_pair(throttle: Throttle) {
    let ada = guess("10.0.0.1", "ada");
    for _ in 0..10 {
        assert_eq!(fail(&throttle, &ada, 4, at(0)).await, []);
        assert_eq!(throttle.succeed(&ada, at(0)).await, Ok(()));
    }
}

async fn failures_count_for_five_minutes(throttle: Throttle) {
    let ada = guess("10.0.0.1", "ada");
    assert_eq!(fail(&throttle, &ada, 4, at(0)).await, []);
    assert_eq!(fail(&throttle, &ada, 4, at(300)).await, []);
    assert_eq!(fail(&throttle, &ada, 1, at(599)).await.len(), 1);
}

async fn a_pair_is_a_client_and_a_name(throttle: Throttle) {
    fail(&throttle, &guess("10.0.0.1", "ada"), 5, at(0)).await;
    for (address, name, waits) in [
        ("10.0.0.1", "ada", true),
        ("::ffff:10.0.0.1", " ADA ", true),
        ("10.0.0.1", "bob", false),
        ("10.0.0.2", "ada", false),
    ] {
        let wait = wait(&throttle, &guess(address, name), at(0)).await;
        assert_eq!(wait > 0, waits, "{address} {name}");
    }
}

async fn b_07_fifty_failures_of_a_client_with_whatever_names(throttle: Throttle) {
    for n in 0..50 {
        let guess = guess(&format!("2001:db8::{n:x}"), &format!("user{n}"));
        assert_eq!(wait(&throttle, &guess, at(n)).await, 0);
        fail(&throttle, &guess, 1, at(n)).await;
    }
    assert_eq!(wait(&throttle, &guess("2001:db8::ffff", "bob"), at(49)).await, 60);
    assert_eq!(wait(&throttle, &guess("2001:db8:0:1::1", "bob"), at(49)).await, 0);
}

async fn b_11_a_name_under_attack_is_slow_for_strangers_and_open_to_its_owner(throttle: Throttle) {
    let owner = guess("10.9.9.9", "ada");
    throttle.succeed(&owner, at(0)).await.unwrap();
    let attacker = |n: u64| guess(&format!("10.0.{}.{}", n / 250, n % 250), "ada");
    for n in 0..100 {
        fail(&throttle, &attacker(n), 1, at(n)).await;
    }
    assert_eq!(wait(&throttle, &attacker(200), at(99)).await, 1);
    assert_eq!(throttle.succeed(&owner, at(99)).await, Ok(()));
    assert_eq!(wait(&throttle, &guess("10.0.0.200", "bob"), at(99)).await, 0);
    // Each guess of a stranger makes the next one slower, up to half a minute.
    let (mut now, mut guesses) = (100, 0);
    while now < 100 + 3600 {
        let guess = attacker(300 + guesses);
        if throttle.admit(&guess, at(now)).await.is_ok() {
            throttle.fail(&guess, at(now)).await.unwrap();
            guesses += 1;
        }
        now += 1;
    }
    assert!((100..140).contains(&guesses), "{guesses} guesses in an hour");
    let owner_elsewhere = guess("10.8.8.8", "ada");
    assert!(wait(&throttle, &owner_elsewhere, at(now)).await <= 30, "slow is not locked out");
}

async fn b_10_of_many_guesses_at_once_only_those_allowed_are_judged(throttle: Throttle) {
    let ada = guess("10.0.0.1", "ada");
    for _ in 0..500 {
        assert!(throttle.admit(&ada, at(0)).await.is_ok());
    }
    let mut judged = 0;
    for _ in 0..499 {
        judged += usize::from(throttle.fail(&ada, at(1)).await.is_ok());
    }
    assert_eq!(judged, 5);
    assert!(throttle.succeed(&ada, at(1)).await.is_err(), "the right one among them came too late");
}

async fn b_08_who_has_read_the_clock_before_a_failure_was_counted_does_not_wait(
    throttle: Throttle,
) {
    let ada = guess("10.0.0.1", "ada");
    assert_eq!(fail(&throttle, &ada, 1, at(1)).await, []);
    assert!(throttle.admit(&ada, at(0)).await.is_ok());
    assert_eq!(fail(&throttle, &ada, 3, at(0)).await, [], "and is counted like any other");
    assert_eq!(fail(&throttle, &ada, 1, at(1)).await.len(), 1);
    assert_eq!(wait(&throttle, &ada, at(0)).await, 61, "whoever has failed too often waits");
}

async fn a_known_client_has_a_place_of_its_own_in_a_line(throttle: Throttle) {
    let [owner, stranger] = [guess("10.9.9.9", "ada"), guess("10.0.0.1", "ada")];
    let crowd = throttle.admit(&stranger, at(0)).await.unwrap();
    assert_eq!(throttle.admit(&owner, at(0)).await.unwrap().name, crowd.name);
    throttle.succeed(&owner, at(0)).await.unwrap();
    let month = 30 * 24 * 3600;
    for (now, is_known) in [(0, true), (month - 1, true), (month, false)] {
        let claim = throttle.admit(&owner, at(now)).await.unwrap();
        assert_eq!(claim.name != crowd.name, is_known, "{now}");
        assert_ne!(claim.client, crowd.client);
    }
    // Each success renews it.
    throttle.succeed(&owner, at(month)).await.unwrap();
    assert_ne!(throttle.admit(&owner, at(month + 1)).await.unwrap().name, crowd.name);
}
