//! One suite for every store of sessions.

mod listing;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::faulty::{FaultyStore, Trouble};
use super::*;
use crate::session::Lifetime;
use crate::session::memory::Capacity;
use crate::session::origin::Origin;
use crate::session::redis;
use crate::session::redis::server::RedisServer;
use crate::session::token::SessionToken;
use crate::user::Status;
use crate::user::tests::user;

const LIFETIME: Lifetime =
    Lifetime { idle: Duration::from_secs(600), absolute: Some(Duration::from_secs(3600)) };

/// What a store told of ends.
#[derive(Default)]
struct Told(Mutex<Vec<(SessionId, EndReason)>>);

impl EndListener for Told {
    fn ended(&self, ended: &Ended) {
        self.0.lock().unwrap().push((*ended.session.id(), ended.reason));
    }
}

/// Makes an empty store that holds so much and tells so.
type Make = dyn Fn(Capacity, Arc<Told>) -> SessionStore;

/// One store and what it told.
struct Stage {
    store: Arc<SessionStore>,
    told: Arc<Told>,
}

fn at(seconds: u64) -> Moment {
    Moment::START.after(Duration::from_secs(seconds))
}

impl Stage {
    fn new(make: &Make, total: usize, per_user: usize) -> Self {
        let told = Arc::new(Told::default());
        let store = Arc::new(make(Capacity { total, per_user }, Arc::clone(&told)));
        Self { store, told }
    }

    async fn create(&self, name: &str, now: Moment) -> Result<SessionToken, CreateError> {
        let token = SessionToken::generate();
        let session = Session::start(token.id(), Arc::new(user(name)), None, now);
        self.store.create(&token, session, None, now).await.map(|_| token)
    }

    async fn create_from(&self, origin: Origin, name: &str, now: Moment) -> SessionToken {
        let token = SessionToken::generate();
        let session = Session::start(token.id(), Arc::new(user(name)), None, now);
        self.store.create(&token, session.with_origin(origin), None, now).await.unwrap();
        token
    }

    async fn lives(&self, token: &SessionToken, now: Moment) -> bool {
        self.store.touch(token, now).await.unwrap().is_some()
    }

    async fn sign_out(&self, token: &SessionToken, now: Moment) -> bool {
        self.store.end(&token.id(), EndReason::SignedOut, now).await.unwrap().is_some()
    }

    /// What was told up to `now`.
    async fn told(&self, now: Moment) -> Vec<EndReason> {
        match &*self.store {
            SessionStore::Redis(redis) => {
                assert_eq!(upkeep::sweep(redis, now).await, Ok(false));
            }
            _ => assert!(!self.store.sweep(now)),
        }
        self.told.0.lock().unwrap().iter().map(|(_, reason)| *reason).collect()
    }
}

/// Everything that is asked of any store of sessions.
async fn check_store(make: &Make) {
    a_session_lives_from_its_creation_to_its_end(make).await;
    use_renews_and_looking_does_not(make).await;
    a_session_ends_once(make).await;
    a_full_store_refuses_and_ends_nobody(make).await;
    a_user_has_so_many_sessions(make).await;
    a_user_is_revoked_and_one_session_kept(make).await;
    a_user_is_replaced_in_all_sessions(make).await;
    a_session_is_assigned_to_another_user(make).await;
    a_provider_ends_sessions_by_its_names_for_them(make).await;
    what_has_ended_has_no_name_any_more(make).await;
    listing::sessions_are_listed(make).await;
    many_at_once_lose_nothing(make).await;
}

async fn a_session_lives_from_its_creation_to_its_end(make: &Make) {
    let stage = Stage::new(make, 10, 10);
    let ada = stage.create("ada", at(0)).await.unwrap();
    let unknown = SessionToken::generate();
    assert!(stage.lives(&ada, at(599)).await && !stage.lives(&unknown, at(0)).await);
    assert!(stage.store.touch(&ada, at(600)).await.unwrap().unwrap().user().name.as_str() == "ada");
    assert!(stage.sign_out(&ada, at(601)).await);
    assert!(!stage.lives(&ada, at(602)).await);
    assert!(stage.store.peek(&ada, at(602)).await.unwrap().is_none());
    assert_eq!(stage.told(at(602)).await, [EndReason::SignedOut]);
}

async fn use_renews_and_looking_does_not(make: &Make) {
    let stage = Stage::new(make, 10, 10);
    let used = stage.create("ada", at(0)).await.unwrap();
    let looked_at = stage.create("ada", at(0)).await.unwrap();
    assert!(stage.lives(&used, at(500)).await);
    assert!(stage.store.peek(&looked_at, at(500)).await.unwrap().is_some());
    assert!(stage.lives(&used, at(1099)).await && !stage.lives(&looked_at, at(1099)).await);
    // However busy, not for ever.
    for seconds in [1600, 2100, 2600, 3100, 3599] {
        assert!(stage.lives(&used, at(seconds)).await, "{seconds}");
    }
    assert!(!stage.lives(&used, at(3600)).await);
    assert_eq!(stage.told(at(3600)).await, [EndReason::Expired, EndReason::Expired]);
}

