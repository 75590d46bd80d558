//! How many requests are being answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts requests.
#[derive(Clone, Default)]
pub struct OpenRequests(Arc<AtomicUsize>);

/// A request that is counted until this is dropped.
pub struct OpenRequest(OpenRequests);

impl OpenRequests {
    /// Counts another one.
    pub fn begin(&self) -> OpenRequest {
        self.0.fetch_add(1, Ordering::Relaxed);
        OpenRequest(self.clone())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for OpenRequest {
    fn drop(&mut self) {
        let OpenRequest(OpenRequests(count)) = self;
        count.fetch_sub(1, Ordering::Relaxed);
    }
}
