//! Listening sockets. They are opened before anything starts, then handed to Pingora.

mod unix;

use std::fs::Permissions;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::listening::Service;
use pingora::services::{ServiceReadyNotifier, ServiceWithDependents};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::task::JoinSet;

use super::acceptance::Acceptance;
use super::tls::Certificate;
use unix::OWNER_ONLY;
pub use unix::{SocketFile, bind as bind_unix};

/// How many connections may wait to be accepted. Pingora sets its own limit later.
const BACKLOG: i32 = 1024;

/// After so long without a word from a client the system asks whether it is there, so often and so many times at most.
const PROBES: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(10))
    .with_retries(6);

/// Opens a listening socket at `address`; port 0 is any free one. With `ipv6_only`, an IPv6 address
/// takes no connections of IPv4: another socket does.
pub fn bind(address: SocketAddr, ipv6_only: bool) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if ipv6_only {
        socket.set_only_v6(true)?;
    }
    // So that a restart need not wait for the connections of the process before.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Has the system close connections, of those that `listener` will accept, whose clients have vanished without a word: a call
/// or a WebSocket may be silent for as long as it likes. Linux gives each connection what its listener has.
pub fn probe(listener: &TcpListener) -> std::io::Result<()> {
    SockRef::from(listener).set_tcp_keepalive(&PROBES)
}

/// A Pingora service whose listeners are open already.
///
/// Pingora would bind in a task of its own. There, an address in use causes a panic and leaves a process without a
/// listener.
pub struct Bound<A> {
    name: String,
    /// One for each listener, whose certificates differ.
    services: Vec<Service<A>>,
    listeners: Vec<Open>,
    threads: Option<usize>,
    /// Says whether connections are accepted, if they are not always.
    acceptance: Option<Arc<Acceptance>>,
}

/// An open listening socket.
pub enum Open {
    /// At an address.
    Tcp(TcpListener),
    /// At a path.
    Unix(UnixListener, String),
}

/// An open listening socket and its protocol.
pub struct Listener {
    /// The socket.
    pub socket: Open,
    /// The certificate, if TLS is spoken.
    pub certificate: Option<Arc<Certificate>>,
}

impl Listener {
    /// The actual address, or the path.
    pub fn address(&self) -> String {
        self.socket.key()
    }

    /// The socket's file, if it is in the file system, to be removed at the end.
    pub fn socket_file(&self) -> Option<SocketFile> {
        match &self.socket {
            Open::Tcp(_) => None,
            Open::Unix(_, path) => Some(SocketFile::new(path)),
        }
    }

    /// The actual address, as a URL, or `unix:` and the path.
    pub fn url(&self) -> String {
        let scheme = match &self.socket {
            Open::Tcp(_) if self.certificate.is_some() => "https://",
            Open::Tcp(_) => "http://",
            Open::Unix(..) => "unix:",
        };
        format!("{scheme}{}", self.address())
    }
}

impl<A: ServerApp + Send + Sync + 'static> Bound<A> {
    /// An app behind each of `listeners`, made of what TLS is spoken with there. It gets connections as they are accepted,
    /// and is who speaks it.
    pub fn new(
        name: &str,
        listeners: Vec<Listener>,
        mut app: impl FnMut(Option<&Arc<Certificate>>) -> A,
    ) -> Self {
        let mut services = Vec::new();
        for listener in &listeners {
            let mut service = Service::new(name.to_owned(), app(listener.certificate.as_ref()));
            let address = listener.socket.key();
            // What reads, TLS included, has buffers of its own; 64 KiB more for each connection are
            // too many.
            let buffers = L4BufferSettings::default().read(0);
            let endpoint = match &listener.socket {
                Open::Tcp(_) => ListenerConfig::tcp(address),
                // Pingora sets what it has once more: by itself, that everybody may connect.
                Open::Unix(..) => {
                    ListenerConfig::uds(address).permissions(Permissions::from_mode(OWNER_ONLY))
                }
            };
            service.add_listener(endpoint.l4_buffer(buffers));
            services.push(service);
        }
        let listeners = listeners.into_iter().map(|listener| listener.socket).collect();
        Self { name: name.to_owned(), services, listeners, threads: None, acceptance: None }
    }

    /// The same, which accepts connections when `acceptance` says so.
    pub fn by(mut self, acceptance: Arc<Acceptance>) -> Self {
        self.acceptance = Some(acceptance);
        self
    }

    /// The same with so many threads of its own, whatever the others have.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }
}

impl Open {
    /// What Pingora files a listener under: its address.
    fn key(&self) -> String {
        match self {
            Self::Tcp(listener) => {
                listener.local_addr().expect("a bound socket has an address").to_string()
            }
            Self::Unix(_, path) => path.clone(),
        }
    }

    /// The address, and the socket once more, for another process.
    pub fn again(&self) -> std::io::Result<(String, OwnedFd)> {
        let socket = match self {
            Self::Tcp(listener) => listener.try_clone()?.into(),
            Self::Unix(listener, _) => listener.try_clone()?.into(),
        };
        Ok((self.key(), socket))
    }

    fn into_raw_fd(self) -> RawFd {
        match self {
            Self::Tcp(listener) => listener.into_raw_fd(),
            Self::Unix(listener, _) => listener.into_raw_fd(),
        }
    }
}

#[async_trait]
impl<A: ServerApp + Send + Sync + 'static> ServiceWithDependents for Bound<A> {
    async fn start_service(
        &mut self,
        fds: Option<ListenFds>,
        shutdown: ShutdownWatch,
        listeners_per_fd: usize,
        ready: ServiceReadyNotifier,
    ) {
        if let Some(fds) = &fds {
            // In Pingora's own table, which it consults before it binds.
            let mut table = fds.lock();
            for listener in self.listeners.drain(..) {
                table.add(listener.key(), listener.into_raw_fd());
            }
        }
        let over = match &self.acceptance {
            Some(acceptance) => acceptance.wait(shutdown).await,
            None => Some(shutdown),
        };
        let Some(over) = over else { return };
        ready.notify_ready();
        let mut serving = JoinSet::new();
        for mut service in self.services.drain(..) {
            let (fds, over) = (fds.clone(), over.clone());
            serving.spawn(async move {
                let service: &mut (dyn pingora::services::Service + Send) = &mut service;
                service.start_service(fds, over, listeners_per_fd).await;
            });
        }
        serving.join_all().await;
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn threads(&self) -> Option<usize> {
        self.threads
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(self.listeners.iter().map(Open::key).collect())
    }
}
