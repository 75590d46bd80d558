//! Whether the gateway should get requests, for those who distribute them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::version::Version;
use crate::metrics::METRICS;
use crate::session::store::SessionStore;

/// Whether the gateway is ready for requests.
///
/// One for the process, shared. Whoever begins to stop the process calls [`Readiness::start_draining`] first, and leaves
/// time for load balancers to see it before listeners are closed.
pub struct Readiness {
    is_draining: AtomicBool,
    is_handed_over: AtomicBool,
    sessions: Arc<SessionStore>,
    /// The upstream, if the gateway is of no use without it.
    upstream: Option<Arc<Version>>,
}

/// Why the gateway should not get requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The process is about to stop.
    Draining,
    /// The store of sessions does not answer, so that nobody knows whose a session is.
    StoreUnknown,
    /// The upstream does not answer.
    UpstreamDown,
}

impl Obstacle {
    /// The obstacle in a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::StoreUnknown => "session store unknown",
            Self::UpstreamDown => "upstream down",
        }
    }
}

impl Readiness {
    /// Ready for as long as `sessions` can be asked, and `upstream` answers if it is given.
    pub fn new(sessions: Arc<SessionStore>, upstream: Option<Arc<Version>>) -> Self {
        let (is_draining, is_handed_over) = Default::default();
        Self { is_draining, is_handed_over, sessions, upstream }
    }

    /// The process is about to stop: no new requests from now on, please. There is no way back.
    pub fn start_draining(&self) {
        self.is_draining.store(true, Ordering::Release);
        METRICS.draining.be(true);
    }

    /// Whether the process is about to stop, and nobody serves in its place.
    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    /// Another process serves at the same addresses, and the gateway is as ready as that; this process is about to stop.
    pub fn hand_over(&self) {
        self.is_handed_over.store(true, Ordering::Release);
    }

    /// Whether connections should be closed with their next answer: what comes after it is answered by somebody else.
    pub fn is_leaving(&self) -> bool {
        self.is_draining() || self.is_handed_over.load(Ordering::Acquire)
    }

    /// All that keeps the gateway from being ready; empty if it is.
    pub fn obstacles(&self) -> Vec<Obstacle> {
        let is_down = self.upstream.as_ref().is_some_and(|upstream| !upstream.is_up());
        let found = [
            (self.is_draining(), Obstacle::Draining),
            (!self.sessions.is_known(), Obstacle::StoreUnknown),
            (is_down, Obstacle::UpstreamDown),
        ];
        found.into_iter().filter_map(|(is_so, obstacle)| is_so.then_some(obstacle)).collect()
    }
}
