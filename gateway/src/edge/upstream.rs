//! The upstream: its address, its timeouts, and what its failures mean.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use http::HeaderValue;
use http::uri::Authority;
use pingora::prelude::HttpPeer;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use pingora::upstreams::peer::HttpUpstreamRequestPolicy;
use pingora::{Error, ErrorSource, ErrorType};

use super::tls::UpstreamTls;
use crate::api::rejection::{Rejection, Step};
use crate::limits::Limits;

/// How often a name is looked up again.
const REFRESH: Duration = Duration::from_secs(30);

/// How often while it has no address.
const RETRY: Duration = Duration::from_millis(500);

/// The error when nothing is known of where the upstream is.
const NO_ADDRESS: ErrorType = ErrorType::Custom("upstream has no address");

/// The error when a client sends more than it may.
pub const TOO_LARGE: ErrorType = ErrorType::Custom("body too large");

/// Where requests go.
pub struct Upstream {
    authority: HeaderValue,
    host: String,
    port: u16,
    /// By what it is known, if it is spoken to over TLS.
    tls: Option<UpstreamTls>,
    limits: Limits,
    /// One peer for each address that the host has; empty until it is known. The last good set
    /// stays when a look-up fails.
    peers: ArcSwap<Vec<HttpPeer>>,
    is_name: bool,
    look_up_failed: AtomicBool,
}

impl Upstream {
    /// The upstream at `authority`. A name is looked up in the background, again and again.
    pub fn new(authority: &Authority, tls: Option<UpstreamTls>, limits: Limits) -> Self {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let literal = host.parse::<IpAddr>().ok();
        let header = HeaderValue::from_str(authority.as_str());
        let upstream = Self {
            authority: header.expect("an authority is a header value"),
            host,
            port,
            tls,
            limits,
            peers: ArcSwap::default(),
            is_name: literal.is_none(),
            look_up_failed: AtomicBool::new(false),
        };
        if let Some(address) = literal {
            upstream.set_addresses(&[SocketAddr::new(address, port)]);
        }
        upstream
    }

    /// The peer for the attempt number `attempt` of a request, from 0: each attempt goes to the
    /// next address.
    pub fn peer(&self, attempt: usize) -> pingora::Result<Box<HttpPeer>> {
        let peers = self.peers.load();
        match peers.len() {
            0 => Error::e_explain(NO_ADDRESS, "the look-up has not succeeded yet")
                .map_err(|error: Box<Error>| error.into_up()),
            count => Ok(Box::new(peers[attempt % count].clone())),
        }
    }

    /// Host and port, for the `Host` header.
    pub fn authority(&self) -> HeaderValue {
        self.authority.clone()
    }

    /// How long an answer to a question of the gateway's own may take.
    pub fn patience(&self) -> Duration {
        self.limits.upstream_ask
    }

    /// How many addresses there are to try.
    pub fn addresses(&self) -> usize {
        self.peers.load().len()
    }

    fn set_addresses(&self, addresses: &[SocketAddr]) {
        let peers = addresses.iter().map(|address| self.peer_at(*address)).collect();
        self.peers.store(std::sync::Arc::new(peers));
    }

    fn peer_at(&self, address: SocketAddr) -> HttpPeer {
        // The name is what the certificate must have. Elsewhere it would be copied for nothing.
        let name = if self.tls.is_some() { self.host.clone() } else { String::new() };
        let mut peer = HttpPeer::new(address, self.tls.is_some(), name);
        let tls = self.tls.clone().unwrap_or_default();
        peer.client_cert_key = tls.client;
        let options = &mut peer.options;
        options.ca = tls.authorities;
        options.connection_timeout = Some(self.limits.upstream_connect);
        options.total_connection_timeout = Some(self.limits.upstream_connect);
        options.read_timeout = Some(self.limits.upstream_read);
        options.write_timeout = Some(self.limits.upstream_write);
        options.idle_timeout = Some(self.limits.upstream_idle);
        // Removes hop-by-hop headers and what `Connection` names, before we set the identity.
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        peer
    }

    async fn look_up(&self) {
        match tokio::net::lookup_host((self.host.as_str(), self.port)).await {
            Ok(found) => {
                let addresses: Vec<_> = found.collect();
                self.set_addresses(&addresses);
                self.look_up_failed.store(false, Ordering::Relaxed);
            }
            // Said once, not twice a second.
            Err(error) if !self.look_up_failed.swap(true, Ordering::Relaxed) => {
                log::warn!("upstream {}: cannot be looked up: {error}", self.host);
            }
            Err(_) => {}
        }
    }
}

#[async_trait]
impl BackgroundService for Upstream {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        if !self.is_name {
            return;
        }
        loop {
            self.look_up().await;
            let pause = if self.addresses() == 0 { RETRY } else { REFRESH };
            if let Ok(Ok(())) = tokio::time::timeout(pause, shutdown.changed()).await {
                return;
            }
        }
    }
}

/// What the client is told of `error`; `None` when the client is gone and is told nothing.
pub fn rejection(error: &Error) -> Option<Rejection> {
    let kind = error.etype();
    match error.esource() {
        ErrorSource::Upstream => Some(upstream_rejection(kind)),
        ErrorSource::Downstream => match kind {
            ErrorType::ReadTimedout => Some(Rejection::ClientTimedOut),
            kind if *kind == TOO_LARGE => Some(Rejection::TooLarge),
            ErrorType::ReadError
            | ErrorType::WriteError
            | ErrorType::WriteTimedout
            | ErrorType::ConnectionClosed => None,
            _ => Some(Rejection::Unreadable),
        },
        ErrorSource::Internal | ErrorSource::Unset => Some(Rejection::Internal),
    }
}

fn upstream_rejection(kind: &ErrorType) -> Rejection {
    match kind {
        ErrorType::ConnectTimedout => Rejection::UpstreamTimedOut(Step::Connect),
        ErrorType::TLSHandshakeTimedout => Rejection::UpstreamTimedOut(Step::Handshake),
        ErrorType::WriteTimedout => Rejection::UpstreamTimedOut(Step::Send),
        ErrorType::ReadTimedout => Rejection::UpstreamTimedOut(Step::Receive),
        ErrorType::TLSHandshakeFailure
        | ErrorType::TLSWantX509Lookup
        | ErrorType::InvalidCert
        | ErrorType::HandshakeError => Rejection::UpstreamFailed(Step::Handshake),
        ErrorType::ConnectRefused
        | ErrorType::ConnectNoRoute
        | ErrorType::ConnectError
        | ErrorType::BindError
        | ErrorType::SocketError
        | ErrorType::ConnectProxyFailure => Rejection::UpstreamFailed(Step::Connect),
        ErrorType::WriteError => Rejection::UpstreamFailed(Step::Send),
        kind if *kind == NO_ADDRESS => Rejection::UpstreamFailed(Step::Resolve),
        _ => Rejection::UpstreamFailed(Step::Receive),
    }
}
