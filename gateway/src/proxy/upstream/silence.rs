//! Whether an upstream lives that says nothing for long, as while it computes.
//!
//! It is asked by a ping of HTTP/2 (RFC 9113, section 6.7) on a connection of its own, not on that of the silent calls:
//! servers of gRPC's libraries for C++, Go and Java permit a ping in five minutes while they send nothing, and the
//! fourth that comes sooner ends the connection with all calls (`too_many_pings`, gRPC's proposal A8).

use std::collections::HashMap;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use h2::Ping;
use pingora::connectors::{ConnectorOptions, L4Connect, TransportConnector};
use pingora::protocols::l4::ext;
use pingora::protocols::l4::socket::SocketAddr as Target;
use pingora::protocols::l4::stream::Stream;
use pingora::upstreams::peer::{Tracer, Tracing};
use pingora::{Error, ErrorType, OrErr};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::{Upstream, race};

/// How long the upstream has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest time between two looks at a connection.
const PACE: Duration = Duration::from_secs(5);

/// A connection that is open both ways, as Linux numbers it.
const ESTABLISHED: u8 = 1;

/// What comes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// The upstream lives.
    Lives,
    /// It takes a connection, and says nothing.
    Silent,
    /// It takes no connection, which is not to say that it does not live: it may be about to stop, and finish what it has
    /// begun, or have as many connections as it takes. Whether its host is there, TCP's own probes tell.
    Unreachable,
}

/// The last answer, and when it came. Whoever holds it asks.
type Last = Arc<Mutex<Option<(Instant, Answer)>>>;

/// Closes connections on which nothing has come for `interval` from an upstream that does not live either.
struct Watch {
    upstream: Weak<Upstream>,
    interval: Duration,
    connector: OnceLock<TransportConnector>,
    /// How many calls are open.
    calls: AtomicUsize,
    answers: std::sync::Mutex<HashMap<SocketAddr, Last>>,
}

/// Opens connections for calls, and looks after them.
#[derive(Clone)]
pub struct Watched(Arc<Watch>);

/// A call that is open.
pub struct OpenCall(Arc<Watch>);

impl Watched {
    /// Connections to `upstream`, which is asked after `interval` of silence.
    pub fn new(upstream: Weak<Upstream>, interval: Duration) -> Self {
        Self(Arc::new(Watch {
            upstream,
            interval,
            connector: OnceLock::new(),
            calls: AtomicUsize::new(0),
            answers: std::sync::Mutex::default(),
        }))
    }

