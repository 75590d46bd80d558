//! Reads the configuration and changed files again while the gateway serves, and opens the audit file again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;

use crate::auth::Auth;
use crate::auth::reload::{catch_up, users_file};
use crate::file_identity::watched::{EVERY, Watched};
use crate::gateway::reloads::{Outcome, Wanted};
use crate::service_manager::{self, State};

/// Reads what has changed, by itself or when told.
pub struct Reload {
    work: Arc<Work>,
    wanted: Wanted,
}

struct Work {
    auth: Arc<Auth>,
    configuration: Option<Configuration>,
    watched: Vec<Watched>,
}

/// The configuration file, and what came of it when it was last read.
pub struct Configuration {
    watched: Watched,
    outcome: Arc<Mutex<Outcome>>,
}

impl Configuration {
    /// `watched`, which leaves its `outcome` there.
    pub fn new(watched: Watched, outcome: Arc<Mutex<Outcome>>) -> Self {
        Self { watched, outcome }
    }
}

impl Reload {
    /// Looks after the configuration, `watched` and the users file, and does so at once when that is `wanted`.
    pub fn new(
        auth: Arc<Auth>,
        configuration: Option<Configuration>,
        watched: Vec<Watched>,
        wanted: Wanted,
    ) -> Self {
        let watched = users_file(&auth).into_iter().chain(watched).collect();
        Self { work: Arc::new(Work { auth, configuration, watched }), wanted }
    }

    /// Files are not read on the threads that serve requests.
    async fn apart<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Work) -> T + Send + 'static,
    ) -> Result<T, String> {
        let all = Arc::clone(&self.work);
        tokio::task::spawn_blocking(move || work(&all)).await.map_err(|error| {
            let what = format!("the files were not read again: {error}");
            log::error!("{what}");
            what
        })
    }
}

impl Work {
    /// Reads all anew, whether it has changed or not, if all of it is good. Opens the audit file anew.
    fn read_now(&self) -> Outcome {
        service_manager::tell(State::Reloading);
        self.auth.audit().reopen();
        let now = Instant::now();
        let outcome = self.configuration.as_ref().map(|configuration| {
            configuration.watched.read_now(now);
            configuration.outcome.lock().unwrap_or_else(PoisonError::into_inner).clone()
        });
        let outcome = outcome.unwrap_or_default();
        if outcome.faults.is_empty() {
            for watched in &self.watched {
                watched.read_now(now);
            }
        }
        service_manager::tell(State::Ready);
        outcome
    }

    /// Reads what has changed.
    fn look(&self) {
        catch_up(&self.auth);
        let configuration = self.configuration.as_ref().map(|it| &it.watched);
        for watched in configuration.into_iter().chain(&self.watched) {
            watched.look(Instant::now());
        }
    }
}

#[async_trait]
impl BackgroundService for Reload {
    /// Goes on after the signal to stop: for as long as there are requests, what the files say counts for them.
    async fn start(&self, _shutdown: ShutdownWatch) {
        loop {
            let _ = self.apart(Work::look).await;
            // Looks lie at least so far apart, whatever comes in between.
            let next = tokio::time::sleep(EVERY);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    askers = self.wanted.next() => {
                        let outcome = self.apart(Work::read_now).await.unwrap_or_else(|what| {
                            Outcome { faults: vec![what], ..Outcome::default() }
                        });
                        askers.answer(&outcome);
                    }
                }
            }
        }
    }
}
