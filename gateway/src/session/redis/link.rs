//! The connection to Redis: one, shared by all requests, and made anew whenever it is lost.

mod end;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, ErrorKind, FromRedisValue, PushInfo, PushKind, RedisError,
    ScriptInvocation, ServerErrorKind, Value, cmd,
};
use tokio::sync::watch;

use super::address::Address;
use super::complaints::Complaints;
use super::counted::counted;
use super::millis;
use crate::clock::Moment;
use crate::metrics::METRICS;
use crate::session::error::StoreError;
use end::End;

/// Whoever has to know what changes in Redis. Called where replies are read, so it must not wait.
pub(super) trait Changes: Send + Sync {
    /// What is kept under `key` has changed; `None`: all may have.
    fn changed(&self, key: Option<&[u8]>);
    /// From now on, nobody says what changes.
    fn lost(&self);
    /// From now on, somebody does.
    fn back(&self);
}

/// The connection, or the lack of one.
pub(super) struct Link {
    address: Address,
    /// How long an answer is waited for.
    timeout: Duration,
    /// A key that is never there.
    probe: String,
    changes: Arc<dyn Changes>,
    live: ArcSwapOption<Live>,
    /// Whether the first attempt is over: before that, requests wait for it.
    has_tried: watch::Sender<bool>,
    complaints: Complaints,
    /// What is asked instead, in a simulation.
    #[cfg(test)]
    wire: Option<super::tests::simulation::wire::Wire>,
}

struct Live {
    connection: MultiplexedConnection,
    end: Arc<End>,
    /// Since when nothing was answered in time; 0: the last answer was.
    unanswered: AtomicU64,
}

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The first pause before another attempt, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How often Redis is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// So many timeouts long nothing is answered before the connection is given up.
const PATIENCE: u32 = 3;

impl Link {
    /// Not connected yet. Of what changes in Redis, `changes` is told.
    pub(super) fn new(
        address: Address,
        timeout: Duration,
        probe: String,
        changes: Arc<dyn Changes>,
    ) -> Self {
        let (live, has_tried) = (ArcSwapOption::empty(), watch::Sender::new(false));
        Self {
            address,
            timeout,
            probe,
            changes,
            live,
            has_tried,
            complaints: Complaints::default(),
            #[cfg(test)]
            wire: None,
        }
    }

    /// From now on, `wire` is asked instead.
    #[cfg(test)]
    pub(super) fn simulate(&mut self, wire: super::tests::simulation::wire::Wire) {
        self.wire = Some(wire);
    }

