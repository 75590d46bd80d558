//! The access log line of a request.

use std::borrow::Cow;
use std::sync::Arc;

use http::StatusCode;

use super::context::Context;
use super::outcome::Outcome;
use super::{Downstream, downstream};
use crate::api::forward::Forward;
use crate::gateway::access_log::{self, Compared, Entry};
use crate::session::Session;
use crate::user::User;

/// Logs the request, which is over. Where it `has_span`, that is of the trace whose id is logged.
// By itself, for `make bench-operating` to see it.
#[inline(never)]
pub fn log(downstream: &Downstream, context: &Context, outcome: &Outcome, has_span: bool) {
    let request = downstream.req_header();
    let session = context.session.as_deref();
    let of_session = session.map(Session::user_for_now);
    let of_token = if session.is_none() { user(context) } else { None };
    let user = of_session.as_deref().or(of_token.as_ref());
    let begun = || context.trace.as_ref().map(|trace| Cow::Borrowed(trace.trace_id()));
    let brought = || access_log::trace_id(&request.headers);
    let trace_id = if has_span { begun().or_else(brought) } else { brought().or_else(begun) };
    let Outcome { took, status, received, sent } = outcome;
    Entry {
        client: is_known(context).then(|| context.client.client.as_bytes()),
        user: user.map(|user| user.name.as_str()),
        session: session.map(|session| session.id().fingerprint()),
        jti: context.forward.as_ref().and_then(Forward::jti),
        token: context.forward.as_ref().and_then(Forward::gateway_token),
        method: Some(request.method.as_str()),
        path: Some(request.uri.path()),
        status: *status,
        grpc_status: context.grpc_status,
        bytes: *sent,
        at: took.ended,
        took: took.whole,
        request_id: context.client.request_id.as_bytes(),
        trace_id: trace_id.as_deref(),
        upstream: context.upstream,
        upstream_time: took.upstream,
        tls: downstream::tls_version(downstream),
        received: *received,
        compared: (context.is_cross_site && *status == StatusCode::FORBIDDEN.as_u16())
            .then(|| Compared { headers: &request.headers, host: context.client.host.as_ref() }),
    }
    .log();
}

/// The client's address, if it is known.
pub fn client(context: &Context) -> Option<&str> {
    context.client.client.to_str().ok().filter(|_| is_known(context))
}

fn is_known(context: &Context) -> bool {
    context.client.client != "-"
}

/// Who has asked, if that is known.
pub fn user(context: &Context) -> Option<Arc<User>> {
    let by_token = || context.forward.as_ref().and_then(Forward::user);
    context.session.as_deref().map(Session::user).or_else(by_token)
}
