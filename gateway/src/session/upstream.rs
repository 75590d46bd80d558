//! InfluxDB's own session behind a session: its cookie, and when InfluxDB was last asked about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use super::Session;
use crate::clock::Moment;
use crate::user::secret::UpstreamSession;

/// InfluxDB's own session. The client never sees it.
pub struct UpstreamSessionState {
    session: UpstreamSession,
    asked: AtomicU64,
    /// [`IDLE`], [`ASKING`] or [`DOUBTED`].
    question: AtomicU8,
    /// Before this moment no doubt is looked into.
    rests_until: AtomicU64,
    is_forgotten: AtomicBool,
}

/// Nobody asks InfluxDB about the session.
const IDLE: u8 = 0;

/// Somebody does.
const ASKING: u8 = 1;

/// Somebody does, and since they began there is a reason to ask once more.
const DOUBTED: u8 = 2;

/// How often, at most, InfluxDB is asked because of a refusal.
const REST: Duration = Duration::from_secs(1);

/// The right to ask InfluxDB about a session. One task at a time has it; it is given back when dropped.
pub struct Question {
    session: Arc<Session>,
    is_over: bool,
}

impl UpstreamSessionState {
    /// The half that begins with `session`.
    pub(super) fn new(session: UpstreamSession, now: Moment) -> Self {
        Self {
            session,
            asked: AtomicU64::new(now.millis()),
            question: AtomicU8::new(IDLE),
            rests_until: AtomicU64::new(0),
            is_forgotten: AtomicBool::new(false),
        }
    }

    /// InfluxDB's cookie.
    pub fn session(&self) -> &UpstreamSession {
        &self.session
    }

    /// Whether InfluxDB was not asked about the session for `interval`.
    pub fn is_stale(&self, now: Moment, interval: Duration) -> bool {
        now.since(Moment::from_millis(self.asked.load(Ordering::Relaxed))) >= interval
    }

    /// How long to wait, from `now`, before InfluxDB is asked because of a refusal. The caller may ask after that; the
    /// next caller gets a longer wait.
    pub fn rest(&self, now: Moment) -> Duration {
        let begins = Moment::from_millis(self.rests_until.load(Ordering::Relaxed)).max(now);
        self.rests_until.store(begins.after(REST).millis(), Ordering::Relaxed);
        begins.since(now)
    }

    /// Notes that InfluxDB no longer knows the session: there is nothing left to sign out of.
    pub fn forget(&self) {
        self.is_forgotten.store(true, Ordering::Release);
    }

    /// Whether InfluxDB no longer knows the session.
    pub fn is_forgotten(&self) -> bool {
        self.is_forgotten.load(Ordering::Acquire)
    }

    fn move_on(&self, from: u8, to: u8) -> bool {
        self.question.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Question {
    /// The right to ask about `session` now; `None` while somebody else has it, or if there is
    /// nobody to ask.
    pub fn begin(session: &Arc<Session>) -> Option<Self> {
        let is_mine = session.upstream()?.move_on(IDLE, ASKING);
        is_mine.then(|| Self { session: Arc::clone(session), is_over: false })
    }

    /// The same, for a reason that has just come up: whoever has the right asks once more.
    pub fn doubt(session: &Arc<Session>) -> Option<Self> {
        let half = session.upstream()?;
        while !half.move_on(IDLE, ASKING) {
            if half.move_on(ASKING, DOUBTED) || half.question.load(Ordering::Acquire) == DOUBTED {
                return None;
            }
        }
        Some(Self { session: Arc::clone(session), is_over: false })
    }

    /// The session in question.
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Ends it, `answered` if an answer came, at that moment; or has it asked once more, if there has
    /// come up a reason to.
    pub fn end(mut self, answered: Option<Moment>) -> Option<Self> {
        let half = self.session.upstream()?;
        if let Some(now) = answered {
            half.asked.store(now.millis(), Ordering::Relaxed);
        }
        if half.move_on(ASKING, IDLE) {
            self.is_over = true;
            return None;
        }
        half.question.store(ASKING, Ordering::Release);
        Some(self)
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if let Some(half) = self.session.upstream().filter(|_| !self.is_over) {
            half.question.store(IDLE, Ordering::Release);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use super::*;
    use crate::session::token::SessionToken;
    use crate::user::tests::user;

    fn session() -> Arc<Session> {
        let upstream = UpstreamSession::parse(b"s=x");
        let id = SessionToken::generate().id();
        Arc::new(Session::start(id, Arc::new(user("ada")), upstream, Moment::START))
    }

    #[test]
    fn f_05_the_right_to_ask_comes_back_however_its_owner_ends() {
        let session = session();
        let question = Question::begin(&session).unwrap();
        assert!(Question::begin(&session).is_none());
        drop(question);
        let broken = std::panic::catch_unwind(AssertUnwindSafe(|| {
            let _question = Question::begin(&session).unwrap();
            panic!("on purpose");
        }));
        assert!(broken.is_err());
        assert!(Question::begin(&session).unwrap().end(None).is_none());
        assert!(Question::begin(&session).is_some());
    }

    #[test]
    fn f_50_a_doubt_that_comes_up_while_somebody_asks_is_asked_about() {
        let session = session();
        let question = Question::begin(&session).unwrap();
        assert!(Question::doubt(&session).is_none() && Question::doubt(&session).is_none());
        let again = question.end(Some(Moment::START)).unwrap();
        assert!(Question::begin(&session).is_none());
        assert!(again.end(None).is_none());
        assert!(Question::doubt(&session).is_some());
    }

    #[test]
    fn f_50_doubts_are_looked_into_once_a_second() {
        let session = session();
        let half = session.upstream().unwrap();
        let at = |millis: u64| Moment::from_millis(10_000 + millis);
        let rests = [at(0), at(10), at(1500), at(3000)].map(|now| half.rest(now).as_millis());
        assert_eq!(rests, [0, 990, 500, 0]);
    }
}
