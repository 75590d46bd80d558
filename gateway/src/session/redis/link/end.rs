//! The end of a connection, and why it came.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// The end of a connection.
#[derive(Default)]
pub(super) struct End {
    rings: Notify,
    why: Mutex<Option<String>>,
}

impl End {
    /// It has come. Of several reasons, the first counts.
    pub(super) fn come(&self, why: &str) {
        let mut first = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| why.to_owned());
        self.rings.notify_one();
    }

    /// Waits until it has come.
    pub(super) async fn has_come(&self) {
        self.rings.notified().await;
    }

    /// Why it has come.
    pub(super) fn why(&self) -> String {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }
}
