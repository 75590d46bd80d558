//! What is done for sessions in Redis beside requests: uses are told, holds are given back, and what has
//! idled out is written down.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::near_cache::{Cover, Entry};
use super::{How, RedisStore, agreement, fields, millis, roster, scripts};
use crate::clock::Moment;
use crate::metrics::METRICS;
use crate::session::ended::tell;
use crate::session::error::StoreError;
use crate::session::memory::AT_ONCE;
use crate::session::token::SessionId;
use crate::session::{EndReason, Session, Watch, lock};

/// Sessions that this gateway holds, in the order in which something is due.
#[derive(Default)]
pub(super) struct Upkeep {
    /// Some time before uses are not covered any more: whoever is used, goes on being covered.
    early: Mutex<Due>,
    /// Some time after: what is held is given back.
    late: Mutex<Due>,
}

type Due = VecDeque<(Moment, Arc<Entry>)>;

/// How many sessions are looked after at once.
const TOGETHER: usize = 64;

/// How often what has idled out is looked for.
const SWEEP: Duration = Duration::from_secs(1);

impl Upkeep {
    /// Looks after `entry`, which is held for `interval` at most.
    pub(super) fn attend(&self, entry: Arc<Entry>, interval: Duration, now: Moment) {
        let until = entry.cover().until.millis();
        let early = Moment::from_millis(until.saturating_sub(millis(interval / 16)));
        // Not at once, however soon it ends.
        let due = early.max(now.after(interval / 4));
        lock(&self.early).push_back((due, entry));
    }

    /// Gives back what is held, when it does not cover anything any more.
    pub(super) fn let_go(&self, entry: Arc<Entry>, interval: Duration) {
        let after = entry.cover().until.after(interval / 8);
        lock(&self.late).push_back((after, entry));
    }

    /// How many sessions there is something to do for.
    fn count_due(&self, now: Moment) -> usize {
        let count =
            |queue: &Mutex<Due>| lock(queue).iter().take_while(|(due, _)| *due <= now).count();
        count(&self.early) + count(&self.late)
    }

    fn due(queue: &Mutex<Due>, now: Moment) -> Option<Arc<Entry>> {
        let mut queue = lock(queue);
        let is_due = queue.front().is_some_and(|(due, _)| *due <= now);
        is_due.then(|| queue.pop_front()).flatten().map(|(_, entry)| entry)
    }
}

/// Whether there is a connection that answers.
pub fn is_connected(store: &RedisStore) -> bool {
    store.link.is_connected()
}

/// Keeps the connection and looks after sessions, for ever.
pub async fn run(store: &Arc<RedisStore>) {
    let every = (store.interval / 16).clamp(Duration::from_millis(10), Duration::from_millis(250));
    let mut ticks = tokio::time::interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let look_after = async {
        let mut swept = Moment::now();
        loop {
            ticks.tick().await;
            let now = Moment::now();
            look_after(store, now).await;
            if now.since(swept) >= SWEEP {
                swept = now;
                while sweep(store, now).await.unwrap_or(false) {}
            }
        }
    };
    let find_out = async {
        let mut doubted = store.doubted.lock().await;
        // What requests have that is not at hand any more.
        let mut watched: Vec<Watch> = Vec::new();
        while let Some((id, watch)) = doubted.recv().await {
            find_out(store, id, Moment::now()).await;
            watched.extend(watch);
            watched.retain(Watch::is_needed);
        }
    };
    let announce = async {
        let mut turns = tokio::time::interval(roster::EVERY);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            // What there is to say about an error, the connection says.
            let _ = roster::announce(store).await;
        }
    };
    let agree = async {
        match store.whose.halves() {
            Some(halves) if halves.key.is_none() => agreement::agree(store).await,
            _ => std::future::pending().await,
        }
    };
    tokio::select! {
        () = agree => {}
        () = announce => {}
        () = store.link.run() => {}
        () = look_after => {}
        () = find_out => {}
    }
}

