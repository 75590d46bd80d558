//! What requests and Redis' messages about changes meet in.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::link::Changes;
use super::near_cache::NearCache;
use super::scripts::Keys;
use crate::session::in_flight::InFlight;
use crate::session::token::SessionId;

/// What Redis' messages reach.
pub(super) struct Shared {
    pub(super) keys: Keys,
    pub(super) near: NearCache,
    /// Requests that have not come in whole.
    pub(super) underway: Arc<InFlight>,
    pub(super) doubt: mpsc::UnboundedSender<SessionId>,
}

impl Shared {
    /// Has it found out what has become of all sessions that requests depend on.
    fn doubt_all(&self) {
        for id in self.underway.ids() {
            // Whoever reads it lives as long as whoever writes.
            let _ = self.doubt.send(id);
        }
    }
}

impl Changes for Shared {
    fn changed(&self, key: Option<&[u8]>) {
        match key {
            None => {
                self.near.forget_all();
                self.doubt_all();
            }
            Some(key) => {
                if let Some(id) = self.keys.id_in(key).and_then(SessionId::of_hex) {
                    self.near.changed(&id);
                    if self.underway.has(&id) {
                        let _ = self.doubt.send(id);
                    }
                }
            }
        }
    }

    fn lost(&self) {
        self.near.forget_all();
    }

    fn back(&self) {
        self.doubt_all();
    }
}
