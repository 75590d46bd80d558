//! The keys of one provider, and how it signs users in: read in the background, and asked for again when a key is
//! missing.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::{Notify, watch};

use crate::clock::Moment;
use crate::jwt::discovery::Endpoints;
use crate::jwt::keys::KeySet;
use crate::metrics::providers::ProviderState;

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
    wanted_later: Notify,
    /// Grows with each answer, and with each that does not come.
    answers: watch::Sender<u64>,
    is_asking: AtomicBool,
    /// Whether the provider has answered when it was last asked.
    has_answered: AtomicBool,
    turns: Mutex<Turns>,
    state: Arc<ProviderState>,
}

/// When the provider is asked for keys that are missing.
#[derive(Default)]
struct Turns {
    /// When it was last, for a token that came from anybody, and for one that came from itself.
    asked: [Option<Moment>; 2],
    /// When it is to be next, for tokens that came too soon after the last.
    next: Option<Moment>,
}

/// What has become of the wish that a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It has been, or there is nobody to ask.
    Now,
    /// It will be, once half a minute has gone by since it was. See [`Keys::answers`].
    Later,
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
            wanted_later: Notify::new(),
            answers: watch::Sender::new(0),
            is_asking: AtomicBool::new(false),
            has_answered: AtomicBool::new(true),
            turns: Mutex::default(),
            state: Arc::default(),
        }
    }

    /// What operators are told of it. Whoever reads keys keeps that up to date.
    pub fn state(&self) -> &Arc<ProviderState> {
        &self.state
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

    /// Has the provider asked again for a token of `bringer`'s, and waits for the answer. If that was done in the last half
    /// minute, it returns at once, and the provider is asked when that is over. Many who ask at the same time ask once.
    pub async fn ask(&self, bringer: Bringer, now: Moment) -> Asked {
        if !self.is_remote {
            return Asked::Now;
        }
        let mut answers = self.answers.subscribe();
        let turn = self.turn(bringer, now);
        match turn {
            Some(Asked::Now) => {
                self.is_asking.store(true, Ordering::SeqCst);
                self.wanted.notify_one();
            }
            Some(Asked::Later) => {
                self.wanted_later.notify_one();
                return Asked::Later;
            }
            None => {}
        }
        // Whether there is an answer, the keys will show.
        let _ = tokio::time::timeout(PATIENCE, answers.changed()).await;
        Asked::Now
    }

    /// Whether it is long enough ago; if so, it is now. `None` if the provider is being asked.
    fn turn(&self, bringer: Bringer, now: Moment) -> Option<Asked> {
        let mut turns = self.lock_turns();
        let asked = &mut turns.asked[bringer as usize];
        let again = asked.map(|asked| asked.after(SELDOM)).filter(|again| now < *again);
        let Some(again) = again else {
            *asked = Some(now);
            return Some(Asked::Now);
        };
        if self.is_asking.load(Ordering::SeqCst) {
            return None;
        }
        turns.next.get_or_insert(again);
        Some(Asked::Later)
    }

    fn lock_turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes with each answer of the provider, and with each that does not come.
    pub fn answers(&self) -> watch::Receiver<u64> {
        self.answers.subscribe()
    }

    /// Returns when the provider is to be asked for tokens whose keys are missing.
    pub async fn wanted(&self) {
        tokio::select! {
            () = self.wanted.notified() => {}
            () = self.next() => {}
        }
    }

    /// Returns when it is the turn of those that came too soon.
    async fn next(&self) {
        let next = loop {
            let next = self.lock_turns().next;
            match next {
                Some(next) => break next,
                None => self.wanted_later.notified().await,
            }
        };
        tokio::time::sleep(next.since(Moment::now())).await;
        let mut turns = self.lock_turns();
        turns.asked[Bringer::Anybody as usize] = Some(next.max(Moment::now()));
        self.is_asking.store(true, Ordering::SeqCst);
    }

    /// The provider has been asked, with this result; without one, the old keys stay.
    pub fn answered(&self, set: Option<KeySet>) {
        self.has_answered.store(set.is_some(), Ordering::SeqCst);
        if let Some(set) = set {
            self.replace(set);
        }
        let mut turns = self.lock_turns();
        turns.next = None;
        self.is_asking.store(false, Ordering::SeqCst);
        drop(turns);
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

    #[tokio::test(start_paused = true)]
    async fn who_came_too_soon_is_thought_of_when_half_a_minute_is_over() {
        let keys = Arc::new(Keys::of_provider());
        let at = |seconds: u64| Moment::START.after(Duration::from_secs(seconds));
        assert_eq!(ask_all(&keys, at(0), 1).await, 1);
        for _ in 0..3 {
            assert_eq!(keys.ask(Bringer::Anybody, at(10)).await, Asked::Later);
        }
        let answers = keys.answers();
        let begun = tokio::time::Instant::now();
        keys.wanted().await;
        // Half a minute after the clock began, which the test has used some of.
        let waited = begun.elapsed();
        assert!(waited > Duration::from_secs(10) && waited <= SELDOM, "{waited:?}");
        keys.answered(None);
        assert!(answers.has_changed().unwrap());
        // Once for all of them, and that counts as such.
        let more = tokio::time::timeout(Duration::from_secs(3600), keys.wanted()).await;
        assert!(more.is_err());
        assert_eq!(keys.ask(Bringer::Anybody, at(31)).await, Asked::Later);
        // What is asked for others answers these, too.
        keys.answered(None);
        let more = tokio::time::timeout(Duration::from_secs(3600), keys.wanted()).await;
        assert!(more.is_err());
    }
}
