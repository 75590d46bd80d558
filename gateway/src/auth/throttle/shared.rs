//! The throttle of several gateways together: Redis counts, and its clock is the one that counts.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::guess::Guess;
use super::table::PLACES;
use super::{Ban, KNOWN, Scope, ThrottleRules, Unjudged};
use crate::clock::Moment;
use crate::session::redis::RedisStore;
use crate::session::redis::throttle::{Counted, Judged, Limit, Limits, Step, judge, lift};
use crate::session::store::StoreError;

/// Counts failures in Redis.
#[derive(Clone)]
pub struct SharedThrottle {
    redis: Arc<RedisStore>,
    limits: Arc<ArcSwap<Limits>>,
}

impl SharedThrottle {
    /// Counts in `redis` by these `rules`.
    pub fn new(rules: ThrottleRules, redis: Arc<RedisStore>) -> Self {
        Self { redis, limits: Arc::new(ArcSwap::from_pointee(rules.limits())) }
    }

    /// Goes by these `rules` from now on; what was counted stays.
    pub fn set_rules(&self, rules: ThrottleRules) {
        self.limits.store(Arc::new(rules.limits()));
    }

    /// Lets a guess be made, or says when to come back. Returns whether the client is known for the name.
    pub async fn admit(&self, guess: &Guess, now: Moment) -> Result<bool, Unjudged> {
        self.judge(Step::Admit, guess, now).await.map(|(is_known, _)| is_known)
    }

    /// The guess was right: lets it be so, and forgets the failures of the pair.
    pub async fn succeed(&self, guess: &Guess, now: Moment) -> Result<(), Unjudged> {
        self.judge(Step::Succeed, guess, now).await.map(drop)
    }

    /// The guess was wrong: counts it. Returns the waits that begin with it.
    pub async fn fail(&self, guess: &Guess, now: Moment) -> Result<Vec<Ban>, Unjudged> {
        self.judge(Step::Fail, guess, now).await.map(|(_, bans)| bans)
    }

    /// Forgets the failures of whoever waits in this `scope`.
    pub async fn lift(&self, scope: Scope, guess: &Guess) -> Result<(), StoreError> {
        lift(&self.redis, scope.word(), guess.counted(scope)).await
    }

    async fn judge(
        &self,
        step: Step,
        guess: &Guess,
        now: Moment,
    ) -> Result<(bool, Vec<Ban>), Unjudged> {
        let counted = Counted { pair: &guess.pair, client: &guess.client, user: &guess.user };
        let limits = self.limits.load_full();
        match judge(&self.redis, step, counted, &limits, now).await? {
            Judged::Throttled(wait) => Err(Unjudged::Throttled(wait)),
            Judged::Admitted { is_known, waits } => {
                let scopes = [Scope::Pair, Scope::Client, Scope::User].into_iter().zip(waits);
                let bans = scopes.filter_map(|(scope, time)| time.map(|time| Ban { scope, time }));
                Ok((is_known, bans.collect()))
            }
        }
    }
}

