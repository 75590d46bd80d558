//! Small public answers, read whole before any of them is passed on.
//!
//! Who has neither session nor token could otherwise hold a connection to the upstream for as long as
//! it takes them to read, with a window of HTTP/2 that is closed for example. So the gateway asks by
//! itself, and has the connection back before the client gets a word. Answers that are not small go on
//! as they come. A [WebSocket](super::websocket) is asked for in the same way.

use bytes::{Bytes, BytesMut};
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderName, HeaderValue, Method, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::prelude::HttpPeer;
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType};
use pingora_proxy::ProxyHttp;

use super::context::Context;
use super::upstream_client::OwnRequests;
use super::{Downstream, Proxy, websocket};
use crate::api::forward::Forward;

/// What is small.
const SMALL: usize = 64 * 1024;

/// Headers of one hop: they say nothing of the next.
const OF_ONE_HOP: [HeaderName; 12] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// Whether a request is one of those, of which it is known that nothing follows its head. Those
/// that say more of their connection than whether it stays are left to Pingora. Or whether it asks for a WebSocket.
pub fn is_small(downstream: &mut Downstream, forward: &Forward) -> bool {
    if forward.visit().is_some_and(|visit| visit.is_websocket) {
        return true;
    }
    let is_public = forward.caller().is_none();
    if !is_public || !downstream.as_downstream_mut().is_body_done() {
        return false;
    }
    let request = downstream.req_header();
    // These two may answer for minutes, piece by piece.
    let is_query = matches!(request.uri.path(), "/query" | "/write");
    let is_plain = |value: &HeaderValue| {
        let words = [&b"keep-alive"[..], b"close"];
        words.iter().any(|word| value.as_bytes().eq_ignore_ascii_case(word))
    };
    let is_plain = request.headers.get_all(CONNECTION).iter().all(is_plain);
    let is_read = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&request.method);
    is_read && is_plain && !is_query
}

/// Asks the upstream, and answers as it does.
pub async fn fetch(
    proxy: &Proxy,
    downstream: &mut Downstream,
    context: &mut Context,
) -> pingora::Result<()> {
    let mut request = downstream.req_header().clone();
    request.set_version(Version::HTTP_11);
    let is_websocket = context.websocket.is_some();
    if is_websocket {
        websocket::remove_nominated(&mut request);
    }
    for name in &OF_ONE_HOP {
        request.remove_header(name);
    }
    proxy.upstream_request_filter(downstream, &mut request, context).await?;
    if is_websocket {
        websocket::ask(&mut request)?;
    }
    let server = proxy.server(context);
    let (mut session, peer) = begin(server, downstream, &request).await?;
    context.upstream = peer._address.as_inet().copied();
    let head = session.response_header().cloned();
    let mut head = head.ok_or_else(|| Error::explain(ErrorType::ReadError, "no response"))?;
    head.set_version(Version::HTTP_11);
    if websocket::begins(&head, context)? {
        proxy.upstream_response_filter(downstream, &mut head, context).await?;
        proxy.response_filter(downstream, &mut head, context).await?;
        return websocket::hold(proxy, downstream, (head, session), context).await;
    }

    let mut body = BytesMut::new();
    let is_whole = loop {
        match session.read_response_body().await.map_err(Error::into_up)? {
            Some(piece) => body.extend_from_slice(&piece),
            None => break true,
        }
        if body.len() > SMALL {
            break false;
        }
    };
    proxy.upstream_response_filter(downstream, &mut head, context).await?;
    if is_whole {
        server.release(session, &peer).await;
        context.slot = None;
        frame(&mut head, &request.method, body.len())?;
        proxy.response_filter(downstream, &mut head, context).await?;
        return write(downstream, head, body.freeze()).await;
    }
    if !head.headers.contains_key(CONTENT_LENGTH) {
        // As Pingora has it; what the client does not understand of it is taken off again.
        head.insert_header(TRANSFER_ENCODING, "chunked")?;
    }
    proxy.response_filter(downstream, &mut head, context).await?;
    pass(downstream, head, body.freeze(), &mut session).await?;
    server.release(session, &peer).await;
    Ok(())
}

/// Asks, unless the client leaves before there is an answer.
async fn begin(
    server: &OwnRequests,
    downstream: &mut Downstream,
    request: &RequestHeader,
) -> pingora::Result<(HttpSession<()>, Box<HttpPeer>)> {
    tokio::select! {
        asked = server.begin(request, true) => asked.map_err(Error::into_up),
        _ = downstream.as_downstream_mut().read_body_or_idle(true) => {
            Error::e_explain(ErrorType::ConnectionClosed, "the client is gone")
                .map_err(|error: Box<Error>| error.into_down())
        }
    }
}

/// Says how long the body is, as far as there is one.
fn frame(head: &mut ResponseHeader, method: &Method, length: usize) -> pingora::Result<()> {
    match head.status {
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => {
            head.remove_header(&TRANSFER_ENCODING);
            Ok(())
        }
        // What it says is the length of what a GET would get.
        _ if method == Method::HEAD => Ok(()),
        _ => {
            head.remove_header(&TRANSFER_ENCODING);
            head.insert_header(CONTENT_LENGTH, length)
        }
    }
}

/// Writes a whole answer.
async fn write(
    downstream: &mut Downstream,
    head: ResponseHeader,
    body: Bytes,
) -> pingora::Result<()> {
    let written = async {
        downstream.write_response_header(Box::new(head), body.is_empty()).await?;
        if !body.is_empty() {
            downstream.write_response_body(Some(body), true).await?;
        }
        Ok(())
    };
    written.await.map_err(|error: Box<Error>| error.into_down())
}

/// Writes an answer of which `piece` is there, and the rest as it comes.
async fn pass(
    downstream: &mut Downstream,
    head: ResponseHeader,
    piece: Bytes,
    session: &mut HttpSession<()>,
) -> pingora::Result<()> {
    let written = downstream.write_response_header(Box::new(head), false).await;
    written.map_err(Error::into_down)?;
    let mut next = Some(piece);
    loop {
        let is_last = next.is_none();
        let written = downstream.write_response_body(next, is_last).await;
        written.map_err(Error::into_down)?;
        if is_last {
            return Ok(());
        }
        next = session.read_response_body().await.map_err(Error::into_up)?;
    }
}
