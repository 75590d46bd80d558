//! Verifies the certificate of an `https` upstream.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use pingora::prelude::HttpPeer;
use pingora::protocols::Digest;
use pingora::{Error, ErrorType};

use super::tls::{Own, UpstreamTls};

/// The error when the upstream's certificate is not one that stands in the file of authorities
/// itself.
pub const NOT_ITS_OWN: ErrorType =
    ErrorType::Custom("the upstream's certificate is not in ca_file itself");

/// How it is verified: by the authorities that may have signed its certificate; or by itself, where
/// the file of authorities holds certificates that are the upstream's own.
///
/// Pingora verifies a chain, or nothing. In the second way it verifies nothing, so a new connection must be
/// [checked](Self::check) before the first byte is sent. If both ways are possible, the one that succeeded last is
/// tried first.
pub struct PeerIdentity {
    known: ArcSwap<Known>,
    by_itself: AtomicBool,
}

struct Known {
    tls: UpstreamTls,
    own: Own,
    /// Connections are used again for requests of the same generation only.
    generation: u64,
}

impl PeerIdentity {
    /// By `tls`, as `host`.
    pub fn new(tls: UpstreamTls, host: &str) -> Self {
        let own = Own::of(&tls, host);
        let by_itself = AtomicBool::new(!own.is_empty());
        Self { known: ArcSwap::from_pointee(Known { tls, own, generation: 0 }), by_itself }
    }

    /// From now on by `tls`; false if that is as it was.
    pub fn replace(&self, tls: UpstreamTls, host: &str) -> bool {
        let old = self.known.load();
        if old.tls.sum == tls.sum {
            return false;
        }
        let own = Own::of(&tls, host);
        self.by_itself.store(!own.is_empty(), Ordering::Relaxed);
        self.known.store(Arc::new(Known { tls, own, generation: old.generation + 1 }));
        true
    }

    /// Whether it is verified by the authorities of the system.
    pub fn needs_system_authorities(&self) -> bool {
        self.known.load().tls.authorities.is_none()
    }

    /// Lets connections to `peer` be verified in the way that is tried first.
    pub fn prepare(&self, peer: &mut HttpPeer) {
        let known = self.known.load();
        peer.client_cert_key.clone_from(&known.tls.client);
        peer.group_key = known.generation;
        peer.options.ca.clone_from(&known.tls.authorities);
        peer.options.verify_cert = !self.by_itself.load(Ordering::Relaxed);
    }

    /// Makes sure of a connection to `peer` that Pingora has not verified.
    pub fn check(&self, digest: Option<&Digest>) -> pingora::Result<()> {
        let tls = digest.and_then(|digest| digest.ssl_digest.as_ref());
        if tls.is_some_and(|tls| self.known.load().own.has(&tls.cert_digest)) {
            return Ok(());
        }
        let error = Error::explain(NOT_ITS_OWN, "nor is it in force, or for this name");
        Err(error.into_up())
    }

    /// Tries the other way first from now on; false if there is none.
    pub fn turn(&self, peer: &HttpPeer) -> bool {
        let is_there = !self.known.load().own.is_empty();
        if is_there {
            self.by_itself.store(peer.options.verify_cert, Ordering::Relaxed);
        }
        is_there
    }
}
