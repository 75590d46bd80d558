//! What came of a request: read once when it is over, for metrics, access log and spans.

use super::Downstream;
use super::context::Context;
use super::held::WebSocket;
use super::measured::Took;

/// What came of a request that is over.
pub struct Outcome {
    /// How long it took.
    pub took: Took,
    /// The status of the answer; 0 if none was sent.
    pub status: u16,
    /// Bytes that came from the client after the head of its request.
    pub received: u64,
    /// Bytes that went to it after the head of the answer.
    pub sent: u64,
}

impl Outcome {
    /// Of a request that is over now.
    pub fn of(downstream: &Downstream, context: &Context) -> Self {
        let status = downstream.response_written().map(|response| response.status.as_u16());
        let (received, sent) = moved(downstream, context);
        Self {
            took: context.measured.took(context.started),
            status: status.unwrap_or(0),
            received,
            sent,
        }
    }
}

fn moved(downstream: &Downstream, context: &Context) -> (u64, u64) {
    match context.websocket.as_deref().map(WebSocket::moved) {
        Some(moved @ ((1.., _) | (_, 1..))) => moved,
        _ => (downstream.body_bytes_read() as u64, downstream.body_bytes_sent() as u64),
    }
}
