//! InfluxDB's half of a session: its cookie, and when InfluxDB was last asked about it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Moment;
use crate::user::secret::UpstreamSession;

/// The session that InfluxDB keeps, of which the client knows nothing.
pub struct UpstreamHalf {
    session: UpstreamSession,
    asked: AtomicU64,
    is_being_asked: AtomicBool,
    is_forgotten: AtomicBool,
}

impl UpstreamHalf {
    /// The half that begins with `session`.
    pub(super) fn new(session: UpstreamSession, now: Moment) -> Self {
        Self {
            session,
            asked: AtomicU64::new(now.millis()),
            is_being_asked: AtomicBool::new(false),
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

    /// Takes the right to ask about the session now; false while somebody else has it.
    pub fn begin_asking(&self) -> bool {
        !self.is_being_asked.swap(true, Ordering::AcqRel)
    }

    /// Gives the right back; `answered` if an answer came, at `now`.
    pub fn end_asking(&self, answered: Option<Moment>) {
        if let Some(now) = answered {
            self.asked.store(now.millis(), Ordering::Relaxed);
        }
        self.is_being_asked.store(false, Ordering::Release);
    }

    /// Notes that InfluxDB no longer knows the session: there is nothing left to sign out of.
    pub fn forget(&self) {
        self.is_forgotten.store(true, Ordering::Release);
    }

    /// Whether InfluxDB no longer knows the session.
    pub fn is_forgotten(&self) -> bool {
        self.is_forgotten.load(Ordering::Acquire)
    }
}
