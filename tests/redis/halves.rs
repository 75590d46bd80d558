use std::time::{Duration, Instant};

use super::copies::{contains, copy};
use super::server::Server;
use super::stage::{config, sign_out, status};
use crate::influxdb::Influxdb;
use crate::support::*;

/// What gateways seal by that are told to.
const KEY: &str = "c2l4dGVlbiBieXRlcyBhbmQgc2l4dGVlbiBtb3JlISE=";

/// What tells them so. Others agree on a key.
fn by_key() -> String {
    format!("store_key = \"{KEY}\"")
}

/// Gateways whose users are InfluxDB's.
struct Stage {
    influxdb: Influxdb,
    redis: Server,
    users: String,
    session: String,
}

impl Stage {
    /// With these keys of `[users]` and of `[session]`.
    fn new(users: &str, session: &str) -> Self {
        let redis = Server::start_with(&["--rdbcompression", "no"]);
        let session = config(&redis.url(), session);
        let users = format!("[users]\nsource = \"influxdb\"\nrefresh = \"1h\"\n{users}\n");
        Self { influxdb: Influxdb::start(), redis, users, session }
    }

    fn gateway(&self) -> Gateway {
        let config = format!("{}{}", self.users, self.session);
        Gateway::start_with(self.influxdb.upstream.address, &config, "")
    }

    fn gateways(&self) -> [Gateway; 2] {
        [self.gateway(), self.gateway()]
    }

    /// How often InfluxDB was asked for `me` or `signout`.
    fn asked(&self, what: &str) -> usize {
        self.influxdb.state().asked.get(what).copied().unwrap_or_default()
    }

    fn wait_until_asked(&self, what: &str, times: usize) {
        wait_until("InfluxDB is asked", || self.asked(what) >= times);
    }

    fn keys(&self, pattern: &str) -> Vec<String> {
        self.redis.ask(&["KEYS", pattern]).texts()
    }

    /// Has everything be due at once.
    fn hurry(&self) {
        for due in self.keys("igw:due:*") {
            for id in self.redis.ask(&["ZRANGE", &due, "0", "-1"]).texts() {
                self.redis.ask(&["ZADD", &due, "0", &id]);
            }
        }
    }

    /// In how many milliseconds the one session there is will be due, by Redis' clock.
    fn due_in(&self) -> f64 {
        let dues = self.keys("igw:due:*").concat();
        let entry = self.redis.ask(&["ZRANGE", &dues, "0", "-1", "WITHSCORES"]).texts();
        let now = self.redis.ask(&["TIME"]).texts();
        let [_id, due] = &entry[..] else { panic!("{entry:?}") };
        let number = |text: &str| text.parse::<f64>().unwrap();
        number(due) - number(&now[0]) * 1000.0 - number(&now[1]) / 1000.0
    }

    /// Waits until InfluxDB was signed out of everything, and asserts that it was signed out of each once.
    fn wait_until_all_are_signed_out(&self, count: usize) {
        wait_until("InfluxDB has no session", || self.influxdb.sessions() == 0);
        wait_until("Redis has nothing of them", || self.keys("igw:h:*").is_empty());
        assert_eq!(self.asked("signout"), count, "once each");
        assert_eq!(self.keys("igw:due:*"), [""; 0]);
    }

    /// Two gateways, of which the second stands still while the first waits for InfluxDB's answer about a session
    /// that is due.
    fn with_a_renewal_under_way(&self) -> ([Gateway; 2], String) {
        let [a, b] = self.gateways();
        let session = a.sign_in("ada");
        assert_eq!((status(&a, &session), status(&b, &session)), (200, 200));
        b.signal("STOP");
        self.influxdb.upstream.seen_by_clients();
        self.influxdb.state().is_mute = true;
        self.hurry();
        assert!(self.influxdb.upstream.next().line().starts_with("GET /api/v2/me"));
        assert!(self.due_in() <= 8_000.0, "another takes over after eight seconds");
        ([a, b], session)
    }
}

