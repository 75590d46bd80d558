//! The addresses of a connection.

use std::net::{IpAddr, SocketAddr};

use pingora::protocols::SocketDigest;

/// The address at the other end of the connection.
pub fn peer_address(socket: Option<&SocketDigest>) -> Option<IpAddr> {
    let address = socket.and_then(SocketDigest::peer_addr).and_then(|address| address.as_inet());
    address.map(SocketAddr::ip)
}

/// The address at which the client has found us.
pub fn own_address(socket: Option<&SocketDigest>) -> Option<IpAddr> {
    socket?.local_addr()?.as_inet().map(SocketAddr::ip)
}
