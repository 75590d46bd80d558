//! Signals to the process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::server::{ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{SignalKind, signal};

use super::acceptance::Acceptance;
use crate::audit::Audit;
use crate::gateway::readiness::Readiness;
use crate::gateway::reloads::Reloads;
use crate::process_log;
use crate::service_manager::{self, State};

/// Waits for a signal to stop: after `TERM` the process is not ready for a while, and serves as ever; then the requests
/// in flight are answered. So it is after `QUIT`; a second signal ends the wait. `INT` ends all at once. When another process has
/// taken over, it is as after `TERM`, but whoever asks is sent to no other gateway. Until then, `HUP`
/// reads anew what has changed, and like `USR1` opens the files of the log and of the audit trail again.
///
/// Pingora's own answer to `QUIT`, which gives the listeners to whoever waits at a socket, is never
/// asked for.
///
/// By the time Pingora asks, its services run. From the moment that the signals are heeded, and
/// not before, the gateway may be called ready.
pub struct Signals {
    ready: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    reloads: Reloads,
    /// Knows when another process serves in place of this one.
    acceptance: Arc<Acceptance>,
    /// Told of the end before it begins.
    readiness: Arc<Readiness>,
    audit: Audit,
    /// So long before.
    drain_delay: Duration,
}

impl Signals {
    /// Calls `ready` once signals are heeded.
    pub fn new(
        (reloads, acceptance): (Reloads, Arc<Acceptance>),
        (readiness, drain_delay): (Arc<Readiness>, Duration),
        audit: Audit,
        ready: impl FnOnce() + Send + 'static,
    ) -> Self {
        let ready: Box<dyn FnOnce() + Send> = Box::new(ready);
        Self { ready: Mutex::new(Some(ready)), reloads, acceptance, readiness, drain_delay, audit }
    }
}

#[async_trait]
impl ShutdownSignalWatch for Signals {
    async fn recv(&self) -> ShutdownSignal {
        let listen = |kind| signal(kind).expect("these signals can be listened for");
        let mut terminate = listen(SignalKind::terminate());
        // Left alone it would end the process with a core dump, which holds every secret.
        let mut quit = listen(SignalKind::quit());
        let mut interrupt = listen(SignalKind::interrupt());
        let mut hang_up = listen(SignalKind::hangup());
        let mut rotated = listen(SignalKind::user_defined1());
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ready) = ready {
            ready();
        }
        let signal = loop {
            tokio::select! {
                _ = terminate.recv() => break ShutdownSignal::GracefulTerminate,
                _ = quit.recv() => break ShutdownSignal::GracefulTerminate,
                () = self.acceptance.ended() => break ShutdownSignal::GracefulTerminate,
                _ = interrupt.recv() => break ShutdownSignal::FastShutdown,
                _ = hang_up.recv() => {
                    process_log::reopen();
                    self.reloads.want();
                }
                _ = rotated.recv() => {
                    process_log::reopen();
                    self.audit.reopen();
                }
            }
        };
        if self.acceptance.has_ended() {
            self.readiness.hand_over();
        } else {
            self.readiness.start_draining();
            service_manager::tell(State::Stopping);
        }
        if matches!(signal, ShutdownSignal::GracefulTerminate) && !self.drain_delay.is_zero() {
            let delay = humantime::format_duration(self.drain_delay);
            if self.acceptance.has_ended() {
                log::info!(
                    "connections are closed with their next answer; in {delay}, those without a request are"
                );
            } else {
                log::info!(
                    "not ready any more; in {delay}, or at another signal, no new connections are accepted"
                );
            }
            tokio::select! {
                () = tokio::time::sleep(self.drain_delay) => {}
                _ = terminate.recv() => {}
                _ = quit.recv() => {}
                _ = interrupt.recv() => return ShutdownSignal::FastShutdown,
            }
        }
        signal
    }
}