#[test]
fn of_two_gateways_one_renews_a_session_in_each_period() {
    let stage = Stage::new("renew = \"1s\"", "");
    let gateways = stage.gateways();
    let begun = Instant::now();
    let sessions: Vec<_> = gateways.iter().chain(&gateways).map(|it| it.sign_in("ada")).collect();
    stage.influxdb.upstream.seen_by_clients();
    // Once more of each: it was asked who signs in.
    stage.wait_until_asked("me", (1 + 3) * sessions.len());
    // A hair's breadth for clocks that count whole milliseconds.
    assert!(begun.elapsed() >= Duration::from_millis(2990), "{:?}", begun.elapsed());
    let asked = stage.influxdb.upstream.seen_by_clients();
    let mut cookies: Vec<_> = asked.iter().map(|seen| seen.header("cookie").unwrap()).collect();
    cookies.sort_unstable();
    cookies.dedup();
    assert_eq!(cookies.len(), sessions.len(), "each of them");
}

#[test]
fn while_influxdb_does_not_answer_one_gateway_at_a_time_asks() {
    let stage = Stage::new("renew = \"1s\"", "");
    let [a, b] = stage.gateways();
    let begun = Instant::now();
    let session = a.sign_in("ada");
    stage.influxdb.upstream.seen_by_clients();
    stage.influxdb.state().is_mute = true;
    for _ in 0..3 {
        assert!(stage.influxdb.upstream.next().line().starts_with("GET /api/v2/me"));
    }
    // Each of them has its lease, which is as long as the period here.
    assert!(begun.elapsed() >= Duration::from_millis(2990), "{:?}", begun.elapsed());
    stage.influxdb.state().is_mute = false;
    stage.wait_until_asked("me", stage.asked("me") + 1);
    assert_eq!((status(&a, &session), status(&b, &session)), (200, 200));
}

#[test]
fn when_the_gateway_that_renews_is_killed_another_does() {
    let stage = Stage::new("renew = \"2s\"", "");
    let ([a, b], session) = stage.with_a_renewal_under_way();
    a.signal("KILL");
    let killed = Instant::now();
    stage.influxdb.state().is_mute = false;
    b.signal("CONT");
    let before = stage.asked("me");
    stage.wait_until_asked("me", before + 1);
    eprintln!("renewed by the other {:?} after the kill", killed.elapsed());
    stage.wait_until_asked("me", before + 2);
    assert_eq!((status(&b, &session), sign_out(&b, &session).status), (200, 204));
    stage.wait_until_all_are_signed_out(1);
}

#[test]
fn a_gateway_that_stops_leaves_nobody_waiting_for_what_it_had_begun() {
    // So long that the lease is as long as it gets: eight seconds.
    let stage = Stage::new("renew = \"4m\"", "");
    let ([a, b], session) = stage.with_a_renewal_under_way();
    a.signal("TERM");
    let (code, log) = a.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(stage.due_in() <= 0.0, "at once, not when the lease is over");
    stage.influxdb.state().is_mute = false;
    let before = stage.asked("me");
    b.signal("CONT");
    stage.wait_until_asked("me", before + 1);
    assert_eq!((status(&b, &session), sign_out(&b, &session).status), (200, 204));
    stage.wait_until_all_are_signed_out(1);
}

#[test]
fn sessions_are_renewed_and_signed_out_of_when_every_gateway_was_killed() {
    let stage = Stage::new("renew = \"1s\"", &by_key());
    let gateway = stage.gateway();
    let session = gateway.sign_in("ada");
    let gateway = gateway.restart("KILL");
    // No client has come yet.
    stage.wait_until_asked("me", stage.asked("me") + 2);
    assert_eq!(sign_out(&gateway, &session).status, 204);
    stage.wait_until_all_are_signed_out(1);
}

