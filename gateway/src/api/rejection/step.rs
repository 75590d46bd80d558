//! The step at which a request to the upstream failed.

/// What the gateway was doing when the upstream failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Finding its address.
    Resolve,
    /// Opening a connection.
    Connect,
    /// Agreeing on TLS.
    Handshake,
    /// Sending the request.
    Send,
    /// Waiting for the response, or receiving it.
    Receive,
}

impl Step {
    /// The `op` of the error body.
    pub fn op(self) -> &'static str {
        match self {
            Self::Resolve => "gateway/upstream.resolve",
            Self::Connect => "gateway/upstream.connect",
            Self::Handshake => "gateway/upstream.handshake",
            Self::Send => "gateway/upstream.send",
            Self::Receive => "gateway/upstream.receive",
        }
    }
}
