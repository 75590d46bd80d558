//! The connection as Pingora gets to see it: strictly framed requests, and nothing else.
//!
//! Pingora has no limit that can be set for a header's size, no deadline for a whole header, and
//! answers what it cannot parse by itself, without a body and without a log. So the bytes are read
//! here first. A head is passed on when it is whole and has one meaning; a body is passed on up to
//! its end; whatever is neither is answered here and goes no further.

mod framer;
mod inbox;
mod plumbing;
mod preface;
mod waiting;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use pingora::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::refusal;
use crate::api::framing::HeadLimits;
use crate::api::rejection::Rejection;
use framer::{Framer, Stop};

/// What a connection is held to.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How large a head may be.
    pub head: HeadLimits,
    /// How long a head may take from its first byte to its last.
    pub head_time: Duration,
}

/// A guarded connection.
pub struct Guard {
    io: Stream,
    rules: Rules,
    place: Place,
    framer: Framer,
    /// Bytes that were read and not passed on, of which the first `cleared` may be.
    inbox: BytesMut,
    cleared: usize,
    /// Until when the head that has begun must be whole.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Requests passed on, and those that were answered: a refusal waits for its turn.
    passed: u64,
    answered: Arc<AtomicU64>,
}

/// What is being done with the connection.
enum Place {
    /// Requests are passed on.
    Open,
    /// The next request cannot be read, and this is to be said.
    Refused(Rejection),
    /// It is being said, so much of it is left.
    Answering(BytesMut),
    /// It has been said. What still comes is not listened to.
    Answered { ignored: usize },
    /// A body is broken in the middle.
    Broken,
    /// HTTP/2, which frames its requests by itself, once so much more of its preface has come.
    Http2 { preface: usize },
}

/// After a refusal, so much is still read and dropped: a connection closed with bytes unread would
/// be reset, and the refusal lost.
const IGNORED: usize = 256 * 1024;

/// For so long.
const LINGER: Duration = Duration::from_secs(1);

/// How much is read at once when it has to be looked at before it is passed on.
const PIECE: usize = 4096;

impl Guard {
    /// Guards `io`.
    pub fn new(io: Stream, rules: Rules) -> Self {
        Self {
            io,
            rules,
            place: Place::Open,
            framer: Framer::new(),
            inbox: BytesMut::new(),
            cleared: 0,
            deadline: None,
            passed: 0,
            answered: Arc::default(),
        }
    }

    /// Notes that the oldest request that was passed on has been answered.
    pub fn note_answered(&self) {
        self.answered.fetch_add(1, Ordering::AcqRel);
    }

    /// Looks at `bytes`, which follow what was passed on; returns how many of them may be.
    fn look(&mut self, bytes: &[u8]) -> usize {
        let look = self.framer.look(bytes, &self.rules.head);
        self.passed += look.heads;
        if look.heads > 0 {
            self.deadline = None;
        }
        match look.stop {
            Some(Stop::Refused(rejection)) => self.place = Place::Refused(rejection),
            Some(Stop::Broken) => self.place = Place::Broken,
            None => {}
        }
        look.passed
    }

    /// Reads straight into `buf` and passes on what may be; the rest goes to the inbox. Nothing is
    /// copied when all of it may be.
    fn read_through(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buf))?;
        let passed = {
            let fresh = &buf.filled()[before..];
            let passed = self.look(fresh);
            self.inbox.extend_from_slice(&fresh[passed..]);
            passed
        };
        buf.set_filled(before + passed);
        Poll::Ready(Ok(()))
    }

    /// Whether the head that has begun is late.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let time = self.rules.head_time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        deadline.as_mut().poll(context).is_ready()
    }

    /// Says no, once whatever came before has been answered; then hangs up.
    fn refuse(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.place {
                Place::Refused(rejection) => {
                    if self.answered.load(Ordering::Acquire) < self.passed {
                        // Pingora asks again when it wants the next request.
                        return Poll::Pending;
                    }
                    let answer = refusal::write(*rejection);
                    refusal::log(*rejection, self.io.get_socket_digest().as_deref());
                    self.deadline = Some(Box::pin(tokio::time::sleep(LINGER)));
                    self.place = Place::Answering(answer);
                }
                Place::Answering(left) if left.is_empty() => {
                    // Only our half: the client may still be sending.
                    ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
                    self.place = Place::Answered { ignored: 0 };
                }
                Place::Answering(left) => {
                    let written = ready!(Pin::new(&mut self.io).poll_write(context, left))?;
                    left.advance(written);
                }
                Place::Answered { ignored } => {
                    let mut piece = [0; PIECE];
                    let mut buf = ReadBuf::new(&mut piece);
                    let read = Pin::new(&mut self.io).poll_read(context, &mut buf);
                    let count = buf.filled().len();
                    *ignored += count;
                    let is_over =
                        matches!(read, Poll::Ready(_)) && count == 0 || *ignored > IGNORED;
                    if is_over || self.is_late(context) {
                        return Poll::Ready(Ok(()));
                    }
                    ready!(read)?;
                }
                _ => return Poll::Ready(Ok(())),
            }
        }
    }

    fn has_been_refused(&self) -> bool {
        matches!(self.place, Place::Answering(_) | Place::Answered { .. })
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Place::Http2 { preface } = this.place {
            return this.read_http_2(context, buf, preface);
        }
        if matches!(this.place, Place::Open) && this.inbox.is_empty() {
            let before = buf.filled().len();
            ready!(this.read_through(context, buf))?;
            if buf.filled().len() > before || this.inbox.is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        ready!(this.clear(context))?;
        this.hand_over(buf);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.has_been_refused() {
            // The last word has been said.
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.has_been_refused() {
            return Poll::Ready(Ok(slices.iter().map(|slice| slice.len()).sum()));
        }
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
