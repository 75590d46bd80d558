//! The throttle of one process: its tables do not grow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use super::guess::Guess;
use super::table::{Counters, Key};
use super::{Ban, KNOWN, Scope, ThrottleRules};
use crate::clock::Moment;

/// Counts failures in bounded memory: 8 MiB, however many names and clients there are.
pub struct MemoryThrottle {
    rules: ArcSwap<ThrottleRules>,
    tables: Mutex<Tables>,
}

struct Tables {
    pairs: Counters,
    clients: Counters,
    users: Counters,
    /// Clients that have signed in, each with the name.
    known: Counters,
}

/// The attempt has to wait. The password was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled(pub Duration);

/// Where a guess is counted.
struct Places {
    pair: Key,
    client: Key,
    user: Key,
    known: Key,
}

impl MemoryThrottle {
    /// Nobody has failed yet.
    pub fn new(rules: ThrottleRules) -> Self {
        let tables = Tables {
            pairs: Counters::new(),
            clients: Counters::new(),
            users: Counters::new(),
            known: Counters::new(),
        };
        Self { rules: ArcSwap::from_pointee(rules), tables: Mutex::new(tables) }
    }

    /// Goes by these `rules` from now on; what was counted stays.
    pub fn set_rules(&self, rules: ThrottleRules) {
        self.rules.store(Arc::new(rules));
    }

    /// Lets a guess be made, or says when to come back. Returns whether the client is known for the name.
    pub fn admit(&self, guess: &Guess, now: Moment) -> Result<bool, Throttled> {
        let tables = self.lock();
        let places = tables.places(guess);
        tables.admit(&places, now)
    }

    /// The guess was right: lets it be so, and forgets the failures of the pair.
    pub fn succeed(&self, guess: &Guess, now: Moment) -> Result<(), Throttled> {
        let mut tables = self.lock();
        let places = tables.places(guess);
        tables.admit(&places, now)?;
        tables.pairs.forget(places.pair);
        tables.known.note(places.known, now, KNOWN);
        Ok(())
    }

    /// The guess was wrong: counts it. Returns the waits that begin with it.
    pub fn fail(&self, guess: &Guess, now: Moment) -> Result<Vec<Ban>, Throttled> {
        let rules = &**self.rules.load();
        let mut tables = self.lock();
        let places = tables.places(guess);
        tables.admit(&places, now)?;
        let counted = [
            (Scope::Pair, tables.pairs.fail(places.pair, now, rules.pair, rules)),
            (Scope::Client, tables.clients.fail(places.client, now, rules.client, rules)),
            (Scope::User, tables.users.fail(places.user, now, rules.user, &rules.for_strangers())),
        ];
        let ban = |(scope, time): (_, Option<_>)| time.map(|time| Ban { scope, time });
        Ok(counted.into_iter().filter_map(ban).collect())
    }

    /// Forgets the failures of whoever waits in this `scope`.
    pub fn lift(&self, scope: Scope, guess: &Guess) {
        let mut tables = self.lock();
        let places = tables.places(guess);
        match scope {
            Scope::Pair => tables.pairs.forget(places.pair),
            Scope::Client => tables.clients.forget(places.client),
            Scope::User => tables.users.forget(places.user),
        }
    }

    /// The tables' own code does not panic, so a poisoned lock still guards sound tables.
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn places(&self, guess: &Guess) -> Places {
        Places {
            pair: self.pairs.key(&guess.pair),
            client: self.clients.key(&guess.client),
            user: self.users.key(&guess.user),
            known: self.known.key(&guess.pair),
        }
    }

    fn admit(&self, places: &Places, now: Moment) -> Result<bool, Throttled> {
        let is_known = self.known.holds(places.known, now);
        let mut wait = self.pairs.wait(places.pair, now).max(self.clients.wait(places.client, now));
        if !is_known {
            wait = wait.max(self.users.wait(places.user, now));
        }
        wait.map_or(Ok(is_known), |wait| Err(Throttled(wait)))
    }
}
