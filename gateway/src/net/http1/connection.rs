//! The connection as Pingora sees it: one strictly framed request at a time.
//!
//! Pingora has no limit that can be set for a header's size, no deadline for a whole header, and
//! answers what it cannot parse by itself, without a body and without a log. While it waits for an
//! answer it also reads a byte to see whether the client is still there, and what it reads then may
//! get lost. So the bytes are read here first. A request is passed on when its head is whole and has
//! one meaning; its body is passed on up to its end; of what comes after it nothing is, until the
//! connection comes back and the [next request](Connection::next_request) is asked for. Whatever
//! cannot be read is answered here and goes no further.

use std::future::{Future, poll_fn};
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use pingora::protocols::Stream;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use super::EarlyRejection;
use super::framer::{self, Framer};
use super::interrupt::Interrupt;
use super::rejecting::Rejecting;
use super::tunnel::{Joint, Tunnel};
use crate::api::rejection::Rejection;
use crate::gateway::Gateway;
use crate::gateway::policy::Policy;
use crate::net::concurrency::KnownClient;
use crate::net::http2::{self, frames::Frames, gathered::Gathered};
use crate::net::open_requests::OpenRequests;

/// A connection of a client.
pub struct Connection {
    pub(super) io: Stream,
    gateway: Arc<Gateway>,
    /// The rules for requests on it, from its beginning to its end.
    policy: Arc<Policy>,
    pub(super) state: State,
    /// Whether its client may still begin with HTTP/2.
    may_turn: bool,
    pub(super) framer: Framer,
    /// Bytes that were read and belong to later requests.
    pub(super) read_ahead: BytesMut,
    /// What was written of HTTP/2 and not flushed.
    pub(super) gathered: Gathered,
    /// Until when the head that has begun must be whole.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Who is at the other end.
    client: Option<Arc<KnownClient>>,
    pub(super) interrupt: Interrupt,
    /// The way to another connection, if it is one with that, as a WebSocket's is.
    pub(super) tunnel: Joint,
}

/// What is being done with the connection.
pub(super) enum State {
    /// Requests are passed on.
    Open,
    /// The next request cannot be read, and this is being said.
    Rejecting(Box<Rejecting>),
    /// A body is broken in the middle.
    Broken,
    /// HTTP/2, which frames its requests by itself.
    Http2(Box<Frames>),
}

/// How much is read at once when it has to be looked at before it is passed on.
const PIECE: usize = 4096;

/// So many bytes of later requests are kept while one is answered. A client that sends more is not
/// watched any more until their turn comes, and waits.
const AHEAD: usize = 16 * 1024;

impl Connection {
    /// The connection `io`, whose requests are `open` while their answers are not taken.
    pub fn new(io: Stream, gateway: Arc<Gateway>, open: OpenRequests) -> Self {
        let policy = gateway.policy();
        let may_turn = policy.h2c && io.get_ssl_digest().is_none();
        Self {
            io,
            gateway,
            policy,
            state: State::Open,
            may_turn,
            framer: Framer::new(),
            read_ahead: BytesMut::new(),
            gathered: Gathered::new(open),
            deadline: None,
            client: None,
            interrupt: Interrupt::default(),
            tunnel: Joint::default(),
        }
    }

    /// The connection `io`, on which HTTP/2 is spoken: its beginning must come in the time of a head,
    /// for which Pingora would wait for ever.
    pub fn http_2(io: Stream, gateway: Arc<Gateway>, open: OpenRequests) -> Self {
        Self { state: State::Http2(Box::default()), ..Self::new(io, gateway, open) }
    }

    /// The same connection, of this client.
    pub fn of(self, client: Arc<KnownClient>) -> Self {
        Self { client: Some(client), ..self }
    }

    /// Who is at the other end, if that was said.
    pub fn client(&self) -> Option<&Arc<KnownClient>> {
        self.client.as_ref()
    }

    /// Whether the body of the request that was passed on is not what its head said.
    pub fn is_broken(&self) -> bool {
        matches!(self.state, State::Broken)
    }

    /// Whether HTTP/2 is spoken on it.
    pub fn is_http_2(&self) -> bool {
        matches!(self.state, State::Http2(_))
    }

    /// Whether all of the request that was passed on last has come.
    pub fn has_all(&self) -> bool {
        matches!(self.state, State::Open) && !self.framer.is_in_body()
    }

    /// Interrupts the reading of the current request when `bell` rings, until the next request is
    /// waited for. Reading its body can go on after that.
    pub fn interrupt_at(&self, bell: Arc<Notify>) {
        self.interrupt.wait_for(bell);
    }

    /// From now on nothing on it is a request: whoever reads from it has all that comes, and what has come ahead, go
    /// through `tunnel`, and is at the end when that is.
    pub fn join(&self, tunnel: Tunnel) {
        self.tunnel.join(tunnel);
    }

