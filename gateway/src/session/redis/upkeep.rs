//! What is done for sessions in Redis beside requests: uses are told, holds are given back, and what has
//! idled out is written down.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::near_cache::{Cover, Entry};
use super::{How, RedisStore, millis, scripts};
use crate::clock::Moment;
use crate::session::ended::tell;
use crate::session::error::StoreError;
use crate::session::memory::AT_ONCE;
use crate::session::token::SessionId;
use crate::session::{EndReason, Session};

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

    /// How many sessions there is something to do for.
    fn count_due(&self, now: Moment) -> usize {
        let count = |queue| lock(queue).iter().take_while(|(due, _)| *due <= now).count();
        count(&self.early) + count(&self.late)
    }

    fn due(queue: &Mutex<Due>, now: Moment) -> Option<Arc<Entry>> {
        let mut queue = lock(queue);
        let is_due = queue.front().is_some_and(|(due, _)| *due <= now);
        is_due.then(|| queue.pop_front()).flatten().map(|(_, entry)| entry)
    }
}

impl RedisStore {
    /// Keeps the connection and looks after sessions, for ever.
    pub async fn run(self: &Arc<Self>) {
        let every =
            (self.interval / 16).clamp(Duration::from_millis(10), Duration::from_millis(250));
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let look_after = async {
            let mut swept = Moment::now();
            loop {
                ticks.tick().await;
                let now = Moment::now();
                self.look_after(now).await;
                if now.since(swept) >= SWEEP {
                    swept = now;
                    while self.sweep(now).await.unwrap_or(false) {}
                }
            }
        };
        let find_out = async {
            let mut doubted = self.doubted.lock().await;
            while let Some(id) = doubted.recv().await {
                self.find_out(id, Moment::now()).await;
            }
        };
        tokio::select! {
            () = self.link.run() => {}
            () = look_after => {}
            () = find_out => {}
        }
    }

    /// Finds out what has become of the session `id`, on which requests depend that have not come in
    /// whole.
    pub(super) async fn find_out(&self, id: SessionId, now: Moment) {
        match self.look_up(id, None, How::Peek, now).await {
            Ok(Some(session)) => self.shared.underway.is_of(&id, &session.user()),
            Ok(None) => self.shared.underway.is_gone(&id, now),
            Err(StoreError::TimedOut) => {
                let _ = self.shared.doubt.send(id);
            }
            // When it is back, all are found out about.
            Err(StoreError::Unavailable) => {}
        }
    }

    /// Tells Redis of uses, and gives back what is not used.
    pub(super) async fn look_after(self: &Arc<Self>, now: Moment) {
        let mut tasks = JoinSet::new();
        for _ in 0..self.upkeep.count_due(now).min(TOGETHER) {
            let store = Arc::clone(self);
            tasks.spawn(async move { store.look_after_one_by_one(now).await });
        }
        tasks.join_all().await;
    }

    async fn look_after_one_by_one(&self, now: Moment) {
        while let Some(entry) = Upkeep::due(&self.upkeep.early, now) {
            let is_used = entry.unsaid().count > 0 && self.shared.near.has(&entry);
            if is_used && self.go_on_holding(&entry, now).await.is_ok() {
                continue;
            }
            let after = entry.cover().until.after(self.interval / 8);
            lock(&self.upkeep.late).push_back((after, entry));
        }
        while let Some(entry) = Upkeep::due(&self.upkeep.late, now) {
            if !self.shared.near.let_go(&entry) {
                // If that fails, the session ends a little later than it would have.
                let _ = self.give_back(&entry, now).await;
            }
        }
    }

    async fn go_on_holding(&self, entry: &Arc<Entry>, now: Moment) -> Result<(), StoreError> {
        let (id, uses) = (entry.session.id(), entry.unsaid());
        let found = self.ask_for(id, How::Hold(uses), now).await;
        if let Ok(Some((lives, covered, _, _, flat))) = &found {
            entry.said(uses);
            let covered = u64::try_from(*covered).unwrap_or_default();
            let ends = now.after(Duration::from_millis(*lives));
            let until = now.after(Duration::from_millis(covered)).min(ends);
            entry.extend(Cover { until, ends, held: super::held(flat, &self.gateway) });
            self.shared.underway.lives(id, ends);
        }
        if let Ok(None) = found {
            self.shared.near.changed(id);
            return Ok(());
        }
        found.map(|_| self.upkeep.attend(Arc::clone(entry), self.interval, now))
    }

    async fn give_back(&self, entry: &Arc<Entry>, now: Moment) -> Result<(), StoreError> {
        let (id, uses) = (entry.session.id(), entry.unsaid());
        let found = self.ask_for(id, How::Settle(uses, entry.cover().held), now).await?;
        if let Some((lives, ..)) = found {
            self.shared.underway.lives(id, now.after(Duration::from_millis(lives)));
        }
        Ok(())
    }

    /// Tells of sessions that have idled out; true if there may be more. Of all gateways, one tells.
    pub(in crate::session) async fn sweep(&self, now: Moment) -> Result<bool, StoreError> {
        let mut run = self.script(&scripts::SWEEP, self.shared.keys.key("all"), Some(now));
        run.arg(AT_ONCE);
        let due: Vec<String> = self.link.ask(&run).await?;
        for entry in &due {
            let (id, user) = entry.split_once(':').unwrap_or_default();
            let (Some(id), Ok(user)) = (SessionId::of_hex(id.as_bytes()), user.parse()) else {
                continue;
            };
            self.shared.near.changed(&id);
            if let Some(user) = self.users.user(user) {
                let session = Arc::new(Session::start(id, user, None, now));
                session.end();
                tell(&self.listeners, session, EndReason::Expired);
            }
        }
        Ok(due.len() == AT_ONCE)
    }
}

/// What is done under the lock does not panic.
fn lock(queue: &Mutex<Due>) -> MutexGuard<'_, Due> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}
