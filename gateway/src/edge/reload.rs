//! The users file read anew while the gateway serves, and the audit file opened anew.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::auth::Auth;

/// How often the users file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Reads what has changed, by itself or when told.
pub(super) struct Reload(pub(super) Arc<Auth>);

impl Reload {
    /// Reads the users file anew, whether it has changed or not, and opens the audit file anew.
    pub(super) async fn now(&self) {
        self.apart(|auth| {
            auth.audit().reopen();
            auth.reload();
        })
        .await;
    }

    /// Files are not read on the threads that serve requests.
    async fn apart(&self, work: impl FnOnce(&Auth) + Send + 'static) {
        let auth = Arc::clone(&self.0);
        if let Err(error) = tokio::task::spawn_blocking(move || work(&auth)).await {
            log::error!("the users file was not read anew: {error}");
        }
    }
}

#[async_trait]
impl BackgroundService for Reload {
    async fn start(&self, shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            self.apart(Auth::reload_if_changed).await;
            tokio::time::sleep(EVERY).await;
        }
    }
}
