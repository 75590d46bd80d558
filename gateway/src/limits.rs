//! Timeouts and limits on sizes and numbers.

use std::time::Duration;

/// The limits, each a key of `[limits]`.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Time to connect to the upstream, TLS included.
    pub upstream_connect: Duration,
    /// Time to wait for the next bytes of the upstream's response. A query may compute for minutes.
    pub upstream_read: Duration,
    /// Time for the upstream to take the next bytes of a request.
    pub upstream_write: Duration,
    /// Timeout of the gateway's own requests to the upstream, such as a sign-in, for the whole answer.
    pub upstream_ask: Duration,
    /// How long a connection to the upstream is kept for the next request. Less than the
    /// upstream's own limit (InfluxDB: three minutes), or a write could meet a closing one.
    pub upstream_idle: Duration,
    /// After how much silence on a connection with gRPC calls the upstream is asked whether it lives; `None`: never.
    pub upstream_ping: Option<Duration>,
    /// Time to wait for the next bytes of a request's body, and for the client to take those of a response.
    pub body: Duration,
    /// Time for the whole of a body that the gateway itself reads.
    pub local_body: Duration,
    /// Time to wait for the next request on a connection.
    pub keepalive: Duration,
    /// Time for a request's head, from its first byte to its last; and for a TLS handshake.
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
    /// HTTP/2 requests that a client has cancelled and that are not cleared away yet.
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

/// The most that the first three may be, which is what Pingora and the `http` crate can hold. Beyond it, they would say no in a
/// way of their own.
pub const MOST_HEAD_BYTES: usize = 1_000_000;
/// See [`MOST_HEAD_BYTES`].
pub const MOST_HEAD_FIELDS: usize = 256;
/// See [`MOST_HEAD_BYTES`].
pub const MOST_TARGET_BYTES: usize = 65_534;

/// The most interim answers (1xx) before the answer to one request. An upstream that has more to say says it in no time that
/// a client would wait.
pub const MOST_INTERIM_ANSWERS: usize = 16;

/// Files that the process has open besides connections: listeners, logs, files that are read again, the gateway's own
/// requests.
const OTHER_FILES: usize = 256;

impl Limits {
    /// How many files are open at most, if all limits are reached. Each connection is one.
    pub fn open_files(&self) -> usize {
        self.connections.saturating_add(self.upstream_connections).saturating_add(OTHER_FILES)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Some limits.
    pub(crate) const LIMITS: Limits = Limits {
        upstream_connect: SECOND,
        upstream_read: SECOND,
        upstream_write: SECOND,
        upstream_ask: SECOND,
        upstream_idle: SECOND,
        upstream_ping: Some(SECOND),
        body: SECOND,
        local_body: SECOND,
        keepalive: SECOND,
        head: SECOND,
        head_bytes: 16 * 1024,
        head_fields: 100,
        target_bytes: 8 * 1024,
        body_bytes: Some(4096),
        local_body_bytes: 4096,
        http2_streams: 10,
        http2_resets: 10,
        requests: 10,
        connections: 10,
        connections_per_client: 10,
        upstream_connections: 10,
        upstream_connections_per_client: 10,
    };

    #[test]
    fn each_connection_is_an_open_file() {
        assert_eq!(LIMITS.open_files(), 20 + OTHER_FILES);
    }
}