impl ThrottleRules {
    fn limits(&self) -> Limits {
        let (first, longest) = (self.first, self.longest);
        let strangers = self.for_strangers();
        Limits {
            pair: Limit { failures: self.pair, first, longest },
            client: Limit { failures: self.client, first, longest },
            user: Limit { failures: self.user, first: strangers.first, longest: strangers.longest },
            window: self.window,
            known: KNOWN,
            places: PLACES,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::throttle::tests::{at, guess, in_redis, with_redis};
    use crate::session::redis::server::RedisServer;

    /// A key that Redis has.
    #[derive(Debug)]
    struct Entry {
        key: String,
        /// How much is in it.
        count: usize,
        /// For how many milliseconds it stays.
        left: i64,
        content: Vec<u8>,
    }

    fn adjust(throttle: &SharedThrottle, change: impl FnOnce(&mut Limits)) {
        let mut limits = Limits::clone(&throttle.limits.load());
        change(&mut limits);
        throttle.limits.store(Arc::new(limits));
    }

    fn entries(server: &RedisServer) -> Vec<Entry> {
        let mut connection = server.connection();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
        let entry = |key: String| {
            let is_hash = key.ends_with(":failures");
            let count = redis::cmd(if is_hash { "HLEN" } else { "ZCARD" })
                .arg(&key)
                .query(&mut connection)
                .unwrap();
            let left = redis::cmd("PTTL").arg(&key).query(&mut connection).unwrap();
            let content = redis::cmd("DUMP").arg(&key).query(&mut connection).unwrap();
            Entry { key, count, left, content }
        };
        keys.into_iter().map(entry).collect()
    }

    #[test]
    fn nothing_that_was_typed_is_in_redis_and_all_of_it_expires_by_itself() {
        with_redis(async |server| {
            let throttle = in_redis(&server);
            throttle.succeed(&guess("192.0.2.33", "ada"), at(0)).await.unwrap();
            for _ in 0..5 {
                throttle.fail(&guess("192.0.2.33", "hunter2"), at(0)).await.unwrap();
            }
            let entries = entries(&server);
            assert_eq!(entries.len(), 7, "{entries:?}");
            for entry in &entries {
                let most =
                    if entry.key.ends_with("known") { KNOWN } else { Duration::from_secs(1200) };
                let left = Duration::from_millis(u64::try_from(entry.left).unwrap());
                assert!(left <= most, "{entry:?}");
                for typed in ["ada", "hunter2", "192.0.2.33"] {
                    let typed = typed.as_bytes();
                    let is_typed = entry.content.windows(typed.len()).any(|part| part == typed);
                    assert!(!is_typed, "{entry:?}");
                }
            }
        });
    }

    /// However many names and clients there are. Whoever was untouched for longest is forgotten, but nobody
    /// who has to wait.
    #[test]
    fn b_06_a_spray_lifts_no_ban_and_takes_no_more_room() {
        with_redis(async |server| {
            let throttle = in_redis(&server);
            adjust(&throttle, |limits| limits.places = 8);
            let of = |n: u64| guess(&format!("10.0.0.{n}"), &format!("user{n}"));
            for _ in 0..5 {
                throttle.fail(&of(0), at(0)).await.unwrap();
            }
            for n in 1..100 {
                throttle.fail(&of(n), at(1)).await.unwrap();
                throttle.succeed(&of(100 + n), at(1)).await.unwrap();
            }
            let wait = Unjudged::Throttled(Duration::from_secs(59));
            assert_eq!(throttle.admit(&of(0), at(1)).await, Err(wait));
            let counts: Vec<_> = entries(&server).iter().map(|entry| entry.count).collect();
            assert!(counts.len() == 7 && counts.iter().all(|count| *count <= 8), "{counts:?}");
        });
    }

    #[test]
    fn b_06_where_everybody_waits_so_does_who_has_no_place() {
        with_redis(async |server| {
            let throttle = in_redis(&server);
            adjust(&throttle, |limits| (limits.places, limits.pair.failures) = (8, 1));
            let of = |n: u64| guess(&format!("10.0.0.{n}"), &format!("user{n}"));
            for n in 0..8 {
                assert_eq!(throttle.fail(&of(n), at(n)).await.unwrap().len(), 1);
            }
            let wait = Unjudged::Throttled(Duration::from_secs(52));
            assert_eq!(throttle.admit(&of(8), at(8)).await, Err(wait));
            assert_eq!(throttle.fail(&of(8), at(8)).await, Err(wait));
            // The first of them has waited for long enough.
            assert_eq!(throttle.fail(&of(8), at(60)).await.unwrap().len(), 1);
            let wait = Unjudged::Throttled(Duration::from_secs(1));
            assert_eq!(throttle.admit(&of(0), at(60)).await, Err(wait));
        });
    }

    /// A known client need not wait where all strangers have to, and has no place to be counted then.
    #[test]
    fn who_is_known_is_judged_while_all_names_are_under_attack() {
        with_redis(async |server| {
            let throttle = in_redis(&server);
            adjust(&throttle, |limits| (limits.places, limits.user.failures) = (2, 1));
            let owner = guess("10.9.9.9", "ada");
            throttle.succeed(&owner, at(0)).await.unwrap();
            for n in 0..2 {
                throttle.fail(&guess("10.0.0.1", &format!("user{n}")), at(0)).await.unwrap();
            }
            let wait = Unjudged::Throttled(Duration::from_secs(1));
            assert_eq!(throttle.admit(&guess("10.0.0.1", "ada"), at(0)).await, Err(wait));
            assert_eq!(throttle.fail(&owner, at(0)).await, Ok(vec![]));
            assert_eq!(throttle.succeed(&owner, at(0)).await, Ok(()));
        });
    }
}
