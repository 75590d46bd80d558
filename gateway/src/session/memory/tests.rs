//! Sessions in memory, on a simulated clock.

use std::time::Duration;

use super::*;
use crate::session::origin::Origin;
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

#[test]
fn an_ended_session_leaves_nothing_in_the_indexes() {
    let store = store(10, 10);
    let [ada, bob] = ["ada", "bob"].map(|name| Arc::new(user(name)));
    let names = [Named::subject("corp", "7"), Named::session("corp", "s1")];
    let count = |named| lock(&store.index).named(named, true).len();
    let [signed_out, idle] = [0, 1].map(|seconds| {
        let id = SessionToken::generate().id();
        let session = Session::start(id, Arc::clone(&ada), None, at(seconds));
        let session = session.with_origin(Origin::new("corp", "7", Some("s1")));
        store.create(session, at(seconds)).unwrap()
    });
    store.assign(&idle, &bob);
    assert_eq!(names.each_ref().map(count), [2, 2]);
    assert!(store.sign_out(signed_out.id(), at(2)).is_some());
    assert_eq!(names.each_ref().map(count), [1, 1]);
    store.sweep(at(601));
    assert_eq!(names.each_ref().map(count), [0, 0]);
}
