//! What requests and Redis' messages about changes meet in.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::agreement::Agreed;
use super::link::Changes;
use super::near_cache::{Entry, NearCache};
use super::scripts::Keys;
use crate::session::Watch;
use crate::session::in_flight::InFlight;
use crate::session::token::SessionId;

/// What Redis' messages reach.
pub(super) struct Shared {
    pub(super) keys: Keys,
    pub(super) near: NearCache,
    /// Requests that have not come in whole.
    pub(super) underway: Arc<InFlight>,
    pub(super) doubt: mpsc::UnboundedSender<Doubt>,
    /// The key by which gateways seal.
    pub(super) agreed: Agreed,
}

/// A session of which has to be found out what has become of it; until then, it is watched on behalf of
/// requests that have it and go on later.
pub(super) type Doubt = (SessionId, Option<Watch>);

impl Shared {
    /// Has it found out what has become of all sessions that requests depend on.
    fn doubt_all(&self) {
        for id in self.underway.ids() {
            // Whoever reads it lives as long as whoever writes.
            let _ = self.doubt.send((id, None));
        }
    }

    /// The same for one that has changed: as Redis says, or by what this gateway has written itself, of which Redis does not
    /// tell it, nor of what others do after that. Returns it as it was at hand.
    pub(super) fn doubt(&self, id: SessionId) -> Option<Arc<Entry>> {
        let entry = self.near.changed(&id);
        // A request may have it that waits for something, and will look then whether it has ended.
        let needed = entry.as_ref().filter(|entry| Arc::strong_count(&entry.session) > 1);
        let watch = needed.map(|entry| {
            let watch = Watch::over(&entry.session, &self.underway);
            self.underway.lives(&id, entry.cover().ends);
            watch
        });
        if watch.is_some() || self.underway.has(&id) {
            let _ = self.doubt.send((id, watch));
        }
        entry
    }
}

impl Changes for Shared {
    fn changed(&self, key: Option<&[u8]>) {
        match key {
            None => {
                self.near.forget_all();
                self.doubt_all();
                self.agreed.ring();
            }
            Some(key) => {
                if let Some(id) = self.keys.id_in(key).and_then(SessionId::of_hex) {
                    self.doubt(id);
                } else if self.keys.is_agreement(key) {
                    self.agreed.ring();
                }
            }
        }
    }

    fn lost(&self) {
        self.near.forget_all();
    }

    fn back(&self) {
        self.doubt_all();
        self.agreed.ring();
    }
}
