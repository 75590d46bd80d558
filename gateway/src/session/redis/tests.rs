//! What Redis adds to the suite that every store passes.

mod agreement;
mod copy;
mod halves;
mod held;
mod idle;
mod origin;
pub(super) mod simulation;
mod watched;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::server::RedisServer;
use super::*;
use crate::clock::wall;
use crate::session::store::{CreateError, Ended};
use crate::session::{EndReason, Notice};
use crate::user::name::Username;
use crate::user::tests::user;
use crate::user::{Status, User};

/// Users of the suite, by their ids.
struct Everybody;

impl Users for Everybody {
    fn user(&self, id: UserId) -> Option<Arc<User>> {
        let others = (0..7).map(|number| format!("user{number}"));
        let names = ["ada", "bob", "eve"].map(str::to_owned).into_iter().chain(others);
        names.map(|name| user(&name)).find(|user| user.id() == id).map(Arc::new)
    }

    fn came_by(&self, _: UserId, _: &str, _: &str) -> bool {
        true
    }

    fn is_taken(&self, _: &Username) -> bool {
        false
    }

    fn digest(&self) -> String {
        "d".to_owned()
    }
}

/// What a store told of ends.
#[derive(Default)]
struct Told(Mutex<Vec<EndReason>>);

impl EndListener for Told {
    fn ended(&self, ended: &Ended) {
        self.0.lock().unwrap().push(ended.reason);
    }
}

/// A store of its own in `server`, on a simulated clock.
pub(crate) fn store(
    server: &RedisServer,
    lifetime: Lifetime,
    capacity: Capacity,
    told: Arc<dyn EndListener>,
) -> Arc<RedisStore> {
    static STORES: AtomicU64 = AtomicU64::new(0);
    let number = STORES.fetch_add(1, Ordering::Relaxed);
    let wall = wall().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let place = (&*format!("test{number}:"), millis(wall));
    beside(server, place, lifetime, capacity, (known(), true), told)
}

fn known() -> Whose {
    Whose::Known(Arc::new(Everybody))
}

/// A store on what is in `server` behind a prefix; at first, its clock shows `origin`.
fn beside(
    server: &RedisServer,
    (prefix, origin): (&str, u64),
    lifetime: Lifetime,
    capacity: Capacity,
    (whose, near_cache): (Whose, bool),
    told: Arc<dyn EndListener>,
) -> Arc<RedisStore> {
    let settings = Settings {
        address: Address::parse(&server.url()).unwrap(),
        prefix: prefix.to_owned(),
        timeout: Duration::from_secs(20),
        touch_interval: Duration::from_secs(15),
        near_cache,
    };
    let mut store = RedisStore::new(settings, lifetime, capacity, whose, [told]);
    store.simulated = Some(origin);
    let store = Arc::new(store);
    tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.link.run().await }
    });
    store
}

const LIFETIME: Lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };

/// Two gateways on one Redis.
struct Stage {
    server: RedisServer,
    stores: [Arc<RedisStore>; 2],
    told: [Arc<Told>; 2],
}

fn at(seconds: u64) -> Moment {
    Moment::START.after(Duration::from_secs(seconds))
}

/// Runs `test` on a stage of its own.
fn stage<F: Future<Output = ()>>(per_user: usize, test: impl FnOnce(Stage) -> F) {
    stage_of(per_user, [known(), known()], true, test);
}

/// The same with other users, or without near caches.
fn stage_of<F: Future<Output = ()>>(
    per_user: usize,
    whose: [Whose; 2],
    near_cache: bool,
    test: impl FnOnce(Stage) -> F,
) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let server = RedisServer::start();
        let wall = wall().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
        let capacity = Capacity { total: 3, per_user };
        let told = [Arc::new(Told::default()), Arc::default()];
        let store = |told: &Arc<Told>, whose| {
            let told = Arc::clone(told) as Arc<dyn EndListener>;
            beside(&server, ("igw:", millis(wall)), LIFETIME, capacity, (whose, near_cache), told)
        };
        let [one, two] = whose;
        let stores = [store(&told[0], one), store(&told[1], two)];
        // Whatever is waited for and never comes, is a failure.
        let test = test(Stage { server, stores, told });
        tokio::time::timeout(Duration::from_secs(60), test).await.expect("the test ends");
    });
}

impl Stage {
    async fn create(
        &self,
        gateway: usize,
        name: &str,
        now: Moment,
    ) -> Result<SessionToken, CreateError> {
        self.create_with(gateway, name, None, now).await
    }

    async fn create_with(
        &self,
        gateway: usize,
        name: &str,
        upstream: Option<UpstreamSession>,
        now: Moment,
    ) -> Result<SessionToken, CreateError> {
        let token = SessionToken::generate();
        let session = Session::start(token.id(), Arc::new(user(name)), upstream, now);
        self.stores[gateway].create(&token, session, None, now).await.map(|_| token)
    }

    /// What a gateway finds when the session is used.
    async fn find(
        &self,
        gateway: usize,
        token: &SessionToken,
        now: Moment,
    ) -> Option<Arc<Session>> {
        let store = &self.stores[gateway];
        match store.at_hand(&token.id(), now) {
            Some(session) => Some(session),
            None => store.touch(token, now).await.unwrap(),
        }
    }

    /// Waits until a gateway has nothing at hand for `token`.
    async fn forgotten(&self, gateway: usize, token: &SessionToken, now: Moment) {
        while self.stores[gateway].shared.near.look(&token.id(), now).is_some() {
            tokio::task::yield_now().await;
        }
    }

    fn told(&self, gateway: usize) -> Vec<EndReason> {
        self.told[gateway].0.lock().unwrap().clone()
    }

