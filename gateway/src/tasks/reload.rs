//! Reads changed files again while the gateway serves, and opens the audit file again.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::sync::Notify;

use crate::auth::Auth;
use crate::auth::reload::{catch_up, users_file};
use crate::file_identity::watched::{EVERY, Watched};

/// Reads what has changed, by itself or when told.
pub struct Reload {
    auth: Arc<Auth>,
    watched: Arc<[Watched]>,
    told: Arc<Notify>,
}

impl Reload {
    /// Looks after `watched` and the users file, and does so at once when `told`.
    pub fn new(auth: Arc<Auth>, watched: Vec<Watched>, told: Arc<Notify>) -> Self {
        let watched = users_file(&auth).into_iter().chain(watched).collect();
        Self { auth, watched, told }
    }

    /// Files are not read on the threads that serve requests.
    async fn apart(&self, work: impl FnOnce(&Auth, &[Watched]) + Send + 'static) {
        let (auth, watched) = (Arc::clone(&self.auth), Arc::clone(&self.watched));
        let done = tokio::task::spawn_blocking(move || work(&auth, &watched));
        if let Err(error) = done.await {
            log::error!("the changed files were not read again: {error}");
        }
    }

    /// Reads all anew, whether it has changed or not, and opens the audit file anew.
    async fn read_now(&self) {
        self.apart(|auth, watched| {
            auth.audit().reopen();
            for watched in watched {
                watched.read_now(Instant::now());
            }
        })
        .await;
    }

    async fn look(&self) {
        self.apart(|auth, watched| {
            catch_up(auth);
            for watched in watched {
                watched.look(Instant::now());
            }
        })
        .await;
    }
}

#[async_trait]
impl BackgroundService for Reload {
    async fn start(&self, shutdown: ShutdownWatch) {
        while !*shutdown.borrow() {
            self.look().await;
            // Looks lie at least so far apart, whatever comes in between.
            let next = tokio::time::sleep(EVERY);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    () = self.told.notified() => self.read_now().await,
                }
            }
        }
    }
}