    /// Whether there is a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.live.load().is_some()
    }

    /// How long an answer is waited for.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Runs a script and waits for the answer.
    pub(super) async fn ask<T: FromRedisValue>(
        &self,
        run: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        #[cfg(test)]
        if let Some(mut wire) = self.wire.clone() {
            return run.invoke_async(&mut wire).await.map_err(|_| StoreError::Unavailable);
        }
        counted(async {
            let live = self.live().await?;
            let mut connection = live.connection.clone();
            let answer = run.invoke_async(&mut connection).await;
            self.judge(&live, answer)
        })
        .await
    }

    async fn live(&self) -> Result<Arc<Live>, StoreError> {
        if let Some(live) = self.live.load_full() {
            return Ok(live);
        }
        if !*self.has_tried.borrow() {
            let mut has_tried = self.has_tried.subscribe();
            let first = has_tried.wait_for(|has_tried| *has_tried);
            let _ = tokio::time::timeout(self.timeout, first).await;
        }
        self.live.load_full().ok_or(StoreError::Unavailable)
    }

    fn judge<T>(&self, live: &Arc<Live>, answer: Result<T, RedisError>) -> Result<T, StoreError> {
        let error = match answer {
            Ok(answer) => {
                live.unanswered.store(0, Ordering::Relaxed);
                return Ok(answer);
            }
            Err(error) => error,
        };
        if error.is_timeout() {
            let now = Moment::now().millis();
            let begun = now.saturating_sub(millis(self.timeout)).max(1);
            let since =
                live.unanswered.compare_exchange(0, begun, Ordering::Relaxed, Ordering::Relaxed);
            if now.saturating_sub(since.err().unwrap_or(begun)) >= millis(self.timeout * PATIENCE) {
                self.lose(live, "it does not answer");
            }
            return Err(StoreError::TimedOut);
        }
        live.unanswered.store(0, Ordering::Relaxed);
        if is_of_no_use(&error) || error.is_unrecoverable_error() {
            self.lose(live, &error.to_string());
        } else {
            self.complaints.complain(|| format!("the session store refuses: {error}"));
        }
        Err(StoreError::Unavailable)
    }

    /// Gives a connection up.
    fn lose(&self, live: &Arc<Live>, why: &str) {
        let before = self.live.compare_and_swap(live, None);
        if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, live)) {
            METRICS.store_up.be(false);
            self.changes.lost();
        }
        live.end.come(why);
    }

    /// Connects, and does so again whenever the connection is lost, for ever.
    pub(super) async fn run(&self) {
        let (first, longest) = PAUSES;
        let mut pause = first;
        let mut is_lost_since = None;
        loop {
            let begun = Moment::now();
            let why = match self.connect().await {
                Ok(live) => {
                    let live = Arc::new(live);
                    self.live.store(Some(Arc::clone(&live)));
                    METRICS.store_up.be(true);
                    self.changes.back();
                    self.has_tried.send_replace(true);
                    match is_lost_since.take() {
                        None => log::info!("the session store is Redis at {}", self.address),
                        Some(since) => {
                            let time = humantime::format_duration(Moment::now().since(since));
                            log::info!("the session store is back after {time}");
                        }
                    }
                    let why = self.attend(&live).await;
                    self.lose(&live, &why);
                    why
                }
                Err(error) => error.to_string(),
            };
            if is_lost_since.is_none() {
                is_lost_since = Some(Moment::now());
                log::error!(
                    "the session store is lost: {}: {why}; requests with a session get 503 until it is back",
                    self.address
                );
            }
            self.has_tried.send_replace(true);
            if Moment::now().since(begun) > longest {
                pause = first;
            }
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(longest);
        }
    }

    async fn connect(&self) -> Result<Live, RedisError> {
        let end = Arc::new(End::default());
        let (changes, ends) = (Arc::clone(&self.changes), Arc::clone(&end));
        let pushed = move |push: PushInfo| {
            match (push.kind, &push.data[..]) {
                (PushKind::Invalidate, [Value::Array(keys)]) => {
                    for key in keys {
                        if let Value::BulkString(key) = key {
                            changes.changed(Some(key));
                        }
                    }
                }
                (PushKind::Invalidate, _) => changes.changed(None),
                (PushKind::Disconnection, _) => {
                    changes.lost();
                    ends.come("the connection was closed");
                }
                _ => {}
            }
            Ok::<_, std::convert::Infallible>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(self.timeout))
            .set_push_sender(pushed);
        let mut connection = self.address.connect(&config).await?;
        let mut track = cmd("CLIENT");
        track.arg("TRACKING").arg("ON").arg("NOLOOP").exec_async(&mut connection).await?;
        self.probe(&mut connection).await?;
        Ok(Live { connection, end, unanswered: AtomicU64::new(0) })
    }

    /// Asks what only a Redis that takes writes answers, and what needs no memory.
    async fn probe(&self, connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
        cmd("PEXPIRE").arg(&self.probe).arg(1).exec_async(connection).await
    }

    /// Waits for the end of a connection; returns why it came.
    async fn attend(&self, live: &Arc<Live>) -> String {
        let mut connection = live.connection.clone();
        loop {
            let is_slow = live.unanswered.load(Ordering::Relaxed) != 0;
            tokio::select! {
                () = live.end.has_come() => return live.end.why(),
                () = tokio::time::sleep(if is_slow { Duration::ZERO } else { HEARTBEAT }) => {}
            }
            let answer = self.probe(&mut connection).await;
            // What there is to say about an error, has been said.
            let _ = self.judge(live, answer);
        }
    }
}

/// Whether a Redis that answers so can do nothing for now: another may be in its place.
fn is_of_no_use(error: &RedisError) -> bool {
    let is_known = matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::BusyLoading
        )
    );
    // A primary that its replicas do not follow: there may be another by now.
    let is_alone = error.code() == Some("NOREPLICAS");
    // Redis 6 puts what a script ran into behind a code of its own.
    is_known || is_alone || error.detail().is_some_and(|detail| detail.contains("-READONLY"))
}

/// Half of it to all of it, so that many gateways do not come back in one moment.
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or_default();
    pause / 2 + pause.mul_f64(f64::from(random) / f64::from(u32::MAX) / 2.0)
}
