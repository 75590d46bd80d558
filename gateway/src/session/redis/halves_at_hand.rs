//! InfluxDB's halves of sessions that were looked up lately. A session is looked up anew whenever its record
//! has changed; when InfluxDB was last asked about it, stays known.

use std::hash::BuildHasherDefault;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

use crate::session::UpstreamSessionState;
use crate::session::token::{DigestHasher, SessionId};

/// How long after its last look-up.
const KEPT: Duration = Duration::from_secs(600);

/// The halves, by session.
pub(super) struct HalvesAtHand(
    Cache<SessionId, Arc<UpstreamSessionState>, BuildHasherDefault<DigestHasher>>,
);

impl HalvesAtHand {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Cache::builder().time_to_idle(KEPT).build_with_hasher(BuildHasherDefault::default()))
    }

    /// That of the session `id`; if it is not at hand, as `open` has it.
    pub(super) fn get(
        &self,
        id: SessionId,
        open: impl FnOnce() -> Option<UpstreamSessionState>,
    ) -> Option<Arc<UpstreamSessionState>> {
        self.0.optionally_get_with(id, || open().map(Arc::new))
    }
}
