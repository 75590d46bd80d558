//! Starts the services, accepts connections, and stops in order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora::apps::{HttpServerOptions, ServerApp};
use pingora::protocols::http::v2::server::default_h2_options;
use pingora::protocols::{ALPN, Stream};
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, ShutdownWatch};
use pingora::services::background::BackgroundService;
use pingora_proxy::{HttpProxy, http_proxy};
use tokio::sync::Notify;

use super::connections::Connections;
use super::conversation;
use super::exchange;
use super::gateway::Gateway;
use super::guard::{ConnectionRules, Guard};
use super::lasting::Lasting;
use super::listener::{Bound, Listener};
use super::refusal::EarlyRejection;
use super::reload::Reload;
use super::room::Room;
use super::signals::Signals;
use super::tls::Certificate;
use super::upstream::Upstream;
use super::whoami::Whoami;
use crate::api::rejection::Rejection;
use crate::audit::Audit;
use crate::auth::Auth;
use crate::auth::upstream_sessions::UpstreamSessions;
use crate::clock::Moment;
use crate::file_identity::watched::Watched;
use crate::session::store::SessionStore;

/// A gateway with all that runs beside it, ready to be run.
pub struct Server {
    process: pingora::server::Server,
    auth: Arc<Auth>,
    reload: Arc<Notify>,
}

impl Server {
    /// A server for `gateway` on `listeners`; what is `watched` is read anew when it changes.
    pub fn new(
        gateway: Gateway,
        listeners: Vec<Listener>,
        upstream: Arc<Upstream>,
        (sessions, upstream_sessions): (Arc<SessionStore>, Option<Arc<UpstreamSessions>>),
        mut watched: Vec<Watched>,
        conf: ServerConf,
    ) -> Self {
        let mut server = pingora::server::Server::new_with_opt_and_conf(None, conf);
        server.bootstrap();
        let auth = Arc::clone(&gateway.auth);
        let version = gateway.manners.version();
        let manners = Arc::clone(&gateway.manners);
        let limits = gateway.limits;
        let connections = Connections::new(limits.connections, limits.connections_per_client);
        let room = Arc::clone(&gateway.room);
        let mut proxy = http_proxy(&server.configuration, gateway);
        let mut options = HttpServerOptions::default();
        // Pingora counts the requests after the first.
        options.keepalive_request_limit = u32::try_from(limits.requests - 1).ok();
        options.h2_idle_timeout = Some(limits.keepalive);
        proxy.server_options = Some(options);
        let mut h2 = default_h2_options();
        h2.max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX));
        h2.max_concurrent_streams(limits.http2_streams);
        h2.max_pending_accept_reset_streams(limits.http2_resets);
        proxy.h2_options = Some(h2);
        let front = Front {
            proxy: Arc::new(proxy),
            connections: connections.clone(),
            room,
            keepalive: limits.keepalive,
            rules: Arc::new(ConnectionRules {
                head: (&limits).into(),
                head_time: limits.head,
                manners,
            }),
        };
        let certificates = listeners.iter().filter_map(|listener| listener.certificate.as_ref());
        watched.extend(certificates.map(Certificate::watched));
        server.add_service(Bound::new("gateway", front, listeners));
        server.add_service(Lasting::service("upstream", upstream));
        server.add_service(Lasting::service("version", version));
        server.add_service(Lasting::service("tidy", Arc::new(Sweep(sessions))));
        if let Some(upstream_sessions) = upstream_sessions {
            server.add_service(Lasting::service(
                "upstream sessions",
                Arc::new(Renew(upstream_sessions)),
            ));
        }
        let reload = Arc::new(Notify::new());
        let reader = Reload::new(Arc::clone(&auth), watched, Arc::clone(&reload));
        server.add_service(Lasting::service("reload", Arc::new(reader)));
        let drain = Drain { connections, audit: auth.audit().clone() };
        server.add_service(Lasting::service("drain", Arc::new(drain)));
        Self { process: server, auth, reload }
    }

    /// Adds an upstream that answers with what it saw.
    pub fn add_whoami(&mut self, listeners: Vec<Listener>) {
        self.process.add_service(Bound::new("whoami", Whoami, listeners));
    }

    /// Serves until the process is told to stop.
    ///
    /// Calls `ready` once requests are served and signals are heeded.
    pub fn run(self, ready: impl FnOnce() + Send + 'static) {
        let audit = self.auth.audit().clone();
        let ready = move || {
            audit.start();
            ready();
        };
        let signals = Signals::new(self.reload, ready);
        self.process.run(RunArgs { shutdown_signal: Box::new(signals) });
        self.auth.audit().flush();
        log::logger().flush();
    }
}

