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
    /// Goes on after the signal to stop: sessions that expire until the end of the process are told of too.
    async fn start(&self, _shutdown: ShutdownWatch) {
        loop {
            let are_more = self.0.sweep(Moment::now());
            tokio::time::sleep(if are_more { MANY_EVERY } else { EVERY }).await;
        }
    }
}
