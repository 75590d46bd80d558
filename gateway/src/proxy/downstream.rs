//! What is known of the connection that a request came over.

use std::sync::Arc;

use http::StatusCode;
use pingora::protocols::SocketDigest;

use super::Downstream;
use crate::net::http1::connection::Connection;
use crate::net::tls;

/// The client's connection, if it is HTTP/1.
pub fn connection(downstream: &Downstream) -> Option<&Connection> {
    let stream = downstream.as_downstream().as_http1()?.stream();
    (**stream).as_any().downcast_ref()
}

/// Whether it is HTTP/2, as far as its first phase has [told](super::http2::translate).
pub fn is_http_2(downstream: &Downstream) -> bool {
    downstream.as_downstream().is_custom()
}

/// What is known of the socket of a connection of HTTP/2, which all its requests have in common.
pub fn http_2(downstream: &Downstream) -> Option<Arc<SocketDigest>> {
    let digest = is_http_2(downstream).then(|| downstream.digest()).flatten();
    digest?.socket_digest.clone()
}

/// What is known of the socket.
pub fn socket(downstream: &Downstream) -> Option<&SocketDigest> {
    downstream.digest()?.socket_digest.as_deref()
}

/// Whether the client speaks TLS with us.
pub fn is_over_tls(downstream: &Downstream) -> bool {
    downstream.digest().is_some_and(|digest| digest.ssl_digest.is_some())
}

/// The version of TLS that the client speaks with us, for people.
pub fn tls_version(downstream: &Downstream) -> Option<&'static str> {
    downstream.digest()?.ssl_digest.as_deref().map(tls::version)
}

/// Has the connection outlive an answer of this status before the end of the request's body, if it is
/// an interim one: it asks for the rest. Any other is the last, and of the rest nothing can be said.
pub fn keep_while_interim(downstream: &mut Downstream, status: StatusCode) {
    let is_last = !status.is_informational();
    downstream.as_downstream_mut().set_close_on_response_before_downstream_finish(is_last);
}
