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

/// Whoever is told of ends.
pub(super) type Listeners = Arc<[Arc<dyn EndListener>]>;

/// Tells `listeners` of an end.
pub(super) fn tell(listeners: &[Arc<dyn EndListener>], session: Arc<Session>, reason: EndReason) {
    let ended = Ended { session, reason };
    for listener in listeners {
        listener.ended(&ended);
    }
}
