//! Background services that are started again after a panic.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::{BackgroundService, GenBackgroundService};

/// How long after a panic a service is started again, so that repeated panics do not fill the log.
const PAUSE: Duration = Duration::from_secs(1);

/// A background service that is started again after a panic. Pingora by itself would go on without it.
pub struct Restarting<S> {
    name: &'static str,
    service: Arc<S>,
    pause: Duration,
}

impl<S: BackgroundService + Send + Sync + 'static> Restarting<S> {
    /// `service`, as Pingora runs it; `name` is what the log calls it.
    pub fn service(name: &'static str, service: Arc<S>) -> GenBackgroundService<Self> {
        let restarting = Self { name, service, pause: PAUSE };
        GenBackgroundService::new(format!("BG {name}"), Arc::new(restarting))
    }
}

#[async_trait]
impl<S: BackgroundService + Send + Sync + 'static> BackgroundService for Restarting<S> {
    async fn start(&self, mut shutdown: ShutdownWatch) {
        loop {
            let (service, watch) = (Arc::clone(&self.service), shutdown.clone());
            let Err(error) = tokio::spawn(async move { service.start(watch).await }).await else {
                return;
            };
            let Ok(panic) = error.try_into_panic() else { return };
            log::error!("{}: panicked and was started again: {}", self.name, said(&*panic));
            let is_over = shutdown.wait_for(|is_over| *is_over);
            if tokio::time::timeout(self.pause, is_over).await.is_ok() {
                return;
            }
        }
    }
}

/// What a panic said.
pub fn said(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("nothing is said")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::watch;

    /// Panics twice, then works until it is told to stop.
    #[derive(Default)]
    struct Fragile {
        begun: AtomicUsize,
        works: tokio::sync::Notify,
    }

    #[async_trait]
    impl BackgroundService for Fragile {
        async fn start(&self, mut shutdown: ShutdownWatch) {
            let begun = self.begun.fetch_add(1, Ordering::Relaxed);
            assert!(begun >= 2, "on purpose, number {begun}");
            self.works.notify_one();
            let _ = shutdown.changed().await;
        }
    }

    #[test]
    fn f_05_a_service_that_panics_is_begun_again_until_the_end() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (stop, shutdown) = watch::channel(false);
            let service = Arc::new(Fragile::default());
            let restarting = Restarting {
                name: "test",
                service: Arc::clone(&service),
                pause: Duration::from_millis(1),
            };
            let running = tokio::spawn(async move { restarting.start(shutdown).await });
            service.works.notified().await;
            assert_eq!(service.begun.load(Ordering::Relaxed), 3);
            stop.send(true).unwrap();
            running.await.unwrap();
            assert_eq!(service.begun.load(Ordering::Relaxed), 3);
        });
    }

    #[test]
    fn f_05_after_the_signal_to_stop_nothing_is_begun_again() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let (_stop, shutdown) = watch::channel(true);
            let service = Arc::new(Fragile::default());
            let pause = Duration::from_secs(3600);
            Restarting { name: "test", service: Arc::clone(&service), pause }.start(shutdown).await;
            assert_eq!(service.begun.load(Ordering::Relaxed), 1);
        });
    }
}
