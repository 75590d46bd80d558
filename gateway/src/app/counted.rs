//! What metrics have to be told when the gateway starts.

use std::time::UNIX_EPOCH;

use crate::clock;
use crate::config::{Config, Store};
use crate::metrics::METRICS;
use crate::net::listener::Listener;

/// Tells them.
pub(super) fn begin(config: &Config, listeners: &[Listener]) {
    let now = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = usize::try_from(now).unwrap_or_default();
    METRICS.started.set(now);
    METRICS.reload_time.set(now);
    METRICS.reload_successful.be(true);
    METRICS.sessions_limit.set(config.capacity.total);
    // Memory can always be asked; of Redis nothing is known yet.
    METRICS.store_up.be(matches!(config.store, Store::Memory));
    for listener in listeners {
        if let Some(certificate) = &listener.certificate {
            METRICS.certificates.watch(listener.address(), certificate.expiry());
        }
    }
}
