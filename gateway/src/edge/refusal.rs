//! Refusals that are written and logged before there is a request.

use std::time::Instant;

use bytes::BytesMut;
use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_LENGTH};
use pingora::protocols::SocketDigest;

use super::access_log::Entry;
use super::exchange;
use super::request_id::{RequestId, X_REQUEST_ID};
use crate::api::Response;
use crate::api::rejection::Rejection;

/// The whole answer, as bytes: nobody else is there to write it.
pub fn write(rejection: Rejection) -> BytesMut {
    let mut response = Response::from(rejection);
    let length = response.body().len();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(X_REQUEST_ID, RequestId::make().header_value());

    let mut bytes = BytesMut::with_capacity(512);
    bytes.extend_from_slice(format!("HTTP/1.1 {}\r\n", response.status()).as_bytes());
    exchange::put_fields(&mut bytes, response.headers());
    bytes.extend_from_slice(response.body());
    bytes
}

/// One line for a request that was refused before it could be read.
pub fn log(rejection: Rejection, socket: Option<&SocketDigest>) {
    let (status, _, message) = rejection.table();
    let address = exchange::peer_address(socket);
    let client = address.map_or_else(|| "-".to_owned(), |ip| ip.to_canonical().to_string());
    log::debug!("{client}: {message}");
    Entry {
        client: &client,
        user: None,
        session: None,
        method: "-",
        path: "-",
        status: status.as_u16(),
        bytes: 0,
        started: Instant::now(),
        request_id: "-",
        trace_id: None,
    }
    .log();
}
