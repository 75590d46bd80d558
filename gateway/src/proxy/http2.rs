//! Applies the rules for HTTP/1 to a request of HTTP/2, since the upstream speaks HTTP/1.
//!
//! Pingora frames HTTP/2 by itself, so the [`guard`](crate::net::http1::connection) never sees such a request. What
//! it would have refused in a head, a host for example that is none, is refused here by the very
//! same rules.

mod ahead;
mod stream;

use std::mem;

use bytes::{BufMut, BytesMut};
use http::header::{COOKIE, HOST};
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri};
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;

use super::{Downstream, downstream};
use crate::api::framing::{self, HeadLimits};
use crate::api::grpc;
use crate::api::rejection::Rejection;
use crate::api::target::Target;
use crate::net::http1::fields;
use stream::Http2Stream;

/// Says in HTTP/1's words what HTTP/2 says in its own: the host, and all cookies in one field
/// (RFC 9113 sections 8.3.1 and 8.2.3); and what a query holds raw, encoded. Returns whether it is a call of gRPC.
pub fn translate(downstream: &mut Downstream) -> pingora::Result<bool> {
    if !take_over(downstream) {
        return Ok(false);
    }
    let request = downstream.req_header_mut();
    if let Some(authority) = request.uri.authority().map(|name| name.as_str().to_owned()) {
        // Where there is a Host besides, Pingora has made sure that it is the same.
        request.insert_header(HOST, authority)?;
    }
    let cookies: Vec<_> =
        request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1 {
        let cookies = cookies.join(&b"; "[..]);
        request.insert_header(COOKIE, cookies)?;
    }
    if let Some(uri) = with_encoded_query(&request.uri) {
        request.set_uri(uri);
    }
    Ok(grpc::is_call(&request.headers))
}

/// A request, as one of our own [streams](stream) if it is one of HTTP/2; and whether all of it has come over that. What has
/// come is read, and nobody is waited for.
pub async fn look_ahead(request: ServerSession) -> (ServerSession, bool) {
    let ServerSession::H2(inner) = request else { return (request, false) };
    let mut stream = Http2Stream::new(inner);
    let has_come = stream.look_ahead().await;
    (ServerSession::new_custom(Box::new(stream)), has_come)
}

/// Has a request of HTTP/2 be one of our own [streams](stream). Returns whether it is one.
fn take_over(downstream: &mut Downstream) -> bool {
    let client = downstream.as_downstream_mut();
    if client.is_http2() {
        // Stands there for as long as the next line takes.
        let nothing = ServerSession::new_custom(Box::new(()));
        if let ServerSession::H2(inner) = mem::replace(client, nothing) {
            *client = ServerSession::new_custom(Box::new(Http2Stream::new(inner)));
        }
    }
    client.is_custom()
}

/// The same URI, if its query has to be encoded for HTTP/1.
fn with_encoded_query(uri: &Uri) -> Option<Uri> {
    let target = Target::parse(uri.path_and_query()?.as_str().as_bytes()).ok()?;
    if target.is_plain() {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::from_maybe_shared(target.encoded().ok()?).ok()?);
    Uri::from_parts(parts).ok()
}

/// Refuses what would be refused in an HTTP/1 head. Returns whether it is HTTP/2.
pub fn check(downstream: &Downstream, limits: &HeadLimits) -> Result<bool, Rejection> {
    if !downstream::is_http_2(downstream) {
        return Ok(false);
    }
    let head = written_out(downstream.req_header());
    // What could not be encoded is too long.
    let is_plain = framing::check(&head, limits)?.target.is_plain();
    if is_plain { Ok(true) } else { Err(Rejection::TargetTooLong) }
}

/// The head as HTTP/1 would write it.
fn written_out(request: &RequestHeader) -> BytesMut {
    let mut head = BytesMut::with_capacity(1024);
    head.put_slice(request.method.as_str().as_bytes());
    head.put_u8(b' ');
    head.put_slice(request.raw_path());
    head.put_slice(b" HTTP/1.1\r\n");
    fields::put(&mut head, &request.headers);
    head
}