    /// Waits for the next request: its whole head and what came of its body, and not a byte more.
    /// `None` if none will come, or has not begun when `patience` is over; or if the client
    /// [speaks HTTP/2](Self::is_http_2), which it can only begin with.
    pub async fn next_request(&mut self, mut patience: Pin<&mut Sleep>) -> Option<BytesMut> {
        self.interrupt = Interrupt::default();
        poll_fn(|context| self.poll_next_request(context, patience.as_mut())).await
    }

    fn poll_next_request(
        &mut self,
        context: &mut Context<'_>,
        patience: Pin<&mut Sleep>,
    ) -> Poll<Option<BytesMut>> {
        while matches!(self.state, State::Open) {
            match self.look() {
                Ok(Some(request)) => return Poll::Ready(Some(request)),
                Ok(None) if self.is_http_2() => break,
                Ok(None) => {}
                Err(rejection) => {
                    self.reject(rejection);
                    break;
                }
            }
            match self.read_more(context) {
                // Of half a head nothing is passed on.
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending if self.read_ahead.is_empty() => {
                    return patience.poll(context).map(|()| None);
                }
                Poll::Pending if self.is_late(context) => self.reject(Rejection::ClientTimedOut),
                Poll::Pending => return Poll::Pending,
            }
        }
        // Whether or not the client takes the rejection, nothing comes after it.
        match &mut self.state {
            State::Rejecting(rejecting) => rejecting.poll(&mut self.io, context).map(|_| None),
            _ => Poll::Ready(None),
        }
    }

    /// Looks for the next request in what has been read.
    fn look(&mut self) -> Result<Option<BytesMut>, Rejection> {
        if self.read_ahead.is_empty() || (self.may_turn && self.turns()) {
            return Ok(None);
        }
        let request = self.framer.next(&mut self.read_ahead, &self.policy.head)?;
        if request.is_some() || self.read_ahead.is_empty() {
            // It is whole, or was nothing but an empty line.
            self.deadline = None;
        }
        Ok(request)
    }

    /// Whether what has been read is no request but the beginning of HTTP/2, or may become it.
    fn turns(&mut self) -> bool {
        let begins = http2::begins(&self.read_ahead);
        self.may_turn = begins.is_none();
        if begins == Some(true) {
            self.state = State::Http2(Box::default());
        }
        begins != Some(false)
    }

    /// Has `rejection` said instead of the next request being read: all before it are answered.
    fn reject(&mut self, rejection: Rejection) {
        let now = Instant::now();
        let began = self.deadline.take().and_then(|deadline| {
            deadline.deadline().checked_sub(self.policy.limits.head).map(|began| began.min(now))
        });
        let started = began.unwrap_or(now).into_std();
        let rejection = EarlyRejection::new(rejection, &self.gateway, &self.io, started);
        self.state = State::Rejecting(Box::new(Rejecting::new(rejection)));
    }

    /// Reads more ahead; how much it was, 0 if the client has said its last.
    fn read_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [const { MaybeUninit::uninit() }; PIECE];
        let mut buf = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buf))?;
        self.read_ahead.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Watches the client while its request, all of which has been passed on, is answered. Is ready
    /// when it is gone, as a read is at the end; of what it sends meanwhile nobody gets a byte.
    pub(super) fn watch(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.read_ahead.len() < AHEAD {
            if ready!(self.read_more(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        // Nobody wakes this task: the end of the answer does.
        Poll::Pending
    }

    /// Reads the rest of the request's body straight into `buf`; what comes after it is kept. Nothing
    /// is copied as long as the body lasts.
    pub(super) fn read_body(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.io).poll_read(context, buf))?;
        let fresh = &buf.filled()[before..];
        let read = if let Ok(count) = self.framer.body(fresh) {
            self.read_ahead.extend_from_slice(&fresh[count..]);
            buf.set_filled(before + count);
            Ok(())
        } else {
            self.state = State::Broken;
            buf.set_filled(before);
            Err(io::ErrorKind::InvalidData.into())
        };
        Poll::Ready(read)
    }

    /// Reads HTTP/2. A preface that is late is one that never comes.
    pub(super) fn read_http_2(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let State::Http2(frames) = &mut self.state else { return Poll::Ready(Ok(())) };
        if frames.is_broken() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buf.filled().len();
        let read = if self.read_ahead.is_empty() {
            Pin::new(&mut self.io).poll_read(context, buf)
        } else {
            // What it took to tell that it is HTTP/2.
            let count = self.read_ahead.len().min(buf.remaining());
            buf.put_slice(&framer::take(&mut self.read_ahead, count));
            Poll::Ready(Ok(()))
        };
        frames.follow(&mut buf.filled_mut()[before..]);
        let is_waiting = frames.is_in_preface();
        match read {
            Poll::Pending if is_waiting && self.is_late(context) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) if !is_waiting => {
                self.deadline = None;
                read
            }
            read => read,
        }
    }

    /// Whether the head that has begun is late.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        let time = self.policy.limits.head;
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(time)));
        deadline.as_mut().poll(context).is_ready()
    }
}
