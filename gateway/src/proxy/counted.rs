//! Counts a request when it is over.

use super::context::Context;
use super::outcome::Outcome;
use super::{Downstream, access_line};
use crate::metrics::label::{GrpcStatus, Method, StatusClass};
use crate::metrics::{Answered, METRICS};

/// Counts the request, which is over.
// By itself, for `make bench-operating` to see it.
#[inline(never)]
pub fn count(downstream: &Downstream, context: &Context, outcome: &Outcome) {
    let Outcome { took, received, sent, .. } = outcome;
    METRICS.answered(&Answered {
        route: context.measured.route,
        method: Method::of(downstream.req_header().method.as_str()),
        status: StatusClass::of(outcome.status),
        whole: took.whole,
        own: took.own,
        upstream: took.upstream,
        received: *received,
        sent: *sent,
    });
    if context.is_call {
        METRICS.grpc_calls.count(GrpcStatus::of(context.grpc_status));
    }
    if context.policy.counts_users
        && let Some(user) = access_line::user(context)
    {
        METRICS.users.count(user.name.as_str(), *received, *sent);
    }
}
