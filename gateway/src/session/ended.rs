//! The end of a session, for those who have something to do then.

use std::sync::Arc;

use super::{EndReason, Session};

/// The end of a session, told once to each [`EndListener`].
pub struct Ended {
    /// The session that has ended.
    pub session: Arc<Session>,
    /// Why.
    pub reason: EndReason,
}

/// Whoever has something to do when a session ends. Called where it ends, so it must not wait.
pub trait EndListener: Send + Sync {
    /// This session has ended.
    fn ended(&self, ended: &Ended);
}
