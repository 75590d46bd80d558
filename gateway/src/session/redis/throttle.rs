//! Failed guesses at passwords, counted for all gateways that share a Redis.

use std::time::Duration;

use super::{RedisStore, millis, scripts};
use crate::clock::Moment;
use crate::session::error::StoreError;

/// What is done about a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It is to be made.
    Admit,
    /// It was wrong.
    Fail,
    /// It was right.
    Succeed,
}

/// A SHA-256 of what is counted.
pub type Digest = [u8; 32];

/// A guess, by what is counted.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// The client with the name.
    pub pair: &'a Digest,
    /// The client.
    pub client: &'a Digest,
    /// The name.
    pub user: &'a Digest,
}

/// How many failures of one kind are allowed, and how long to wait after them.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// So many.
    pub failures: usize,
    /// The first wait; each further failure doubles it.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

/// By what Redis judges.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Of the client with the name.
    pub pair: Limit,
    /// Of the client.
    pub client: Limit,
    /// Of the name; for clients that are not known for it.
    pub user: Limit,
    /// Failures count for so long.
    pub window: Duration,
    /// For so long a client that has signed in with a name is known for it.
    pub known: Duration,
    /// So many are counted of each kind at once.
    pub places: usize,
}

/// What Redis says about a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It has to wait so long, and counts for nothing.
    Throttled(Duration),
    /// It may be made, or has been counted.
    Admitted {
        /// Whether the client has signed in with the name before.
        is_known: bool,
        /// The waits that begin with it: of the client with the name, of the client, of the name.
        waits: [Option<Duration>; 3],
    },
}

/// Judges and counts a guess, in one script.
///
/// # Errors
/// If Redis cannot be asked: then nothing is known of the guess, and it must not be made.
pub async fn judge(
    store: &RedisStore,
    step: Step,
    guess: Counted<'_>,
    limits: &Limits,
    now: Moment,
) -> Result<Judged, StoreError> {
    let known = store.shared.keys.key("t:known");
    let mut run = store.script(&scripts::THROTTLE, known, Some(now));
    run.arg(step.word()).arg(guess.pair).arg(guess.client).arg(guess.user);
    run.arg(millis(limits.window)).arg(millis(limits.known)).arg(limits.places);
    for Limit { failures, first, longest } in [limits.pair, limits.client, limits.user] {
        run.arg(failures).arg(millis(first)).arg(millis(longest));
    }
    let (wait, is_known, pair, client, user): (u64, bool, i64, i64, i64) =
        store.link.ask(&run).await?;
    if wait > 0 {
        return Ok(Judged::Throttled(Duration::from_millis(wait)));
    }
    let wait = |millis: i64| u64::try_from(millis).ok().map(Duration::from_millis);
    Ok(Judged::Admitted { is_known, waits: [pair, client, user].map(wait) })
}

/// Forgets the failures of `whom`, which are counted in this `scope`: `pair`, `client` or `user`.
///
/// # Errors
/// If Redis cannot be asked.
pub async fn lift(store: &RedisStore, scope: &str, whom: &Digest) -> Result<(), StoreError> {
    let since = store.shared.keys.key(&format!("t:{scope}:since"));
    let mut run = store.script(&scripts::LIFT, since, None);
    run.arg(scope).arg(whom);
    store.link.ask::<bool>(&run).await.map(drop)
}

impl Step {
    fn word(self) -> &'static str {
        match self {
            Self::Admit => "admit",
            Self::Fail => "fail",
            Self::Succeed => "succeed",
        }
    }
}
