//! Ends the process when it was told to stop, the last request is answered, and other gateways have what was under
//! way for them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::audit::Audit;
use crate::auth::upstream_sessions::UpstreamSessions;
use crate::net::connections::Connections;
use crate::session::store::SessionStore;

/// The task. Pingora by itself would wait out the whole grace period, which stays the limit.
pub struct Drain {
    /// The connections that are open.
    pub connections: Connections,
    /// What is returned to other gateways, if there is something.
    pub upstream_sessions: Option<Arc<UpstreamSessions>>,
    /// What has to be written before the end.
    pub audit: Audit,
    /// What else has.
    pub sessions: Arc<SessionStore>,
}

/// For connections that were accepted in the moment of the signal and are not counted yet.
const SETTLE: Duration = Duration::from_millis(50);

#[async_trait]
impl BackgroundService for Drain {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            if shutdown.changed().await.is_err() {
                return;
            }
        }
        loop {
            tokio::time::sleep(SETTLE).await;
            let upstream_sessions = self.upstream_sessions.as_ref();
            if self.connections.count() == 0 && upstream_sessions.is_none_or(|it| it.is_at_rest()) {
                log::info!("all requests are answered");
                self.sessions.close().await;
                self.audit.flush();
                log::logger().flush();
                std::process::exit(0);
            }
        }
    }
}
