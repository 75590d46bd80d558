//! Interrupts the reading of a request from outside.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Context;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Waits for a bell, if there is one.
#[derive(Default)]
pub struct Interrupt(Mutex<Option<Pin<Box<OwnedNotified>>>>);

impl Interrupt {
    /// Waits for `bell` from now on.
    pub fn wait_for(&self, bell: Arc<Notify>) {
        let waiting = Box::pin(bell.notified_owned());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(waiting);
    }

    /// Whether it has rung, once.
    pub fn has_rung(&mut self, context: &mut Context<'_>) -> bool {
        let waiting = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let has_rung = waiting.as_mut().is_some_and(|bell| bell.as_mut().poll(context).is_ready());
        if has_rung {
            *waiting = None;
        }
        has_rung
    }
}
