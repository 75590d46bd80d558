//! What goes on beside requests.

use std::sync::Arc;

use crate::auth::upstream_sessions::UpstreamSessions;
use crate::config::Tracing;
use crate::gateway::version::Version;
use crate::net::server::Server;
use crate::proxy::upstreams::Upstreams;
use crate::session::store::SessionStore;
use crate::spans::Spans;
use crate::tasks::collector::Collector;
use crate::tasks::drain::Drain;
use crate::tasks::expiry::Expiry;
use crate::tasks::jwt_keys::FetchKeys;
use crate::tasks::reload::Reload;
use crate::tasks::restarting::Restarting;
use crate::tasks::session_store::StoreUpkeep;
use crate::tasks::spans::SendSpans;
use crate::tasks::upstream_sessions::Renewal;
use crate::tasks::version::LearnVersion;

/// Those who do it, and what they look after.
pub(super) struct Tasks {
    pub(super) upstreams: Upstreams,
    pub(super) version: Arc<Version>,
    pub(super) sessions: Arc<SessionStore>,
    pub(super) upstream_sessions: Option<Arc<UpstreamSessions>>,
    pub(super) reload: Reload,
    pub(super) fetch: FetchKeys,
    pub(super) send_spans: Option<SendSpans>,
    pub(super) drain: Drain,
}

impl Tasks {
    /// Has `server` run them.
    pub(super) fn add_to(self, server: &mut Server) {
        let Self { upstreams, version, sessions, upstream_sessions, .. } = self;
        let Upstreams { influxdb: upstream, ui } = upstreams;
        let learn = LearnVersion { version, failures: upstream.failures() };
        server.add(Restarting::service("upstream", upstream));
        if let Some(ui) = ui {
            server.add(Restarting::service("ui", ui));
        }
        server.add(Restarting::service("version", Arc::new(learn)));
        server.add(Restarting::service("expiry", Arc::new(Expiry(Arc::clone(&sessions)))));
        server.add(Restarting::service("session store", Arc::new(StoreUpkeep(sessions))));
        if let Some(upstream_sessions) = upstream_sessions {
            let renewal = Arc::new(Renewal(upstream_sessions));
            server.add(Restarting::service("upstream sessions", renewal));
        }
        server.add(Restarting::service("reload", Arc::new(self.reload)));
        if !self.fetch.is_empty() {
            server.add(Restarting::service("jwt keys", Arc::new(self.fetch)));
        }
        if let Some(send_spans) = self.send_spans {
            server.add(Restarting::service("spans", Arc::new(send_spans)));
        }
        server.add(Restarting::service("drain", Arc::new(self.drain)));
    }
}

/// Where requests leave their spans, and what sends them, if they are wanted.
pub(super) fn spans(tracing: Option<&Tracing>) -> Option<(Arc<Spans>, SendSpans)> {
    let Tracing { endpoint, ratio, timeout, queue } = tracing?;
    let (spans, waiting) = Spans::new(*ratio, *queue);
    Some((spans, SendSpans::new(waiting, Collector::new(endpoint.clone(), *timeout))))
}
