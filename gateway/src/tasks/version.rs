//! Asks the upstream for its version, again and again.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::sync::Notify;

use crate::gateway::version::Version;

/// How often the upstream is asked again.
const REFRESH: Duration = Duration::from_secs(30);

/// How often while it has not answered.
const RETRY: Duration = Duration::from_millis(500);

/// The task.
pub struct LearnVersion {
    /// What is learnt.
    pub version: Arc<Version>,
    /// Notified when a connection to the upstream has failed: then it is asked at once.
    pub failures: Arc<Notify>,
}

#[async_trait]
impl BackgroundService for LearnVersion {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        loop {
            self.version.learn().await;
            let is_well = self.version.is_known() && !self.version.is_silent();
            // At least so far apart, however many connections fail.
            tokio::select! {
                Ok(()) = shutdown.changed() => return,
                () = tokio::time::sleep(RETRY) => {}
            }
            if is_well {
                tokio::select! {
                    Ok(()) = shutdown.changed() => return,
                    () = self.failures.notified() => {}
                    () = tokio::time::sleep(REFRESH) => {}
                }
            }
        }
    }
}
