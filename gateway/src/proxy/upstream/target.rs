//! The addresses of the upstream, and how to speak to each.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use pingora::prelude::HttpPeer;
use pingora::upstreams::peer::Peer;

/// One address of the upstream, and how to speak to it.
pub struct Target {
    /// The same as Pingora has it.
    pub peer: HttpPeer,
    /// What stands for it among connections that are [kept](super::idle): a connection to another is of no use.
    pub key: u64,
    /// The same for calls of gRPC, once there was one.
    for_calls: OnceLock<HttpPeer>,
}

impl Target {
    /// How to speak to it for calls of gRPC, made by `make` of how it is spoken to otherwise.
    pub fn for_calls(&self, make: impl FnOnce(HttpPeer) -> HttpPeer) -> &HttpPeer {
        self.for_calls.get_or_init(|| make(self.peer.clone()))
    }
}

impl From<HttpPeer> for Target {
    fn from(peer: HttpPeer) -> Self {
        let key = peer.reuse_hash();
        Self { peer, key, for_calls: OnceLock::new() }
    }
}

/// One for each address that the host has, the one to be tried first in front; empty until it is
/// known. The last good set stays when a look-up fails.
#[derive(Default)]
pub struct Targets {
    /// In the order in which they are tried.
    pub in_order: Vec<Arc<Target>>,
    /// When that order is over.
    pub until: Option<Instant>,
}

impl Targets {
    /// The one to be tried first, as long as that is in force.
    pub fn first(&self) -> Option<&Arc<Target>> {
        let is_over = self.until.is_some_and(|until| until <= Instant::now());
        self.in_order.first().filter(|_| !is_over)
    }
}
