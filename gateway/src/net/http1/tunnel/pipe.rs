//! One direction of a tunnel.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use pingora::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Moved;

/// How much is read at once, and may be on its way.
const PIECE: usize = 16 * 1024;

/// What is on its way from one connection to another.
pub struct Pipe {
    waiting: BytesMut,
    moved: Arc<Moved>,
    /// Which of the two numbers it adds to.
    own: fn(&Moved) -> &AtomicU64,
    /// Whether something was written that may not have left yet.
    is_unflushed: bool,
    /// Whether the one side has said its last.
    is_over: bool,
    /// Whether the other side knows.
    is_told: bool,
}

impl Pipe {
    /// With what has come already.
    pub fn new(early: BytesMut, moved: Arc<Moved>, own: fn(&Moved) -> &AtomicU64) -> Self {
        let (is_unflushed, is_over, is_told) = (false, false, false);
        Self { waiting: early, moved, own, is_unflushed, is_over, is_told }
    }

    /// Before anything has gone through: has `early` go first.
    pub fn begin_with(&mut self, early: BytesMut) {
        self.waiting.unsplit(early);
    }

    /// How many bytes have left.
    pub fn count(&self) -> u64 {
        (self.own)(&self.moved).load(Ordering::Relaxed)
    }

    /// Passes on what there is. Ready when all of it has left and the other side knows that no more will come.
    pub fn poll(
        &mut self,
        from: &mut Stream,
        to: &mut Stream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.is_told {
            if !self.waiting.is_empty() {
                let count = ready!(Pin::new(&mut *to).poll_write(context, &self.waiting))?;
                if count == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                drop(self.waiting.split_to(count));
                (self.own)(&self.moved).fetch_add(count as u64, Ordering::Relaxed);
                self.is_unflushed = true;
            } else if self.is_over {
                ready!(Pin::new(&mut *to).poll_shutdown(context))?;
                self.is_told = true;
            } else {
                ready!(self.poll_read(from, to, context))?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads the next piece. Before it is waited for, what was written leaves.
    fn poll_read(
        &mut self,
        from: &mut Stream,
        to: &mut Stream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.waiting.resize(PIECE, 0);
        let mut buf = ReadBuf::new(&mut self.waiting);
        let read = Pin::new(from).poll_read(context, &mut buf);
        let count = buf.filled().len();
        self.waiting.truncate(count);
        if read.is_pending() {
            // An idle one holds no buffer.
            self.waiting = BytesMut::new();
            if self.is_unflushed {
                ready!(Pin::new(to).poll_flush(context))?;
                self.is_unflushed = false;
            }
            return Poll::Pending;
        }
        self.is_over = count == 0;
        read
    }
}
