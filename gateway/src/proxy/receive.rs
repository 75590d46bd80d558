//! From a request as Pingora has it to a decision.

use http::request::Parts;

use super::context::{Body, Context};
use super::{Downstream, downstream, http2, request_body};
use crate::api::rejection::Rejection;
use crate::api::route::Route;
use crate::api::websocket;
use crate::clock::Moment;
use crate::gateway::oidc;
use crate::gateway::policy::Policy;
use crate::gateway::request::{Decision, Request};
use crate::gateway::{Gateway, user_changes};
use crate::net::socket;

/// Has the gateway decide about a request, once it is one that can be read and is for this host.
pub async fn receive(
    gateway: &Gateway,
    downstream: &mut Downstream,
    context: &mut Context,
) -> Result<Decision, Rejection> {
    let is_http_2 = http2::check(downstream, &context.policy.head)?;
    check_host(downstream, context)?;
    if context.policy.head.websockets && websocket::is_wanted(&downstream.req_header().headers) {
        // Whatever comes of it, what follows is no request.
        downstream.set_keepalive(None);
    }
    let is_whole = downstream.as_downstream_mut().is_body_done();
    let (policy, head) = (&context.policy, downstream.req_header());
    let route = route_of(is_http_2, head, policy);
    context.measured.route = route.class(head.uri.path(), &policy.forwarding);
    if is_whole || !user_changes::reads_body(gateway.auth(), policy, route, head) {
        return handle(gateway, context, route, head, &[]).await;
    }
    let most = context.policy.limits.local_body_bytes;
    let most =
        if let Route::Provider(asked) = route { most.max(asked.step.body_bytes()) } else { most };
    let is_of_provider = matches!(route, Route::Provider(_));
    let body = match request_body::read(downstream, &context.policy.limits, most).await {
        Err(Rejection::TooLarge) if is_of_provider => {
            return Ok(Decision::Respond(oidc::out::too_long()));
        }
        body => body?,
    };
    let head = downstream.req_header();
    let route = route_of(is_http_2, head, &context.policy);
    // If it goes upstream after all, it goes with this.
    context.body = Body::Read(body.clone());
    handle(gateway, context, route, head, &body).await
}

fn route_of<'a>(is_http_2: bool, head: &'a Parts, policy: &Policy) -> Route<'a> {
    let (method, uri, forwarding) = (&head.method, &head.uri, &policy.forwarding);
    if is_http_2 {
        Route::of_http_2(method, uri, &head.headers, forwarding)
    } else {
        Route::of(method, uri.path(), forwarding)
    }
}

/// Has the gateway decide now, and notes whose session it is.
async fn handle(
    gateway: &Gateway,
    context: &mut Context,
    route: Route<'_>,
    head: &Parts,
    body: &[u8],
) -> Result<Decision, Rejection> {
    let (client, now) = (&context.client, Moment::now());
    let outcome = gateway.handle(&context.policy, Request { route, head, body, client, now }).await;
    context.session = outcome.session;
    outcome.decision
}

/// Rejects a request for a host that is not answered, before anything else is made of it.
fn check_host(downstream: &Downstream, context: &Context) -> Result<(), Rejection> {
    let (hosts, host) = (&context.policy.hosts, context.client.host.as_ref());
    let is_ours =
        hosts.are_all() || hosts.answer(host, socket::own_address(downstream::socket(downstream)));
    if is_ours { Ok(()) } else { Err(Rejection::Misdirected) }
}