/// The proxy, and around it what Pingora leaves to us at the door.
struct Front {
    proxy: Arc<HttpProxy<Gateway>>,
    connections: Connections,
    room: Arc<Room>,
    keepalive: Duration,
    rules: Arc<ConnectionRules>,
}

#[async_trait]
impl ServerApp for Front {
    async fn process_new(
        self: &Arc<Self>,
        mut stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let socket = stream.get_socket_digest();
        let Some(open) = self.connections.open(exchange::peer_address(socket.as_deref())) else {
            let (rejection, over_tls) =
                (Rejection::TooManyConnections, stream.get_ssl_digest().is_some());
            let mut refusal =
                EarlyRejection::new(rejection, &self.rules.manners, over_tls, Instant::now());
            // A client that does not take it is not waited for.
            let _ = tokio::time::timeout(REFUSAL, refusal.write(&mut stream)).await;
            refusal.log(socket.as_deref());
            return None;
        };
        let (front, shutdown) = (Arc::clone(self), shutdown.clone());
        // Pingora's own task keeps the room that a TLS handshake takes for as long as it lives,
        // some 9 KiB, so it ends here.
        tokio::spawn(async move {
            front.serve(stream, &shutdown).await;
            drop(open);
        });
        None
    }

    async fn cleanup(&self) {
        self.proxy.cleanup().await;
    }
}

impl Front {
    /// Serves a connection up to its end.
    async fn serve(&self, stream: Stream, shutdown: &ShutdownWatch) {
        if matches!(stream.selected_alpn_proto(), Some(ALPN::H2)) {
            let guard = Box::new(Guard::for_http_2(stream, Arc::clone(&self.rules)));
            self.proxy.process_new(guard, shutdown).await;
        } else {
            let socket = stream.get_socket_digest();
            let client = self.room.client(exchange::peer_address(socket.as_deref()));
            let guard = Guard::new(stream, Arc::clone(&self.rules)).of(client);
            let guard = Box::new(guard);
            conversation::hold(&self.proxy, guard, self.keepalive, shutdown).await;
        }
    }
}

/// How long a client may take to hear that there is no room.
const REFUSAL: Duration = Duration::from_secs(1);

/// Forgets idle sessions.
struct Sweep(Arc<SessionStore>);

/// How often.
const SWEEP_EVERY: Duration = Duration::from_millis(200);

/// How often while there are many, which leaves most of the time to requests.
const SWEEP_MANY_EVERY: Duration = Duration::from_millis(4);

#[async_trait]
impl BackgroundService for Sweep {
    async fn start(&self, shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            let are_more = self.0.sweep(Moment::now());
            tokio::time::sleep(if are_more { SWEEP_MANY_EVERY } else { SWEEP_EVERY }).await;
        }
    }
}

/// Looks after InfluxDB's half of sessions.
struct Renew(Arc<UpstreamSessions>);

#[async_trait]
impl BackgroundService for Renew {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.0.run() => {}
            _ = shutdown.wait_for(|is_over| *is_over) => {}
        }
    }
}

/// Ends the process when told to stop and the last request is answered. Pingora by itself would
/// wait out the whole grace period, which stays the limit.
struct Drain {
    connections: Connections,
    audit: Audit,
}

/// For connections that were accepted in the moment of the signal and are not counted yet.
const SETTLE: Duration = Duration::from_millis(50);

#[async_trait]
impl BackgroundService for Drain {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            if shutdown.changed().await.is_err() {
                return;
            }
        }
        loop {
            tokio::time::sleep(SETTLE).await;
            if self.connections.count() == 0 {
                log::info!("all requests are answered");
                self.audit.flush();
                log::logger().flush();
                std::process::exit(0);
            }
        }
    }
}
