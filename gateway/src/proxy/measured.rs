//! What is measured of a request.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::api::rejection::{Rejection, Step};
use crate::metrics::METRICS;
use crate::metrics::label::{RouteClass, UpstreamStep};

/// How long a request took that is over.
pub struct Took {
    /// When it was over.
    pub ended: Instant,
    /// From its head to the end of its answer.
    pub whole: Duration,
    /// As far as it went upstream; all of it, if it did not.
    pub own: Duration,
    /// What the upstream took as far as the head of its answer, if there was one.
    pub upstream: Option<Duration>,
}

/// What is known of a request while it is under way.
pub struct Measured {
    /// What it asks for.
    pub route: RouteClass,
    /// When it went upstream.
    pub asked: Option<Instant>,
    /// When it had a connection to the upstream, if that is of interest.
    connected: Option<Instant>,
    /// When the head of the answer was there.
    answered: Option<Instant>,
}

impl Measured {
    /// Nothing yet.
    pub fn new() -> Self {
        Self { route: RouteClass::Other, asked: None, connected: None, answered: None }
    }

    /// It goes upstream now.
    pub fn ask(&mut self) {
        self.asked = Some(Instant::now());
    }

    /// It has a connection to the upstream now. The clock is read for spans only.
    pub fn connect(&mut self, is_of_interest: bool) {
        if is_of_interest {
            self.connected = Some(Instant::now());
        }
    }

    /// What happened when, in its order.
    pub fn phases(&self) -> [(&'static str, Option<Instant>); 3] {
        [
            ("upstream.asked", self.asked),
            ("upstream.connected", self.connected),
            ("upstream.answered", self.answered),
        ]
    }

    /// How long it took. It began at `started`, and is over now.
    pub fn took(&self, started: Instant) -> Took {
        let ended = Instant::now();
        let whole = ended.saturating_duration_since(started);
        let own = self.asked.map_or(whole, |asked| asked.saturating_duration_since(started));
        let upstream = self.answered.zip(self.asked);
        let upstream = upstream.map(|(answered, asked)| answered.saturating_duration_since(asked));
        Took { ended, whole, own, upstream }
    }

    /// The head of an answer of this status is there, from another server than InfluxDB or not. An interim one says only
    /// that it will come.
    pub fn answer(&mut self, status: StatusCode, is_apart: bool) {
        let is_interim = status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS;
        if !is_interim {
            if !is_apart {
                METRICS.upstream_up.be(true);
            }
            self.answered = Some(Instant::now());
        }
    }
}

/// Counts what the upstream has failed at, unless that is another server than InfluxDB.
#[cold]
pub fn note_failure(rejection: Rejection, is_apart: bool) {
    if is_apart {
        return;
    }
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
