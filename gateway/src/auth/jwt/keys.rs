//! The keys of one provider, and how it signs users in: read in the background, and asked for again when a key is
//! missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};

use crate::clock::Moment;
use crate::jwt::discovery::Endpoints;
use crate::jwt::keys::KeySet;

/// How often a provider is asked at most for a key that it may not have.
const SELDOM: Duration = Duration::from_secs(30);

/// How long a request waits for the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The keys of one provider.
pub struct Keys {
    set: ArcSwapOption<KeySet>,
    endpoints: ArcSwapOption<Endpoints>,
    /// Whether somebody can be asked for them.
    is_remote: bool,
    wanted: Notify,
    /// Grows with each answer, and with each that does not come.
    answers: watch::Sender<u64>,
    is_asking: AtomicBool,
    /// Whether the provider has answered when it was last asked.
    has_answered: AtomicBool,
    /// When the provider was last asked for a token that came from anybody, and for one that came from itself: one more
    /// than the milliseconds of the [`Moment`]; 0: never.
    asked: [AtomicU64; 2],
}

/// From whom a token comes whose key is missing. Whoever brings many with made-up keys does not keep those of the provider
/// itself from being looked up.
#[derive(Clone, Copy, Debug)]
pub enum Bringer {
    /// Anybody.
    Anybody,
    /// The provider.
    Provider,
}

impl Keys {
    /// Of a provider that is yet to be asked.
    pub fn of_provider() -> Self {
        Self::new(None, true)
    }

    /// Those of a file.
    pub fn of_file(set: KeySet) -> Self {
        Self::new(Some(set), false)
    }

    fn new(set: Option<KeySet>, is_remote: bool) -> Self {
        Self {
            set: ArcSwapOption::from_pointee(set),
            endpoints: ArcSwapOption::empty(),
            is_remote,
            wanted: Notify::new(),
            answers: watch::Sender::new(0),
            is_asking: AtomicBool::new(false),
            has_answered: AtomicBool::new(true),
            asked: [const { AtomicU64::new(0) }; 2],
        }
    }

    /// The keys, once they are known.
    pub fn get(&self) -> Option<Arc<KeySet>> {
        self.set.load_full()
    }

    /// How the provider signs users in, once that is known.
    pub fn endpoints(&self) -> Option<Arc<Endpoints>> {
        self.endpoints.load_full()
    }

    /// Has the provider sign users in like this.
    pub fn sign_in_by(&self, endpoints: Endpoints) {
        self.endpoints.store(Some(Arc::new(endpoints)));
    }

    /// Puts these in place of those that were there.
    pub fn replace(&self, set: KeySet) {
        self.set.store(Some(Arc::new(set)));
    }

    /// Whether the provider has answered when it was last asked: a key that is missing is not there then.
    pub fn are_of_now(&self) -> bool {
        self.has_answered.load(Ordering::SeqCst)
    }

    /// Has the provider asked again for a token of `bringer`'s, and waits for the answer; returns at once if that was done
    /// in the last half minute. Many who ask at the same time ask once.
    pub async fn ask(&self, bringer: Bringer, now: Moment) {
        if !self.is_remote {
            return;
        }
        let mut answers = self.answers.subscribe();
        if self.may_ask(bringer, now) {
            self.is_asking.store(true, Ordering::SeqCst);
            self.wanted.notify_one();
        } else if !self.is_asking.load(Ordering::SeqCst) {
            return;
        }
        // Whether there is an answer, the keys will show.
        let _ = tokio::time::timeout(PATIENCE, answers.changed()).await;
    }

    /// Whether it is long enough ago; if so, it is now.
    fn may_ask(&self, bringer: Bringer, now: Moment) -> bool {
        let may = |asked: u64| {
            let asked = asked.checked_sub(1).map(Moment::from_millis);
            let is_long_ago = asked.is_none_or(|asked| now.since(asked) >= SELDOM);
            is_long_ago.then(|| now.millis().saturating_add(1))
        };
        let asked = &self.asked[bringer as usize];
        asked.fetch_update(Ordering::SeqCst, Ordering::SeqCst, may).is_ok()
    }

    /// Returns when a request wants the provider to be asked.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// The provider has been asked, with this result; without one, the old keys stay.
    pub fn answered(&self, set: Option<KeySet>) {
        self.has_answered.store(set.is_some(), Ordering::SeqCst);
        if let Some(set) = set {
            self.replace(set);
        }
        self.is_asking.store(false, Ordering::SeqCst);
        self.answers.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers as the task does, and counts how often it had to.
    async fn ask_all(keys: &Arc<Keys>, at: Moment, count: usize) -> usize {
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..count {
            let keys = Arc::clone(keys);
            asking.spawn(async move { keys.ask(Bringer::Anybody, at).await });
        }
        let mut rounds = 0;
        loop {
            tokio::select! {
                biased;
                () = keys.wanted() => {
                    rounds += 1;
                    // By now, the others wait too.
                    tokio::task::yield_now().await;
                    keys.answered(None);
                }
                ended = asking.join_next() => if ended.is_none() { return rounds },
            }
        }
    }

    #[test]
    fn many_ask_once_and_once_in_half_a_minute() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let keys = Arc::new(Keys::of_provider());
            let at = |seconds: u64| Moment::START.after(Duration::from_secs(seconds));
            for (seconds, expected) in [(0, 1), (0, 0), (29, 0), (30, 1), (31, 0), (61, 1)] {
                assert_eq!(ask_all(&keys, at(seconds), 50).await, expected, "at {seconds} s");
            }
        });
    }
}
