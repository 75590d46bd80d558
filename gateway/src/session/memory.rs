//! Sessions in memory: a moka cache with time-to-idle, and a index that counts them.

use std::hash::BuildHasherDefault;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use moka::sync::Cache;

use super::deadlines::Deadlines;
use super::in_flight::InFlight;
use super::index::{self, SessionIndex};
use super::store::{EndListener, Ended, Filter};
use super::token::{DigestHasher, SessionId};
use super::{EndReason, Lifetime, Record, Session, Watch};
use crate::clock::Moment;
use crate::user::{User, UserId};

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
/// The cache answers requests. It has no `max_capacity` on purpose:
/// moka's default policy may silently turn away a new entry when the cache is full, and any
/// policy would drop somebody's live session. Room is counted at sign-in instead, by the index.
pub struct MemoryStore {
    cache: Cache<SessionId, Arc<Session>, BuildHasherDefault<DigestHasher>>,
    index: Arc<Mutex<SessionIndex>>,
    deadlines: Mutex<Deadlines>,
    /// Requests that have not come in whole.
    underway: Arc<InFlight>,
    lifetime: Lifetime,
    capacity: Capacity,
    listeners: Listeners,
}

/// Whoever is told of ends.
type Listeners = Arc<[Arc<dyn EndListener>]>;

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
        let listeners: Listeners = listeners.into_iter().collect();
        let index = Arc::new(Mutex::new(SessionIndex::default()));
        let (remove, told) = (Arc::clone(&index), Arc::clone(&listeners));
        let cache = Cache::builder()
            // Each session knows exactly when it ends, and is forgotten soon after by `sweep`. Should
            // that ever come to a halt, moka forgets in its stead.
            .time_to_idle(lifetime.idle.saturating_mul(2))
            // Besides keeping the count, a listener bounds how long moka's own clean-up may
            // hold up the request that happens to run it.
            .eviction_listener(move |_id, session: Arc<Session>, cause| {
                if cause.was_evicted() {
                    lock(&remove).remove(&session);
                    if session.end() {
                        tell(&told, session, EndReason::Expired);
                    }
                }
            })
            .build_with_hasher(BuildHasherDefault::default());
        let (deadlines, underway) = (Mutex::default(), Arc::default());
        Self { cache, index, deadlines, underway, lifetime, capacity, listeners }
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
        self.cache.insert(*session.id(), Arc::clone(&session));
        self.look_again(&session);
        Ok(session)
    }

    /// The live session `id`, renewed.
    pub fn touch(&self, id: &SessionId, now: Moment) -> Option<Arc<Session>> {
        let session = self.cache.get(id)?;
        if session.renew(now, &self.lifetime) {
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

    /// Has `session` be of `user`, who was not known for certain when it was created, and counted
    /// under that id.
    pub fn assign(&self, session: &Arc<Session>, user: &Arc<User>) {
        if session.user_id() != user.id() {
            lock(&self.index).assign(session, user.id());
        }
        session.set_user(Arc::clone(user));
    }

    /// Revokes all sessions of `user` but `keep`; returns how many.
    pub fn revoke_user(&self, user: UserId, keep: Option<&SessionId>) -> usize {
        let sessions = self.of(user).into_iter().filter(|session| Some(session.id()) != keep);
        let count = sessions.filter(|session| self.end_this(session, EndReason::Revoked)).count();
        self.underway.revoke_all(user, keep);
        count
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

    /// The live sessions that `filter` lets through.
    pub fn list(&self, filter: Filter, now: Moment) -> Vec<Record> {
        let sessions = match filter {
            Filter::All => lock(&self.index).all().cloned().collect(),
            Filter::User(user) => self.of(user),
        };
        let live = sessions.iter().filter(|session| self.is_live(session, now));
        live.map(|session| session.record(now, &self.lifetime)).collect()
    }

    /// Watches over `session` for a request that has not come in whole. What has become of the
    /// session before that is to be looked at after it.
    pub fn watch(&self, session: &Arc<Session>) -> Watch {
        Watch::over(session, &self.underway)
    }

    /// Whether `session` still holds. Does not renew it.
    pub fn is_live(&self, session: &Session, now: Moment) -> bool {
        session.is_live(now, &self.lifetime)
    }

    /// How many sessions are counted, those included that idled out since the last sweep.
    #[cfg(test)]
    fn count(&self) -> usize {
        lock(&self.index).count
    }

    /// Forgets sessions that have idled out, [`AT_ONCE`] of them at most; true if there may be more.
    /// Called again and again from a background task.
    pub fn sweep(&self, now: Moment) -> bool {
        let due = lock(&self.deadlines).take_due(now, AT_ONCE);
        for session in due.iter().filter_map(Weak::upgrade) {
            if session.expire(now, &self.lifetime) {
                self.forget(&session);
                tell(&self.listeners, session, EndReason::Expired);
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
            tell(&self.listeners, Arc::clone(session), reason);
        }
        ended
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
        let mut index = lock(&self.index);
        let user = session.user_id();
        let is_dead = |other: &Arc<Session>| !other.is_live(now, &self.lifetime);
        let dead = index.of(user).iter().filter(|session| is_dead(session));
        let mut gone: Vec<_> =
            dead.map(|session| (Arc::clone(session), EndReason::Expired)).collect();
        let live = index.of(user).iter().filter(|session| !is_dead(session));
        if live.clone().count() >= self.capacity.per_user {
            let first = index::to_go(live, session, now);
            gone.extend(first.map(|session| (Arc::clone(session), EndReason::Evicted)));
        }
        if index.count - gone.len() >= self.capacity.total {
            return Err(Full);
        }
        for (session, _) in &gone {
            index.remove(session);
        }
        index.insert(Arc::clone(session));
        Ok(gone)
    }
}

fn tell(listeners: &[Arc<dyn EndListener>], session: Arc<Session>, reason: EndReason) {
    let ended = Ended { session, reason };
    for listener in listeners {
        listener.ended(&ended);
    }
}

/// What is done under the locks does not panic, so a poisoned one still guards something sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::token::SessionToken;
    use crate::user::User;
    use crate::user::tests::user;

    const LIFETIME: Lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };

    /// Remembers what it is told.
    #[derive(Default)]
    struct Told(Mutex<Vec<(SessionId, EndReason)>>);

    impl EndListener for Told {
        fn ended(&self, ended: &Ended) {
            self.0.lock().unwrap().push((*ended.session.id(), ended.reason));
        }
    }

    impl MemoryStore {
        fn sign_out(&self, id: &SessionId, now: Moment) -> Option<Ended> {
            self.end(id, EndReason::SignedOut, now)
        }
    }

    fn store(total: usize, per_user: usize) -> MemoryStore {
        MemoryStore::new(LIFETIME, Capacity { total, per_user }, [])
    }

    fn open(store: &MemoryStore, user: &Arc<User>, now: Moment) -> Result<SessionId, Full> {
        let id = SessionToken::generate().id();
        store.create(Session::start(id, Arc::clone(user), None, now), now).map(|_| id)
    }

    fn at(seconds: u64) -> Moment {
        Moment::START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn s_05_alive_at_nine_fifty_nine_and_dead_at_ten_oh_one() {
        let store = store(10, 10);
        let ada = Arc::new(user("ada"));
        let id = open(&store, &ada, at(0)).unwrap();
        assert!(store.touch(&id, at(599)).is_some());
        let id = open(&store, &ada, at(0)).unwrap();
        assert!(store.touch(&id, at(601)).is_none());
        assert!(store.sign_out(&id, at(601)).is_none());
    }

    #[test]
    fn s_05_an_expired_session_is_not_read_before_its_record_goes_and_the_record_goes() {
        let store = store(10, 10);
        let id = open(&store, &Arc::new(user("ada")), at(0)).unwrap();
        // Its own clock has not moved: the cache still has the record and would hand it out.
        store.sweep(at(599));
        assert!(store.cache.contains_key(&id));
        assert!(store.touch(&id, at(601)).is_none());
        assert!(!store.cache.contains_key(&id), "the record is gone");
        assert_eq!(store.count(), 0);
        assert!(store.touch(&id, at(0)).is_none(), "an earlier moment does not bring it back");
    }

    #[test]
    fn s_16_a_full_store_refuses_and_loses_nobody() {
        let store = store(100, 10);
        let sessions: Vec<_> = (0..100)
            .map(|n| open(&store, &Arc::new(user(&format!("user{n}"))), at(n)).unwrap())
            .collect();
        for _ in 0..200 {
            assert_eq!(open(&store, &Arc::new(user("late")), at(100)), Err(Full));
        }
        store.sweep(at(100));
        assert!(sessions.iter().all(|id| store.touch(id, at(101)).is_some()));
        assert_eq!(store.count(), 100);
    }

    #[test]
    fn s_16_room_is_made_by_signing_out() {
        let store = store(1, 1);
        let ada = Arc::new(user("ada"));
        let first = open(&store, &ada, at(0)).unwrap();
        assert_eq!(open(&store, &Arc::new(user("bob")), at(0)), Err(Full));
        assert!(store.sign_out(&first, at(1)).is_some());
        assert!(store.sign_out(&first, at(1)).is_none());
        assert!(open(&store, &Arc::new(user("bob")), at(1)).is_ok());
    }

    #[test]
    fn s_17_the_cap_of_a_user_ends_the_least_recently_used_session_and_nobody_elses() {
        let store = store(100, 3);
        let (ada, bob) = (Arc::new(user("ada")), Arc::new(user("bob")));
        let of_bob = open(&store, &bob, at(0)).unwrap();
        let of_ada: Vec<_> = (1..=3).map(|n| open(&store, &ada, at(n)).unwrap()).collect();
        assert!(store.touch(&of_ada[0], at(4)).is_some());

        let fourth = open(&store, &ada, at(5)).unwrap();
        let live = |id| store.touch(id, at(6)).is_some();
        assert!(!live(&of_ada[1]), "the least recently used");
        assert!([&of_ada[0], &of_ada[2], &fourth, &of_bob].into_iter().all(live));
        assert_eq!(store.count(), 4);
    }

    #[test]
    fn s_17_a_hundred_thousand_sign_ins_of_one_user_stay_within_the_cap_and_harm_nobody() {
        let store = store(100, 8);
        let others: Vec<_> = (0..92)
            .map(|n| open(&store, &Arc::new(user(&format!("user{n}"))), at(0)).unwrap())
            .collect();
        let ada = Arc::new(user("ada"));
        let mut newest: std::collections::VecDeque<_> =
            (0..8).map(|_| open(&store, &ada, at(1)).unwrap()).collect();
        // The store is full, and stays so.
        for n in 8..100_000 {
            newest.push_back(open(&store, &ada, at(1 + n / 200)).unwrap());
            newest.pop_front();
        }
        assert_eq!((store.count(), store.of(ada.id()).len()), (100, 8));
        assert!(others.iter().all(|id| store.touch(id, at(502)).is_some()));
        assert_eq!(newest.iter().filter(|id| store.touch(id, at(502)).is_some()).count(), 8);
    }

    #[test]
    fn a_user_at_the_cap_can_sign_in_to_a_full_store() {
        let store = store(2, 1);
        let (ada, bob) = (Arc::new(user("ada")), Arc::new(user("bob")));
        let of_bob = open(&store, &bob, at(0)).unwrap();
        open(&store, &ada, at(0)).unwrap();
        open(&store, &ada, at(1)).unwrap();
        assert!(store.touch(&of_bob, at(2)).is_some());
        assert_eq!(store.count(), 2);
    }

    #[test]
    fn sessions_that_idled_out_make_room() {
        let store = store(5, 5);
        let (ada, bob) = (Arc::new(user("ada")), Arc::new(user("bob")));
        for _ in 0..5 {
            open(&store, &ada, at(0)).unwrap();
        }
        assert_eq!(open(&store, &bob, at(599)), Err(Full));
        assert!(open(&store, &bob, at(601)).is_ok());
        assert_eq!(store.count(), 1);
    }

    #[test]
    fn s_05_sessions_that_idled_out_are_forgotten_a_few_at_a_time_and_no_others() {
        let store = store(10_000, 10_000);
        let ada = Arc::new(user("ada"));
        let ids: Vec<_> = (0..1000).map(|_| open(&store, &ada, at(0)).unwrap()).collect();
        assert!(!store.sweep(at(599)));
        let (used, idle) = ids.split_at(100);
        assert!(used.iter().all(|id| store.touch(id, at(300)).is_some()));
        let mut rounds = 1;
        while store.sweep(at(601)) {
            rounds += 1;
            assert!(store.count() + rounds * AT_ONCE >= 1000);
        }
        assert_eq!((rounds, store.count()), (4, used.len()));
        assert!(!idle.iter().any(|id| store.cache.contains_key(id)));
        assert!(used.iter().all(|id| store.touch(id, at(899)).is_some()));
        assert!(!store.sweep(at(901)));
        assert_eq!(store.count(), used.len(), "looked at, and left alone");
        assert!(!store.sweep(at(1500)));
        assert_eq!(store.count(), 0);
    }

    #[test]
    fn s_11_signing_out_wins_against_requests_in_flight() {
        for _ in 0..200 {
            let store = Arc::new(store(10, 10));
            let id = open(&store, &Arc::new(user("ada")), at(0)).unwrap();
            let start = std::time::Instant::now();
            std::thread::scope(|scope| {
                let ask = || {
                    while store.touch(&id, at(1)).is_some() {
                        assert!(start.elapsed() < Duration::from_secs(10), "it goes on for ever");
                    }
                };
                for _ in 0..4 {
                    scope.spawn(ask);
                }
                scope.spawn(|| assert!(store.sign_out(&id, at(1)).is_some()));
            });
            assert!(store.touch(&id, at(1)).is_none());
            assert_eq!(store.count(), 0);
        }
    }

    #[test]
    fn f_26_of_a_session_that_has_ended_nothing_is_left() {
        const DAY: Lifetime = Lifetime { idle: Duration::from_secs(24 * 3600), absolute: None };
        let capacity = Capacity { total: 10_000, per_user: 2 };
        let store = MemoryStore::new(DAY, capacity, []);
        let ada = Arc::new(user("ada"));
        let mut ended = Vec::new();
        let mut insert = |now| {
            let id = SessionToken::generate().id();
            let session = Session::start(id, Arc::clone(&ada), None, now);
            let session = store.create(session, now).unwrap();
            ended.push(Arc::downgrade(&session));
            id
        };
        for n in 0..1000 {
            // Signed out of, displaced by others, revoked.
            let id = insert(at(n));
            insert(at(n));
            assert!(store.sign_out(&id, at(n)).is_some());
            insert(at(n));
            insert(at(n));
        }
        assert_eq!(lock(&store.deadlines).count(), 2);
        assert_eq!(store.revoke_user(ada.id(), None), 2);
        store.sweep(at(1000));
        assert_eq!((store.count(), lock(&store.deadlines).count()), (0, 0));
        // moka gives a session back when no thread looks at any of its caches, those of other tests
        // included.
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        while !ended.iter().all(|session| session.strong_count() == 0) {
            assert!(std::time::Instant::now() < deadline, "it is never given back");
            store.sweep(at(1000));
            std::thread::yield_now();
        }
        assert!(ended.iter().all(|session| session.weak_count() <= 1));
    }

    #[test]
    fn each_end_is_told_once() {
        let told = Arc::new(Told::default());
        let listeners = [Arc::clone(&told) as Arc<dyn EndListener>];
        let store = MemoryStore::new(LIFETIME, Capacity { total: 10, per_user: 2 }, listeners);
        let ada = Arc::new(user("ada"));
        let ids: Vec<_> = (0..4).map(|n| open(&store, &ada, at(n)).unwrap()).collect();
        assert!(store.sign_out(&ids[2], at(5)).is_some());
        assert!(store.sign_out(&ids[2], at(5)).is_none());
        store.sweep(at(5));
        let expected = [
            (ids[0], EndReason::Evicted),
            (ids[1], EndReason::Evicted),
            (ids[2], EndReason::SignedOut),
        ];
        assert_eq!(*told.0.lock().unwrap(), expected);
        // Dead by the clock, and gone when room is made.
        let late = open(&store, &ada, at(5000)).unwrap();
        assert_eq!(told.0.lock().unwrap()[3..], [(ids[3], EndReason::Expired)]);
        assert!(store.touch(&late, at(5001)).is_some());
    }

    #[test]
    fn other_sessions_of_a_user_can_be_ended() {
        let store = store(10, 10);
        let (ada, bob) = (Arc::new(user("ada")), Arc::new(user("bob")));
        let of_bob = open(&store, &bob, at(0)).unwrap();
        let kept = open(&store, &ada, at(0)).unwrap();
        let other = open(&store, &ada, at(0)).unwrap();
        assert_eq!(store.revoke_user(ada.id(), Some(&kept)), 1);
        assert!(store.touch(&other, at(1)).is_none());
        assert!(store.touch(&kept, at(1)).is_some());
        assert!(store.touch(&of_bob, at(1)).is_some());
    }
}
