//! What may come once, to whichever of the gateways that share a Redis.

pub(in crate::session) mod logged_out;

use std::time::Duration;

use super::{RedisStore, millis, scripts};
use crate::clock::{self, Moment};
use crate::session::error::StoreError;
use crate::session::once::{MOST, Single};

/// It is remembered for so much longer than it is good for: gateways' clocks may differ.
const LONGER: Duration = Duration::from_secs(600);

/// But for no longer than this, whatever a provider says.
const LONGEST: Duration = Duration::from_secs(3600);

/// Whether it has come before `now`, to any gateway.
pub(in crate::session) async fn has_come(
    store: &RedisStore,
    what: &Single,
    now: Moment,
) -> Result<bool, StoreError> {
    ask(store, what, "look", now).await
}

/// It has come at `now`, to this gateway; false if it had before, to any.
pub(in crate::session) async fn note(
    store: &RedisStore,
    what: &Single,
    now: Moment,
) -> Result<bool, StoreError> {
    ask(store, what, "note", now).await.map(|had_come| !had_come)
}

async fn ask(
    store: &RedisStore,
    what: &Single,
    how: &str,
    now: Moment,
) -> Result<bool, StoreError> {
    let key = store.shared.keys.key(&format!("once:{}", what.kind.word()));
    let left = Duration::from_secs(what.until.saturating_sub(clock::unix_seconds()));
    let mut run = store.script(&scripts::ONCE, key, Some(now));
    run.arg(how).arg(&what.digest).arg(millis((left + LONGER).min(LONGEST))).arg(MOST);
    store.link.ask(&run).await
}
