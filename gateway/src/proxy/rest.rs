//! The rest of a request whose answer is over.
//!
//! Nobody waits for it. A client that sends it late, or never, would otherwise hold its connection to the upstream for as
//! long as it likes: Pingora goes on until both are whole.

use std::time::Duration;

use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode};
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType};
use tokio::time::Instant;

use super::Downstream;
use super::context::Context;

/// For so long after the answer it may come: that of a client which is about to end it does.
pub const GRACE: Duration = Duration::from_secs(1);

/// The error when it has not come by then. As with a client that is gone, there is nobody to be told.
pub fn unwanted<T>() -> pingora::Result<T> {
    let why = "the answer is over, and the request is not";
    Error::e_explain(ErrorType::ConnectionClosed, why).map_err(|e: Box<Error>| e.into_down())
}

/// Notes whether nothing follows `head` in the answer.
pub fn note_head(downstream: &mut Downstream, head: &ResponseHeader, context: &mut Context) {
    if !is_awaited(downstream) {
        return;
    }
    let is_alone = match head.status {
        status if status.is_informational() => false,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => true,
        _ => {
            downstream.req_header().method == Method::HEAD
                || head.headers.get(CONTENT_LENGTH).is_some_and(|length| length == "0")
        }
    };
    note_piece(downstream, is_alone, context);
}

/// The answer is over, if this piece `is_last`. Over HTTP/2 its [stream](super::http2) knows by itself.
pub fn note_piece(downstream: &mut Downstream, is_last: bool, context: &mut Context) {
    if is_last && is_awaited(downstream) {
        downstream.as_downstream_mut().set_read_timeout(Some(GRACE));
        context.last = Some(Instant::now() + GRACE);
    }
}

/// Whether more of a request of HTTP/1 is to come.
fn is_awaited(downstream: &mut Downstream) -> bool {
    let client = downstream.as_downstream_mut();
    client.as_http1().is_some() && !client.is_body_done()
}

/// Refuses another piece that comes too late.
pub fn check(context: &Context) -> pingora::Result<()> {
    match context.last {
        Some(last) if last <= Instant::now() => unwanted(),
        _ => Ok(()),
    }
}
