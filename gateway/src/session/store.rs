//! The seam between the gateway and wherever sessions are kept: what is asked of a store, and that it
//! may be unable to answer.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

pub use super::ended::{EndListener, Ended};
pub use super::error::{CreateError, StoreError};
use super::memory::{Capacity, Full, MemoryStore};
use super::origin::Named;
use super::redis::{RedisStore, SharedHalves, listing, upkeep};
use super::token::{SessionId, SessionToken};
use super::{EndReason, Page, Place, Record, Session, Wanted, Watch};
use crate::clock::Moment;
use crate::metrics::METRICS;
use crate::metrics::label::LookUp;
use crate::user::password::PasswordMark;
use crate::user::{User, UserId};

#[cfg(test)]
pub mod faulty;

/// How long the end of the process waits for the store.
const CLOSE: Duration = Duration::from_secs(5);

/// Where sessions are kept.
pub enum SessionStore {
    /// In this process. Answers at once.
    Memory(MemoryStore),
    /// In Redis, for several gateways.
    Redis(Arc<RedisStore>),
    /// In this process too, but it fails, hangs or is late when a test says so.
    #[cfg(test)]
    Faulty(faulty::FaultyStore),
}

/// Does the same with whichever store there is.
macro_rules! ask {
    ($store:expr, $memory:ident => $work:expr, $redis:ident => $there:expr) => {
        match $store {
            SessionStore::Memory($memory) => Ok($work),
            // Boxed, so that nobody whose sessions are in memory carries it around.
            SessionStore::Redis($redis) => Box::pin($there).await,
            #[cfg(test)]
            SessionStore::Faulty(faulty) => faulty.ask(|$memory| $work).await,
        }
    };
}

/// The same of what this process has, which answers at once.
macro_rules! here {
    ($store:expr, $memory:ident => $work:expr, $redis:ident => $there:expr) => {
        match $store {
            SessionStore::Memory($memory) => $work,
            SessionStore::Redis($redis) => $there,
            #[cfg(test)]
            SessionStore::Faulty(faulty) => {
                let $memory = faulty.memory();
                $work
            }
        }
    };
}

mod providers;

impl SessionStore {
    /// The live session of `token`, renewed; `None` if there is none.
    pub async fn touch(
        &self,
        token: &SessionToken,
        now: Moment,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let id = token.id();
        if let Self::Redis(redis) = self
            && let Some(session) = redis.at_hand(&id, now)
        {
            METRICS.store_lookups.count(LookUp::NearCache);
            return Ok(Some(session));
        }
        ask!(self, memory => memory.touch(&id, now), redis => redis.touch(token, now))
    }

    /// The live session of `token`, not renewed; `None` if there is none.
    pub async fn peek(
        &self,
        token: &SessionToken,
        now: Moment,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        ask!(self, memory => memory.peek(&token.id(), now), redis => redis.peek(token, now))
    }

    /// Creates `session`, that of `token`, opened with `password` if the directory knows its hash; or
    /// refuses when the store is full: nobody else's is ended to make room, at most one of the same
    /// user's.
    pub async fn create(
        &self,
        token: &SessionToken,
        session: Session,
        password: Option<PasswordMark>,
        now: Moment,
    ) -> Result<Arc<Session>, CreateError> {
        let created = match self {
            Self::Memory(memory) => memory.create(session, now).map_err(|Full| CreateError::Full),
            Self::Redis(redis) => Box::pin(redis.create(token, session, password, now)).await,
            #[cfg(test)]
            Self::Faulty(faulty) => faulty
                .ask(|memory| memory.create(session, now))
                .await?
                .map_err(|Full| CreateError::Full),
        };
        self.settled().await;
        created.inspect(|_| METRICS.sessions_created.count())
    }

    /// Ends the live session `id` for `reason`. Of several that end it at once, one is told
    /// [`Ended`]; the others get `None`, as does whoever ends what does not live.
    pub async fn end(
        &self,
        id: &SessionId,
        reason: EndReason,
        now: Moment,
    ) -> Result<Option<Ended>, StoreError> {
        let ended =
            ask!(self, memory => memory.end(id, reason, now), redis => redis.end(id, reason, now));
        self.settled().await;
        ended
    }

    /// Revokes all sessions of `user` but `keep`; returns how many.
    pub async fn revoke_user(
        &self,
        user: UserId,
        keep: Option<&SessionId>,
    ) -> Result<usize, StoreError> {
        let count = ask!(self, memory => memory.revoke_user(user, keep), redis => redis.revoke_user(user, keep));
        self.settled().await;
        count
    }

    /// Revokes all sessions of `user`, who has another password now, `after`, but those of other processes that were
    /// opened with it. Returns how many.
    pub async fn revoke_older(
        &self,
        user: UserId,
        marks @ (_, after): (Option<PasswordMark>, PasswordMark),
    ) -> Result<usize, StoreError> {
        let count = ask!(self, memory => memory.revoke_older(user, marks), redis => redis.revoke_older(user, after));
        self.settled().await;
        count
    }

    /// Revokes sessions that a sign-in provider calls so: those of one of its users, or those that came of one session
    /// there; `all`, or those alone of which it has not said of which session there they came. Returns how many.
    pub async fn revoke_named(&self, named: &Named, all: bool) -> Result<usize, StoreError> {
        let count = ask!(self, memory => memory.revoke_named(named, all), redis => redis.revoke_named(named, all));
        self.settled().await;
        count
    }

