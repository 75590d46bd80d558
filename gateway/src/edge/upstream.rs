//! The upstream: its addresses, its timeouts, and what its failures mean.

mod lookup;
mod order;
mod race;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use http::HeaderValue;
use http::uri::Authority;
use pingora::connectors::L4Connect;
use pingora::connectors::l4::BindTo;
use pingora::prelude::HttpPeer;
use pingora::upstreams::peer::{HttpUpstreamRequestPolicy, Peer};
use pingora::{Error, ErrorSource, ErrorType};

use super::tls::UpstreamTls;
use crate::api::rejection::{Rejection, Step};
use crate::limits::Limits;
use lookup::LookUps;
use order::Order;
use race::{Connector, LATE, OVERTAKEN};

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
    /// Local addresses that connections come from; none: any.
    sources: Vec<Ipv4Addr>,
    next_source: AtomicUsize,
    is_name: bool,
    look_ups: LookUps,
    /// What is known of its addresses; and what follows from it, for each request to read.
    order: Mutex<Order>,
    peers: ArcSwap<Peers>,
    /// How a connection is opened where there may be several addresses.
    connector: Option<Arc<Connector>>,
}

/// One peer for each address that the host has, the one to be tried first in front; empty until it is
/// known. The last good set stays when a look-up fails.
#[derive(Default)]
struct Peers {
    in_order: Vec<HttpPeer>,
    /// When that order is over.
    until: Option<Instant>,
}

impl Upstream {
    /// The upstream at `authority`. A name is looked up in the background, again and again.
    /// Connections come from one of the local addresses `sources`, if there are any.
    pub fn new(
        authority: &Authority,
        tls: Option<UpstreamTls>,
        limits: Limits,
        sources: Vec<Ipv4Addr>,
    ) -> Arc<Self> {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let literal = host.parse::<IpAddr>().ok();
        let header = HeaderValue::from_str(authority.as_str());
        let upstream = Arc::new_cyclic(|this: &Weak<Self>| Self {
            authority: header.expect("an authority is a header value"),
            host,
            port,
            tls,
            limits,
            sources,
            next_source: AtomicUsize::new(0),
            is_name: literal.is_none(),
            look_ups: LookUps::default(),
            order: Mutex::default(),
            peers: ArcSwap::default(),
            connector: literal.is_none().then(|| Arc::new(Connector(this.clone()))),
        });
        if let Some(address) = literal {
            upstream.set_addresses(&[SocketAddr::new(address, port)]);
        }
        upstream
    }

    /// The peer for the next attempt at a request.
    pub async fn peer(&self) -> pingora::Result<Box<HttpPeer>> {
        {
            let peers = self.peers.load();
            let is_over = |until: Instant| until <= Instant::now();
            if let Some(peer) = peers.in_order.first()
                && !peers.until.is_some_and(is_over)
            {
                return Ok(Box::new(peer.clone()));
            }
        }
        Box::pin(self.peer_in_trouble()).await
    }

    /// The same when there is no address, or when one that did not connect may be tried again.
    async fn peer_in_trouble(&self) -> pingora::Result<Box<HttpPeer>> {
        if self.addresses() == 0 {
            let time = self.limits.upstream_connect;
            // Whether it was found in time is seen below.
            let _ = tokio::time::timeout(time, self.look_up_again()).await;
        }
        let due = self.change(|order| order.take_due(Instant::now()));
        match due.or_else(|| self.in_order().first().copied()) {
            Some(address) => Ok(Box::new(self.peer_at(address))),
            None => Error::e_explain(NO_ADDRESS, "the look-up has not succeeded yet")
                .map_err(|error: Box<Error>| error.into_up()),
        }
    }

    /// Whether another attempt may help: `error` has kept a request from being sent to `peer` at all,
    /// in the last of so many `attempts`.
    pub fn may_try_again(&self, peer: &HttpPeer, error: &Error, attempts: usize) -> bool {
        let kind = error.etype();
        if *kind == OVERTAKEN {
            return attempts <= self.addresses() + 1;
        }
        // Where the name has an address that connects, it was found by the race for a connection. What
        // is late beyond that is TLS.
        let has_raced = self.connector.is_some() && *kind != ErrorType::ConnectTimedout;
        if has_raced && failed_to_connect(kind) {
            return false;
        }
        let Some(address) = peer.address().as_inet() else { return false };
        self.note_failed(*address);
        attempts < self.addresses()
    }

