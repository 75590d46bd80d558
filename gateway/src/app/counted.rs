//! What metrics have to be told when the gateway starts, and when its configuration is read again.

use crate::clock;
use crate::config::{Config, Store};
use crate::metrics::METRICS;
use crate::net::listener::Listener;

/// Tells them.
pub(super) fn begin(config: &Config, listeners: &[Listener]) {
    METRICS.started.set(now());
    taken(config);
    // Memory can always be asked; of Redis nothing is known yet.
    METRICS.store_up.be(matches!(config.store, Store::Memory));
    for listener in listeners {
        if let Some(certificate) = &listener.certificate {
            METRICS.certificates.watch(listener.address(), certificate.expiry());
        }
    }
}

/// Tells them that `config` is in force now.
pub(super) fn taken(config: &Config) {
    METRICS.reload_successful.be(true);
    METRICS.reload_time.set(now());
    METRICS.sessions_limit.set(config.capacity.total);
}

/// Tells them that a configuration was read and not taken.
pub(super) fn refused() {
    METRICS.reload_successful.be(false);
    METRICS.reload_failures.count();
}

fn now() -> usize {
    usize::try_from(clock::unix_seconds()).unwrap_or_default()
}
