//! Whom a sign-in provider has logged out lately. A session may be in the making meanwhile, of which nobody knows yet.

use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::origin::{Named, Origin};
use crate::clock::Moment;

/// How long it is remembered: much longer than it takes from a provider's answer to a session.
pub(super) const LIFE: Duration = Duration::from_secs(300);

/// So many are remembered. Beyond them, the one that came first is forgotten.
pub(super) const MOST: u64 = 100_000;

/// Whose sessions a provider has ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Whose {
    /// What the provider calls them.
    pub named: Named,
    /// Whether it is all of those, or those without a session there.
    pub all: bool,
}

impl Whose {
    /// In which of the ways a session from `origin` may have been ended.
    fn of(origin: &Origin) -> impl Iterator<Item = Self> {
        let all = origin.named().map(|named| Self { named, all: true });
        let without = origin.without_session().map(|named| Self { named, all: false });
        all.chain(without)
    }

    /// By what they are told from all others.
    pub(super) fn key(&self) -> Vec<u8> {
        let (Named::Subject(digest) | Named::Session(digest)) = &self.named;
        let kind = match (&self.named, self.all) {
            (Named::Subject(_), true) => b'p',
            (Named::Subject(_), false) => b'w',
            (Named::Session(_), _) => b'i',
        };
        [&[kind], &digest[..]].concat()
    }

    /// The keys of all the ways.
    pub(super) fn keys_of(origin: &Origin) -> Vec<Vec<u8>> {
        Self::of(origin).map(|whose| whose.key()).collect()
    }
}

/// Who was logged out, and when last.
pub(super) struct LoggedOut(Cache<Vec<u8>, Moment>);

impl Default for LoggedOut {
    fn default() -> Self {
        let cache = Cache::builder().max_capacity(MOST).eviction_policy(EvictionPolicy::lru());
        Self(cache.time_to_live(LIFE).build())
    }
}

impl LoggedOut {
    /// These were logged out at `now`.
    pub(super) fn note(&self, whose: &[Whose], now: Moment) {
        for whose in whose {
            self.0.insert(whose.key(), now);
        }
    }

    /// Whether somebody from `origin` was, at `since` or later: whoever signs in anew is not that quick.
    pub(super) fn was(&self, origin: &Origin, since: Moment) -> bool {
        Whose::keys_of(origin).iter().any(|key| self.0.get(key).is_some_and(|at| since <= at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_logged_out_is_told_from_all_others_and_only_for_what_came_before() {
        let at = |seconds| Moment::START.after(Duration::from_secs(seconds));
        let subject = |all| Whose { named: Named::subject("p", "u"), all };
        let session = Whose { named: Named::session("p", "s"), all: true };
        let from = |subject, session| Origin::new("p", subject, session);
        for (whose, with, without) in
            [(subject(true), true, true), (subject(false), false, true), (session, true, false)]
        {
            let out = LoggedOut::default();
            out.note(&[whose], at(5));
            for since in [4, 5] {
                assert_eq!(out.was(&from("u", Some("s")), at(since)), with);
                assert_eq!(out.was(&from("u", None), at(since)), without);
            }
            assert!(!out.was(&from("u", Some("s")), at(6)) && !out.was(&from("u", None), at(6)));
            assert!(!out.was(&from("x", None), at(4)) && !out.was(&from("x", Some("t")), at(4)));
        }
    }
}
