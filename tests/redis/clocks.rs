use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use super::server::{Server, command};
use super::stage::*;
use crate::clock::{self, Clocks};
use crate::support::*;

/// Two gateways and a Redis whose clocks are the test's. Those of the gateways are five minutes apart.
struct Timed {
    gateways: [Gateway; 2],
    redis: Server,
    _upstream: Upstream,
}

/// A redis-server whose clock is the test's.
fn timed_redis(folder: &Path) -> Command {
    let mut command = clock::under(command("redis-server", folder), folder, Clocks::All);
    // Its own allocator asks for the time before libfaketime knows what to say; that of libc does not.
    command.env("LD_PRELOAD", format!("{}:libc.so.6", clock::libfaketime().display()));
    command
}

impl Timed {
    fn start(keys: &str) -> Self {
        let redis = Server::start_by(timed_redis, &[]);
        let upstream = Upstream::start();
        let url = format!("http://{}", upstream.address);
        let gateways = ["+0", "+300"].map(|offset| {
            let folder = Gateway::prepare(&url, &config(&redis.url(), keys), &users(&["ada"]));
            let command = clock::command(folder.path(), Clocks::All);
            clock::set_in(folder.path(), offset);
            Gateway::start_by(command, folder)
        });
        Self { gateways, redis, _upstream: upstream }
    }

    /// Lets time pass for all.
    fn pass(&self, seconds: u64) {
        clock::pass_in(self.redis.folder(), seconds);
        for gateway in &self.gateways {
            clock::pass(gateway, seconds);
        }
    }

    /// Lets it pass for Redis and the second gateway, as the first is gone.
    fn pass_without_the_first(&self, seconds: u64) {
        clock::pass_in(self.redis.folder(), seconds);
        clock::pass(&self.gateways[1], seconds);
    }

    /// When Redis ends the one session there is, in milliseconds.
    fn end(&self) -> i64 {
        let keys = self.redis.ask(&["KEYS", "igw:*s:*"]).texts();
        assert_eq!(keys.len(), 1, "{keys:?}");
        self.redis.ask(&["PEXPIRETIME", &keys[0]]).number()
    }

    /// What Redis' clock says.
    fn now(&self) -> i64 {
        let [seconds, micros] = &self.redis.ask(&["TIME"]).texts()[..] else { panic!("no time") };
        seconds.parse::<i64>().unwrap() * 1000 + micros.parse::<i64>().unwrap() / 1000
    }
}

/// That the session is there. While a clock jumps, an answer of Redis may seem to have come too late.
fn check_lives(gateway: &Gateway, session: &str) {
    wait_until("it is known to live", || {
        let answer = visit(gateway, session);
        assert!([200, 503].contains(&answer.status), "{answer:?}");
        answer.status == 200
    });
}

fn check_is_over(gateway: &Gateway, session: &str) {
    wait_until("it is known to be over", || {
        let answer = visit(gateway, session);
        assert!([401, 503].contains(&answer.status), "{answer:?}");
        answer.status == 401
    });
}

#[test]
fn use_at_one_gateway_renews_a_session_for_the_other() {
    let timed = Timed::start("idle = \"10m\"\nlifetime = \"2h\"");
    let [a, b] = &timed.gateways;
    let session = a.sign_in("ada");
    check_lives(b, &session);
    for gateway in [b, a, b] {
        timed.pass(590);
        check_lives(gateway, &session);
    }
    // At most `touch_interval` more, as nobody has had the time to give it back.
    timed.pass(620);
    for gateway in &timed.gateways {
        check_is_over(gateway, &session);
    }
}

#[test]
fn an_absolute_lifetime_ends_what_is_used_at_both() {
    let timed = Timed::start("idle = \"10m\"\nlifetime = \"30m\"");
    let session = timed.gateways[0].sign_in("ada");
    for _ in 0..3 {
        timed.pass(590);
        for gateway in &timed.gateways {
            check_lives(gateway, &session);
        }
    }
    timed.pass(40);
    for gateway in &timed.gateways {
        check_is_over(gateway, &session);
    }
}

