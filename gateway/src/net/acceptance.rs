//! Whether listeners accept connections: one process at a time should, while another takes over from it.

use std::sync::{Arc, OnceLock};

use pingora::server::ShutdownWatch;
use tokio::sync::watch;

/// What listeners do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Another process still has the sessions.
    NotYet,
    /// Connections are accepted.
    Now,
    /// Another process accepts them.
    NoMore,
}

/// Whether connections are accepted. One for the process, shared.
pub struct Acceptance {
    phase: watch::Sender<Phase>,
    /// The end of the process, which is later than that of accepting.
    stop: OnceLock<ShutdownWatch>,
}

impl Acceptance {
    /// From now on; or not before [`Acceptance::begin`] if there `is_another` process to take over from.
    pub fn new(is_another: bool) -> Self {
        let phase = if is_another { Phase::NotYet } else { Phase::Now };
        Self { phase: watch::Sender::new(phase), stop: OnceLock::new() }
    }

    /// Connections are accepted from now on.
    pub fn begin(&self) {
        self.phase.send_replace(Phase::Now);
    }

    /// Another process accepts them from now on. What is connected here is answered here.
    pub fn end(&self) {
        self.phase.send_replace(Phase::NoMore);
    }

    /// Whether another process accepts connections in place of this one.
    pub fn has_ended(&self) -> bool {
        *self.phase.borrow() == Phase::NoMore
    }

    /// Waits until another process accepts connections in place of this one.
    pub async fn ended(&self) {
        self.reached(Phase::NoMore).await;
    }

    /// The end of the process, for a connection whose listener was told `otherwise`: that it accepts no more.
    pub(super) fn stop<'a>(&'a self, otherwise: &'a ShutdownWatch) -> &'a ShutdownWatch {
        self.stop.get().unwrap_or(otherwise)
    }

    /// Waits until connections are to be accepted; returns when they are no more. `None` if the process ends before.
    pub(super) async fn wait(self: &Arc<Self>, mut stop: ShutdownWatch) -> Option<ShutdownWatch> {
        let _ = self.stop.set(stop.clone());
        tokio::select! {
            () = self.reached(Phase::Now) => {}
            _ = stop.wait_for(|is_told| *is_told) => return None,
        }
        let (over, is_over) = watch::channel(false);
        let acceptance = Arc::clone(self);
        tokio::spawn(async move {
            tokio::select! {
                () = acceptance.ended() => {}
                _ = stop.wait_for(|is_told| *is_told) => {}
            }
            let _ = over.send(true);
        });
        Some(is_over)
    }

    async fn reached(&self, phase: Phase) {
        // The sender is our own, and does not go away.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }
}
