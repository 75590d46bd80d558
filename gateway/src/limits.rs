//! Timeouts and limits on sizes and numbers.

use std::time::Duration;

/// The limits, each a key of `[limits]`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// For a connection to the upstream, TLS included.
    pub upstream_connect: Duration,
    /// For the next bytes of the upstream's response. A query may compute for minutes.
    pub upstream_read: Duration,
    /// For the upstream to take the next bytes.
    pub upstream_write: Duration,
    /// For the whole answer to a question of the gateway's own, such as a sign-in.
    pub upstream_ask: Duration,
    /// How long a connection to the upstream is kept for the next request. Less than the
    /// upstream's own limit (InfluxDB: three minutes), or a write could meet a closing one.
    pub upstream_idle: Duration,
    /// For the next bytes of a request's body, and for the client to take those of a response.
    pub body: Duration,
    /// For the whole of a body that the gateway itself reads.
    pub local_body: Duration,
    /// For the next request on a connection.
    pub keepalive: Duration,
    /// For a request's head, from its first byte to its last.
    pub head: Duration,
    /// Bytes of a request's head.
    pub head_bytes: usize,
    /// Header fields of a request.
    pub head_fields: usize,
    /// Bytes of a request's target.
    pub target_bytes: usize,
    /// Bytes of a request's body that is forwarded; `None`: as many as come.
    pub body_bytes: Option<u64>,
    /// Bytes of a request's body that the gateway itself reads.
    pub local_body_bytes: usize,
    /// Requests at once on one connection of HTTP/2.
    pub http2_streams: u32,
    /// Requests of HTTP/2 that a client has begun and given up, and that are not cleared away yet.
    pub http2_resets: usize,
    /// Requests on one connection, one after the other.
    pub requests: usize,
    /// Connections of all clients.
    pub connections: usize,
    /// Connections of one client address.
    pub connections_per_client: usize,
    /// Connections to the upstream that requests are using.
    pub upstream_connections: usize,
    /// The same of the requests of one client address.
    pub upstream_connections_per_client: usize,
}

/// What a process has open besides connections: listeners, logs, files that are read again, the
/// gateway's own questions.
const OTHER_FILES: usize = 256;

impl Limits {
    /// How many files may be open at once when everything comes that is allowed: each connection is
    /// one.
    pub fn open_files(&self) -> usize {
        self.connections.saturating_add(self.upstream_connections).saturating_add(OTHER_FILES)
    }
}
