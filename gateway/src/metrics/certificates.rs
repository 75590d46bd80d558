//! Until when certificates are valid.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::text::{Kind, Text};
use super::values::Metric;

/// Seconds since 1970 at which a certificate ends. Whoever has the certificate keeps it up to date.
pub type Expiry = Arc<AtomicI64>;

/// The certificate of each listener. Behind a lock that no request takes.
pub struct Certificates(Mutex<Vec<(String, Expiry)>>);

impl Certificates {
    /// None yet.
    pub const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// From now on `expiry` is that of the certificate of this listener.
    pub fn watch(&self, listener: String, expiry: Expiry) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((listener, expiry));
    }
}

impl Metric for Certificates {
    const KIND: Kind = Kind::Gauge;

    fn write(&self, text: &mut Text) {
        for (listener, expiry) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            text.sample("", &[("listener", listener)], expiry.load(Ordering::Relaxed));
        }
    }
}
