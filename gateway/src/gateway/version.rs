//! InfluxDB's version headers, taken from the upstream and added to the gateway's own answers.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Request};

use crate::auth::credential::Shared;
use crate::directory::influxdb::UpstreamClient;

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
}

impl Version {
    /// Nothing known yet of `upstream`, which may want the `shared` token.
    pub fn new(upstream: Arc<dyn UpstreamClient>, shared: Arc<Shared>) -> Self {
        Self { upstream, shared, known: ArcSwapOption::empty() }
    }

    /// Adds what is known to the headers of a local answer.
    pub fn add_to(&self, headers: &mut HeaderMap) {
        if let Some(known) = self.known.load().as_ref() {
            for (name, value) in known.iter() {
                headers.insert(name, value.clone());
            }
        }
    }

    /// Whether the upstream has said anything yet.
    pub fn is_known(&self) -> bool {
        self.known.load().is_some()
    }

    /// Asks the upstream.
    pub async fn learn(&self) {
        let mut request = Request::get("/ping").body(()).expect("a path is a valid request");
        if let Some(authorization) = self.shared.authorization() {
            request.headers_mut().insert(AUTHORIZATION, authorization);
        }
        // What was known stays: an upstream that is down has not changed its version.
        let Ok(answer) = self.upstream.ask(request).await else { return };
        if answer.status().is_success() {
            let header = |name: &HeaderName| {
                answer.headers().get(name).map(|value| (name.clone(), value.clone()))
            };
            self.known.store(Some(Arc::new(NAMES.iter().filter_map(header).collect())));
        }
    }
}