#[test]
fn a_use_counts_though_its_gateway_dies_before_it_was_written_down() {
    let timed = Timed::start("idle = \"10m\"\ntouch_interval = \"15s\"");
    let [a, b] = &timed.gateways;
    let session = a.sign_in("ada");
    check_lives(a, &session);
    timed.pass(10);
    check_lives(a, &session);
    a.signal("KILL");
    timed.pass_without_the_first(595);
    check_lives(b, &session);
    // And no longer than that.
    timed.pass_without_the_first(625);
    check_is_over(b, &session);
}

#[test]
fn a_session_that_is_not_used_any_more_ends_after_its_idle_time() {
    let timed = Timed::start("idle = \"10m\"\ntouch_interval = \"15s\"");
    let [a, b] = &timed.gateways;
    let session = a.sign_in("ada");
    check_lives(a, &session);
    timed.pass(10);
    let before = timed.now();
    check_lives(a, &session);
    // While the gateway speaks to Redis the clocks go on in leaps, so that a use may seem to be later.
    let used = before..=timed.now() + 5000;
    wait_until("the true end is written down", || {
        timed.pass(1);
        thread::park_timeout(Duration::from_millis(20));
        timed.end() - 600_000 <= *used.end()
    });
    assert!(used.contains(&(timed.end() - 600_000)), "{used:?}, {}", timed.end());
    let left = timed.end() - timed.now();
    assert!(left > 500_000, "it took {left} of ten minutes to find out");
    timed.pass(u64::try_from(left / 1000 + 1).unwrap());
    for gateway in [b, a] {
        check_is_over(gateway, &session);
    }
}

#[test]
fn a_gateways_own_clock_ends_no_session() {
    let timed = Timed::start("idle = \"10m\"\nlifetime = \"1h\"");
    let [a, b] = &timed.gateways;
    let session = a.sign_in("ada");
    let ended = b.sign_in("ada");
    assert_eq!(sign_out(a, &ended).status, 204);
    for _ in 0..3 {
        // As of a machine that has slept.
        clock::pass(a, 3000);
        for gateway in [a, b] {
            check_lives(gateway, &session);
            check_is_over(gateway, &ended);
        }
    }
}

#[test]
fn a_wall_clock_that_jumps_ends_no_session_and_revives_none() {
    let (redis, upstream) = (Server::start(), Upstream::start());
    let url = format!("http://{}", upstream.address);
    let gateways = ["+0", "+5m"].map(|offset| {
        let config = config(&redis.url(), "idle = \"1m\"\nlifetime = \"2m\"");
        let folder = Gateway::prepare(&url, &config, &users(&["ada"]));
        let command = clock::command(folder.path(), Clocks::Wall);
        clock::set_in(folder.path(), offset);
        Gateway::start_by(command, folder)
    });
    let [a, b] = &gateways;
    let mut ended = Vec::new();
    let mut sessions = Vec::new();
    for hours in [1, -1, 1, 0] {
        clock::set(a, &format!("{hours:+}h"));
        let session = a.sign_in("ada");
        assert_eq!(status(b, &session), 200);
        assert_eq!(sign_out(b, &session).status, 204);
        ended.push(session);
        sessions.extend([a.sign_in("ada"), b.sign_in("ada")]);
        for gateway in &gateways {
            for session in &sessions {
                assert_eq!(status(gateway, session), 200, "{hours:+}h");
            }
            for session in &ended {
                wait_until("it is over", || status(gateway, session) == 401);
            }
        }
    }
}

#[test]
fn a_ban_ends_by_the_clock_of_redis() {
    let timed = Timed::start("[signin]\nfailures = 2");
    let [a, b] = &timed.gateways;
    let guess = |gateway: &Gateway, password: &str| {
        gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", password)]))
    };
    let wrong = |gateway| guess(gateway, "wrong horse").status;
    assert_eq!([wrong(a), wrong(b)], [401, 401]);
    // As of machines that have slept.
    for gateway in &timed.gateways {
        clock::pass(gateway, 3000);
        wait_until("it is asked", || guess(gateway, PASSWORD).status == 429);
    }
    clock::pass_in(timed.redis.folder(), 61);
    for gateway in &timed.gateways {
        wait_until("it is over", || guess(gateway, PASSWORD).status == 204);
    }
}