async fn a_session_ends_once(make: &Make) {
    let stage = Stage::new(make, 10, 10);
    let token = stage.create("ada", at(0)).await.unwrap();
    let id = token.id();
    let mut ends = Vec::new();
    for _ in 0..8 {
        let store = Arc::clone(&stage.store);
        ends.push(tokio::spawn(async move {
            store.end(&id, EndReason::SignedOut, at(1)).await.unwrap().is_some()
        }));
    }
    let mut winners = 0;
    for end in ends {
        winners += usize::from(end.await.unwrap());
    }
    assert_eq!((winners, stage.told(at(1)).await), (1, vec![EndReason::SignedOut]));
    // What has idled out cannot be signed out of.
    let late = stage.create("ada", at(0)).await.unwrap();
    assert!(!stage.sign_out(&late, at(601)).await);
}

async fn a_full_store_refuses_and_ends_nobody(make: &Make) {
    let stage = Stage::new(make, 2, 2);
    let ada = stage.create("ada", at(0)).await.unwrap();
    let bob = stage.create("bob", at(0)).await.unwrap();
    assert_eq!(stage.create("eve", at(1)).await.err(), Some(CreateError::Full));
    assert!(stage.lives(&ada, at(2)).await && stage.lives(&bob, at(2)).await);
    assert!(stage.sign_out(&ada, at(3)).await);
    assert!(stage.create("eve", at(3)).await.is_ok());
    // Those who have idled out make room.
    assert!(stage.create("ada", at(700)).await.is_ok());
    assert!(!stage.lives(&bob, at(700)).await);
}

async fn a_user_has_so_many_sessions(make: &Make) {
    let stage = Stage::new(make, 10, 2);
    let bob = stage.create("bob", at(0)).await.unwrap();
    let first = stage.create("ada", at(1)).await.unwrap();
    let second = stage.create("ada", at(2)).await.unwrap();
    assert!(stage.lives(&first, at(3)).await);
    let third = stage.create("ada", at(4)).await.unwrap();
    assert!(!stage.lives(&second, at(5)).await, "the least recently used");
    for id in [&bob, &first, &third] {
        assert!(stage.lives(id, at(5)).await);
    }
    assert_eq!(stage.told(at(5)).await, [EndReason::Evicted]);
}

async fn a_user_is_revoked_and_one_session_kept(make: &Make) {
    let stage = Stage::new(make, 10, 10);
    let bob = stage.create("bob", at(0)).await.unwrap();
    let kept = stage.create("ada", at(0)).await.unwrap();
    let other = stage.create("ada", at(0)).await.unwrap();
    let ada = user("ada").id();
    assert_eq!(stage.store.revoke_user(ada, Some(&kept.id())).await, Ok(1));
    assert!(stage.lives(&kept, at(1)).await && stage.lives(&bob, at(1)).await);
    assert!(!stage.lives(&other, at(1)).await);
    assert_eq!(stage.store.revoke_user(ada, None).await, Ok(1));
    assert_eq!(stage.store.revoke_user(ada, None).await, Ok(0));
    assert!(!stage.lives(&kept, at(1)).await);
    assert_eq!(stage.told(at(1)).await, [EndReason::Revoked, EndReason::Revoked]);
}

async fn a_user_is_replaced_in_all_sessions(make: &Make) {
    let stage = Stage::new(make, 10, 10);
    let bob = stage.create("bob", at(0)).await.unwrap();
    let [first, second] =
        [stage.create("ada", at(0)).await.unwrap(), stage.create("ada", at(0)).await.unwrap()];
    let inactive = Arc::new(user("ada").with_status(Status::Inactive));
    assert_eq!(stage.store.replace_user(&inactive).await, Ok(2));
    for (token, status) in
        [(first, Status::Inactive), (second, Status::Inactive), (bob, Status::Active)]
    {
        let session = stage.store.touch(&token, at(1)).await.unwrap().unwrap();
        assert_eq!(session.user().status, status);
    }
}

async fn a_session_is_assigned_to_another_user(make: &Make) {
    let stage = Stage::new(make, 10, 10);
    let id = stage.create("ada", at(0)).await.unwrap();
    let session = stage.store.touch(&id, at(0)).await.unwrap().unwrap();
    let bob = Arc::new(user("bob"));
    stage.store.assign(&session, &bob).await.unwrap();
    assert_eq!(stage.store.revoke_user(user("ada").id(), None).await, Ok(0));
    assert!(stage.store.touch(&id, at(1)).await.unwrap().unwrap().user().name.as_str() == "bob");
    assert_eq!(stage.store.revoke_user(bob.id(), None).await, Ok(1));
}

