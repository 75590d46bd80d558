//! Two connections that have become one: what comes on either goes out on the other, as it is.

mod pipe;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use pingora::protocols::Stream;
use tokio::time::{Instant, Sleep, sleep};

use pipe::Pipe;

/// How long the other side may be silent when one has said its last.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How many bytes have gone through.
#[derive(Default)]
pub struct Moved {
    /// From the client.
    pub received: AtomicU64,
    /// To it.
    pub sent: AtomicU64,
}

/// The other connection, and what is on its way.
pub struct Tunnel {
    other: Stream,
    out: Pipe,
    back: Pipe,
    /// For how long it may be silent.
    patience: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Tunnel {
    /// To `other`, of which `early` has come already. It ends when it is silent for longer than this `patience`.
    pub fn new(other: Stream, early: BytesMut, patience: Duration, moved: &Arc<Moved>) -> Self {
        Self {
            other,
            out: Pipe::new(BytesMut::new(), Arc::clone(moved), |moved| &moved.received),
            back: Pipe::new(early, Arc::clone(moved), |moved| &moved.sent),
            patience,
            timer: Box::pin(sleep(patience)),
        }
    }

    /// Passes on what there is, in both directions; `early` has come on `own` before it. Ready when both have said their last,
    /// or nothing is said any more; an error if one is gone.
    pub fn poll(
        &mut self,
        own: &mut Stream,
        early: &mut BytesMut,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !early.is_empty() {
            self.out.begin_with(std::mem::take(early));
        }
        let before = self.out.count() + self.back.count();
        let out = self.out.poll(own, &mut self.other, context)?;
        let back = self.back.poll(&mut self.other, own, context)?;
        match (out, back) {
            (Poll::Ready(()), Poll::Ready(())) => return Poll::Ready(Ok(())),
            (Poll::Pending, Poll::Pending) => {}
            _ => self.patience = self.patience.min(LAST_WORDS),
        }
        let latest = Instant::now() + self.patience;
        let has_moved = self.out.count() + self.back.count() != before;
        if has_moved || self.timer.deadline() > latest {
            self.timer.as_mut().reset(latest);
        }
        self.timer.as_mut().poll(context).map(Ok)
    }
}

/// Where a connection has its tunnel, once it has one.
#[derive(Default)]
pub struct Joint(Mutex<Option<Box<Tunnel>>>);

impl Joint {
    /// From now on it has this one.
    pub fn join(&self, tunnel: Tunnel) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(tunnel));
    }

    /// The tunnel, if there is one.
    pub fn tunnel(&mut self) -> Option<&mut Tunnel> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_deref_mut()
    }
}

#[cfg(test)]
mod tests;
