//! Brute-force protection: failures are counted, and whoever has too many has to wait.

pub mod bans;
mod guess;
mod memory;
mod shared;
mod table;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Moment;
use crate::directory::Claim;
use crate::session::store::{SessionStore, StoreError};
pub use guess::Guess;
use memory::{MemoryThrottle, Throttled};
use shared::SharedThrottle;

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

/// Counts failures and judges guesses.
#[derive(Clone)]
pub enum Throttle {
    /// In this process. Answers at once.
    Memory(Arc<MemoryThrottle>),
    /// In Redis, for several gateways.
    Redis(SharedThrottle),
}

/// Why a guess is not judged. Nobody is told whether it was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unjudged {
    /// It has to wait so long.
    Throttled(Duration),
    /// What has been counted cannot be asked.
    Store(StoreError),
}

impl From<Throttled> for Unjudged {
    fn from(Throttled(wait): Throttled) -> Self {
        Self::Throttled(wait)
    }
}

impl From<StoreError> for Unjudged {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

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
    /// Where sessions are kept, failures are counted: whoever shares the one shares the other.
    pub fn new(rules: ThrottleRules, sessions: &SessionStore) -> Self {
        if let SessionStore::Redis(redis) = sessions {
            Self::Redis(SharedThrottle::new(rules, Arc::clone(redis)))
        } else {
            Self::Memory(Arc::new(MemoryThrottle::new(rules)))
        }
    }

    /// Goes by these `rules` from now on; what was counted stays.
    pub fn set_rules(&self, rules: ThrottleRules) {
        match self {
            Self::Memory(memory) => memory.set_rules(rules),
            Self::Redis(redis) => redis.set_rules(rules),
        }
    }

    /// Lets a guess be made, or says when to come back. Returns what its place in a line goes by.
    ///
    /// Asked before any hashing, again when it is the guess's turn, and once more with what became
    /// of it: of many guesses that were let in at once, those that end after the last one allowed
    /// has failed are told nothing.
    pub async fn admit(&self, guess: &Guess, now: Moment) -> Result<Claim, Unjudged> {
        let is_known = match self {
            Self::Memory(memory) => memory.admit(guess, now)?,
            // Boxed, so that nobody who is alone carries it around.
            Self::Redis(redis) => Box::pin(redis.admit(guess, now)).await?,
        };
        Ok(if is_known { guess.claim_of_known() } else { guess.claim_of_stranger() })
    }

    /// The guess was right: lets it be so, and forgets the failures of the pair.
    pub async fn succeed(&self, guess: &Guess, now: Moment) -> Result<(), Unjudged> {
        match self {
            Self::Memory(memory) => Ok(memory.succeed(guess, now)?),
            Self::Redis(redis) => Box::pin(redis.succeed(guess, now)).await,
        }
    }

    /// The guess was wrong: counts it. Returns the waits that begin with it.
    pub async fn fail(&self, guess: &Guess, now: Moment) -> Result<Vec<Ban>, Unjudged> {
        match self {
            Self::Memory(memory) => Ok(memory.fail(guess, now)?),
            Self::Redis(redis) => Box::pin(redis.fail(guess, now)).await,
        }
    }

    /// Forgets the failures of whoever waits in this `scope`.
    pub async fn lift(&self, scope: Scope, guess: &Guess) -> Result<(), StoreError> {
        match self {
            Self::Memory(memory) => memory.lift(scope, guess),
            Self::Redis(redis) => Box::pin(redis.lift(scope, guess)).await?,
        }
        Ok(())
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
