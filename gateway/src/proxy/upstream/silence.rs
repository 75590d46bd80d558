//! Whether an upstream lives that says nothing for long, as while it computes.
//!
//! It is asked by a ping of HTTP/2 (RFC 9113, section 6.7) on a connection of its own, not on that of the silent calls:
//! servers of gRPC's libraries for C++, Go and Java permit a ping in five minutes while they send nothing, and the
//! fourth that comes sooner ends the connection with all calls (`too_many_pings`, gRPC's proposal A8).

use std::fmt;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use h2::Ping;
use pingora::connectors::{ConnectorOptions, L4Connect, TransportConnector};
use pingora::prelude::HttpPeer;
use pingora::protocols::l4::ext;
use pingora::protocols::l4::socket::SocketAddr as Target;
use pingora::protocols::l4::stream::Stream;
use pingora::{Error, ErrorType, OrErr};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::{Upstream, race};

/// How long the upstream has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long after a failure it is asked again in that time: a connection may be refused while it is busy.
const PAUSE: Duration = Duration::from_secs(1);

/// The longest time between two looks at a connection. One that was closed keeps its socket until then.
const PACE: Duration = Duration::from_secs(5);

/// A connection that is open both ways, as Linux numbers it.
const ESTABLISHED: u8 = 1;

/// Closes connections on which nothing has come for `interval` from an upstream that does not live either.
struct Watch {
    upstream: Weak<Upstream>,
    interval: Duration,
    connector: OnceLock<TransportConnector>,
    /// What became of the last question, and when. Whoever holds it asks.
    last: Mutex<Option<(Instant, SocketAddr, bool)>>,
}

impl Watch {
    /// Looks at the connection of `socket` until it is closed, by whomever.
    async fn keep(self: Arc<Self>, socket: OwnedFd, address: SocketAddr) {
        loop {
            sleep(self.interval.min(PACE)).await;
            let Ok(state) = ext::get_tcp_info(socket.as_raw_fd()) else { return };
            if state.tcpi_state != ESTABLISHED {
                return;
            }
            let silence = Duration::from_millis(state.tcpi_last_data_recv.into());
            if silence >= self.interval && !self.lives(address).await {
                log::warn!(
                    "upstream {address}: calls end, as nothing has come for {silence:?} and a new \
                     connection does not answer a ping"
                );
                // Whoever reads from it is told of its end.
                let _ = TcpStream::from(socket).shutdown(Shutdown::Both);
                return;
            }
        }
    }

    /// Whether the upstream at `address` answers. Those who ask at the same time ask it once.
    async fn lives(&self, address: SocketAddr) -> bool {
        let mut last = self.last.lock().await;
        if let Some((at, of, lives)) = *last
            && of == address
            && at.elapsed() < self.interval / 2
        {
            return lives;
        }
        let answered = timeout(PATIENCE, async {
            while let Err(error) = self.ask(address).await {
                log::debug!("upstream {address}: no answer to a ping: {error}");
                sleep(PAUSE).await;
            }
        });
        let lives = answered.await.is_ok();
        *last = Some((Instant::now(), address, lives));
        lives
    }

    /// Pings it.
    async fn ask(&self, address: SocketAddr) -> pingora::Result<()> {
        let gone = || Error::explain(ErrorType::InternalError, "there is no upstream");
        let upstream = self.upstream.upgrade().ok_or_else(gone)?;
        let mut peer: HttpPeer = upstream.peer_at(address);
        peer.options.set_http_version(2, 2);
        // This address, and no other.
        peer.options.custom_l4 = None;
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

/// Opens connections for calls, and looks after them.
#[derive(Clone)]
pub struct Watched(Arc<Watch>);

impl Watched {
    /// Connections to `upstream`, which is asked after `interval` of silence.
    pub fn new(upstream: Weak<Upstream>, interval: Duration) -> Self {
        let (connector, last) = (OnceLock::new(), Mutex::default());
        Self(Arc::new(Watch { upstream, interval, connector, last }))
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
        tokio::spawn(Arc::clone(&self.0).keep(socket, *address));
        Ok(stream.into())
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Watched({:?})", self.0.interval)
    }
}