    /// How many commands of this name Redis has run.
    fn runs(&self, command: &str) -> usize {
        let mut connection = self.server.connection();
        let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut connection).unwrap();
        let line =
            stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
    }
}

#[test]
fn a_record_of_another_version_counts_as_none_and_stays() {
    stage(10, async |stage| {
        let token = stage.create(0, "ada", at(0)).await.unwrap();
        let key = stage.stores[0].shared.keys.record(&token.id().hex());
        let mut connection = stage.server.connection();
        redis::cmd("HSET").arg(&key).arg("v").arg("2").exec(&mut connection).unwrap();
        assert!(stage.find(0, &token, at(1)).await.is_none());
        assert_eq!(stage.stores[0].replace_user(&Arc::new(user("ada"))).await, Ok(0));
        let fields: usize = redis::cmd("HLEN").arg(&key).query(&mut connection).unwrap();
        assert_eq!(fields, 9);
        // Whoever signs out, means it.
        assert!(
            stage.stores[0].end(&token.id(), EndReason::SignedOut, at(1)).await.unwrap().is_none()
        );
        assert!(!redis::cmd("EXISTS").arg(&key).query::<bool>(&mut connection).unwrap());
    });
}

#[test]
fn room_is_counted_over_all_gateways() {
    stage(2, async |stage| {
        let first = stage.create(0, "ada", at(0)).await.unwrap();
        let second = stage.create(1, "ada", at(1)).await.unwrap();
        assert!(stage.find(0, &first, at(2)).await.is_some());
        let third = stage.create(0, "ada", at(3)).await.unwrap();
        assert!(stage.find(1, &second, at(4)).await.is_none(), "the least recently used");
        assert_eq!((stage.told(0), stage.told(1)), (vec![EndReason::Evicted], vec![]));
        stage.create(1, "bob", at(4)).await.unwrap();
        assert_eq!(stage.create(0, "eve", at(4)).await.err(), Some(CreateError::Full));
        for token in [&first, &third] {
            assert!(stage.find(1, token, at(5)).await.is_some());
        }
    });
}

#[test]
fn what_another_gateway_does_to_a_session_is_seen_at_hand() {
    stage(10, async |stage| {
        let token = stage.create(0, "ada", at(0)).await.unwrap();
        assert!(stage.find(0, &token, at(1)).await.is_some());
        assert!(stage.find(1, &token, at(1)).await.is_some());
        // The other gateway's use was a change of the record.
        stage.forgotten(0, &token, at(1)).await;
        assert!(stage.find(0, &token, at(1)).await.is_some());
        let inactive = Arc::new(user("ada").with_status(Status::Inactive));
        assert_eq!(stage.stores[1].replace_user(&inactive).await, Ok(1));
        stage.forgotten(0, &token, at(2)).await;
        for gateway in [0, 1] {
            let session = stage.find(gateway, &token, at(2)).await.unwrap();
            assert_eq!(session.user().status, Status::Inactive);
        }
        assert!(
            stage.stores[1].end(&token.id(), EndReason::SignedOut, at(3)).await.unwrap().is_some()
        );
        stage.forgotten(0, &token, at(3)).await;
        assert!(stage.find(0, &token, at(3)).await.is_none());
        assert_eq!((stage.told(0), stage.told(1)), (vec![], vec![EndReason::SignedOut]));
    });
}

/// Redis stops watching a key on behalf of whoever writes it, and the gateway writes with every first use.
#[test]
fn a_session_that_this_gateway_has_written_itself_is_watched() {
    stage(10, async |stage| {
        let token = stage.create(0, "ada", at(0)).await.unwrap();
        for second in [1, 16, 31] {
            assert!(stage.find(0, &token, at(second)).await.is_some());
            assert!(stage.find(0, &token, at(second)).await.is_some());
            upkeep::look_after(&stage.stores[0], at(second + 14)).await;
        }
        assert!(
            stage.stores[1].end(&token.id(), EndReason::SignedOut, at(32)).await.unwrap().is_some()
        );
        stage.forgotten(0, &token, at(32)).await;
        assert!(stage.find(0, &token, at(32)).await.is_none());
    });
}

/// A request whose body is still coming is cut off when another gateway ends its session, and told when its
/// user may do less; when the session only idles out, it goes on.
#[test]
fn requests_that_come_in_depend_on_what_other_gateways_do() {
    stage(10, async |stage| {
        let [ended, changed, idle] = [
            stage.create(0, "ada", at(0)).await.unwrap(),
            stage.create(0, "bob", at(0)).await.unwrap(),
            stage.create(0, "eve", at(0)).await.unwrap(),
        ];
        let here = &stage.stores[0];
        let mut watches = Vec::new();
        for token in [&ended, &changed, &idle] {
            let session = stage.find(0, token, at(1)).await.unwrap();
            watches.push(here.watch(&session));
        }
        let mut doubted = here.doubted.lock().await;
        assert!(
            stage.stores[1].end(&ended.id(), EndReason::SignedOut, at(2)).await.unwrap().is_some()
        );
        upkeep::find_out(here, doubted.recv().await.unwrap().0, at(2)).await;
        watches[0].bell().notified().await;
        let inactive = Arc::new(user("bob").with_status(Status::Inactive));
        assert_eq!(stage.stores[1].replace_user(&inactive).await, Ok(1));
        upkeep::find_out(here, doubted.recv().await.unwrap().0, at(3)).await;
        watches[1].bell().notified().await;
        upkeep::find_out(here, idle.id(), at(700)).await;
        let notices: Vec<_> = watches.iter().map(Watch::notice).collect();
        assert_eq!(notices, [Notice::Revoked, Notice::Changed, Notice::Nothing]);
    });
}
