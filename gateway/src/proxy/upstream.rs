//! The upstream: its addresses, timeouts and failures.

mod failure;
pub mod idle;
mod lookup;
mod order;
mod peer_identity;
mod race;
mod silence;
mod target;
pub mod tls;

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
use pingora::protocols::Digest;
use pingora::upstreams::peer::{HttpUpstreamRequestPolicy, Peer};
use pingora::{Error, ErrorType};
use tokio::sync::Notify;

use crate::limits::Limits;
use crate::server_address;
use failure::{NO_ADDRESS, failed_to_connect};
pub use failure::{
    TOO_LARGE, count_connection, counted, is_not_sent, is_overtaken, once_more, rejection,
    retried_by_itself,
};
use lookup::LookUps;
use order::Order;
use peer_identity::{NOT_ITS_OWN, PeerIdentity};
use race::{Connector, OVERTAKEN};
pub use silence::{OpenCall, Watched};
pub use target::Target;
use target::Targets;
use tls::UpstreamTls;

/// The upstream of all requests.
pub struct Upstream {
    authority: HeaderValue,
    host: String,
    port: u16,
    /// By what it is known, if it is spoken to over TLS.
    peer_identity: Option<PeerIdentity>,
    limits: Limits,
    /// Local addresses that connections come from; none: any.
    sources: Vec<Ipv4Addr>,
    next_source: AtomicUsize,
    is_name: bool,
    look_ups: LookUps,
    /// What is known of its addresses; and what follows from it, for each request to read.
    order: Mutex<Order>,
    targets: ArcSwap<Targets>,
    /// How a connection is opened where there may be several addresses.
    connector: Option<Arc<Connector>>,
    /// How one for calls is opened, whose upstream may be silent for long.
    watched: Option<Watched>,
    failures: Arc<Notify>,
}

impl Upstream {
    /// The upstream at `authority`. A name is looked up in the background, again and again.
    /// Connections come from one of the local addresses `sources`, if there are any.
    pub fn new(
        authority: &Authority,
        tls: Option<UpstreamTls>,
        limits: &Limits,
        sources: Vec<Ipv4Addr>,
    ) -> Arc<Self> {
        let host = server_address::bare(authority.host()).to_owned();
        // The configuration has one, and to port 0 nobody connects.
        let port = server_address::port(authority, tls.is_some()).unwrap_or_default();
        let literal = host.parse::<IpAddr>().ok();
        let peer_identity = tls.map(|tls| PeerIdentity::new(tls, &host));
        let header = HeaderValue::from_str(authority.as_str());
        let upstream = Arc::new_cyclic(|this: &Weak<Self>| Self {
            authority: header.expect("an authority is a header value"),
            host,
            port,
            peer_identity,
            limits: *limits,
            sources,
            next_source: AtomicUsize::new(0),
            is_name: literal.is_none(),
            look_ups: LookUps::default(),
            order: Mutex::default(),
            targets: ArcSwap::default(),
            connector: literal.is_none().then(|| Arc::new(Connector(this.clone()))),
            watched: limits.upstream_ping.map(|interval| Watched::new(this.clone(), interval)),
            failures: Arc::default(),
        });
        if let Some(address) = literal {
            upstream.set_addresses(&[SocketAddr::new(address, port)]);
        }
        upstream
    }

    /// Where the next attempt at a request goes.
    pub async fn target(&self) -> pingora::Result<Arc<Target>> {
        if let Some(target) = self.targets.load().first() {
            return Ok(Arc::clone(target));
        }
        Box::pin(self.target_in_trouble()).await
    }

