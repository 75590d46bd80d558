//! InfluxDB's own sessions behind the gateway's: renewed while the gateway's session lives, signed out when it ends.

mod turns;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Semaphore, mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::clock::Moment;
use crate::directory::influxdb::{InfluxdbDirectory, Owner};
use crate::session::redis::SharedHalves;
use crate::session::store::{EndListener, Ended, SessionStore, StoreError};
use crate::session::{EndReason, Question, Session};
use crate::user::{Status, User};

/// How often InfluxDB is asked about a session.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// To renew it. InfluxDB lets a session go after five minutes without a request.
    pub renew: Duration,
    /// At most, to learn what has become of the user.
    pub refresh: Duration,
}

/// How many requests of this kind are under way at once.
const AT_ONCE: usize = 16;

/// How many sessions wait to be signed out of. Those beyond end at InfluxDB by themselves.
const MOST_WAITING: usize = 10_000;

/// Looks after InfluxDB's half of each session.
pub struct UpstreamSessions {
    directory: Arc<InfluxdbDirectory>,
    sessions: Arc<SessionStore>,
    pace: Pace,
    /// Of sessions that several gateways share.
    halves: Option<SharedHalves>,
    /// Other sessions in the order in which they are due: each is due equally long after it came in.
    due: Mutex<VecDeque<(Moment, Weak<Session>)>>,
    /// Whoever runs has it, and gives it back.
    ended: AsyncMutex<mpsc::Receiver<Arc<Session>>>,
    permits: Arc<Semaphore>,
}

/// Where [`UpstreamSessions`] reads which sessions have ended.
pub struct EndedSessions(mpsc::Receiver<Arc<Session>>);

/// Hands sessions that have ended to [`UpstreamSessions`], if there is a half of InfluxDB's to sign out of.
pub struct EndedQueue(mpsc::Sender<Arc<Session>>);

/// Both ends of the line from the store to [`UpstreamSessions`].
pub fn line() -> (EndedQueue, EndedSessions) {
    let (sender, receiver) = mpsc::channel(MOST_WAITING);
    (EndedQueue(sender), EndedSessions(receiver))
}

impl EndListener for EndedQueue {
    fn ended(&self, Ended { session, .. }: &Ended) {
        if session.upstream().is_some_and(|half| !half.is_forgotten()) {
            // When the line is full, InfluxDB ends the session by itself.
            let _ = self.0.try_send(Arc::clone(session));
        }
    }
}

impl UpstreamSessions {
    /// Looks after the sessions of `sessions`, which hands over those that have `ended`.
    pub fn new(
        directory: Arc<InfluxdbDirectory>,
        sessions: Arc<SessionStore>,
        ended: EndedSessions,
        pace: Pace,
    ) -> Self {
        Self {
            directory,
            halves: sessions.shared_halves(),
            sessions,
            pace,
            due: Mutex::default(),
            ended: AsyncMutex::new(ended.0),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Takes `session` into care. Of those that several gateways share, Redis knows already.
    pub fn begin(&self, session: &Arc<Session>, now: Moment) {
        if self.halves.is_none() {
            let due = now.after(self.pace.renew);
            self.lock_due().push_back((due, Arc::downgrade(session)));
        }
    }

    /// Takes a session of another process into care. When InfluxDB was last asked about it is not known, so it is due.
    pub fn adopt(&self, session: &Arc<Session>, now: Moment) {
        self.lock_due().push_front((now, Arc::downgrade(session)));
    }

    /// Asks about `session` in the background, if it was not asked about lately.
    pub fn refresh(self: &Arc<Self>, session: &Arc<Session>, now: Moment) {
        let is_stale = session.upstream().is_some_and(|half| half.is_stale(now, self.pace.refresh));
        if let Some(question) = is_stale.then(|| Question::begin(session)).flatten() {
            let upstream_sessions = Arc::clone(self);
            tokio::spawn(async move { upstream_sessions.put(question).await });
        }
    }

    /// Asks about `session` in the background, for there is a reason to: InfluxDB has refused it
    /// something, or the gateway refuses its user everything, which somebody may have changed. Soon,
    /// but no more than once a second, and not before the reason came up.
    pub fn doubt(self: &Arc<Self>, session: &Arc<Session>) {
        if let Some(question) = Question::doubt(session) {
            self.look_into(question);
        }
    }

    fn look_into(self: &Arc<Self>, question: Question) {
        let upstream_sessions = Arc::clone(self);
        tokio::spawn(async move {
            let rest = question.session().upstream().map(|half| half.rest(Moment::now()));
            tokio::time::sleep(rest.unwrap_or_default()).await;
            upstream_sessions.put(question).await;
        });
    }

    /// Renews and signs out: what other gateways could do too, until it is `over`, and the rest up to the end of the process.
    pub async fn run(self: &Arc<Self>, over: watch::Receiver<bool>) {
        let shared = async {
            if let Some(halves) = &self.halves {
                turns::run(self, halves, over).await;
            }
        };
        tokio::join!(shared, self.run_by_itself());
    }

    /// Whether nothing is under way that other gateways would have to wait for.
    pub fn is_at_rest(&self) -> bool {
        self.halves.is_none() || self.permits.available_permits() == AT_ONCE
    }

    /// Looks after sessions of this gateway alone, and signs out of those that have found no room, for ever.
    async fn run_by_itself(self: &Arc<Self>) {
        let mut ended = self.ended.lock().await;
        let every = (self.pace.renew / 8).clamp(Duration::from_millis(10), Duration::from_secs(1));
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(session) = ended.recv() => self.sign_out(session).await,
                _ = ticks.tick() => self.renew_due().await,
            }
        }
    }

