//! Sessions whose provider is asked about them: by one gateway at a time, as what it is asked by is good once.

use std::time::Duration;

use redis::ScriptInvocation;

use super::of_provider::{groups, opened, sealed};
use super::{RedisStore, millis, scripts};
use crate::clock::Moment;
use crate::session::Session;
use crate::session::error::StoreError;
use crate::session::provider::{Confirmed, Kept, Right};
use crate::session::token::{SessionId, SessionToken};

/// How long a gateway may take to ask a provider. If it dies, another asks after that.
const LEASE: Duration = Duration::from_secs(10);

/// The right to ask the provider of the session of `token` at `now`, which is done `every` so often.
pub(in crate::session) async fn begin(
    store: &RedisStore,
    token: &SessionToken,
    every: Duration,
    now: Moment,
) -> Result<Right, StoreError> {
    let mut run = run(store, &token.id(), "begin", now);
    run.arg(millis(every)).arg(millis(LEASE));
    let sealed: Option<Vec<u8>> = store.link.ask(&run).await?;
    Ok(match sealed {
        None => Right::Over,
        Some(sealed) if sealed.is_empty() => Right::Others,
        // What cannot be opened is of nobody who could be asked about.
        Some(sealed) => opened(&sealed, token).map_or(Right::Over, Right::Mine),
    })
}

/// The provider of the session of `token` has confirmed it at `now`.
pub(in crate::session) async fn confirm(
    store: &RedisStore,
    token: &SessionToken,
    confirmed: &Confirmed,
    now: Moment,
) -> Result<(), StoreError> {
    let mut run = run(store, &token.id(), "confirm", now);
    run.arg(groups(&confirmed.kept)).arg(sealed(&confirmed.kept, token));
    run.arg(confirmed.user.access.word());
    let _was_there: Option<Vec<u8>> = store.link.ask(&run).await?;
    store.shared.near.changed(&token.id());
    Ok(())
}

/// The provider of `session` does not answer at `now`; returns since when that is so.
pub(in crate::session) async fn fall_silent(
    store: &RedisStore,
    session: &Session,
    now: Moment,
) -> Result<Moment, StoreError> {
    let silent: Option<String> = store.link.ask(&run(store, session.id(), "silent", now)).await?;
    let silent = silent.and_then(|millis| millis.parse().ok()).unwrap_or(0);
    Ok(Moment::from_millis(now.millis().saturating_sub(silent)))
}

/// What is kept of the provider of the session of `token`.
pub(in crate::session) async fn kept(
    store: &RedisStore,
    token: &SessionToken,
) -> Result<Option<Kept>, StoreError> {
    let run = run(store, &token.id(), "kept", Moment::now());
    let sealed: Option<Vec<u8>> = store.link.ask(&run).await?;
    Ok(sealed.and_then(|sealed| opened(&sealed, token)))
}

fn run(store: &RedisStore, id: &SessionId, how: &str, now: Moment) -> ScriptInvocation<'static> {
    let hex = id.hex();
    let mut run = store.script(&scripts::REFRESH, store.shared.keys.record(&hex), Some(now));
    run.arg(hex).arg(how);
    run
}
