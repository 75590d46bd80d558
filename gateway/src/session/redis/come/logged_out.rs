//! Whom a sign-in provider has logged out lately, by whichever of the gateways that share a Redis it was told.

use super::super::{RedisStore, millis, scripts};
use crate::clock::Moment;
use crate::session::error::StoreError;
use crate::session::logged_out::{LIFE, MOST, Whose};
use crate::session::origin::Origin;

/// These were logged out at `now`.
pub(in crate::session) async fn note(
    store: &RedisStore,
    whose: &[Whose],
    now: Moment,
) -> Result<(), StoreError> {
    let keys = whose.iter().map(Whose::key).collect();
    ask(store, "note", 0, keys, now).await.map(drop)
}

/// Whether somebody from `origin` was, between `since` and `now`.
pub(in crate::session) async fn was(
    store: &RedisStore,
    origin: &Origin,
    since: Moment,
    now: Moment,
) -> Result<bool, StoreError> {
    // Both clocks tell whole milliseconds.
    ask(store, "look", millis(now.since(since)) + 1, Whose::keys_of(origin), now).await
}

async fn ask(
    store: &RedisStore,
    how: &str,
    age: u64,
    whose: Vec<Vec<u8>>,
    now: Moment,
) -> Result<bool, StoreError> {
    let mut run = store.script(&scripts::LOGGED_OUT, store.shared.keys.key("out"), Some(now));
    run.arg(how).arg(age).arg(millis(LIFE)).arg(MOST);
    for key in whose {
        run.arg(key);
    }
    store.link.ask(&run).await
}
