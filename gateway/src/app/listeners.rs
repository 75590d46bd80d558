//! The listening sockets of a configuration.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Tls;
use crate::config::Config;
use crate::file_identity::watched::Watched;
use crate::net;
use crate::net::acceptance::Acceptance;
use crate::net::handed::Sockets;
use crate::net::listener::{Listener, Open};
use crate::net::tls::Certificate;
use crate::tasks::upgrade::Takeover;

/// All listening sockets.
pub(super) struct Listeners {
    /// Those of clients.
    pub(super) clients: Vec<Listener>,
    /// That of operators.
    pub(super) admin: Option<Listener>,
    /// Whether they accept connections.
    pub(super) acceptance: Arc<Acceptance>,
}

impl Listeners {
    /// Where they listen, for people to read.
    pub(super) fn urls(&self) -> Vec<String> {
        let of_admin = self.admin.iter().map(|listener| format!("{} (admin)", listener.url()));
        self.clients.iter().map(Listener::url).chain(of_admin).collect()
    }

    /// The files of certificates.
    pub(super) fn certificates(&self) -> Vec<Watched> {
        let certificates = self.clients.iter().filter_map(|it| it.certificate.as_ref());
        certificates.map(Certificate::watched).collect()
    }

    /// Once more, for another process.
    pub(super) fn again(&self) -> Sockets {
        let all = self.clients.iter().chain(&self.admin);
        let sockets = all.filter_map(|listener| listener.socket.again().ok()).collect();
        Sockets::new(sockets, self.admin.as_ref().and_then(Listener::socket_file))
    }
}

/// A listening address that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    pub(super) address: String,
    pub(super) source: std::io::Error,
}

/// Opens a listening socket. Done before anything is started, so that an address in use is a
/// clear error and not a process that lives without a listener.
pub fn bind(address: SocketAddr) -> Result<Listener, BindError> {
    bind_beside(address, false, None)
}

/// The same, or takes it over from another process; with `ipv6_only` it takes no connections of IPv4.
pub(super) fn bind_beside(
    address: SocketAddr,
    ipv6_only: bool,
    takeover: Option<&Takeover>,
) -> Result<Listener, BindError> {
    let taken = takeover.and_then(|takeover| takeover.socket(&address.to_string()));
    let socket =
        taken.map_or_else(|| net::listener::bind(address, ipv6_only), |socket| Ok(socket.into()));
    // One that is taken over may be of a version that did not.
    let socket = socket.and_then(|socket| net::listener::probe(&socket).map(|()| socket));
    let failed = |source| BindError { address: address.to_string(), source };
    Ok(Listener { socket: Open::Tcp(socket.map_err(failed)?), certificate: None })
}

/// Opens all listening sockets of the configuration.
pub(super) fn bind_all(
    config: &Config,
    tls: Tls,
    takeover: Option<&Takeover>,
) -> Result<Vec<Listener>, BindError> {
    let listen = &config.listen;
    let bind = |address| bind_beside(address, listen.is_ipv6_only(address), takeover);
    let plain = listen.http.iter().map(|&address| bind(address));
    let mut listeners = plain.collect::<Result<Vec<_>, _>>()?;
    for (&address, certificate) in listen.https.iter().zip(tls.certificates) {
        let listener = bind(address)?;
        listeners.push(Listener { certificate: Some(certificate), ..listener });
    }
    Ok(listeners)
}
