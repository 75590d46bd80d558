//! Writes whole responses of the gateway's own.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{Method, StatusCode};
use pingora::Error;
use pingora::http::ResponseHeader;

use super::Downstream;
use super::downstream::keep_while_interim;
use crate::api::Response;
use crate::api::grpc::GRPC_STATUS;

/// A body up to this size is read and dropped, so that the connection can be used again.
const DRAIN_BYTES: usize = 64 * 1024;

/// For no longer than this.
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// Writes `response`, whole.
///
/// The request's body, which no local endpoint wants, is read away if it is small; otherwise
/// Pingora closes the connection after the response, and nothing of the body is taken for a
/// request. Whatever goes wrong is the client's: mostly it is gone.
pub async fn write(downstream: &mut Downstream, response: Response) -> pingora::Result<()> {
    try_write(downstream, response).await.map_err(Error::into_down)
}

async fn try_write(downstream: &mut Downstream, response: Response) -> pingora::Result<()> {
    // A call may have a body without end, and is over with its status.
    let is_call = response.headers().contains_key(GRPC_STATUS);
    if !is_call {
        drain(downstream).await;
    }
    let (parts, body) = response.into_parts();
    keep_while_interim(downstream, parts.status);
    let mut header = ResponseHeader::build(parts.status, Some(parts.headers.len() + 4))?;
    for (name, value) in &parts.headers {
        header.append_header(name, value)?;
    }
    if parts.status != StatusCode::NO_CONTENT && !is_call {
        header.insert_header(CONTENT_LENGTH, body.len())?;
    }
    let is_head = downstream.req_header().method == Method::HEAD;
    let body = if is_head { Bytes::new() } else { body };
    if body.is_empty()
        && let Some(http_2) = downstream.as_downstream_mut().as_custom_mut()
    {
        // These headers are the end: clients of gRPC take nothing else for a status, and who asks for a head gets nothing
        // else. By Pingora's `Session` an empty piece of a body would be, if the answer is finished at all.
        return http_2.write_response_header(Box::new(header), true).await;
    }
    downstream.write_response_header(Box::new(header), body.is_empty()).await?;
    if !body.is_empty() {
        downstream.write_response_body(Some(body), true).await?;
    }
    Ok(())
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
