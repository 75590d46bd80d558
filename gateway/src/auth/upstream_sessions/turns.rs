//! InfluxDB's halves of sessions that several gateways share: each is looked after by one gateway at a time,
//! the one that has taken it when it was due.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::UpstreamSessions;
use crate::clock::Moment;
use crate::session::redis::{Done, Due, SharedHalves};
use crate::session::token::SessionId;

/// Takes what is due and looks after it, until it is `over`. What is under way then, is returned.
pub(super) async fn run(
    care: &Arc<UpstreamSessions>,
    halves: &SharedHalves,
    mut over: watch::Receiver<bool>,
) {
    let (least, most) = (Duration::from_millis(10), Duration::from_millis(250));
    let mut ticks = tokio::time::interval((care.pace.renew / 8).clamp(least, most));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = over.wait_for(|is_over| *is_over) => return,
            _ = ticks.tick() => {}
        }
        while !*over.borrow() && take_some(care, halves, &over).await {}
    }
}

/// Takes as much as there are permits for; true if there may be more.
async fn take_some(
    care: &Arc<UpstreamSessions>,
    halves: &SharedHalves,
    over: &watch::Receiver<bool>,
) -> bool {
    let Ok(first) = Arc::clone(&care.permits).acquire_owned().await else { return false };
    let others = std::iter::from_fn(|| Arc::clone(&care.permits).try_acquire_owned().ok());
    let permits: Vec<_> = [first].into_iter().chain(others).collect();
    if *over.borrow() {
        return false;
    }
    let (most, now) = (permits.len(), Moment::now());
    // Some time before another gateway may take the same.
    let until = now.after(halves.lease() * 3 / 4);
    // If that fails, there is another tick.
    let due = halves.take(most, now).await.unwrap_or_default();
    let may_be_more = due.len() == most;
    for ((id, due), permit) in due.into_iter().zip(permits) {
        let (care, halves, over) = (Arc::clone(care), halves.clone(), over.clone());
        tokio::spawn(async move {
            attend(&care, &halves, (id, due), until, over).await;
            drop(permit);
        });
    }
    may_be_more
}

/// Does what is due. What cannot be done in time, is due again when the lease is over.
async fn attend(
    care: &UpstreamSessions,
    halves: &SharedHalves,
    (id, due): (SessionId, Due),
    until: Moment,
    mut over: watch::Receiver<bool>,
) {
    let patience = until.since(Moment::now());
    let done = tokio::select! {
        biased;
        _ = over.wait_for(|is_over| *is_over) => Some(Done::Returned),
        done = tokio::time::timeout(patience, look_after(care, due)) => done.ok().flatten(),
    };
    if let Some(done) = done
        && let Err(error) = halves.settle(&id, done, Moment::now()).await
    {
        log::debug!("InfluxDB's half of the session {} is due again: {error}", id.fingerprint());
    }
}

/// What has become of a half; `None` if it is due once more.
async fn look_after(care: &UpstreamSessions, due: Due) -> Option<Done> {
    match due {
        Due::Renew(session) => care.ask(&session).await.map(|_when| Done::Renewed),
        Due::SignOut(half) => care.directory.sign_out(&half).await.then_some(Done::SignedOut),
    }
}
