//! InfluxDB's halves of sessions: who looks after them, and when.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

fn of_influxdb(key: u8) -> Whose {
    let key = StoreKey::parse(&STANDARD.encode([key; 32])).unwrap();
    Whose::Influxdb(Halves { key: Some(key), renew: Duration::from_secs(240) })
}

/// Two gateways with the same key.
fn shared<F: Future<Output = ()>>(per_user: usize, test: impl FnOnce(Stage) -> F) {
    stage_of(per_user, [of_influxdb(1), of_influxdb(1)], true, test);
}

impl Stage {
    /// A new session with a half of InfluxDB's.
    async fn sign_in(&self, gateway: usize, name: &str, now: Moment) -> SessionToken {
        let half = UpstreamSession::parse(format!("influxdb-oss-session={name}").as_bytes());
        self.create_with(gateway, name, half, now).await.unwrap()
    }

    fn halves(&self, gateway: usize) -> SharedHalves {
        SharedHalves::of(&self.stores[gateway]).unwrap()
    }

    /// What a gateway takes, in words.
    async fn take(&self, gateway: usize, now: Moment) -> Vec<String> {
        let due = self.halves(gateway).take(16, now).await.unwrap();
        let word = |(id, due): &(SessionId, Due)| match due {
            Due::Renew(session) => {
                let cookie = session.upstream().unwrap().session().cookie();
                assert!(session.id() == id && cookie == half(&session.user()));
                format!("renew {}", session.user().name.as_str())
            }
            Due::SignOut(half) => format!("sign out {}", half.cookie().to_str().unwrap()),
        };
        due.iter().map(word).collect()
    }

    async fn settle(&self, gateway: usize, token: &SessionToken, done: Done, now: Moment) {
        self.halves(gateway).settle(&token.id(), done, now).await.unwrap();
    }

    /// From now on, Redis refuses what needs memory.
    fn fill(&self) {
        let mut connection = self.server.connection();
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).exec(&mut connection).unwrap();
    }

    /// The keys that have to do with halves.
    fn keys_of_halves(&self) -> Vec<String> {
        let mut connection = self.server.connection();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
        let of_halves = |key: &String| key.starts_with("igw:h:") || key.starts_with("igw:due:");
        keys.into_iter().filter(of_halves).collect()
    }
}

fn half(user: &User) -> String {
    format!("influxdb-oss-session={}", user.name.as_str())
}

const NOTHING: [String; 0] = [];

#[test]
fn what_is_due_is_one_gateways_until_it_is_done_or_may_be_dead() {
    shared(10, async |stage| {
        let token = stage.sign_in(0, "ada", at(0)).await;
        assert_eq!(stage.take(0, at(239)).await, NOTHING, "not yet");
        assert_eq!(stage.take(1, at(240)).await, ["renew ada"]);
        for second in [240, 247] {
            assert_eq!(stage.take(0, at(second)).await, NOTHING, "it is the other's");
        }
        assert_eq!(stage.take(0, at(248)).await, ["renew ada"], "nothing was heard of the other");
        stage.settle(0, &token, Done::Renewed, at(249)).await;
        assert_eq!(stage.take(1, at(488)).await, NOTHING);
        assert_eq!(stage.take(1, at(489)).await, ["renew ada"]);
        // A gateway that stops leaves nobody waiting.
        stage.settle(1, &token, Done::Returned, at(489)).await;
        assert_eq!(stage.take(0, at(489)).await, ["renew ada"]);
    });
}

#[test]
fn however_a_session_ends_one_gateway_signs_out_of_its_half() {
    shared(1, async |stage| {
        let [here, there] = &stage.stores;
        // Displaced, signed out, revoked, idled out.
        let [first, second] = [(); 2].map(|()| stage.sign_in(0, "ada", at(0)));
        let (first, second) = (first.await, second.await);
        let bob = stage.sign_in(1, "bob", at(0)).await;
        assert_eq!(stage.take(1, at(1)).await, ["sign out influxdb-oss-session=ada"]);
        stage.settle(1, &first, Done::SignedOut, at(1)).await;
        assert!(there.end(&second.id(), EndReason::SignedOut, at(1)).await.unwrap().is_some());
        assert_eq!(there.revoke_user(user("bob").id(), None).await, Ok(1));
        let eve = stage.sign_in(0, "eve", at(1)).await;
        let mut taken = stage.take(0, at(2)).await;
        taken.sort();
        let both = ["sign out influxdb-oss-session=ada", "sign out influxdb-oss-session=bob"];
        assert_eq!(taken, both);
        assert_eq!(stage.take(1, at(2)).await, NOTHING);
        // InfluxDB does not answer at first.
        stage.settle(0, &second, Done::SignedOut, at(3)).await;
        assert_eq!(stage.take(1, at(10)).await, both[1..]);
        stage.settle(1, &bob, Done::SignedOut, at(10)).await;
        assert_eq!(upkeep::sweep(here, at(700)).await, Ok(false));
        assert_eq!(stage.told(0), [EndReason::Evicted, EndReason::Expired]);
        assert_eq!(stage.take(1, at(700)).await, ["sign out influxdb-oss-session=eve"]);
        assert_eq!(stage.keys_of_halves().len(), 2);
        stage.settle(1, &eve, Done::SignedOut, at(700)).await;
        assert_eq!(stage.keys_of_halves(), NOTHING, "nothing is left");
    });
}