/// Finds out what has become of the session `id`, on which requests depend that have not come in
/// whole.
pub(super) async fn find_out(store: &RedisStore, id: SessionId, now: Moment) {
    match store.look_up(id, None, How::Peek, now).await {
        Ok(Some(session)) => store.shared.underway.is_of(&id, &session.user()),
        Ok(None) => store.shared.underway.is_gone(&id, now),
        Err(StoreError::TimedOut) => {
            let _ = store.shared.doubt.send((id, None));
        }
        // When it is back, all are found out about.
        Err(StoreError::Unavailable) => {}
    }
}

/// Tells Redis of uses, and gives back what is not used.
pub(super) async fn look_after(store: &Arc<RedisStore>, now: Moment) {
    let mut tasks = JoinSet::new();
    for _ in 0..store.upkeep.count_due(now).min(TOGETHER) {
        let store = Arc::clone(store);
        tasks.spawn(async move { look_after_one_by_one(&store, now).await });
    }
    tasks.join_all().await;
}

pub(super) async fn look_after_one_by_one(store: &RedisStore, now: Moment) {
    while let Some(entry) = Upkeep::due(&store.upkeep.early, now) {
        let is_used = entry.unsaid().count > 0 && store.shared.near.has(&entry);
        if is_used && go_on_holding(store, &entry, now).await.is_ok() {
            continue;
        }
        store.upkeep.let_go(entry, store.interval);
    }
    while let Some(entry) = Upkeep::due(&store.upkeep.late, now) {
        if !store.shared.near.let_go(&entry) {
            // If that fails, the session ends a little later than it would have.
            let _ = give_back(store, &entry, now).await;
        }
    }
}

/// Tells Redis of all uses and gives everything back: no request will come any more.
pub async fn close(store: &Arc<RedisStore>, now: Moment) {
    {
        let mut late = lock(&store.upkeep.late);
        late.extend(lock(&store.upkeep.early).drain(..));
        late.iter_mut().for_each(|(due, _)| *due = now);
    }
    look_after(store, now).await;
    roster::leave(store).await;
}

async fn go_on_holding(
    store: &RedisStore,
    entry: &Arc<Entry>,
    now: Moment,
) -> Result<(), StoreError> {
    let (id, uses) = (entry.session.id(), entry.unsaid());
    let found = store.ask_for(id, How::Hold(uses), now).await;
    if let Ok(Some((lives, covered, _, _, flat))) = &found {
        entry.said(uses);
        let covered = u64::try_from(*covered).unwrap_or_default();
        let ends = now.after(Duration::from_millis(*lives));
        let until = now.after(Duration::from_millis(covered)).min(ends);
        entry.extend(Cover { until, ends, held: super::held(flat, &store.gateway) });
        store.shared.underway.lives(id, ends);
    }
    if let Ok(None) = found {
        store.shared.near.changed(id);
        return Ok(());
    }
    found.map(|_| store.upkeep.attend(Arc::clone(entry), store.interval, now))
}

async fn give_back(store: &RedisStore, entry: &Arc<Entry>, now: Moment) -> Result<(), StoreError> {
    let (id, uses) = (entry.session.id(), entry.unsaid());
    let found = store.ask_for(id, How::Settle(uses, entry.cover().held), now).await?;
    if let Some((lives, ..)) = found {
        store.shared.underway.lives(id, now.after(Duration::from_millis(lives)));
    }
    Ok(())
}

/// Tells of sessions that have idled out; true if there may be more. Of all gateways, one tells.
pub(in crate::session) async fn sweep(store: &RedisStore, now: Moment) -> Result<bool, StoreError> {
    let mut run = store.script(&scripts::SWEEP, store.shared.keys.key("all"), Some(now));
    run.arg(AT_ONCE);
    let (due, left): (Vec<(String, String, Option<String>)>, usize) = store.link.ask(&run).await?;
    METRICS.sessions.set(left);
    for (id, user, name) in &due {
        let (Some(id), Ok(user)) = (SessionId::of_hex(id.as_bytes()), user.parse()) else {
            continue;
        };
        store.shared.near.changed(&id);
        let recorded = || fields::named(user, name.as_ref()?);
        if let Some(user) = store.whose.user(user, recorded) {
            let session = Arc::new(Session::start(id, user, None, now));
            session.end();
            tell(&store.listeners, session, EndReason::Expired);
        }
    }
    Ok(due.len() == AT_ONCE)
}
