//! Waiting for a body that can be interrupted from outside.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

use super::Guard;

/// Waits for a bell, if there is one.
#[derive(Default)]
pub(super) struct Bell(Mutex<Option<Pin<Box<OwnedNotified>>>>);

impl Bell {
    fn wait_for(&self, bell: Arc<Notify>) {
        let waiting = Box::pin(bell.notified_owned());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(waiting);
    }

    /// Whether it has rung, once.
    fn has_rung(&mut self, context: &mut Context<'_>) -> bool {
        let waiting = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let has_rung = waiting.as_mut().is_some_and(|bell| bell.as_mut().poll(context).is_ready());
        if has_rung {
            *waiting = None;
        }
        has_rung
    }
}

impl Guard {
    /// Interrupts the reading of the current request when `bell` rings, until the next request is waited for.
    /// Reading its body can go on after that.
    pub fn break_off_at(&self, bell: Arc<Notify>) {
        self.bell.wait_for(bell);
    }

    /// No bell breaks off what comes from now on.
    pub(super) fn mind_no_bell(&mut self) {
        self.bell = Bell::default();
    }

    /// An error if the bell has rung.
    pub(super) fn heed_bell(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.bell.has_rung(context) {
            Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
        } else {
            Poll::Pending
        }
    }
}
