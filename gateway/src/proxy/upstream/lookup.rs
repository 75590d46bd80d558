//! Looks up the upstream's host name: regularly, and at once when no address connects.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::sync::Mutex;

use super::Upstream;

/// How often a name is looked up again.
const REFRESH: Duration = Duration::from_secs(30);

/// The shortest time between look-ups. Also the time between them while there is no address.
const AT_MOST: Duration = Duration::from_secs(1);

/// The state of look-ups.
#[derive(Default)]
pub struct LookUps {
    /// When the last one ended. Held while one is under way: whoever wants one too waits for it.
    last: Mutex<Option<Instant>>,
    has_failed: AtomicBool,
}

impl Upstream {
    /// Looks the name up, unless that was done just now.
    pub async fn look_up_again(&self) {
        let mut last = self.look_ups.last.lock().await;
        if last.is_some_and(|at| at.elapsed() < AT_MOST) {
            return;
        }
        self.look_up().await;
        *last = Some(Instant::now());
    }

    async fn look_up(&self) {
        let has_failed = &self.look_ups.has_failed;
        match tokio::net::lookup_host((self.host.as_str(), self.port)).await {
            Ok(found) => {
                let addresses: Vec<SocketAddr> = found.collect();
                log::debug!("upstream {}: looked up: {addresses:?}", self.host);
                self.set_addresses(&addresses);
                has_failed.store(false, Ordering::Relaxed);
            }
            // Said once, not every second.
            Err(error) if !has_failed.swap(true, Ordering::Relaxed) => {
                log::warn!("upstream {}: cannot be looked up: {error}", self.host);
            }
            Err(_) => {}
        }
    }
}

#[async_trait]
impl BackgroundService for Upstream {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        if !self.is_name {
            return;
        }
        loop {
            self.look_up_again().await;
            let pause = if self.addresses() == 0 { AT_MOST } else { REFRESH };
            if let Ok(Ok(())) = tokio::time::timeout(pause, shutdown.changed()).await {
                return;
            }
        }
    }
}
