//! The span of a request.

use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;

use super::context::Context;
use super::outcome::Outcome;
use super::{Downstream, access_line};
use crate::clock;
use crate::gateway::access_log;
use crate::gateway::traceparent::TraceParent;
use crate::metrics::label::{Label, Method, RouteClass};
use crate::spans::{Span, Spans};

/// The trace that a request with these headers is part of: the client's, or a new one.
pub fn trace(spans: Option<&Arc<Spans>>, headers: &HeaderMap) -> Option<TraceParent> {
    spans.map(|spans| TraceParent::continued_or_begun(headers, |id| spans.wants(id)))
}

/// Leaves the span of the request, which is over now, if its trace is recorded.
pub fn leave(spans: &Spans, downstream: &Downstream, context: &Context, outcome: &Outcome) {
    let Some(trace) = context.trace.filter(TraceParent::is_recorded) else { return };
    let request = downstream.req_header();
    let method = Method::of(request.method.as_str());
    let since = |moment: Instant| moment.saturating_duration_since(context.started);
    let phase = |(name, moment): (_, Option<Instant>)| Some((name, since(moment?)));
    spans.leave(Span {
        trace_id: trace.trace_id().as_bytes().try_into().unwrap_or([b'0'; 32]),
        id: trace.span_id(),
        parent: trace.parent(),
        flags: trace.flags(),
        method: (method != Method::Other).then(|| Method::WORDS[method.index()]),
        route: RouteClass::WORDS[context.measured.route.index()],
        path: access_log::escaped(request.uri.path()).into_owned(),
        over_tls: context.client.over_tls,
        status: outcome.status,
        client: access_line::client(context).map(str::to_owned),
        user: access_line::user(context).map(|user| user.name.as_str().to_owned()),
        request_id: context.client.request_id.as_str().to_owned(),
        upstream: context.upstream,
        received: outcome.received,
        sent: outcome.sent,
        started: clock::wall() - outcome.took.whole,
        took: outcome.took.whole,
        phases: context.measured.phases().into_iter().filter_map(phase).collect(),
    });
}
