//! Sessions in memory: a moka cache with time-to-idle, and a index that counts them.

pub mod follower;
pub mod passwords;

use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, Weak};

use arc_swap::ArcSwap;
use moka::sync::Cache;

use super::deadlines::Deadlines;
use super::ended::{EndListener, Ended, Listeners, tell};
use super::in_flight::InFlight;
use super::index::{self, SessionIndex};
use super::once::Once;
use super::origin::Named;
use super::token::{DigestHasher, SessionId};
use super::{EndReason, Lifetime, Page, Place, Record, Session, Wanted, Watch, lock};
use crate::clock::Moment;
use crate::user::{User, UserId};
use follower::Follower;

/// How many sessions there may be.
#[derive(Clone, Copy, Debug)]
pub struct Capacity {
    /// Of all users together. Beyond it a sign-in is refused; nobody is signed out.
    pub total: usize,
    /// Of one user. Beyond it one of the user's own ends: see `index::to_go`.
    pub per_user: usize,
}

/// All sessions of this process.
///
/// The cache answers requests. It has no `max_capacity` on purpose: moka's default policy may silently turn away a new entry
/// when the cache is full, and any policy would drop somebody's live session. Room is counted at sign-in, by the index.
pub struct MemoryStore {
    cache: Cache<SessionId, Arc<Session>, BuildHasherDefault<DigestHasher>>,
    index: Arc<Mutex<SessionIndex>>,
    deadlines: Mutex<Deadlines>,
    /// Requests that have not come in whole.
    underway: Arc<InFlight>,
    lifetime: Lifetime,
    capacity: ArcSwap<Capacity>,
    listeners: Listeners,
    /// Another process that takes over.
    follower: Arc<Follower>,
    /// What may come once, and has.
    pub(super) once: Box<Once>,
}

/// How many sessions are forgotten at once: a matter of a millisecond.
pub const AT_ONCE: usize = 256;

