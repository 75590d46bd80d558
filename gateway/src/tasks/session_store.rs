//! What the store of sessions needs beside requests.

use std::sync::Arc;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::session::store::SessionStore;

/// The task.
pub struct StoreUpkeep(pub Arc<SessionStore>);

#[async_trait]
impl BackgroundService for StoreUpkeep {
    async fn start(&self, _shutdown: ShutdownWatch) {
        // Up to the end of the process: until then, requests are answered.
        self.0.run().await;
    }
}
