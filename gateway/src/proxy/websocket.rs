//! A WebSocket: two connections that have become one, for as long as the session lives.
//!
//! It begins as a request for a page, of which [`gateway`](crate::gateway) has decided. When the other side agrees, nothing
//! is read any more of what goes through. Pingora could do that too, but takes the end of a request without a body, if it is
//! late to look at it, for the end of the WebSocket; so it is [asked for](super::exchange) and held here.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use http::StatusCode;
use http::header::{CONNECTION, UPGRADE};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType};

use super::context::Context;
use super::{Downstream, Proxy, downstream, vigil};
use crate::api::websocket::{UPGRADE_IT, WEBSOCKET, is_begun};
use crate::net::http1::tunnel::Tunnel;

/// Has `request` ask for one.
pub fn ask(request: &mut RequestHeader) -> pingora::Result<()> {
    request.insert_header(UPGRADE, WEBSOCKET)?;
    request.insert_header(CONNECTION, UPGRADE_IT)
}

/// Makes sure that an answer of another protocol was asked for; whether one begins.
pub fn begins(response: &ResponseHeader, context: &Context) -> pingora::Result<bool> {
    if response.status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(false);
    }
    if context.websocket.is_some() && is_begun(response.status, &response.headers) {
        return Ok(true);
    }
    // No request goes upstream with another `Upgrade`. The client would wait for an answer for ever.
    Error::e_explain(ErrorType::InvalidHTTPHeader, "101 that nobody has asked for")
        .map_err(|error: Box<Error>| error.into_up())
}

/// Has the answer say so on this side too.
pub fn agree(response: &mut ResponseHeader) -> pingora::Result<()> {
    response.insert_header(UPGRADE, WEBSOCKET)?;
    response.insert_header(CONNECTION, UPGRADE_IT)
}

/// Answers with `head`, and passes on what either side says, up to the end of it.
pub async fn hold(
    proxy: &Proxy,
    downstream: &mut Downstream,
    (head, mut other): (ResponseHeader, HttpSession<()>),
    context: &mut Context,
) -> pingora::Result<()> {
    // What has come along with the head; the next read would wait.
    let early = tokio::time::timeout(Duration::ZERO, other.read_response_body()).await;
    let early = early.ok().transpose().map_err(Error::into_up)?.flatten().unwrap_or_default();
    let HttpSession::H1(other) = other else {
        return Error::e_explain(ErrorType::InternalError, "a WebSocket over HTTP/2");
    };
    let token = context.policy.cookie.token(&downstream.req_header().headers);
    let (Some(websocket), Some(watch), Some(token)) =
        (&mut context.websocket, context.watch.take(), token)
    else {
        return Error::e_explain(ErrorType::InternalError, "a WebSocket of nobody");
    };
    let is_over = websocket.end();
    let vigil = vigil::keep(Arc::clone(&proxy.gateway), (token, watch), is_over);
    websocket.look_after(tokio::spawn(vigil).abort_handle());

    let written = downstream.write_response_header(Box::new(head), false).await;
    written.map_err(Error::into_down)?;
    let patience = context.policy.limits.upstream_read;
    let tunnel =
        Tunnel::new(other.into_inner(), BytesMut::from(&*early), patience, websocket.count());
    if let Some(connection) = downstream::connection(downstream) {
        connection.join(tunnel);
    }
    let client = downstream.as_downstream_mut();
    client.set_read_timeout(None);
    // Nothing of it is for us: the connection is at its end when the tunnel is.
    let end = client.read_request_body().await;
    log::debug!(
        "a WebSocket has ended: {}",
        end.err().map_or_else(String::new, |it| it.to_string())
    );
    Ok(())
}