    /// A call that is about to be sent. While there is none, nobody is asked.
    pub fn call(&self) -> OpenCall {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        OpenCall(Arc::clone(&self.0))
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watch {
    /// Looks at the connection of `socket` until it is closed, by whomever.
    async fn keep(self: Arc<Self>, socket: OwnedFd, address: SocketAddr) {
        loop {
            sleep(self.interval.min(PACE)).await;
            let state = || ext::get_tcp_info(socket.as_raw_fd()).ok();
            let Some(before) = state().filter(|it| it.tcpi_state == ESTABLISHED) else { return };
            let silence = Duration::from_millis(before.tcpi_last_data_recv.into());
            let is_due = silence >= self.interval && self.calls.load(Ordering::Relaxed) > 0;
            if !is_due || self.ask_once(address).await != Answer::Silent {
                continue;
            }
            // It may have said something meanwhile.
            if state().is_some_and(|now| now.tcpi_bytes_received != before.tcpi_bytes_received) {
                continue;
            }
            log::warn!(
                "upstream {address}: calls end, as nothing has come for {silence:?} and a new connection does not \
                 answer a ping"
            );
            // Whoever reads from it is told of its end.
            let _ = TcpStream::from(socket).shutdown(Shutdown::Both);
            return;
        }
    }

    /// What the upstream at `address` answers. Those who ask at the same time ask it once.
    async fn ask_once(&self, address: SocketAddr) -> Answer {
        let asked = Instant::now();
        let last = {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(answers.entry(address).or_default())
        };
        let mut last = last.lock().await;
        if let Some((at, answer)) = *last {
            let is_recent = answer == Answer::Lives && at.elapsed() < self.interval / 2;
            if at >= asked || is_recent {
                return answer;
            }
        }
        let reached = Arc::<Reached>::default();
        let answer = match timeout(PATIENCE, self.ping(address, &reached)).await {
            Ok(Ok(())) => Answer::Lives,
            Err(_elapsed) if reached.0.load(Ordering::Relaxed) => Answer::Silent,
            Err(_elapsed) => Answer::Unreachable,
            Ok(Err(error)) => {
                log::debug!("upstream {address}: no answer to a ping: {error}");
                Answer::Unreachable
            }
        };
        *last = Some((Instant::now(), answer));
        answer
    }

    async fn ping(&self, address: SocketAddr, reached: &Arc<Reached>) -> pingora::Result<()> {
        let gone = || Error::explain(ErrorType::InternalError, "there is no upstream");
        let upstream = self.upstream.upgrade().ok_or_else(gone)?;
        let mut peer = upstream.peer_at(address);
        peer.options.set_http_version(2, 2);
        peer.options.total_connection_timeout = None;
        peer.options.custom_l4 = Some(Arc::clone(reached) as Arc<dyn L4Connect + Send + Sync>);
        let connector = self.connector.get_or_init(|| {
            let mut options = ConnectorOptions::new(1);
            options.ca_file = upstream.authorities();
            TransportConnector::new(Some(options))
        });
        let stream = connector.new_stream(&peer).await?;
        let what = "asking whether the upstream lives";
        let opened = h2::client::handshake(stream).await;
        // While there is one who may send requests, the connection stays open.
        let (_requests, mut connection) = opened.or_err(ErrorType::H2Error, what)?;
        let Some(mut pings) = connection.ping_pong() else { return Ok(()) };
        tokio::select! {
            answer = pings.ping(Ping::opaque()) => answer.map(drop).or_err(ErrorType::H2Error, what),
            _ = connection => Error::e_explain(ErrorType::ConnectionClosed, what),
        }
    }
}

/// Connects to one address, and no other, and notes that there was a connection, whatever TLS comes to then.
#[derive(Debug, Default)]
struct Reached(AtomicBool);

#[async_trait]
impl L4Connect for Reached {
    async fn connect(&self, target: &Target) -> pingora::Result<Stream> {
        let none = || Error::explain(ErrorType::InternalError, "it is no address of a network");
        let stream = ext::connect(target.as_inet().ok_or_else(none)?, None).await?;
        self.0.store(true, Ordering::Relaxed);
        Ok(stream.into())
    }
}

#[async_trait]
impl L4Connect for Watched {
    async fn connect(&self, target: &Target) -> pingora::Result<Stream> {
        let (Some(upstream), Some(address)) = (self.0.upstream.upgrade(), target.as_inet()) else {
            return Error::e_explain(ErrorType::InternalError, "there is no upstream");
        };
        let stream = race::open(upstream, *address).await?;
        let socket = stream.as_fd().try_clone_to_owned();
        let socket = socket.or_err(ErrorType::SocketError, "watching over a connection")?;
        let keeping = tokio::spawn(Arc::clone(&self.0).keep(socket, *address));
        let mut stream = Stream::from(stream);
        stream.tracer = Some(Tracer(Box::new(Keeping(keeping.abort_handle()))));
        Ok(stream)
    }
}

/// Ends with the connection, so that nothing holds the socket any more.
#[derive(Clone, Debug)]
struct Keeping(AbortHandle);

impl Tracing for Keeping {
    fn on_connected(&self) {}

    fn on_disconnected(&self) {
        self.0.abort();
    }

    fn boxed_clone(&self) -> Box<dyn Tracing> {
        Box::new(self.clone())
    }
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Watched({:?})", self.0.interval)
    }
}
