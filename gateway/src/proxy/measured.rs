//! What is measured of a request, and counted when it is over.

use std::time::Instant;

use super::context::Context;
use super::{Downstream, access_line};
use crate::api::rejection::{Rejection, Step};
use crate::metrics::label::{Method, RouteClass, StatusClass, UpstreamStep};
use crate::metrics::{Answered, METRICS};

/// What is known of a request while it is under way.
pub struct Measured {
    /// What it asks for.
    pub route: RouteClass,
    asked: Option<Instant>,
    answered: Option<Instant>,
}

impl Measured {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { route: RouteClass::Other, asked: None, answered: None }
    }

    /// It goes upstream now; again if it did before.
    pub fn ask(&mut self) {
        if self.asked.is_none() {
            self.asked = Some(Instant::now());
        }
    }

    /// The head of the upstream's answer is there.
    pub fn answer(&mut self) {
        METRICS.upstream_up.be(true);
        self.answered = Some(Instant::now());
    }
}

/// Counts the request, which is over now.
pub fn count(downstream: &Downstream, context: &Context) {
    let Measured { route, asked, answered } = context.measured;
    let (started, now) = (context.started, Instant::now());
    let status = downstream.response_written().map_or(0, |response| response.status.as_u16());
    let (received, sent) = (downstream.body_bytes_read(), downstream.body_bytes_sent());
    let (received, sent) = (received as u64, sent as u64);
    METRICS.answered(&Answered {
        route,
        method: Method::of(downstream.req_header().method.as_str()),
        status: StatusClass::of(status),
        whole: now.saturating_duration_since(started),
        own: asked.unwrap_or(now).saturating_duration_since(started),
        upstream: asked.zip(answered).map(|(asked, answered)| answered - asked),
        received,
        sent,
    });
    if context.policy.counts_users
        && let Some(user) = access_line::user(context)
    {
        METRICS.users.count(user.name.as_str(), received, sent);
    }
}

/// Counts what the upstream has failed at.
#[cold]
pub fn note_failure(rejection: Rejection) {
    let (failures, step) = match rejection {
        Rejection::UpstreamFailed(step) => (&METRICS.upstream_failures, step),
        Rejection::UpstreamTimedOut(step) => (&METRICS.upstream_timeouts, step),
        _ => return,
    };
    let step = match step {
        Step::Resolve => UpstreamStep::Resolve,
        Step::Connect => UpstreamStep::Connect,
        Step::Handshake => UpstreamStep::Handshake,
        Step::Send => UpstreamStep::Send,
        Step::Receive => UpstreamStep::Receive,
    };
    failures.count(step);
    if matches!(step, UpstreamStep::Resolve | UpstreamStep::Connect | UpstreamStep::Handshake) {
        METRICS.upstream_up.be(false);
    }
}
