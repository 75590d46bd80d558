//! InfluxDB's version headers, taken from the upstream and added to the gateway's own answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::auth::credential::Shared;
use crate::clock::Moment;
use crate::directory::influxdb::UpstreamClient;
use crate::metrics::METRICS;

/// The headers.
const NAMES: [HeaderName; 2] =
    [HeaderName::from_static("x-influxdb-build"), HeaderName::from_static("x-influxdb-version")];

/// What the upstream says of itself on `GET /ping`.
///
/// Clients use them to recognise InfluxDB and its version. They are never made up: while the upstream has not answered,
/// or does not send them, the gateway's own answers do not have them.
pub struct Version {
    upstream: Arc<dyn UpstreamClient>,
    /// For an upstream that wants a token even for a ping.
    shared: Arc<Shared>,
    known: ArcSwapOption<Vec<(HeaderName, HeaderValue)>>,
    /// How often it was asked in vain since it has last answered; [`NEVER`]: it has not answered yet.
    silent: AtomicU32,
    last_answer: AtomicU64,
}

const NEVER: u32 = u32::MAX;

/// A connection that was kept may turn out to be closed, which says nothing.
const DOWN_AFTER: u32 = 2;

impl Version {
    /// Nothing known yet of `upstream`, which may want the `shared` token.
    pub fn new(upstream: Arc<dyn UpstreamClient>, shared: Arc<Shared>) -> Self {
        let (silent, last_answer) = (AtomicU32::new(NEVER), AtomicU64::new(0));
        Self { upstream, shared, known: ArcSwapOption::empty(), silent, last_answer }
    }

    /// Adds what is known to the headers of a local answer.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(known) = self.known.load().as_ref() {
            for (name, value) in known.iter() {
                headers.insert(name, value.clone());
            }
        }
    }

    /// What the upstream says is its version, for people to read.
    pub fn said(&self) -> Option<HeaderValue> {
        let known = self.known.load();
        let header = known.as_ref()?.iter().find(|(name, _)| *name == NAMES[1])?;
        Some(header.1.clone())
    }

    /// Whether the upstream has said anything yet.
    pub fn is_known(&self) -> bool {
        self.known.load().is_some()
    }

    /// Whether the upstream has answered, and has not been silent since.
    pub fn is_up(&self) -> bool {
        self.silent.load(Ordering::Relaxed) < DOWN_AFTER
    }

    /// Whether the upstream did not answer when it was asked last.
    pub fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Relaxed) > 0
    }

    /// When the upstream was last heard of; `None` if never.
    pub fn last_answer(&self) -> Option<Moment> {
        let has_answered = self.silent.load(Ordering::Relaxed) != NEVER;
        has_answered.then(|| Moment::from_millis(self.last_answer.load(Ordering::Relaxed)))
    }

    /// Asks the upstream.
    pub async fn learn(&self) {
        let mut request = Request::get("/ping").body(()).expect("a path is a valid request");
        if let Some(authorization) = self.shared.authorization() {
            request.headers_mut().insert(AUTHORIZATION, authorization);
        }
        // What was known stays: an upstream that is down has not changed its version.
        let answer = self.upstream.ask(request).await;
        METRICS.upstream_up.be(answer.is_ok());
        let Ok(answer) = answer else {
            let more = |silent: u32| Some(silent.saturating_add(1));
            let _ = self.silent.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
            return;
        };
        self.last_answer.store(Moment::now().millis(), Ordering::Relaxed);
        self.silent.store(0, Ordering::Relaxed);
        if answer.status().is_success() {
            let header = |name: &HeaderName| {
                answer.headers().get(name).map(|value| (name.clone(), value.clone()))
            };
            self.known.store(Some(Arc::new(NAMES.iter().filter_map(header).collect())));
        }
    }
}