    /// Says that the password `after` is the same as `before`, hashed anew: whoever reads it in a users file, ends no
    /// session for it. To be said before that can be.
    pub async fn note_same(&self, marks: (PasswordMark, PasswordMark)) -> Result<(), StoreError> {
        let noted = ask!(self, memory => memory.note_same(marks), redis => redis.note_same(marks));
        self.settled().await;
        noted
    }

    /// Has sessions of `user` be as good with the password `after` as they were with `before`: `only` one, or all.
    pub async fn carry_over(
        &self,
        user: UserId,
        marks: (PasswordMark, PasswordMark),
        only: Option<&SessionId>,
    ) -> Result<(), StoreError> {
        let keep = |memory: &MemoryStore| only.map_or((), |id| memory.keep(id, user, marks.1));
        let carried =
            ask!(self, memory => keep(memory), redis => redis.carry_over(user, marks, only));
        self.settled().await;
        carried
    }

    /// Waits until a process that takes over has heard of what has changed here.
    async fn settled(&self) {
        if let Self::Memory(memory) = self {
            memory.settled().await;
        }
    }

    /// Whether the store can be asked, as far as is known now.
    pub fn is_known(&self) -> bool {
        here!(self, _memory => true, redis => upkeep::is_connected(redis))
    }

    /// Lets there be so many sessions from now on. Where there are more, nobody is signed out for it.
    pub fn set_capacity(&self, capacity: Capacity) {
        here!(self, memory => memory.set_capacity(capacity), redis => redis.set_capacity(capacity));
    }

    /// Whether there may be sessions that are older than this process.
    pub fn outlives_process(&self) -> bool {
        matches!(self, Self::Redis(_))
    }

    /// Has all sessions of the user `with.id()` be of `with`, what has become of them; returns how many.
    pub async fn replace_user(&self, with: &Arc<User>) -> Result<usize, StoreError> {
        ask!(self, memory => memory.replace_user(with), redis => redis.replace_user(with))
    }

    /// Has one session be of `user`, who was not known for certain when it was created.
    pub async fn assign(&self, session: &Arc<Session>, user: &Arc<User>) -> Result<(), StoreError> {
        ask!(self, memory => memory.assign(session, user), redis => redis.assign(session, user))
    }

    /// Up to `most` of all live sessions from the place `from` on, for people to read.
    pub async fn page(&self, from: Place, most: usize, now: Moment) -> Result<Page, StoreError> {
        ask!(self, memory => memory.page(from, most, now), redis => listing::page(redis, from, most, now))
    }

    /// The live sessions that are `wanted`. Looks at all of them.
    pub async fn find(
        self: &Arc<Self>,
        wanted: Wanted,
        now: Moment,
    ) -> Result<Vec<Record>, StoreError> {
        if let Self::Redis(redis) = &**self {
            return Box::pin(listing::find(redis, &wanted, now)).await;
        }
        let store = Arc::clone(self);
        // A million take a second, in which the thread that asks would answer nobody else.
        let found = tokio::task::spawn_blocking(
            move || here!(&*store, memory => memory.find(&wanted, now), _redis => Vec::new()),
        );
        found.await.map_err(|_| StoreError::Unavailable)
    }

    /// The live sessions of `user`. Looks at no others.
    pub async fn records_of(&self, user: UserId, now: Moment) -> Result<Vec<Record>, StoreError> {
        ask!(self, memory => memory.records(memory.of(user).into_iter(), now), redis => listing::of_user(redis, user, now))
    }

    /// How many sessions live; some that idled out in the last moment may still be among them.
    pub async fn count(&self, now: Moment) -> Result<usize, StoreError> {
        ask!(self, memory => memory.count(), redis => listing::count(redis, now))
    }

    /// The live sessions of `user` that this process has at hand.
    pub fn of(&self, user: UserId) -> Vec<Arc<Session>> {
        here!(self, memory => memory.of(user), redis => redis.of(user))
    }

    /// Watches over `session` for a request that has not come in whole. What has become of the
    /// session before that is to be looked at after it.
    pub fn watch(&self, session: &Arc<Session>) -> Watch {
        here!(self, memory => memory.watch(session), redis => redis.watch(session))
    }

    /// Whether `session` still holds, as far as this process knows. Does not renew it.
    pub fn is_live(&self, session: &Session, now: Moment) -> bool {
        here!(self, memory => memory.is_live(session, now), _redis => !session.has_ended())
    }

    /// Forgets some of the sessions that have idled out; true if there may be more. Called again and
    /// again from a background task.
    pub fn sweep(&self, now: Moment) -> bool {
        here!(self, memory => memory.sweep(now), _redis => false)
    }

    /// InfluxDB's halves of sessions that several gateways share; `None` if they do not.
    pub fn shared_halves(&self) -> Option<SharedHalves> {
        if let Self::Redis(redis) = self { SharedHalves::of(redis) } else { None }
    }

    /// Does what a store needs beside requests: Redis, a connection. Memory needs nothing more.
    pub async fn run(&self) {
        if let Self::Redis(redis) = self {
            upkeep::run(redis).await;
        }
    }

    /// Writes down what is not yet, when the last request is answered; does not wait for long.
    pub async fn close(&self) {
        if let Self::Redis(redis) = self {
            let _ = tokio::time::timeout(CLOSE, upkeep::close(redis, Moment::now())).await;
        }
    }
}

/// Waits for a store's answer on a thread that serves no requests. A store that answers at once needs
/// no runtime for it.
pub fn wait<T>(answer: impl Future<Output = T>) -> T {
    let mut answer = pin!(answer);
    match answer.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => tokio::runtime::Handle::current().block_on(answer),
    }
}

#[cfg(test)]
mod tests;