    /// The same when there is no address, or when one that did not connect may be tried again.
    async fn target_in_trouble(&self) -> pingora::Result<Arc<Target>> {
        if self.addresses() == 0 {
            let time = self.limits.upstream_connect;
            // Whether it was found in time is seen below.
            let _ = tokio::time::timeout(time, self.look_up_again()).await;
        }
        let due = self.change(|order| order.take_due(Instant::now()));
        match due.or_else(|| self.in_order().first().copied()) {
            Some(address) => Ok(self.target_at(address)),
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
        if self.may_turn(peer, kind) {
            return attempts < 2;
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

    /// Verifies that the other end of a connection to `peer` is the upstream. Must be called before anything is sent,
    /// because Pingora does not verify it in every case.
    pub fn check(&self, peer: &HttpPeer, digest: Option<&Digest>) -> pingora::Result<()> {
        match &self.peer_identity {
            Some(peer_identity) if !peer.options.verify_cert => peer_identity.check(digest),
            _ => Ok(()),
        }
    }

    /// Whether an attempt failed for the way in which the upstream was to prove itself, and there is
    /// another one, which is tried first then.
    fn may_turn(&self, peer: &HttpPeer, kind: &ErrorType) -> bool {
        let failed = *kind == NOT_ITS_OWN || *kind == ErrorType::TLSHandshakeFailure;
        let turned = failed
            && self.peer_identity.as_ref().is_some_and(|peer_identity| peer_identity.turn(peer));
        if turned {
            self.change(|_order| ());
        }
        turned
    }

    /// From now on it is known by `tls`; false if it already was. Connections that are open are not
    /// used for another request.
    pub fn set_tls(&self, tls: UpstreamTls) -> bool {
        let is_new = self
            .peer_identity
            .as_ref()
            .is_some_and(|peer_identity| peer_identity.replace(tls, &self.host));
        if is_new {
            self.change(|_order| ());
        }
        is_new
    }

    /// How connections for calls are opened, if they are looked after while they are silent.
    pub fn watched(&self) -> Option<&Watched> {
        self.watched.as_ref()
    }

    /// Notified when a connection has failed.
    pub fn failures(&self) -> Arc<Notify> {
        Arc::clone(&self.failures)
    }

    /// Where Pingora loads authorities from for all connections; `None`: from those of the system. An empty file where none
    /// is verified by them: a machine need not have any.
    pub fn authorities(&self) -> Option<String> {
        let needs = self.peer_identity.as_ref().is_some_and(PeerIdentity::needs_system_authorities);
        (!needs).then(|| "/dev/null".to_owned())
    }

    /// Host and port, for the `Host` header.
    pub fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// The timeout of the gateway's own requests.
    pub fn patience(&self) -> Duration {
        self.limits.upstream_ask
    }

    /// How many addresses there are to try.
    fn addresses(&self) -> usize {
        self.targets.load().in_order.len()
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
        self.failures.notify_one();
        if self.change(|order| order.note_failed(address, Instant::now())) {
            log::warn!(
                "upstream {}: cannot connect to {address}; trying other addresses first",
                self.host
            );
        }
    }

    fn note_connected(&self, address: SocketAddr) {
        // That TCP works says nothing of TLS.
        if self.peer_identity.is_none() && self.order().has_failed(address) {
            self.change(|order| order.note_connected(address));
            log::info!("upstream {}: connected to {address} again", self.host);
        }
    }

    /// Has `change` change what is known of the addresses, and tells requests.
    fn change<T>(&self, change: impl FnOnce(&mut Order) -> T) -> T {
        let mut order = self.order();
        let result = change(&mut order);
        let in_order =
            order.in_order().into_iter().map(|address| self.target_at(address)).collect();
        self.targets.store(Arc::new(Targets { in_order, until: order.until() }));
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

    fn target_at(&self, address: SocketAddr) -> Arc<Target> {
        Arc::new(Target::from(self.peer_at(address)))
    }

    fn peer_at(&self, address: SocketAddr) -> HttpPeer {
        // The name is what the certificate must have. Elsewhere it would be copied for nothing.
        let name = if self.peer_identity.is_some() { self.host.clone() } else { String::new() };
        let mut peer = HttpPeer::new(address, self.peer_identity.is_some(), name);
        if let Some(peer_identity) = &self.peer_identity {
            peer_identity.prepare(&mut peer);
        }
        let options = &mut peer.options;
        options.connection_timeout = Some(self.limits.upstream_connect);
        options.total_connection_timeout = Some(self.limits.upstream_connect);
        options.read_timeout = Some(self.limits.upstream_read);
        options.write_timeout = Some(self.limits.upstream_write);
        options.idle_timeout = Some(self.limits.upstream_idle);
        let connector = self.connector.clone();
        options.custom_l4 = connector.map(|it| it as Arc<dyn L4Connect + Send + Sync>);
        // Removes hop-by-hop headers and what `Connection` names, before we set the identity.
        options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        peer
    }
}
