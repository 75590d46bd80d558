//! The connection as Pingora sees it: one strictly framed request at a time.
//!
//! Pingora has no limit that can be set for a header's size, no deadline for a whole header, and
//! answers what it cannot parse by itself, without a body and without a log. While it waits for an
//! answer it also reads a byte to see whether the client is still there, and what it reads then may
//! get lost. So the bytes are read here first. A request is passed on when its head is whole and has
//! one meaning; its body is passed on up to its end; of what comes after it nothing is, until the
//! connection comes back and the [next request](Guard::next_request) is asked for. Whatever cannot be
//! read is answered here and goes no further.

mod bell;
mod framer;
mod frames;
mod hpack;
mod http2;
mod huffman;
mod inbox;
mod plumbing;
mod refusing;
mod waiting;

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use pingora::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::answer::Manners;
use super::refusal::EarlyRejection;
use super::room::Known;
use crate::api::framing::HeadLimits;
use bell::Bell;
use framer::Framer;
use frames::Frames;

/// The rules and limits for a connection.
pub struct ConnectionRules {
    /// How large a head may be.
    pub head: HeadLimits,
    /// How long a head may take from its first byte to its last.
    pub head_time: Duration,
    /// How refusals are written.
    pub manners: Arc<Manners>,
}

/// A guarded connection.
pub struct Guard {
    io: Stream,
    rules: Arc<ConnectionRules>,
    place: State,
    framer: Framer,
    /// Bytes that were read and belong to later requests.
    inbox: BytesMut,
    /// Until when the head that has begun must be whole.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Who is at the other end.
    client: Option<Arc<Known>>,
    bell: Bell,
}

/// What is being done with the connection.
enum State {
    /// Requests are passed on.
    Open,
    /// The next request cannot be read, and this is being said.
    Refused(Box<EarlyRejection>),
    /// It has been said.
    Said,
    /// We have hung up. What still comes is not listened to.
    HungUp { ignored: usize },
    /// A body is broken in the middle.
    Broken,
    /// HTTP/2, which frames its requests by itself.
    Http2(Box<Frames>),
}

/// How much is read at once when it has to be looked at before it is passed on.
const PIECE: usize = 4096;

impl Guard {
    /// Guards `io`.
    pub fn new(io: Stream, rules: Arc<ConnectionRules>) -> Self {
        Self {
            io,
            rules,
            place: State::Open,
            framer: Framer::new(),
            inbox: BytesMut::new(),
            deadline: None,
            client: None,
            bell: Bell::default(),
        }
    }

    /// The same connection, of this client.
    pub(super) fn of(self, client: Arc<Known>) -> Self {
        Self { client: Some(client), ..self }
    }

    /// Who is at the other end, if that was said.
    pub(super) fn client(&self) -> Option<&Arc<Known>> {
        self.client.as_ref()
    }

    /// Whether the body of the request that was passed on is not what its head said.
    pub fn is_broken(&self) -> bool {
        matches!(self.place, State::Broken)
    }

    /// Reads the rest of the request's body straight into `buf`; what comes after it goes to the
    /// inbox. Nothing is copied as long as the body lasts.
    fn read_body(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buf))?;
        let fresh = &buf.filled()[before..];
        let read = if let Ok(count) = self.framer.body(fresh) {
            self.inbox.extend_from_slice(&fresh[count..]);
            buf.set_filled(before + count);
            Ok(())
        } else {
            self.place = State::Broken;
            buf.set_filled(before);
            Err(io::ErrorKind::InvalidData.into())
        };
        Poll::Ready(read)
    }

    /// Whether the head that has begun is late.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let time = self.rules.head_time;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        deadline.as_mut().poll(context).is_ready()
    }
}

/// What Pingora reads: the rest of a request's body, and then whether the client is still there.
impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let rung @ Poll::Ready(_) = this.heed_bell(context) {
            return rung;
        }
        match this.place {
            State::Http2(_) => this.read_http_2(context, buf),
            State::Open if this.framer.is_in_body() => this.read_body(context, buf),
            State::Open => this.watch(context),
            State::Broken => Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
            State::Refused(_) | State::Said | State::HungUp { .. } => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
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
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