#[test]
fn a_session_that_ends_while_it_is_renewed_is_signed_out_of_once() {
    shared(10, async |stage| {
        let token = stage.sign_in(0, "ada", at(0)).await;
        assert_eq!(stage.take(0, at(240)).await, ["renew ada"]);
        let ended = stage.stores[1].end(&token.id(), EndReason::SignedOut, at(241)).await;
        assert!(ended.unwrap().is_some());
        assert_eq!(stage.take(1, at(241)).await, ["sign out influxdb-oss-session=ada"]);
        stage.settle(0, &token, Done::Renewed, at(242)).await;
        assert_eq!(stage.take(0, at(242)).await, NOTHING, "it is the other's");
        stage.settle(1, &token, Done::SignedOut, at(242)).await;
        stage.settle(0, &token, Done::Renewed, at(243)).await;
        assert_eq!(stage.keys_of_halves(), NOTHING);
    });
}

#[test]
fn a_half_outlives_its_session_for_as_long_as_that_may_be_used() {
    shared(10, async |stage| {
        let token = stage.sign_in(0, "ada", at(0)).await;
        let key = format!("igw:h:{}", token.id().hex());
        let lives = || {
            let mut connection = stage.server.connection();
            redis::cmd("PTTL").arg(&key).query::<u64>(&mut connection).unwrap() / 1000
        };
        let least = 600 + 15 + 240;
        assert!(lives() >= least);
        let mut connection = stage.server.connection();
        redis::cmd("PEXPIRE").arg(&key).arg(1_000_000).exec(&mut connection).unwrap();
        assert_eq!(stage.take(1, at(240)).await, ["renew ada"]);
        assert!(lives() >= least && lives() > 1000, "once more as long");
    });
}

#[test]
fn gateways_of_another_key_keep_their_hands_off() {
    stage_of(10, [of_influxdb(1), of_influxdb(2)], true, async |stage| {
        // The roster compares what they say they have.
        let [here, there] = &stage.stores;
        assert_ne!(here.whose.common(), there.whose.common());
        let token = stage.sign_in(0, "ada", at(0)).await;
        assert!(stage.find(1, &token, at(1)).await.unwrap().upstream().is_some());
        assert_eq!(stage.take(1, at(300)).await, NOTHING);
        assert_eq!(stage.take(0, at(300)).await, ["renew ada"]);
        let ended = stage.stores[1].end(&token.id(), EndReason::SignedOut, at(301)).await;
        assert!(ended.unwrap().is_some());
        assert_eq!(stage.take(1, at(301)).await, NOTHING);
        assert_eq!(stage.take(0, at(301)).await, ["sign out influxdb-oss-session=ada"]);
    });
}

#[test]
fn a_redis_that_is_full_keeps_nobody_from_renewing_and_signing_out() {
    shared(10, async |stage| {
        let token = stage.sign_in(0, "ada", at(0)).await;
        stage.fill();
        assert_eq!(stage.take(0, at(240)).await, ["renew ada"]);
        stage.settle(0, &token, Done::Renewed, at(240)).await;
        assert_eq!(stage.take(1, at(480)).await, ["renew ada"]);
        stage.settle(1, &token, Done::Returned, at(480)).await;
        let ended = stage.stores[0].end(&token.id(), EndReason::SignedOut, at(481)).await;
        assert!(ended.unwrap().is_some());
        assert_eq!(stage.take(1, at(481)).await, ["sign out influxdb-oss-session=ada"]);
        stage.settle(1, &token, Done::SignedOut, at(481)).await;
        assert_eq!(stage.keys_of_halves(), NOTHING);
    });
}

#[test]
fn what_was_learned_of_a_user_is_renewed_with() {
    shared(10, async |stage| {
        let token = stage.sign_in(0, "ada", at(0)).await;
        let inactive = Arc::new(user("ada").with_status(Status::Inactive));
        assert_eq!(stage.stores[1].replace_user(&inactive).await, Ok(1));
        let due = stage.halves(0).take(16, at(240)).await.unwrap();
        let [(_, Due::Renew(session))] = &due[..] else { panic!("{}", due.len()) };
        assert!(*session.user() == *inactive && session.id() == &token.id());
    });
}

#[test]
fn when_influxdb_was_asked_stays_known_when_the_record_changes() {
    shared(10, async |stage| {
        let token = stage.sign_in(0, "ada", at(0)).await;
        let before = stage.find(0, &token, at(100)).await.unwrap();
        let question = crate::session::Question::begin(&before).unwrap();
        assert!(question.end(Some(at(100))).is_none());
        assert!(stage.find(1, &token, at(101)).await.is_some());
        stage.forgotten(0, &token, at(101)).await;
        let after = stage.find(0, &token, at(101)).await.unwrap();
        assert!(!Arc::ptr_eq(&before, &after));
        let is_stale = |now| after.upstream().unwrap().is_stale(now, Duration::from_secs(60));
        assert!(!is_stale(at(159)) && is_stale(at(160)));
    });
}

#[test]
fn a_session_that_never_began_leaves_nothing_in_redis() {
    shared(10, async |stage| {
        for name in ["ada", "bob", "eve"] {
            stage.sign_in(0, name, at(0)).await;
        }
        let before = stage.keys_of_halves().len();
        let half = UpstreamSession::parse(b"influxdb-oss-session=late");
        let refused = stage.create_with(0, "ada", half, at(0)).await;
        assert_eq!(refused.err(), Some(CreateError::Full));
        assert_eq!(
            (stage.told(0), stage.keys_of_halves().len()),
            (vec![EndReason::Refused], before)
        );
        // Whether Redis has it or not, nobody is told its token.
        stage.fill();
        let half = UpstreamSession::parse(b"influxdb-oss-session=late");
        let refused = stage.create_with(1, "ada", half, at(601)).await;
        assert_eq!(refused.err(), Some(StoreError::Unavailable.into()));
        assert_eq!(stage.told(1), [EndReason::Refused]);
    });
}
