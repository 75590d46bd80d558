//! Sessions whose provider is asked about them: by one gateway at a time, as what it is asked by is good once.

use std::time::Duration;

use redis::{FromRedisValue, ScriptInvocation};

use super::of_provider::{groups, opened, sealed};
use super::{RedisStore, millis, scripts};
use crate::clock::Moment;
use crate::session::Session;
use crate::session::error::StoreError;
use crate::session::provider::{Confirmed, Kept, Lease, Right};
use crate::session::token::{SessionId, SessionToken};

/// How long a gateway may take to ask a provider, and to say what it has answered. If it dies, another asks after that.
const LEASE: Duration = Duration::from_secs(30);

/// The right to ask the provider of the session of `token` at `now`, which is done `every` so often; with this `lease`.
pub(in crate::session) async fn begin(
    store: &RedisStore,
    token: &SessionToken,
    (every, lease): (Duration, Lease),
    now: Moment,
) -> Result<Right, StoreError> {
    let mut run = run(store, &token.id(), "begin", now);
    run.arg(lease.hex()).arg(millis(every)).arg(millis(LEASE));
    let sealed: Option<Vec<u8>> = ask(store, &token.id(), &run).await?;
    Ok(match sealed {
        None => Right::Over,
        Some(sealed) if sealed.is_empty() => Right::Others,
        // What cannot be opened is of nobody who could be asked about.
        Some(sealed) => opened(&sealed, token).map_or(Right::Over, Right::Mine),
    })
}

/// The provider of the session of `token` has confirmed it at `now`; false if there is no such session any more.
pub(in crate::session) async fn confirm(
    store: &RedisStore,
    token: &SessionToken,
    confirmed: &Confirmed,
    now: Moment,
) -> Result<bool, StoreError> {
    let mut run = run(store, &token.id(), "confirm", now);
    run.arg(confirmed.lease.hex());
    run.arg(groups(&confirmed.kept)).arg(sealed(&confirmed.kept, token));
    run.arg(confirmed.user.access.word());
    let was_there: Option<Vec<u8>> = ask(store, &token.id(), &run).await?;
    store.shared.near.changed(&token.id());
    Ok(was_there.is_some())
}

/// The provider of `session` does not answer at `now`, which ends the `lease`; returns since when that is so, `None` if there
/// is no such session any more.
pub(in crate::session) async fn fall_silent(
    store: &RedisStore,
    session: &Session,
    lease: Option<Lease>,
    now: Moment,
) -> Result<Option<Moment>, StoreError> {
    let mut run = run(store, session.id(), "silent", now);
    run.arg(lease.map(Lease::hex).unwrap_or_default());
    let silent: Option<String> = ask(store, session.id(), &run).await?;
    Ok(silent.map(|millis| {
        let silent = millis.parse().unwrap_or(0);
        Moment::from_millis(now.millis().saturating_sub(silent))
    }))
}

/// What is kept of the provider of the session of `token`.
pub(in crate::session) async fn kept(
    store: &RedisStore,
    token: &SessionToken,
) -> Result<Option<Kept>, StoreError> {
    let mut run = run(store, &token.id(), "kept", Moment::now());
    let sealed: Option<Vec<u8>> = store.link.ask(run.arg("")).await?;
    Ok(sealed.and_then(|sealed| opened(&sealed, token)))
}

/// Asks about the session `id`. If there is none, it is so for all who have it at hand or wait for something.
async fn ask<T: FromRedisValue>(
    store: &RedisStore,
    id: &SessionId,
    run: &ScriptInvocation<'_>,
) -> Result<Option<T>, StoreError> {
    let answer: Option<T> = store.link.ask(run).await?;
    if answer.is_none() {
        store.gone(id);
    }
    Ok(answer)
}

fn run(store: &RedisStore, id: &SessionId, how: &str, now: Moment) -> ScriptInvocation<'static> {
    let hex = id.hex();
    let mut run = store.script(&scripts::REFRESH, store.shared.keys.record(&hex), Some(now));
    run.arg(hex).arg(how);
    run
}
