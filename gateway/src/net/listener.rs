//! Listening sockets. They are opened before anything starts, then handed to Pingora.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::IntoRawFd;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::ServerApp;
use pingora::listeners::{L4BufferSettings, ListenerConfig};
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::listening::Service;
use pingora::services::{ServiceReadyNotifier, ServiceWithDependents};
use socket2::{Domain, Protocol, Socket, Type};

use super::tls::{self, Certificate};

/// How many connections may wait to be accepted. Pingora sets its own limit later.
const BACKLOG: i32 = 1024;

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

/// A Pingora service whose listeners are open already.
///
/// Pingora would bind in a task of its own. There, an address in use causes a panic and leaves a process without a
/// listener.
pub struct Bound<A> {
    service: Service<A>,
    listeners: Vec<TcpListener>,
}

/// An open listening socket and its protocol.
pub struct Listener {
    /// The socket.
    pub socket: TcpListener,
    /// The certificate, if TLS is spoken.
    pub certificate: Option<Arc<Certificate>>,
}

impl Listener {
    /// The actual address, as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", key(&self.socket))
    }
}

impl<A: ServerApp + Send + Sync + 'static> Bound<A> {
    /// `app` behind `listeners`.
    pub fn new(name: &str, app: A, listeners: Vec<Listener>) -> Self {
        let mut service = Service::new(name.to_owned(), app);
        for listener in &listeners {
            let address = key(&listener.socket);
            // What reads, TLS included, has buffers of its own; 64 KiB more for each connection are
            // too many.
            let buffers = L4BufferSettings::default().read(0);
            let endpoint = ListenerConfig::tcp(address).l4_buffer(buffers);
            service.add_listener(match &listener.certificate {
                Some(certificate) => endpoint.tls(tls::settings(certificate)),
                None => endpoint,
            });
        }
        let listeners = listeners.into_iter().map(|listener| listener.socket).collect();
        Self { service, listeners }
    }
}

/// What Pingora files a listener under: its address.
fn key(listener: &TcpListener) -> String {
    listener.local_addr().expect("a bound socket has an address").to_string()
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
                table.add(key(&listener), listener.into_raw_fd());
            }
        }
        let service: &mut (dyn ServiceWithDependents + Send) = &mut self.service;
        service.start_service(fds, shutdown, listeners_per_fd, ready).await;
    }

    fn name(&self) -> &str {
        self.service.name()
    }

    fn threads(&self) -> Option<usize> {
        self.service.threads
    }

    fn listen_addresses(&self) -> Option<Vec<String>> {
        Some(self.listeners.iter().map(key).collect())
    }
}
