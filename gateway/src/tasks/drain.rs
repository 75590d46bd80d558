//! Ends the process when it was told to stop, the last request is answered, and other gateways have what was under
//! way for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::audit::Audit;
use crate::auth::upstream_sessions::UpstreamSessions;
use crate::net::connections::Connections;
use crate::net::handed::Sockets;
use crate::net::open_requests::OpenRequests;
use crate::session::store::SessionStore;
use crate::spans::Spans;

/// The task. Pingora by itself would wait out the whole grace period, and say nothing of what it cuts off.
pub struct Drain {
    /// The connections that are open.
    connections: Connections,
    /// The requests that are being answered.
    open: OpenRequests,
    /// What is returned to other gateways, if there is something.
    upstream_sessions: Option<Arc<UpstreamSessions>>,
    /// What has to be written before the end.
    audit: Audit,
    /// What else has.
    sessions: Arc<SessionStore>,
    /// What has to be sent, if requests are traced.
    spans: Option<Arc<Spans>>,
    /// What another process could have had up to the stop.
    sockets: Sockets,
    /// For how long requests are answered.
    grace: Duration,
}

impl Drain {
    /// Waits for connections and their requests, for `grace` at most; has the rest written down. Closes
    /// `sockets` first.
    pub fn new(
        (connections, open): (Connections, OpenRequests),
        (upstream_sessions, sessions): (Option<Arc<UpstreamSessions>>, Arc<SessionStore>),
        (audit, spans): (Audit, Option<Arc<Spans>>),
        sockets: Sockets,
        grace: Duration,
    ) -> Self {
        Self { connections, open, upstream_sessions, audit, sessions, spans, sockets, grace }
    }

    /// Whether nobody is waited for: there are no connections, or there has been no request on them for some time. `quiet`
    /// is since when there is none.
    fn is_quiet_since(&self, quiet: &mut Option<Instant>) -> bool {
        if self.open.count() > 0 {
            *quiet = None;
            return false;
        }
        let since = *quiet.get_or_insert_with(Instant::now);
        self.connections.count() == 0 || since.elapsed() >= QUIET
    }

    /// Has the last spans sent, up to the `end`.
    async fn send_spans(&self, end: Instant) {
        let Some(spans) = &self.spans else { return };
        let rest = end.saturating_duration_since(Instant::now());
        if tokio::time::timeout(rest, spans.flush()).await.is_err() {
            log::warn!("tracing: the last spans were not sent within server.grace, and are lost");
        }
    }
}

/// For connections that were accepted in the moment of the signal and are not counted yet.
const SETTLE: Duration = Duration::from_millis(50);

/// Without an open request, connections are waited for as long. Clients that have more to ask ask it until then, and those
/// of HTTP/2 have answered the PING that comes with GOAWAY. Who is asleep would hold up the stop.
const QUIET: Duration = Duration::from_secs(2);

#[async_trait]
impl BackgroundService for Drain {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            if shutdown.changed().await.is_err() {
                return;
            }
        }
        self.sockets.close();
        let end = Instant::now() + self.grace;
        let mut quiet = None;
        loop {
            tokio::time::sleep(SETTLE.min(end.saturating_duration_since(Instant::now()))).await;
            let upstream_sessions = self.upstream_sessions.as_ref();
            let is_quiet = self.is_quiet_since(&mut quiet);
            if is_quiet && upstream_sessions.is_none_or(|it| it.is_at_rest()) {
                log::info!("all requests are answered");
            } else if Instant::now() >= end {
                let grace = humantime::format_duration(self.grace);
                let count = self.open.count();
                log::warn!(
                    "{count} requests were cut off: they were not answered within {grace} (server.grace)"
                );
            } else {
                continue;
            }
            self.sessions.close().await;
            self.audit.flush();
            self.send_spans(end).await;
            log::logger().flush();
            std::process::exit(0);
        }
    }
}
