//! Accepts connections, runs the services, and stops in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::{ALPN, Stream};
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, ShutdownWatch};
use pingora::services::ServiceWithDependents;

use super::acceptance::Acceptance;
use super::concurrency::ConcurrencyLimits;
use super::connections::Connections;
use super::handshake::Handshakes;
use super::http1::EarlyRejection;
use super::http1::connection::Connection;
use super::http1::keepalive::{self, KeepAlive, Whole};
use super::listener::{Bound, Listener};
use super::open_requests::OpenRequests;
use super::signals::Signals;
use super::socket;
use crate::api::rejection::Rejection;
use crate::audit::Audit;
use crate::gateway::Gateway;
use crate::gateway::readiness::Readiness;
use crate::gateway::reloads::Reloads;

/// The process: its services, and what they are run with.
pub struct Server {
    process: pingora::server::Server,
    reloads: Reloads,
    acceptance: Arc<Acceptance>,
}

impl Server {
    /// A server without services yet, which asks for `reloads` on SIGHUP and accepts connections when `acceptance` says so.
    pub fn new(conf: ServerConf, reloads: Reloads, acceptance: Arc<Acceptance>) -> Self {
        let mut process = pingora::server::Server::new_with_opt_and_conf(None, conf);
        process.bootstrap();
        Self { process, reloads, acceptance }
    }

    /// Pingora's own configuration, as it was completed.
    pub fn conf(&self) -> &Arc<ServerConf> {
        &self.process.configuration
    }

    /// Adds a service that accepts connections.
    pub fn listen<A: ServerApp + Send + Sync + 'static>(&mut self, service: Bound<A>) {
        self.add(service.by(Arc::clone(&self.acceptance)));
    }

    /// Adds a service.
    pub fn add(&mut self, service: impl ServiceWithDependents + 'static) {
        self.process.add_service(service);
    }

    /// Serves until the process is told to stop. That is told to the [`Readiness`] first, so long before.
    ///
    /// Calls `ready` once requests are served and signals are heeded.
    pub fn run(
        self,
        audit: &Audit,
        draining: (Arc<Readiness>, Duration),
        ready: impl FnOnce() + Send + 'static,
    ) {
        let started = audit.clone();
        let ready = move || {
            started.start();
            ready();
        };
        let signals = (self.reloads, self.acceptance);
        let signals = Signals::new(signals, draining, audit.clone(), ready);
        self.process.run(RunArgs { shutdown_signal: Box::new(signals) });
        audit.flush();
        log::logger().flush();
    }
}

/// What happens to a connection before a proxy has its requests.
pub struct Front<P, W> {
    /// Answers the requests.
    pub proxy: Arc<P>,
    /// Answers those of HTTP/1 that have come whole, if they are not for `proxy` too.
    pub whole: Option<Arc<W>>,
    /// Has the rules for connections.
    pub gateway: Arc<Gateway>,
    /// Counts connections.
    pub connections: Connections,
    /// Counts requests.
    pub open: OpenRequests,
    /// Knows their clients.
    pub concurrency: Arc<ConcurrencyLimits>,
    /// How long connections are kept.
    pub keep_alive: KeepAlive,
    /// Knows when they are to end.
    pub acceptance: Arc<Acceptance>,
}

/// How long a client may take to read that there are too many connections, and to shake hands before.
const REJECTION: Duration = Duration::from_secs(1);

/// The way to a [`Front`] through one listener.
pub struct Door<P, W> {
    front: Arc<Front<P, W>>,
    /// Where TLS is spoken.
    handshakes: Option<Handshakes>,
}

#[async_trait]
impl<P: HttpServerApp + Send + Sync + 'static, W: Whole> ServerApp for Door<P, W> {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let front = &self.front;
        let socket = stream.get_socket_digest();
        let peer = socket::peer_address(socket.as_deref());
        // Who stalls in a handshake has a connection like everybody else.
        let open = front.connections.open(peer);
        let limit = open.as_ref().map_or(REJECTION, |_| front.gateway.policy().limits.head);
        let stream = match &self.handshakes {
            Some(handshakes) => handshakes.shake(stream, peer, limit).await?,
            None => stream,
        };
        let Some(open) = open else {
            front.reject(stream).await;
            return None;
        };
        let front = Arc::clone(front);
        let shutdown = front.acceptance.stop(shutdown).clone();
        // Pingora's own task keeps the room that a TLS handshake takes for as long as it lives,
        // some 9 KiB, so it ends here.
        tokio::spawn(async move {
            front.serve(stream, &shutdown).await;
            drop(open);
        });
        None
    }

    async fn cleanup(&self) {
        self.front.proxy.http_cleanup().await;
    }
}

impl<P: HttpServerApp + Send + Sync + 'static, W: Whole> Front<P, W> {
    /// This behind `listeners`.
    pub fn behind(self, name: &str, listeners: Vec<Listener>) -> Bound<Door<P, W>> {
        let front = Arc::new(self);
        Bound::new(name, listeners, |certificate| Door {
            front: Arc::clone(&front),
            handshakes: certificate.map(Handshakes::by),
        })
    }

    /// Says that there are too many connections.
    async fn reject(&self, mut stream: Stream) {
        let socket = stream.get_socket_digest();
        let (rejection, now) = (Rejection::TooManyConnections, Instant::now());
        let mut rejection = EarlyRejection::new(rejection, &self.gateway, &stream, now);
        // A client that does not take it is not waited for.
        let _ = tokio::time::timeout(REJECTION, rejection.write(&mut stream)).await;
        rejection.log(socket.as_deref());
    }

    /// Serves a connection up to its end.
    async fn serve(&self, stream: Stream, shutdown: &ShutdownWatch) {
        let gateway = Arc::clone(&self.gateway);
        if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            let connection = Box::new(Connection::http_2(stream, gateway, self.open.clone()));
            self.proxy.process_new(connection, shutdown).await;
        } else {
            let socket = stream.get_socket_digest();
            let client = self.concurrency.client(socket::peer_address(socket.as_deref()));
            let connection =
                Box::new(Connection::new(stream, gateway, self.open.clone()).of(client));
            let other = keepalive::serve(
                (self.whole.as_ref(), &self.proxy),
                connection,
                self.keep_alive,
                shutdown,
            )
            .await;
            if let Some(connection) = other {
                self.proxy.process_new(connection, shutdown).await;
            }
        }
    }
}