#[test]
fn however_a_session_ends_one_gateway_signs_out_of_influxdb() {
    let stage = Stage::new("renew = \"4m\"", "max_sessions = 3\nmax_sessions_per_user = 2");
    let gateways = stage.gateways();
    let [a, b] = &gateways;
    let (first, second) = (a.sign_in("ada"), b.sign_in("ada"));
    assert_eq!(status(b, &first), 200);
    assert_eq!(sign_out(b, &first).status, 204, "at the other one");
    stage.wait_until_asked("signout", 1);
    let others = [a.sign_in("ada"), b.sign_in("ada")];
    wait_until("one has gone for them", || stage.influxdb.sessions() == 2);
    let of_bob = a.sign_in("bob");
    let full = b.connect().send(&post("/api/v2/signin", &[&basic("gone", PASSWORD)]));
    assert_eq!(full.status, 503);
    stage.wait_until_asked("signout", 3);
    let live = [&second, &others[0], &others[1], &of_bob].map(|session| status(a, session));
    assert_eq!(live.iter().filter(|status| **status == 200).count(), 3, "{live:?}");
    // InfluxDB has ended two by itself.
    stage.influxdb.state().sessions.retain(|_, (user, _)| *user != 1);
    stage.hurry();
    for session in &others {
        wait_until("the user's are over", || {
            status(a, session) == 401 && status(b, session) == 401
        });
    }
    assert_eq!(status(b, &of_bob), 200);
    assert_eq!(sign_out(b, &of_bob).status, 204);
    wait_until("InfluxDB has no session", || stage.influxdb.sessions() == 0);
    wait_until("Redis has nothing of them", || stage.keys("igw:h:*").is_empty());
}

#[test]
fn one_gateway_signs_out_of_what_has_idled_out_and_says_whose_it_was() {
    let stage = Stage::new("renew = \"4m\"", "idle = \"1s\"");
    let gateways = stage.gateways();
    for gateway in gateways.iter().chain(&gateways) {
        gateway.sign_in("ada");
    }
    stage.wait_until_all_are_signed_out(4);
    let lines = || gateways.iter().map(Gateway::audit).collect::<String>();
    let expired = || lines().lines().filter(|line| line.contains("\"expired\"")).count();
    wait_until("it is in the audit trail", || expired() == 4);
    assert_eq!(lines().matches("\"user\":\"ada\"").count(), 8, "{}", lines());
}

#[test]
fn what_influxdb_says_of_a_user_at_a_renewal_counts_at_all_gateways() {
    let stage = Stage::new("renew = \"1s\"", "touch_interval = \"30s\"");
    let gateways = stage.gateways();
    let session = gateways[0].sign_in("ada");
    let all_say = |expected| gateways.iter().all(|gateway| status(gateway, &session) == expected);
    assert!(all_say(200));
    let set_active = |is_active| {
        stage.influxdb.state().users.get_mut(&1).unwrap().is_active = is_active;
    };
    for (is_active, expected) in [(false, 403), (true, 200)] {
        set_active(is_active);
        wait_until("it counts at both", || all_say(expected));
    }
}

#[test]
fn a_copy_of_redis_has_neither_influxdbs_cookie_nor_the_key() {
    for session in ["", &by_key()] {
        let stage = Stage::new("renew = \"4m\"", session);
        check_copy(&stage);
    }
}

fn check_copy(stage: &Stage) {
    let [a, b] = stage.gateways();
    let session = a.sign_in("ada");
    assert_eq!(status(&b, &session), 200);
    let cookies: Vec<_> = stage.influxdb.state().sessions.keys().cloned().collect();
    let [cookie] = &cookies[..] else { panic!("{cookies:?}") };
    assert_eq!(stage.keys("igw:h:*").len(), 1, "there is something sealed");
    let copy = copy(&stage.redis);
    assert!(contains(&copy, b"igw:h:") && contains(&copy, b"sealed"));
    for secret in [cookie, KEY, &KEY[..12], "influxdb-oss-session", &cookie[70..]] {
        assert!(!contains(&copy, secret.as_bytes()), "{secret}");
    }
    for gateway in [a, b] {
        let log = gateway.stop();
        assert!(!log.contains(KEY) && !log.contains(cookie), "it is in the log");
    }
}
