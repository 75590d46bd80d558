//! The state of one request between Pingora's phases.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use pingora::prelude::HttpPeer;

use super::held::WebSocket;
use super::measured::Measured;
use super::upstream::OpenCall;
use crate::api::forward::Forward;
use crate::gateway::client_info::ClientInfo;
use crate::gateway::policy::Policy;
use crate::gateway::request_id::RequestId;
use crate::gateway::traceparent::TraceParent;
use crate::net::concurrency::{AnonymousPermit, UpstreamSlot};
use crate::net::open_requests::OpenRequest;
use crate::session::{Session, Watch};

/// The body of a request.
pub enum Body {
    /// Nothing was read of it.
    Unread,
    /// The same, though all of it has come over HTTP/2.
    Here,
    /// All of it.
    Read(Bytes),
}

impl Body {
    /// All of it, once it was read.
    pub(super) fn read(&self) -> Option<&Bytes> {
        match self {
            Self::Unread | Self::Here => None,
            Self::Read(body) => Some(body),
        }
    }
}

/// What one request carries from phase to phase.
pub struct Context {
    /// Has it counted while it lasts.
    _open: OpenRequest,
    pub(super) started: Instant,
    /// The rules that were in force when the request came.
    pub(super) policy: Arc<Policy>,
    /// How long it takes, and what it asks for.
    pub(super) measured: Measured,
    /// Where the request came from.
    pub(super) client: ClientInfo,
    /// The leave to go upstream, once it is given.
    pub(super) forward: Option<Forward>,
    /// Whose session it is, for the log.
    pub(super) session: Option<Arc<Session>>,
    /// Whether it was refused because a page of another site has sent it.
    pub(super) is_cross_site: bool,
    /// Watches over the session while the body of a request on its behalf is still coming.
    pub(super) watch: Option<Watch>,
    /// The WebSocket that it asks for, or has become.
    pub(super) websocket: Option<Box<WebSocket>>,
    /// Whether whoever asks came with a gateway token, and more of the request is to come.
    pub(super) has_holder: bool,
    /// When the JWT that it came with expires, in seconds since 1970, while more of the request is to come.
    pub(super) expires: Option<u64>,
    /// Until when the rest of it may come, if its answer is over.
    pub(super) last: Option<tokio::time::Instant>,
    pub(super) attempts: usize,
    /// Interim answers of the upstream so far.
    pub(super) interim: usize,
    /// The permit of a request without a session on its connection.
    pub(super) permit: Option<AnonymousPermit>,
    /// The connection to the upstream that it uses.
    pub(super) slot: Option<UpstreamSlot>,
    /// Whether it is a call of gRPC.
    pub(super) is_call: bool,
    /// The call, as those count it who look after silent connections.
    pub(super) open_call: Option<OpenCall>,
    /// The status of the call, once there is one.
    pub(super) grpc_status: Option<u8>,
    /// The whole body, if it was at hand: empty, or already here.
    pub(super) body: Body,
    /// Bytes of the body forwarded so far.
    pub(super) body_bytes: u64,
    /// The trace that it is part of: from the start where there are spans, otherwise once it goes upstream, if the client
    /// says so.
    pub(super) trace: Option<TraceParent>,
    /// The upstream's address, once it was connected to.
    pub(super) upstream: Option<SocketAddr>,
}

impl Context {
    /// Nothing is known yet.
    pub(super) fn new(policy: Arc<Policy>, open: OpenRequest) -> Self {
        Self {
            _open: open,
            started: Instant::now(),
            policy,
            measured: Measured::new(),
            client: ClientInfo::unknown(false, None, RequestId::unset()),
            forward: None,
            session: None,
            is_cross_site: false,
            watch: None,
            websocket: None,
            has_holder: false,
            expires: None,
            last: None,
            attempts: 0,
            interim: 0,
            permit: None,
            slot: None,
            is_call: false,
            open_call: None,
            grpc_status: None,
            body: Body::Unread,
            body_bytes: 0,
            trace: None,
            upstream: None,
        }
    }

    /// It has a connection to `target` now. The clock is read where there are spans.
    pub(super) fn connected(&mut self, target: &HttpPeer, has_spans: bool) {
        self.upstream = target._address.as_inet().copied();
        self.measured.connect(has_spans);
    }

    /// Whether it is for one of InfluxDB's own pages.
    pub(super) fn is_page(&self) -> bool {
        self.forward.as_ref().is_some_and(|forward| forward.visit().is_some())
    }

    /// Whether it goes to another server than InfluxDB.
    pub(super) fn is_apart(&self) -> bool {
        self.forward.as_ref().is_some_and(Forward::is_apart)
    }
}