async fn a_provider_ends_sessions_by_its_names_for_them(make: &Make) {
    let stage = Stage::new(make, 10, 10);
    let from = |provider, subject, session| {
        stage.create_from(Origin::new(provider, subject, session), "ada", at(0))
    };
    let first = from("corp", "7", Some("s1")).await;
    let second = from("corp", "7", Some("s2")).await;
    let others = [
        from("corp", "8", Some("7")).await,
        from("corp", "s2", None).await,
        from("other", "7", Some("s2")).await,
        stage.create("ada", at(0)).await.unwrap(),
    ];
    // A use moves them in the indexes, another user does not.
    let session = stage.store.touch(&first, at(500)).await.unwrap().unwrap();
    stage.store.assign(&session, &Arc::new(user("bob"))).await.unwrap();
    let (subject, session) = (Named::subject("corp", "7"), Named::session("corp", "s2"));
    assert_eq!(stage.store.revoke_named(&session, true).await, Ok(1));
    assert!(!stage.lives(&second, at(501)).await && stage.lives(&first, at(501)).await);
    assert_eq!(stage.store.revoke_named(&subject, true).await, Ok(1));
    assert!(!stage.lives(&first, at(502)).await);
    for named in [subject, session, Named::subject("corp", "nobody")] {
        assert_eq!(stage.store.revoke_named(&named, true).await, Ok(0));
    }
    for token in &others {
        assert!(stage.lives(token, at(502)).await);
    }
    assert_eq!(stage.told(at(502)).await, [EndReason::Revoked, EndReason::Revoked]);
}

async fn what_has_ended_has_no_name_any_more(make: &Make) {
    let stage = Stage::new(make, 3, 1);
    let origin = || Origin::new("corp", "7", Some("s1"));
    stage.create_from(origin(), "ada", at(0)).await;
    let second = stage.create_from(origin(), "ada", at(1)).await;
    // Who has how many is a matter of users, not of what others call them.
    stage.create_from(origin(), "bob", at(2)).await;
    stage.create_from(origin(), "eve", at(500)).await;
    assert!(stage.sign_out(&second, at(501)).await);
    let told = [EndReason::Evicted, EndReason::SignedOut, EndReason::Expired];
    assert_eq!(stage.told(at(602)).await, told);
    assert_eq!(
        stage.store.revoke_named(&Named::session("corp", "s1"), true).await,
        Ok(1),
        "that of eve"
    );
    assert_eq!(stage.store.revoke_named(&Named::subject("corp", "7"), true).await, Ok(0));
}

async fn many_at_once_lose_nothing(make: &Make) {
    let stage = Stage::new(make, 1000, 1000);
    let mut tasks = Vec::new();
    for number in 0..100 {
        let store = Arc::clone(&stage.store);
        tasks.push(tokio::spawn(async move {
            let token = SessionToken::generate();
            let (id, name) = (token.id(), format!("user{}", number % 7));
            let session = Session::start(id, Arc::new(user(&name)), None, at(0));
            store.create(&token, session, None, at(0)).await.unwrap();
            let found = store.touch(&token, at(1)).await.unwrap().unwrap();
            assert_eq!(found.user().name.as_str(), name);
            if number % 2 == 0 {
                assert!(store.end(&id, EndReason::SignedOut, at(2)).await.unwrap().is_some());
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(stage.store.page(Place::default(), 99, at(3)).await.unwrap().records.len(), 50);
    assert_eq!(stage.told(at(3)).await.len(), 50);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn memory(capacity: Capacity, told: Arc<Told>) -> MemoryStore {
    MemoryStore::new(LIFETIME, capacity, [told as Arc<dyn EndListener>])
}

#[test]
fn sessions_in_memory_are_kept_as_they_should_be() {
    runtime().block_on(check_store(&|capacity, told| SessionStore::Memory(memory(capacity, told))));
}

#[test]
fn a_store_that_is_asked_elsewhere_keeps_them_as_well() {
    runtime().block_on(check_store(&|capacity, told| {
        let patience = Duration::from_secs(20);
        let store = FaultyStore::new(memory(capacity, told), patience);
        store.suffer(Trouble::Late(Duration::from_micros(1)));
        SessionStore::Faulty(store)
    }));
}

#[test]
fn sessions_in_redis_are_kept_as_well() {
    let server = RedisServer::start();
    runtime().block_on(check_store(&move |capacity, told| {
        SessionStore::Redis(redis::tests::store(&server, LIFETIME, capacity, told))
    }));
}

#[test]
fn memory_answers_at_once_and_trouble_is_told_from_no_session() {
    let told = Arc::new(Told::default());
    let capacity = Capacity { total: 10, per_user: 10 };
    let token = SessionToken::generate();
    let in_memory = SessionStore::Memory(memory(capacity, Arc::clone(&told)));
    // Without a runtime: whatever had to wait, would panic.
    assert!(wait(in_memory.touch(&token, at(0))).unwrap().is_none());
    let faulty = FaultyStore::new(memory(capacity, told), Duration::from_millis(1));
    for (trouble, error) in
        [(Trouble::Fails, StoreError::Unavailable), (Trouble::Hangs, StoreError::TimedOut)]
    {
        faulty.suffer(trouble);
        let answer =
            runtime().block_on(faulty.ask(|memory| memory.touch(&token.id(), at(0)).is_some()));
        assert_eq!(answer, Err(error));
    }
}
