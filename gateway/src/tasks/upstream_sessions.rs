//! Renews InfluxDB's own sessions, and signs out of them.

use std::sync::Arc;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::auth::upstream_sessions::UpstreamSessions;

/// The task.
pub struct Renewal(pub Arc<UpstreamSessions>);

#[async_trait]
impl BackgroundService for Renewal {
    async fn start(&self, shutdown: ShutdownWatch) {
        self.0.run(shutdown).await;
    }
}
