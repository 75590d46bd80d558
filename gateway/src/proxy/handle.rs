//! A request from its head to its end, whoever has read it: Pingora's [`phases`](super::phases), or the gateway
//! [by itself](super::direct).

use pingora::Error;

use super::context::Context;
use super::{
    Downstream, Proxy, downstream, exchange, grpc, head, http2, http10, measured, receive,
    request_body, span,
};
use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::gateway::access_log;
use crate::gateway::request::Decision;
use crate::net::socket;

/// Notes where it came from, and how long its connection may take. Pingora's own defaults are mostly "for ever".
pub fn begin(
    proxy: &Proxy,
    downstream: &mut Downstream,
    context: &mut Context,
) -> pingora::Result<()> {
    context.is_call = http2::translate(downstream)?;
    http10::expect_one_answer(downstream);
    head::simplify(downstream.req_header_mut());
    let headers = &downstream.req_header().headers;
    let peer = socket::peer_address(downstream::socket(downstream));
    let over_tls = downstream::is_over_tls(downstream);
    let (trusted, limits) = (&context.policy.trusted, &context.policy.limits);
    context.client = trusted.client_info(peer, over_tls, headers);
    context.trace = span::trace(proxy.spans.as_ref(), headers);
    let connection = downstream.as_downstream_mut();
    if connection.get_keepalive().is_some() {
        // Not so if the client wants the connection closed, as HTTP/1.0 does.
        connection.set_keepalive(Some(limits.keepalive.as_secs().max(1)));
    }
    if proxy.gateway.readiness().is_leaving() {
        // Clients that come again do so elsewhere, and nobody loses a request to the end.
        connection.set_keepalive(None);
    }
    connection.set_read_timeout(Some(limits.body));
    connection.set_write_timeout(Some(limits.body));
    connection.set_total_drain_timeout(Some(limits.body));
    Ok(())
}

/// What is still to be done about a request.
pub enum Next {
    /// Nothing: it is answered.
    Nothing,
    /// It goes upstream, and all of it is here: see [`exchange`].
    Exchange,
    /// The same of a call of gRPC: see [`call`](super::call).
    Call,
    /// It goes upstream, and more of it is to come: see [`phases`](super::phases).
    Forward,
}

/// Decides, and answers what is not for the upstream.
pub async fn handle(
    proxy: &Proxy,
    downstream: &mut Downstream,
    context: &mut Context,
) -> pingora::Result<Next> {
    let response = match receive::receive(&proxy.gateway, downstream, context).await {
        Ok(Decision::Forward(forward)) => {
            let leave = leave(proxy, downstream, &forward, context).await;
            let is_exchange = exchange::is_one(&forward, context);
            context.forward = Some(forward);
            match leave {
                Ok(()) if is_exchange => return Ok(Next::Exchange),
                Ok(()) if context.body.read().is_some() => return Ok(Next::Call),
                Ok(()) => return Ok(Next::Forward),
                Err(rejection) => grpc::refusal(rejection, context),
            }
        }
        Ok(Decision::Respond(response)) => response,
        Err(rejection) => {
            context.is_cross_site = rejection == Rejection::CrossSite;
            grpc::refusal(rejection, context)
        }
    };
    proxy.respond(downstream, response, context).await?;
    Ok(Next::Nothing)
}

/// Has the request go upstream, with its body if that is here.
async fn leave(
    proxy: &Proxy,
    downstream: &mut Downstream,
    forward: &Forward,
    context: &mut Context,
) -> Result<(), Rejection> {
    request_body::take(downstream, context).await?;
    proxy.leave(downstream, forward, context).await
}

/// Says what went wrong, in the upstream's own way of saying so. The session lives on. The status, or 0 if the client has left.
pub async fn fail(
    proxy: &Proxy,
    downstream: &mut Downstream,
    error: &Error,
    context: &mut Context,
) -> u16 {
    let rejection = proxy.why_failed(downstream, error, context);
    if let Some(rejection) = rejection {
        measured::note_failure(rejection, context.is_apart());
        proxy.fail(downstream, rejection, context).await;
    }
    rejection.map_or(0, |rejection| rejection.table().0.as_u16())
}

/// What it is, for error lines: without the query, which may hold credentials.
pub fn summary(downstream: &Downstream, context: &Context) -> String {
    let request = downstream.req_header();
    format!(
        "{} {} request_id={}",
        request.method,
        access_log::escaped(request.uri.path()),
        context.client.request_id.as_str()
    )
}
