//! The listening sockets of a configuration.

use std::net::SocketAddr;

use super::Tls;
use crate::config::Config;
use crate::net;
use crate::net::listener::{Listener, Open};

/// All listening sockets.
pub(super) struct Listeners {
    /// Those of clients.
    pub(super) clients: Vec<Listener>,
    /// That of operators.
    pub(super) admin: Option<Listener>,
}

impl Listeners {
    /// Where they listen, for people to read.
    pub(super) fn urls(&self) -> Vec<String> {
        let of_admin = self.admin.iter().map(|listener| format!("{} (admin)", listener.url()));
        self.clients.iter().map(Listener::url).chain(of_admin).collect()
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
    bind_beside(address, false)
}

fn bind_beside(address: SocketAddr, ipv6_only: bool) -> Result<Listener, BindError> {
    let socket = net::listener::bind(address, ipv6_only);
    let failed = |source| BindError { address: address.to_string(), source };
    Ok(Listener { socket: Open::Tcp(socket.map_err(failed)?), certificate: None })
}

/// Opens all listening sockets of the configuration.
pub(super) fn bind_all(config: &Config, tls: Tls) -> Result<Vec<Listener>, BindError> {
    let listen = &config.listen;
    let bind = |address| bind_beside(address, listen.is_ipv6_only(address));
    let plain = listen.http.iter().map(|&address| bind(address));
    let mut listeners = plain.collect::<Result<Vec<_>, _>>()?;
    for (https, certificate) in listen.https.iter().zip(tls.certificates) {
        let listener = bind(https.address)?;
        listeners.push(Listener { certificate: Some(certificate), ..listener });
    }
    Ok(listeners)
}
