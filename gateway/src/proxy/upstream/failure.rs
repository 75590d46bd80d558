//! Maps failures of the upstream to refusals.

use pingora::prelude::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType};

use super::Upstream;
use super::peer_identity::NOT_ITS_OWN;
use super::race::{LATE, OVERTAKEN};
use crate::api::rejection::{Rejection, Step};
use crate::metrics::METRICS;
use crate::metrics::label::Connection;
use crate::proxy::Downstream;

/// The error when nothing is known of where the upstream is.
pub(super) const NO_ADDRESS: ErrorType = ErrorType::Custom("upstream has no address");

/// The error when a client sends more than it may.
pub const TOO_LARGE: ErrorType = ErrorType::Custom("body too large");

/// `error`, tried again where Pingora by itself does so.
#[expect(clippy::unnecessary_box_returns, reason = "Pingora's errors are boxed")]
pub fn retried_by_itself(
    error: Box<Error>,
    peer: &HttpPeer,
    downstream: &Downstream,
    is_reused: bool,
) -> Box<Error> {
    let mut error = error.more_context(format!("Peer: {peer}"));
    let is_idempotent = downstream.req_header().method.is_idempotent();
    if is_idempotent && !downstream.as_ref().retry_buffer_truncated() {
        error.retry.decide_reuse(is_reused);
    } else {
        error.set_retry(false);
    }
    error
}

/// Whether nothing was sent because the other end is not the upstream.
pub fn is_not_sent(error: &Error) -> bool {
    *error.etype() == NOT_ITS_OWN
}

/// Whether `error` only says that another address is the one to begin with.
pub fn is_overtaken(error: &Error) -> bool {
    *error.etype() == OVERTAKEN
}

/// Whether to connect once more, after so many `attempts` of `most`, the last of which has ended with `error` at `peer`; if
/// not, the error says where.
pub fn once_more(
    upstream: &Upstream,
    peer: &HttpPeer,
    error: Box<Error>,
    attempts: usize,
    most: usize,
) -> pingora::Result<()> {
    let may_try = upstream.may_try_again(peer, &error, attempts);
    // That another address is the one to begin with is no attempt.
    if !may_try || (attempts >= most && !is_overtaken(&error)) {
        return Err(error.more_context(format!("to {}", peer._address)));
    }
    METRICS.upstream_retries.count();
    Ok(())
}

/// `error`, counted if the request is tried again.
#[expect(clippy::unnecessary_box_returns, reason = "Pingora's errors are boxed")]
pub fn counted(error: Box<Error>) -> Box<Error> {
    if error.retry() {
        METRICS.upstream_retries.count();
    }
    error
}

/// Counts a connection that a request got.
pub fn count_connection(is_reused: bool) {
    let connection = if is_reused { Connection::Reused } else { Connection::New };
    METRICS.upstream_connections.count(connection);
}

/// The refusal that the client gets for `error`; `None` if the client has left.
pub fn rejection(error: &Error) -> Option<Rejection> {
    let kind = error.etype();
    match error.esource() {
        ErrorSource::Upstream => Some(upstream_rejection(kind)),
        ErrorSource::Downstream => match kind {
            ErrorType::ReadTimedout => Some(Rejection::ClientTimedOut),
            kind if *kind == TOO_LARGE => Some(Rejection::TooLarge),
            // What HTTP/2 says of a stream that is gone is the second.
            ErrorType::ReadError
            | ErrorType::H2Error
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
        kind if *kind == NOT_ITS_OWN => Rejection::UpstreamFailed(Step::Handshake),
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
pub fn failed_to_connect(kind: &ErrorType) -> bool {
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
