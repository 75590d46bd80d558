//! What is known of a WebSocket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::AbortHandle;

use crate::net::http1::tunnel::Moved;

/// What is known of a WebSocket that a request asks for, or has become.
#[derive(Default)]
pub struct WebSocket {
    /// Whether it is to end: its session lives no longer, its user is another, or the gateway leaves.
    is_over: Arc<AtomicBool>,
    /// Looks after its session, once it is open.
    vigil: Option<AbortHandle>,
    moved: Arc<Moved>,
}

impl WebSocket {
    /// Whether it is to end.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// Where it is told to.
    pub fn end(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_over)
    }

    /// From now on `vigil` looks after its session, for as long as it is there.
    pub fn look_after(&mut self, vigil: AbortHandle) {
        self.vigil = Some(vigil);
    }

    /// What goes through it is counted here.
    pub fn count(&self) -> &Arc<Moved> {
        &self.moved
    }

    /// How many bytes came from the client, and went to it.
    pub fn moved(&self) -> (u64, u64) {
        let Moved { received, sent } = &*self.moved;
        (received.load(Ordering::Relaxed), sent.load(Ordering::Relaxed))
    }
}

impl Drop for WebSocket {
    fn drop(&mut self) {
        if let Some(vigil) = &self.vigil {
            vigil.abort();
        }
    }
}
