//! Whose a name is among several identity providers: that of the one which has let somebody in by it, for a while.

use std::sync::Arc;
use std::time::Duration;

use moka::ops::compute::{CompResult, Op};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use crate::clock::Moment;
use crate::user::name::Username;

/// How many names are remembered. Beyond them, the one that was used least lately is forgotten.
const MOST: u64 = 100_000;

/// Names that are in use, and by which issuer. Letter case makes no other name.
pub(super) struct Names(Cache<Username, Owner>);

#[derive(Clone)]
struct Owner {
    issuer: Arc<str>,
    /// From when on the name is anybody's.
    until: Moment,
}

impl Names {
    /// None is in use.
    pub(super) fn new() -> Self {
        let policy = EvictionPolicy::lru();
        Self(Cache::builder().max_capacity(MOST).eviction_policy(policy).build())
    }

    /// `name` is `issuer`'s for at least so `long` from `now` on; false if it is another's.
    pub(super) fn hold(&self, name: &Username, issuer: &str, long: Duration, now: Moment) -> bool {
        let until = now.after(long);
        let held = self.0.entry(name.in_small_letters()).and_compute_with(|entry| {
            match entry.map(moka::Entry::into_value) {
                Some(owner) if now < owner.until && *owner.issuer != *issuer => Op::Nop,
                Some(owner) if *owner.issuer == *issuer => {
                    Op::Put(Owner { until: owner.until.max(until), ..owner })
                }
                _ => Op::Put(Owner { issuer: issuer.into(), until }),
            }
        });
        !matches!(held, CompResult::Unchanged(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_issuers_for_as_long_as_it_is_held() {
        let names = Names::new();
        let at = |seconds| Moment::START.after(Duration::from_secs(seconds));
        let hold = |name: &str, issuer: &str, long, now| {
            names.hold(&name.parse().unwrap(), issuer, Duration::from_secs(long), at(now))
        };
        assert!(hold("ada", "one", 10, 0));
        assert!(!hold("ada", "two", 99, 9) && !hold("ADA", "two", 99, 9));
        assert!(hold("bob", "two", 10, 9) && hold("Ada", "one", 1, 9));
        assert!(!hold("ada", "two", 1, 9), "what is held for longer is not held for less");
        assert!(hold("ada", "one", 10, 9) && !hold("ada", "two", 1, 18));
        assert!(hold("ada", "two", 1, 19) && !hold("ada", "one", 1, 19));
    }
}