    async fn renew_due(self: &Arc<Self>) {
        let now = Moment::now();
        while let Some(session) = self.next_due(now) {
            let Some(session) = session.upgrade() else { continue };
            if !self.sessions.is_live(&session, now) {
                continue;
            }
            self.begin(&session, now);
            // Whoever asks already may have asked before it was due.
            if let Some(question) = Question::doubt(&session) {
                let upstream_sessions = Arc::clone(self);
                self.in_turn(async move { upstream_sessions.put(question).await }).await;
            }
        }
    }

    fn next_due(&self, now: Moment) -> Option<Weak<Session>> {
        let mut due = self.lock_due();
        let is_due = due.front().is_some_and(|(moment, _)| *moment <= now);
        is_due.then(|| due.pop_front()).flatten().map(|(_, session)| session)
    }

    async fn sign_out(&self, session: Arc<Session>) {
        let directory = Arc::clone(&self.directory);
        let sign_out = async move {
            if let Some(half) = session.upstream() {
                directory.sign_out(half.session()).await;
            }
        };
        self.in_turn(sign_out).await;
    }

    /// Runs `work` in the background as soon as there is a permit for it; returns then.
    async fn in_turn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Ok(permit) = Arc::clone(&self.permits).acquire_owned().await {
            tokio::spawn(async move {
                work.await;
                drop(permit);
            });
        }
    }

    /// To ask is to renew. Only the bare refusal ends the session: neither silence nor a missing
    /// permission signs anybody out.
    async fn put(self: &Arc<Self>, question: Question) {
        let answered = self.ask(question.session()).await;
        if let Some(again) = question.end(answered) {
            self.look_into(again);
        }
    }

    /// When there was an answer about `session` from which everything has followed.
    async fn ask(&self, session: &Arc<Session>) -> Option<Moment> {
        let half = session.upstream()?;
        let owner = self.directory.owner_of_session(half.session()).await.ok()?;
        if let Err(error) = self.draw_conclusions(session, owner).await {
            log::error!("what InfluxDB says of a user changes no session yet: {error}");
            return None;
        }
        Some(Moment::now())
    }

    /// What it means for `session` and others that InfluxDB says this of its owner.
    async fn draw_conclusions(
        &self,
        session: &Arc<Session>,
        owner: Owner,
    ) -> Result<(), StoreError> {
        match owner {
            Owner::User(user) => self.learn(session, *user).await,
            Owner::Inactive if self.directory.has_deleted(&session.user()).await => {
                self.sessions.revoke_user(session.user_id(), None).await.map(drop)
            }
            Owner::Inactive => {
                self.learn(session, session.user().with_status(Status::Inactive)).await
            }
            Owner::Nobody => {
                if let Some(half) = session.upstream() {
                    half.forget();
                }
                self.revoke(session).await
            }
            // Under the old name nothing may be forwarded any more.
            Owner::Unnamable => self.revoke(session).await,
            Owner::Undisclosed => Ok(()),
        }
    }

    async fn revoke(&self, session: &Session) -> Result<(), StoreError> {
        let ended = self.sessions.end(session.id(), EndReason::Revoked, Moment::now());
        ended.await.map(drop)
    }

    /// What has become of the user counts for all of the user's sessions.
    async fn learn(&self, session: &Arc<Session>, user: User) -> Result<(), StoreError> {
        if session.user_id() != user.id() || *session.user() != user {
            let user = Arc::new(user);
            self.sessions.assign(session, &user).await?;
            self.sessions.replace_user(&user).await?;
        }
        Ok(())
    }

    fn lock_due(&self) -> std::sync::MutexGuard<'_, VecDeque<(Moment, Weak<Session>)>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
