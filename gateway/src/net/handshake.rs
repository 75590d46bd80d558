//! TLS handshakes with clients, which do not last for as long as a client likes.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use pingora::listeners::tls::Acceptor;
use pingora::protocols::Stream;
use pingora::protocols::l4::stream::Stream as Plain;

use super::tls::{self, Certificate};
use crate::metrics::METRICS;
use crate::metrics::label::HandshakeFailure;

/// Shakes hands with clients of one listener.
///
/// Pingora would do it by itself, before anybody counts the connection, and give a client 60 seconds.
pub struct Handshakes(Acceptor);

impl Handshakes {
    /// With this `certificate`.
    pub fn by(certificate: &Arc<Certificate>) -> Self {
        Self(tls::settings(certificate).build())
    }

    /// `stream`, which speaks TLS from now on; `None` if the client at `peer` takes longer than `limit` or speaks
    /// something else. That is counted, and is everyday business otherwise.
    pub(super) async fn shake(
        &self,
        stream: Stream,
        peer: Option<IpAddr>,
        limit: Duration,
    ) -> Option<Stream> {
        let plain = stream.into_any().downcast::<Plain>();
        let plain = plain.expect("a listener without TLS of Pingora's own has plain connections");
        let (failure, why) = match tokio::time::timeout(limit, self.0.tls_handshake(*plain)).await {
            Ok(Ok(stream)) => return Some(Box::new(stream)),
            Ok(Err(error)) => (HandshakeFailure::Failed, error.to_string()),
            Err(_) => {
                (HandshakeFailure::Timeout, format!("not done after {limit:?} (limits.head)"))
            }
        };
        METRICS.tls_handshake_failures.count(failure);
        let peer = peer.map_or_else(|| "-".to_owned(), |address| address.to_string());
        log::debug!("the TLS handshake with {peer} has failed: {why}");
        None
    }
}
