//! Brute-force protection: failures are counted, and whoever has too many has to wait.

mod table;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Moment;
use crate::directory::Claim;
use crate::request_meta::ClientKey;
use crate::user::login_name::CanonicalName;
use table::{Counters, Key};

/// The limits on failures, and the lengths of bans.
#[derive(Clone, Copy, Debug)]
pub struct ThrottleRules {
    /// Failures with one name from one client.
    pub pair: usize,
    /// Failures from one client, with whatever names.
    pub client: usize,
    /// Failures with one name, from all clients. Then only those wait who have not signed in with
    /// that name before, and only shortly: guessing gets slow, and nobody locks the owner out.
    pub user: usize,
    /// Failures count for so long.
    pub window: Duration,
    /// The first wait. Each failure after it doubles it.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

/// For a name under attack: the first and the longest wait of clients that have not signed in with it before.
const STRANGERS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How long a client is remembered for having signed in with a name.
const KNOWN: Duration = Duration::from_secs(30 * 24 * 3600);

/// Counts failures in bounded memory: 8 MiB, however many names and clients there are.
pub struct Throttle {
    rules: ThrottleRules,
    tables: Mutex<Tables>,
}

struct Tables {
    pairs: Counters,
    clients: Counters,
    users: Counters,
    /// Clients that have signed in, each with the name.
    known: Counters,
}

/// A sign-in attempt for the throttle: its client and its name.
#[derive(Clone, Copy)]
pub struct Guess {
    pair: Key,
    client: Key,
    user: Key,
}

/// The attempt has to wait. The password was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled(pub Duration);

/// A ban that has just begun, for the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Who has to wait.
    pub scope: Scope,
    /// How long.
    pub time: Duration,
}

/// Who has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The client, with this name.
    Pair,
    /// The client, with any name.
    Client,
    /// Those who have not signed in with this name before.
    User,
}

impl Scope {
    /// What the audit trail calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pair => "pair",
            Self::Client => "client",
            Self::User => "user",
        }
    }
}

impl Throttle {
    /// Nobody has failed yet.
    pub fn new(rules: ThrottleRules) -> Self {
        let tables = Tables {
            pairs: Counters::new(),
            clients: Counters::new(),
            users: Counters::new(),
            known: Counters::new(),
        };
        Self { rules, tables: Mutex::new(tables) }
    }

    /// A guess of `client` at the password of `name`.
    pub fn guess(&self, client: ClientKey, name: &CanonicalName) -> Guess {
        let tables = self.lock();
        Guess {
            pair: tables.pairs.key(&(client, name)),
            client: tables.clients.key(&client),
            user: tables.users.key(name),
        }
    }

    /// What the guess's place in a line goes by: the client, and the name. A client that has signed
    /// in with the name before is no part of the crowd that now tries it from elsewhere.
    pub fn claim(&self, guess: &Guess, now: Moment) -> Claim {
        let name = if self.lock().known.holds(guess.pair, now) { guess.pair } else { guess.user };
        Claim { client: guess.client.number(), name: name.number() }
    }

    /// Lets a guess be made, or says when to come back.
    ///
    /// Asked before any hashing, again when it is the guess's turn, and by [`Throttle::succeed`]
    /// once more: of many guesses that were let in at once, those that end after the last one
    /// allowed has failed are told nothing.
    pub fn admit(&self, guess: &Guess, now: Moment) -> Result<(), Throttled> {
        self.lock().admit(guess, now)
    }

    /// The guess was right: lets it be so, and forgets the failures of the pair.
    pub fn succeed(&self, guess: &Guess, now: Moment) -> Result<(), Throttled> {
        let mut tables = self.lock();
        tables.admit(guess, now)?;
        tables.pairs.forget(guess.pair);
        tables.known.note(guess.pair, now, KNOWN);
        Ok(())
    }

    /// The guess was wrong: counts it. Returns the waits that begin with it.
    pub fn fail(&self, guess: &Guess, now: Moment) -> Result<Vec<Ban>, Throttled> {
        let rules = &self.rules;
        let mut tables = self.lock();
        tables.admit(guess, now)?;
        let counted = [
            (Scope::Pair, tables.pairs.fail(guess.pair, now, rules.pair, rules)),
            (Scope::Client, tables.clients.fail(guess.client, now, rules.client, rules)),
            (Scope::User, tables.users.fail(guess.user, now, rules.user, &rules.for_strangers())),
        ];
        let ban = |(scope, time): (_, Option<_>)| time.map(|time| Ban { scope, time });
        Ok(counted.into_iter().filter_map(ban).collect())
    }

    /// The tables' own code does not panic, so a poisoned lock still guards sound tables.
    fn lock(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn admit(&self, guess: &Guess, now: Moment) -> Result<(), Throttled> {
        let mut wait = self.pairs.wait(guess.pair, now).max(self.clients.wait(guess.client, now));
        if !self.known.holds(guess.pair, now) {
            wait = wait.max(self.users.wait(guess.user, now));
        }
        wait.map_or(Ok(()), |wait| Err(Throttled(wait)))
    }
}

impl ThrottleRules {
    fn for_strangers(&self) -> Self {
        let (first, longest) = STRANGERS;
        Self { first, longest, ..*self }
    }

    /// How long to wait after the failure that is the `nth` beyond those allowed.
    fn wait(&self, nth: u32) -> Duration {
        let doubled = 2_u32.checked_pow(nth).and_then(|factor| self.first.checked_mul(factor));
        doubled.unwrap_or(self.longest).min(self.longest)
    }
}

#[cfg(test)]
pub(crate) mod tests;
