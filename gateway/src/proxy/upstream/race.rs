//! Connecting to an upstream of several addresses: the next is tried beside the one before when that
//! has not answered for a moment (RFC 8305), and the name is looked up when none has.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::ext;
use pingora::protocols::l4::socket::SocketAddr as Target;
use pingora::protocols::l4::stream::Stream;
use pingora::{Error, ErrorType};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::Upstream;

/// The error when another address answered before the one that was wanted. Nothing is wrong then, and
/// the next attempt begins with that one.
pub const OVERTAKEN: ErrorType = ErrorType::Custom("another address answered first");

/// The error when no address has answered in time.
pub const LATE: ErrorType = ErrorType::Custom("no address answered in time");

/// How long to wait for an address before the next one is tried in parallel (RFC 8305 section 5).
const DELAY: Duration = Duration::from_millis(250);

/// How Pingora connects to one of the upstream's addresses.
///
/// A connection is filed under the address that was asked for, and must be one to it: where another
/// answers first, that is only noted, and said by [`OVERTAKEN`].
#[derive(Debug)]
pub struct Connector(pub Weak<Upstream>);

#[async_trait]
impl L4Connect for Connector {
    async fn connect(&self, target: &Target) -> pingora::Result<Stream> {
        match (self.0.upgrade(), target.as_inet()) {
            (Some(upstream), Some(address)) => Ok(open(upstream, *address).await?.into()),
            _ => Error::e_explain(ErrorType::InternalError, "there is no upstream"),
        }
    }
}

/// A connection to `address` of `upstream`.
pub async fn open(upstream: Arc<Upstream>, address: SocketAddr) -> pingora::Result<TcpStream> {
    if upstream.is_name {
        return Race::new(upstream).run(address).await;
    }
    let source = upstream.source_for(address);
    ext::connect(&address, source.as_ref()).await
}

/// What has happened.
enum Event {
    Connected(SocketAddr, pingora::Result<TcpStream>),
    LookedUp,
}

/// Attempts at one connection.
struct Race {
    upstream: Arc<Upstream>,
    /// Those that were not tried yet.
    left: VecDeque<SocketAddr>,
    tried: Vec<SocketAddr>,
    /// Those that have not answered, and since when.
    under_way: Vec<(SocketAddr, Instant)>,
    tasks: JoinSet<Event>,
    is_looking_up: bool,
    /// Why the last that failed did.
    last: Option<Box<Error>>,
}

impl Race {
    fn new(upstream: Arc<Upstream>) -> Self {
        Self {
            upstream,
            left: VecDeque::new(),
            tried: Vec::new(),
            under_way: Vec::new(),
            tasks: JoinSet::new(),
            is_looking_up: false,
            last: None,
        }
    }

    async fn run(mut self, first: SocketAddr) -> pingora::Result<TcpStream> {
        let time = self.upstream.limits.upstream_connect;
        let (mut pause, mut end) = (pin!(sleep(DELAY)), pin!(ended(time)));
        self.start(first);
        self.note_others();
        loop {
            let event = tokio::select! {
                event = self.tasks.join_next() => event,
                () = pause.as_mut(), if !self.left.is_empty() || !self.is_looking_up => {
                    self.go_on();
                    pause.as_mut().reset(Instant::now() + DELAY);
                    continue;
                }
                () = end.as_mut() => {
                    let what = format!("connecting to {first} took longer than {time:?}");
                    return Error::e_explain(LATE, what);
                }
            };
            let mut has_looked = false;
            match event {
                Some(Ok(Event::Connected(address, Ok(stream)))) => {
                    self.settle(address);
                    self.upstream.note_connected(address);
                    if address == first {
                        return Ok(stream);
                    }
                    self.upstream.note_failed(first);
                    let what = format!("{address} answered before {first}");
                    return Error::e_explain(OVERTAKEN, what);
                }
                Some(Ok(Event::Connected(address, Err(error)))) => {
                    self.settle(address);
                    self.upstream.note_failed(address);
                    self.last = Some(error);
                }
                Some(Ok(Event::LookedUp)) => {
                    self.is_looking_up = false;
                    has_looked = true;
                    self.note_others();
                }
                // A task that panicked; it is logged by then.
                Some(Err(_)) | None => {}
            }
            if !self.left.is_empty() || self.tasks.is_empty() && !has_looked {
                self.go_on();
                pause.as_mut().reset(Instant::now() + DELAY);
            } else if self.tasks.is_empty() {
                let none = || Error::explain(ErrorType::ConnectError, "no address connects");
                return Err(self.last.take().unwrap_or_else(none));
            }
        }
    }

    /// Tries the next address or, when there is none, looks whether there are others by now.
    fn go_on(&mut self) {
        if let Some(address) = self.left.pop_front() {
            self.start(address);
        } else if !self.is_looking_up {
            self.is_looking_up = true;
            let upstream = Arc::clone(&self.upstream);
            self.tasks.spawn(async move {
                upstream.look_up_again().await;
                Event::LookedUp
            });
        }
    }

    fn start(&mut self, address: SocketAddr) {
        self.tried.push(address);
        self.under_way.push((address, Instant::now()));
        let source = self.upstream.source_for(address);
        self.tasks.spawn(async move {
            Event::Connected(address, ext::connect(&address, source.as_ref()).await)
        });
    }

    /// Puts what is known and was not tried in line.
    fn note_others(&mut self) {
        let known = self.upstream.in_order();
        let others = known.into_iter().filter(|address| !self.tried.contains(address));
        self.left = others.collect();
    }

    fn settle(&mut self, address: SocketAddr) {
        self.under_way.retain(|(other, _)| *other != address);
    }
}

/// Waits for the end of `time`, by the clock itself. Pingora gives a connection the same time, TLS
/// included, and looks here first: so it is known what took too long.
async fn ended(time: Duration) {
    let end = Instant::now() + time;
    let mut timer = pin!(sleep(time));
    poll_fn(|context| {
        let is_over = timer.as_mut().poll(context).is_ready() || Instant::now() >= end;
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Drop for Race {
    /// Also when the race is given up from outside: whoever has not answered by then is late.
    fn drop(&mut self) {
        for (address, since) in &self.under_way {
            if since.elapsed() >= DELAY {
                self.upstream.note_failed(*address);
            }
        }
    }
}
