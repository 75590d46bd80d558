//! Connections for calls of gRPC that have come whole. Each has several calls at once.

use std::sync::{Arc, OnceLock};

use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::v2::Connector;
use pingora::prelude::HttpPeer;
use pingora::protocols::http::client::HttpSession;
use pingora::protocols::http::v2::client::Http2Session;

use super::grpc;
use super::upstream::{Target, Upstream, count_connection, once_more};

/// Connects for calls.
pub struct Calls {
    upstream: Arc<Upstream>,
    options: ConnectorOptions,
    /// How often a connection is tried to be had.
    attempts: usize,
    /// Made when first used: it may read the system's certificates.
    connector: OnceLock<Connector>,
}

/// Room for one call on a connection.
pub struct Room {
    /// For the call and its answer.
    pub session: Http2Session,
    /// Where it goes.
    pub target: Arc<Target>,
    /// Whether the connection was there before.
    pub is_reused: bool,
}

impl Calls {
    /// Calls to `upstream`, which has so many `attempts` to connect.
    pub fn new(upstream: Arc<Upstream>, options: ConnectorOptions, attempts: usize) -> Self {
        Self { upstream, options, attempts, connector: OnceLock::new() }
    }

    /// Room on a connection to whichever of the upstream's addresses has one.
    pub async fn connect(&self) -> pingora::Result<Room> {
        let mut attempts = 0;
        loop {
            let target = self.upstream.target().await?;
            let error = match self.connect_to(&target).await {
                Ok((Some(session), is_reused)) => return Ok(Room { session, target, is_reused }),
                // Another attempt would not help.
                Ok((None, _)) => return grpc::no_http_2(),
                Err(error) => error,
            };
            attempts += 1;
            once_more(&self.upstream, self.peer(&target), error, attempts, self.attempts)?;
        }
    }

    /// The same at `target`, and whether the connection was there before. `None` if it is one of HTTP/1.
    async fn connect_to(&self, target: &Target) -> pingora::Result<(Option<Http2Session>, bool)> {
        let peer = self.peer(target);
        let reused = self.connector().reused_http_session(peer).await?;
        let is_reused = reused.is_some();
        let session = match reused {
            Some(session) => session,
            None => match Box::pin(self.connector().new_http_session(peer)).await? {
                HttpSession::H2(session) => session,
                HttpSession::H1(_) | HttpSession::Custom(()) => return Ok((None, false)),
            },
        };
        count_connection(is_reused);
        self.upstream.check(peer, session.digest())?;
        Ok((Some(session), is_reused))
    }

    /// Gives the room back, whatever became of the call.
    pub fn release(&self, Room { session, target, .. }: Room) {
        let peer = self.peer(&target);
        self.connector().release_http_session(session, peer, peer.options.idle_timeout);
    }

    fn peer<'a>(&self, target: &'a Target) -> &'a HttpPeer {
        target.for_calls(|peer| grpc::peer(peer, self.upstream.watched()))
    }

    fn connector(&self) -> &Connector {
        self.connector.get_or_init(|| Connector::new(Some(self.options.clone())))
    }
}
