//! The process: services started, connections counted, an orderly end.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::protocols::Stream;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, ShutdownWatch};
use pingora::services::background::{BackgroundService, GenBackgroundService, background_service};
use pingora_proxy::{HttpProxy, http_proxy};

use super::gateway::Gateway;
use super::listener::Bound;
use super::signals::Signals;
use super::upstream::Upstream;
use super::whoami::Whoami;
use crate::auth::upkeep::Upkeep;
use crate::session::memory::MemoryStore;

/// A gateway with all that runs beside it, ready to be run.
pub struct Server(pingora::server::Server);

impl Server {
    /// A server for `gateway` on `listeners`.
    pub fn new(
        gateway: Gateway,
        listeners: Vec<TcpListener>,
        upstream: Arc<Upstream>,
        (sessions, upkeep): (Arc<MemoryStore>, Option<Arc<Upkeep>>),
        conf: ServerConf,
    ) -> Self {
        let mut server = pingora::server::Server::new_with_opt_and_conf(None, conf);
        server.bootstrap();
        let version = GenBackgroundService::new("version".to_owned(), gateway.version());
        let connections = Connections::default();
        let front = Front {
            proxy: Arc::new(http_proxy(&server.configuration, gateway)),
            connections: connections.clone(),
        };
        server.add_service(Bound::new("gateway", front, listeners));
        server.add_service(GenBackgroundService::new("upstream".to_owned(), upstream));
        server.add_service(version);
        server.add_service(background_service("tidy", Tidy(sessions)));
        if let Some(upkeep) = upkeep {
            server.add_service(background_service("upkeep", Renew(upkeep)));
        }
        server.add_service(background_service("drain", Drain(connections)));
        Self(server)
    }

    /// Adds an upstream that answers with what it saw.
    pub fn add_whoami(&mut self, listeners: Vec<TcpListener>) {
        self.0.add_service(Bound::new("whoami", Whoami, listeners));
    }

    /// Serves until the process is told to stop.
    ///
    /// Calls `ready` once requests are served and signals are heeded.
    pub fn run(self, ready: impl FnOnce() + Send + 'static) {
        self.0.run(RunArgs { shutdown_signal: Box::new(Signals::new(ready)) });
    }
}

/// How many client connections are being served.
#[derive(Clone, Default)]
struct Connections(Arc<AtomicUsize>);

/// One of them, while it lasts.
struct Open(Connections);

impl Connections {
    fn open(&self) -> Open {
        self.0.fetch_add(1, Ordering::AcqRel);
        Open(self.clone())
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The proxy, and around it what Pingora leaves to us at the door.
struct Front {
    proxy: Arc<HttpProxy<Gateway>>,
    connections: Connections,
}

#[async_trait]
impl ServerApp for Front {
    async fn process_new(
        self: &Arc<Self>,
        stream: Stream,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let _open = self.connections.open();
        self.proxy.process_new(stream, shutdown).await
    }

    async fn cleanup(&self) {
        self.proxy.cleanup().await;
    }
}

/// Forgets idle sessions, so that requests seldom have to.
struct Tidy(Arc<MemoryStore>);

/// How often. Short, so that there is little to do each time.
const TIDY_EVERY: Duration = Duration::from_millis(200);

#[async_trait]
impl BackgroundService for Tidy {
    async fn start(&self, shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            self.0.tidy();
            tokio::time::sleep(TIDY_EVERY).await;
        }
    }
}

/// Looks after InfluxDB's half of sessions.
struct Renew(Arc<Upkeep>);

#[async_trait]
impl BackgroundService for Renew {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        tokio::select! {
            () = self.0.run() => {}
            _ = shutdown.changed() => {}
        }
    }
}

/// Ends the process when told to stop and the last request is answered. Pingora by itself would
/// wait out the whole grace period, which stays the limit.
struct Drain(Connections);

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
            if self.0.count() == 0 {
                log::info!("all requests are answered");
                std::process::exit(0);
            }
        }
    }
}