    /// Whether `error` only says that another address is the one to begin with.
    pub fn is_overtaken(error: &Error) -> bool {
        *error.etype() == OVERTAKEN
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
    fn addresses(&self) -> usize {
        self.peers.load().in_order.len()
    }

    /// The addresses, the one to be tried first in front.
    fn in_order(&self) -> Vec<SocketAddr> {
        self.order().in_order()
    }

    fn set_addresses(&self, found: &[SocketAddr]) {
        if self.change(|order| order.set(found)) && self.is_name {
            log::info!("upstream {}: at {found:?}", self.host);
        }
    }

    fn note_failed(&self, address: SocketAddr) {
        if self.change(|order| order.note_failed(address, Instant::now())) {
            log::warn!("upstream {}: {address} does not connect; others go first", self.host);
        }
    }

    fn note_connected(&self, address: SocketAddr) {
        // That TCP works says nothing of TLS.
        if self.tls.is_none() && self.order().has_failed(address) {
            self.change(|order| order.note_connected(address));
            log::info!("upstream {}: {address} connects again", self.host);
        }
    }

    /// Has `change` change what is known of the addresses, and tells requests.
    fn change<T>(&self, change: impl FnOnce(&mut Order) -> T) -> T {
        let mut order = self.order();
        let result = change(&mut order);
        let in_order = order.in_order().into_iter().map(|address| self.peer_at(address)).collect();
        self.peers.store(Arc::new(Peers { in_order, until: order.until() }));
        result
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The local address that the next connection to `address` comes from.
    fn source_for(&self, address: SocketAddr) -> Option<BindTo> {
        if self.sources.is_empty() || address.is_ipv6() {
            return None;
        }
        let turn = self.next_source.fetch_add(1, Ordering::Relaxed);
        let source = IpAddr::V4(self.sources[turn % self.sources.len()]);
        let mut bind = BindTo::default();
        bind.addr = Some(SocketAddr::new(source, 0));
        Some(bind)
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
        let connector = self.connector.clone();
        options.custom_l4 =
            connector.map(|connector| connector as Arc<dyn L4Connect + Send + Sync>);
        // Removes hop-by-hop headers and what `Connection` names, before we set the identity.
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        peer
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
        kind if *kind == LATE => Rejection::UpstreamTimedOut(Step::Connect),
        ErrorType::ConnectTimedout => Rejection::UpstreamTimedOut(Step::Connect),
        ErrorType::TLSHandshakeTimedout => Rejection::UpstreamTimedOut(Step::Handshake),
        ErrorType::WriteTimedout => Rejection::UpstreamTimedOut(Step::Send),
        ErrorType::ReadTimedout => Rejection::UpstreamTimedOut(Step::Receive),
        ErrorType::TLSHandshakeFailure
        | ErrorType::TLSWantX509Lookup
        | ErrorType::InvalidCert
        | ErrorType::HandshakeError => Rejection::UpstreamFailed(Step::Handshake),
        kind if failed_to_connect(kind) || *kind == OVERTAKEN => {
            Rejection::UpstreamFailed(Step::Connect)
        }
        ErrorType::WriteError => Rejection::UpstreamFailed(Step::Send),
        kind if *kind == NO_ADDRESS => Rejection::UpstreamFailed(Step::Resolve),
        _ => Rejection::UpstreamFailed(Step::Receive),
    }
}

/// Whether there is no connection of TCP.
fn failed_to_connect(kind: &ErrorType) -> bool {
    let is_known = matches!(
        kind,
        ErrorType::ConnectTimedout
            | ErrorType::ConnectRefused
            | ErrorType::ConnectNoRoute
            | ErrorType::ConnectError
            | ErrorType::BindError
            | ErrorType::SocketError
            | ErrorType::ConnectProxyFailure
    );
    is_known || *kind == LATE
}
