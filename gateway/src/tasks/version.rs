//! Asks the upstream for its version, again and again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::gateway::version::Version;

/// How often the upstream is asked again.
const REFRESH: Duration = Duration::from_secs(30);

/// How often while it has not answered.
const RETRY: Duration = Duration::from_millis(500);

/// The task.
pub struct LearnVersion(pub Arc<Version>);

#[async_trait]
impl BackgroundService for LearnVersion {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        loop {
            self.0.learn().await;
            let pause = if self.0.is_known() { REFRESH } else { RETRY };
            if let Ok(Ok(())) = tokio::time::timeout(pause, shutdown.changed()).await {
                return;
            }
        }
    }
}
