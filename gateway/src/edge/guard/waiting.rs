//! Between two requests there is nothing but the wait for the next one.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use tokio::time::Sleep;

use super::{Guard, Place};

impl Guard {
    /// Waits for the next request, whose head is whole then; `false` if none will come, or has not
    /// begun when `patience` is over.
    pub async fn next_request(&mut self, mut patience: Pin<&mut Sleep>) -> bool {
        poll_fn(|context| self.poll_next_request(context, patience.as_mut())).await
    }

    fn poll_next_request(
        &mut self,
        context: &mut Context<'_>,
        patience: Pin<&mut Sleep>,
    ) -> Poll<bool> {
        if self.answered.load(Ordering::Acquire) < self.passed {
            // It came along with the one before, and has been passed on already.
            return Poll::Ready(true);
        }
        match self.clear(context) {
            Poll::Ready(read) => Poll::Ready(read.is_ok() && self.cleared > 0),
            Poll::Pending if self.is_in_half_a_head() => Poll::Pending,
            Poll::Pending => patience.poll(context).map(|()| false),
        }
    }

    /// Whether a head has begun, which has a time of its own.
    fn is_in_half_a_head(&self) -> bool {
        matches!(self.place, Place::Open) && !self.inbox.is_empty()
    }
}