/// There are as many sessions as there may be; nobody was signed out to make room.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl MemoryStore {
    /// An empty store, which tells `listeners` of each session once, when it has ended.
    pub fn new(
        lifetime: Lifetime,
        capacity: Capacity,
        listeners: impl IntoIterator<Item = Arc<dyn EndListener>>,
    ) -> Self {
        let follower = Arc::<Follower>::default();
        let told = Arc::clone(&follower) as Arc<dyn EndListener>;
        let listeners: Listeners = listeners.into_iter().chain([told]).collect();
        let index = Arc::new(Mutex::new(SessionIndex::default()));
        let (remove, told) = (Arc::clone(&index), Arc::clone(&listeners));
        let keeper = Arc::clone(&follower);
        let cache = Cache::builder()
            // Each session knows exactly when it ends, and is forgotten soon after by `sweep`. Should
            // that ever come to a halt, moka forgets in its stead.
            .time_to_idle(lifetime.idle.saturating_mul(2))
            // A listener also bounds how long moka's own clean-up may hold up the request that happens to run it.
            .eviction_listener(move |_id, session: Arc<Session>, cause| {
                if cause.was_evicted() {
                    lock(&remove).remove(&session);
                    if session.end() && !keeper.keeps(EndReason::Expired) {
                        tell(&told, session, EndReason::Expired);
                    }
                }
            })
            .build_with_hasher(BuildHasherDefault::default());
        let (deadlines, underway, once) = (Mutex::default(), Arc::default(), Box::default());
        let capacity = ArcSwap::from_pointee(capacity);
        Self { cache, index, deadlines, underway, lifetime, capacity, listeners, follower, once }
    }

    /// Lets there be so many sessions from now on. Where there are more, nobody is signed out for it.
    pub fn set_capacity(&self, capacity: Capacity) {
        self.capacity.store(Arc::new(capacity));
    }

    /// Creates `session`, or refuses when the store is full.
    ///
    /// An accepted session is there until it idles out or is ended: it is never dropped to
    /// make room for somebody else's.
    pub fn create(&self, session: Session, now: Moment) -> Result<Arc<Session>, Full> {
        let session = Arc::new(session);
        let admission = self.admit(&session, now).or_else(|Full| {
            // Sessions that idled out may not have been counted off yet.
            self.sweep(now);
            self.admit(&session, now)
        });
        let admission = admission.inspect_err(|Full| {
            // It ends before it began; whoever looks after its other half is told.
            session.end();
            tell(&self.listeners, Arc::clone(&session), EndReason::Refused);
        })?;
        for (gone, reason) in admission {
            self.end_this(&gone, reason);
        }
        self.enter(&session);
        self.follower.created(&session);
        Ok(session)
    }

    /// The live session `id`, renewed.
    pub fn touch(&self, id: &SessionId, now: Moment) -> Option<Arc<Session>> {
        let session = self.cache.get(id)?;
        let before = session.last_used();
        if session.renew(now, &self.lifetime) {
            self.follower.used(id, before, now);
            return Some(session);
        }
        // Or it would stay for as long as somebody asks for it.
        self.end_this(&session, EndReason::Expired);
        None
    }

    /// The live session `id`, not renewed.
    pub fn peek(&self, id: &SessionId, now: Moment) -> Option<Arc<Session>> {
        self.cache.get(id).filter(|session| session.is_live(now, &self.lifetime))
    }

    /// Ends the live session `id` for `reason`; `None` if there is none.
    pub fn end(&self, id: &SessionId, reason: EndReason, now: Moment) -> Option<Ended> {
        // Also what has idled out, but is still in use by a request: whoever signs out, means it.
        self.underway.revoke(id);
        let session = self.cache.get(id)?;
        let was_live = session.is_live(now, &self.lifetime);
        // Of two sign-outs at once, one is told that it ended the session.
        let ended_here =
            self.end_this(&session, if was_live { reason } else { EndReason::Expired });
        (was_live && ended_here).then_some(Ended { session, reason })
    }

    /// The sessions of `user`.
    pub fn of(&self, user: UserId) -> Vec<Arc<Session>> {
        lock(&self.index).of(user).to_vec()
    }

    /// Has `session` be of `user`, who was not known for certain when it was created, and counted under that id.
    pub fn assign(&self, session: &Arc<Session>, user: &Arc<User>) {
        if session.user_id() != user.id() {
            lock(&self.index).assign(session, user.id());
        }
        session.set_user(Arc::clone(user));
    }

    /// Revokes all sessions of `user` but `keep`; returns how many.
    pub fn revoke_user(&self, user: UserId, keep: Option<&SessionId>) -> usize {
        self.revoke_but(user, |id| Some(id) == keep)
    }

    /// Revokes sessions that a sign-in provider calls so: `all`, or those without a session there; returns how many.
    pub fn revoke_named(&self, named: &Named, all: bool) -> usize {
        let sessions = lock(&self.index).named(named, all);
        sessions.iter().filter(|session| self.end_this(session, EndReason::Revoked)).count()
    }

    /// Has all sessions of the user `with.id()` be of `with`; returns how many.
    pub fn replace_user(&self, with: &Arc<User>) -> usize {
        let sessions = self.of(with.id());
        for session in &sessions {
            session.set_user(Arc::clone(with));
        }
        self.underway.change(with);
        sessions.len()
    }

    /// Up to `most` of all live sessions. Sign-ins wait no longer for it than for each other.
    pub fn page(&self, from: Place, most: usize, now: Moment) -> Page {
        let (found, next) = lock(&self.deadlines).page(from, most);
        Page { records: self.records(found.iter().filter_map(Weak::upgrade), now), next }
    }

    /// The live sessions that are `wanted`. Looks at all of them, and nobody waits for it.
    pub fn find(&self, wanted: &Wanted, now: Moment) -> Vec<Record> {
        let is = |session: &Arc<Session>| wanted.is(session.id(), session.user().name.as_str());
        self.records(self.cache.iter().map(|(_, session)| session).filter(is), now)
    }

    /// Those `of` these sessions that live.
    pub fn records(&self, of: impl Iterator<Item = Arc<Session>>, now: Moment) -> Vec<Record> {
        let live = of.filter(|session| self.is_live(session, now));
        live.map(|session| session.record(now, &self.lifetime)).collect()
    }

    /// Watches over `session` for a request that has not come in whole. What has become of the
    /// session before that is to be looked at after it.
    pub fn watch(&self, session: &Arc<Session>) -> Watch {
        Watch::over(session, &self.underway).within(self.lifetime.absolute)
    }

    /// Whether `session` still holds. Does not renew it.
    pub fn is_live(&self, session: &Session, now: Moment) -> bool {
        session.is_live(now, &self.lifetime)
    }

    /// How many sessions are counted, those included that idled out since the last sweep.
    pub fn count(&self) -> usize {
        lock(&self.index).count
    }

    /// Forgets sessions that have idled out, [`AT_ONCE`] of them at most; true if there may be more.
    /// Called again and again from a background task.
    pub fn sweep(&self, now: Moment) -> bool {
        let due = lock(&self.deadlines).take_due(now, AT_ONCE);
        for session in due.iter().filter_map(Weak::upgrade) {
            if session.expire(now, &self.lifetime) {
                self.forget(&session);
                self.tell(session, EndReason::Expired);
            } else {
                self.look_again(&session);
            }
        }
        self.cache.run_pending_tasks();
        due.len() == AT_ONCE
    }

    /// Ends one session: from here on no request finds it live. False if it had ended before.
    fn end_this(&self, session: &Arc<Session>, reason: EndReason) -> bool {
        let ended = session.end();
        self.forget(session);
        if reason != EndReason::Expired {
            self.underway.revoke(session.id());
        }
        if ended {
            self.tell(Arc::clone(session), reason);
        }
        ended
    }

    fn tell(&self, session: Arc<Session>, reason: EndReason) {
        if !self.follower.keeps(reason) {
            tell(&self.listeners, session, reason);
        }
    }

    fn forget(&self, session: &Session) {
        lock(&self.index).remove(session);
        lock(&self.deadlines).remove(session);
        self.cache.invalidate(session.id());
    }

    /// Has [`MemoryStore::sweep`] look at `session` when it would end.
    fn look_again(&self, session: &Arc<Session>) {
        let mut deadlines = lock(&self.deadlines);
        // Under the lock: a session that has ended by now is not entered, one that ends later removed.
        if let Some(deadline) = session.deadline(&self.lifetime) {
            deadlines.insert(session, deadline);
        }
    }

    /// Enters `session` in the index; returns the user's sessions that have to go for it, and why.
    ///
    /// The cache is not called under the lock: its clean-up takes the same lock.
    fn admit(
        &self,
        session: &Arc<Session>,
        now: Moment,
    ) -> Result<Vec<(Arc<Session>, EndReason)>, Full> {
        let Capacity { total, per_user } = **self.capacity.load();
        let mut index = lock(&self.index);
        let user = session.user_id();
        let is_dead = |other: &Arc<Session>| !other.is_live(now, &self.lifetime);
        let dead = index.of(user).iter().filter(|session| is_dead(session));
        let mut gone: Vec<_> =
            dead.map(|session| (Arc::clone(session), EndReason::Expired)).collect();
        let live = index.of(user).iter().filter(|session| !is_dead(session));
        if live.clone().count() >= per_user {
            let first = index::to_go(live, session, now);
            gone.extend(first.map(|session| (Arc::clone(session), EndReason::Evicted)));
        }
        if index.count - gone.len() >= total {
            return Err(Full);
        }
        for (session, _) in &gone {
            index.remove(session);
        }
        index.insert(Arc::clone(session));
        Ok(gone)
    }
}

#[cfg(test)]
mod tests;
