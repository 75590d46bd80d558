//! A request that has come whole, and its answer: those that read, and what is written in small pieces.
//!
//! Nothing more comes of the client, so one loop passes the answer on. Pingora has two for each request, one for either
//! side, and channels between them: for those whose bodies are still to come.

use std::pin::pin;

use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, Method, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType, RetryType};

use super::context::Context;
use super::passing::{complete, pass, unless_gone};
use super::revocation::{self, CUT_OFF};
use super::upstream_client::{Connected, send};
use super::upstream_rewrite::nominated;
use super::{Downstream, Proxy, small_answers, upstream, websocket};
use crate::api::forward::Forward;

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

/// Whether a request is one of those, or asks for a [WebSocket](websocket).
pub fn is_one(forward: &Forward, context: &Context) -> bool {
    let is_websocket = forward.visit().is_some_and(|visit| visit.is_websocket);
    is_websocket || (context.body.read().is_some() && !context.is_call)
}

/// Asks the upstream, and answers as it does.
pub async fn run(
    proxy: &Proxy,
    downstream: &mut Downstream,
    context: &mut Context,
) -> pingora::Result<()> {
    let server = proxy.server(context);
    let mut may_be_used = true;
    let (mut session, target) = loop {
        let connected = async { server.connect(may_be_used).await.map_err(Error::into_up) };
        let Connected { mut session, target, is_reused } =
            unless_gone(downstream, pin!(connected)).await?;
        context.connected(&target.peer, proxy.spans.is_some());
        // As through Pingora's proxy, who only reads goes on by what was decided.
        if !is_reused && !downstream.req_header().method.is_safe() {
            still_may(proxy, downstream, context)?;
        }
        let request = prepare(proxy, downstream, context)?;
        let body = context.body.read().cloned().unwrap_or_default();
        let asked = ask(&mut session, request, body, is_reused);
        let asked = unless_gone(downstream, pin!(asked)).await;
        match asked {
            Ok(()) => break (session, target),
            // A connection that was kept was closed meanwhile, and nobody has answered.
            Err(error) if may_be_used && error.retry() && server.attempts() > 1 => {
                let error = upstream::counted(error);
                log::debug!("once more, on a new connection: {error}");
                may_be_used = false;
            }
            Err(error) => return Err(error.more_context(format!("to {}", target.peer._address))),
        }
    };
    let head = answer(proxy, downstream, &mut session, context).await?;
    if head.status == StatusCode::SWITCHING_PROTOCOLS {
        return websocket::hold(proxy, downstream, (head, session), context).await;
    }
    if small_answers::are_wanted(downstream, context) {
        let answer = (head, session, &*target);
        // It is rare, so that it need not have room in every request.
        return Box::pin(small_answers::pass(proxy, downstream, answer, context)).await;
    }
    let head = complete(proxy, downstream, (head, &mut session), context).await?;
    pass(downstream, head, &mut session, None).await?;
    server.release(session, &target).await;
    Ok(())
}

/// What is asked.
fn prepare(
    proxy: &Proxy,
    downstream: &Downstream,
    context: &mut Context,
) -> pingora::Result<RequestHeader> {
    let mut request = for_upstream(proxy, downstream, Version::HTTP_11, context);
    if context.websocket.is_some() {
        websocket::ask(&mut request)?;
    } else if let Some(length) = length(&request.method, context) {
        request.insert_header(CONTENT_LENGTH, length)?;
    }
    Ok(request)
}

/// The head of a request as the upstream gets it by `version`, but for what that version has of its own.
pub fn for_upstream(
    proxy: &Proxy,
    downstream: &Downstream,
    version: Version,
    context: &mut Context,
) -> RequestHeader {
    let mut request = downstream.req_header().clone();
    request.set_version(version);
    for name in of_this_hop(&request.headers) {
        request.remove_header(&name);
    }
    proxy.rewrite_request(&mut request, context);
    request
}

/// How long the body is, if that is to be said (RFC 9110 section 8.6).
fn length(method: &Method, context: &Context) -> Option<usize> {
    let length = context.body.read().map_or(0, Bytes::len);
    let is_meant = [Method::POST, Method::PUT, Method::PATCH].contains(method);
    (length > 0 || is_meant).then_some(length)
}

/// The headers that say nothing of the next hop: those, and what `Connection` names.
fn of_this_hop(headers: &HeaderMap) -> Vec<HeaderName> {
    let mut all = nominated(headers);
    all.extend(headers.keys().filter(|name| OF_ONE_HOP.contains(name)).cloned());
    all
}

/// Makes sure that whoever asks still may, after having waited for a connection.
pub fn still_may(proxy: &Proxy, downstream: &Downstream, context: &Context) -> pingora::Result<()> {
    let (auth, head) = (proxy.gateway.auth(), downstream.req_header());
    if revocation::check_whole(auth, head, context).is_ok() {
        return Ok(());
    }
    Error::e_explain(CUT_OFF, "its session was ended while it waited for a connection")
        .map_err(|error: Box<Error>| error.into_down())
}

/// Asks, and reads the first head that comes.
async fn ask(
    session: &mut HttpSession<()>,
    request: RequestHeader,
    body: Bytes,
    is_reused: bool,
) -> pingora::Result<()> {
    let may_repeat = request.method.is_idempotent();
    let asked = async {
        send(session, request, body).await?;
        session.read_response_header().await
    };
    asked.await.map_err(|mut error| {
        if *error.etype() == ErrorType::WriteError {
            // It was closed so lately that this is seen with the first word only.
            error.retry = RetryType::ReusedOnly;
        }
        error.retry.decide_reuse(is_reused && may_repeat);
        error.into_up()
    })
}

/// The head of the answer. Those before it, which say that it will come, are passed on.
async fn answer(
    proxy: &Proxy,
    downstream: &mut Downstream,
    session: &mut HttpSession<()>,
    context: &mut Context,
) -> pingora::Result<ResponseHeader> {
    loop {
        let head = session.response_header().cloned();
        let mut head = head.ok_or_else(|| Error::explain(ErrorType::ReadError, "no response"))?;
        proxy.clear(&mut head, context)?;
        let is_interim = head.status.is_informational();
        if !is_interim || head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(head);
        }
        proxy.complete(downstream, &mut head, context).await?;
        let written = downstream.write_response_header(Box::new(head), false).await;
        written.map_err(Error::into_down)?;
        let next = async { session.read_response_header().await.map_err(Error::into_up) };
        unless_gone(downstream, pin!(next)).await?;
    }
}
