//! Access to a request of Pingora's, and writing of whole responses.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderMap, Method, StatusCode};
use pingora::http::ResponseHeader;
use pingora::protocols::SocketDigest;
use pingora::{Error, ErrorType};

use super::Downstream;
use super::guard::Guard;
use crate::api::rejection::Rejection;
use crate::api::{Response, framing};
use crate::limits::Limits;

/// What guards the client's connection, if it is HTTP/1.
pub fn guard(downstream: &Downstream) -> Option<&Guard> {
    let stream = downstream.as_downstream().as_http1()?.stream();
    (**stream).as_any().downcast_ref()
}

/// What is known of the socket of a connection of HTTP/2, which all its requests have in common.
pub fn http_2(downstream: &Downstream) -> Option<Arc<SocketDigest>> {
    downstream.as_downstream().as_http2()?.digest()?.socket_digest.clone()
}

/// Whether the client speaks TLS with us.
pub fn is_over_tls(downstream: &Downstream) -> bool {
    downstream.digest().is_some_and(|digest| digest.ssl_digest.is_some())
}

/// Has the connection outlive an answer of this status before the end of the request's body, if it is
/// an interim one: it asks for the rest. Any other is the last, and of the rest nothing can be said.
pub fn keep_while_interim(downstream: &mut Downstream, status: StatusCode) {
    let is_last = !status.is_informational();
    downstream.as_downstream_mut().set_close_on_response_before_downstream_finish(is_last);
}

/// The address at the other end of the connection.
pub fn peer_address(socket: Option<&SocketDigest>) -> Option<IpAddr> {
    let address = socket.and_then(SocketDigest::peer_addr).and_then(|address| address.as_inet());
    address.map(SocketAddr::ip)
}

/// Writes `fields` as HTTP/1 does, and the empty line that ends a head.
pub fn put_fields(head: &mut BytesMut, fields: &HeaderMap) {
    for (name, value) in fields {
        head.put_slice(name.as_str().as_bytes());
        head.put_slice(b": ");
        head.put_slice(value.as_bytes());
        head.put_slice(b"\r\n");
    }
    head.put_slice(b"\r\n");
}

/// A body up to this size is read and dropped, so that the connection can be used again.
const DRAIN_BYTES: usize = 64 * 1024;

/// For no longer than this.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// Writes `response`, whole.
///
/// The request's body, which no local endpoint wants, is read away if it is small; otherwise
/// Pingora closes the connection after the response, and nothing of the body is taken for a
/// request.
pub async fn write(downstream: &mut Downstream, response: Response) -> pingora::Result<()> {
    drain(downstream).await;
    let (parts, body) = response.into_parts();
    keep_while_interim(downstream, parts.status);
    let mut header = ResponseHeader::build(parts.status, Some(parts.headers.len() + 4))?;
    for (name, value) in &parts.headers {
        header.append_header(name, value)?;
    }
    if parts.status != StatusCode::NO_CONTENT {
        header.insert_header(CONTENT_LENGTH, body.len())?;
    }
    let is_head = downstream.req_header().method == Method::HEAD;
    let body = if is_head { Bytes::new() } else { body };
    downstream.write_response_header(Box::new(header), body.is_empty()).await?;
    if !body.is_empty() {
        downstream.write_response_body(Some(body), true).await?;
    }
    Ok(())
}

/// Reads the whole body of the request: no longer than a local one may be, and no later. However
/// often a byte of it comes, all of it has one deadline.
pub async fn read_body(downstream: &mut Downstream, limits: &Limits) -> Result<Bytes, Rejection> {
    let declared = framing::declared_length(&downstream.req_header().headers);
    if declared.is_some_and(|length| length > limits.local_body_bytes as u64) {
        return Err(Rejection::TooLarge);
    }
    let whole = tokio::time::timeout(limits.local_body, read_pieces(downstream, limits)).await;
    whole.unwrap_or(Err(Rejection::ClientTimedOut))
}

async fn read_pieces(downstream: &mut Downstream, limits: &Limits) -> Result<Bytes, Rejection> {
    if downstream.req_header().headers.contains_key(EXPECT) {
        // Otherwise the client would wait for leave to send it.
        keep_while_interim(downstream, StatusCode::CONTINUE);
        let asked = downstream.as_downstream_mut().write_continue_response().await;
        asked.map_err(|_gone| Rejection::Unreadable)?;
    }
    let client = downstream.as_downstream_mut();
    let mut body = BytesMut::new();
    loop {
        // Pingora itself knows no such limit with HTTP/2.
        let read = tokio::time::timeout(limits.body, client.read_request_body());
        let read = read.await.map_err(|_late| Rejection::ClientTimedOut)?;
        let Some(chunk) = read.map_err(|error| unreadable(&error))? else { break };
        if body.len() + chunk.len() > limits.local_body_bytes {
            return Err(Rejection::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn unreadable(error: &Error) -> Rejection {
    match error.etype() {
        ErrorType::ReadTimedout => Rejection::ClientTimedOut,
        _ => Rejection::Unreadable,
    }
}

async fn drain(downstream: &mut Downstream) {
    // A client that waits for leave to send its body will not send it after a refusal.
    let waits = downstream.req_header().headers.contains_key(EXPECT);
    if waits || downstream.as_downstream_mut().is_body_done() {
        return;
    }
    let read = async {
        let mut left = DRAIN_BYTES;
        while let Ok(Some(chunk)) = downstream.as_downstream_mut().read_request_body().await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // What is left after the time is Pingora's to refuse.
    let _ = tokio::time::timeout(DRAIN_TIME, read).await;
}
