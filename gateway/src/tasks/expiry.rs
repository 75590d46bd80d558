//! Forgets sessions that have idled out.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::clock::Moment;
use crate::session::store::SessionStore;

/// How often.
const EVERY: Duration = Duration::from_millis(200);

/// How often while there are many, which leaves most of the time to requests.
const MANY_EVERY: Duration = Duration::from_millis(4);

/// The task.
pub struct Expiry(pub Arc<SessionStore>);

#[async_trait]
impl BackgroundService for Expiry {
    async fn start(&self, shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            let are_more = self.0.sweep(Moment::now());
            tokio::time::sleep(if are_more { MANY_EVERY } else { EVERY }).await;
        }
    }
}
