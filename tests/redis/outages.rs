use std::time::{Duration, Instant};

use super::relay::{Fault, Relay};
use super::server::Server;
use super::stage::*;
use super::traffic::Traffic;
use crate::support::*;

/// What is at hand is so for longer than a test waits, and Redis is not waited for for long.
const KEYS: &str = "touch_interval = \"30s\"\nstore_timeout = \"500ms\"";

/// Uses are written down often, so that it is soon noticed that they cannot be.
const OFTEN: &str = "touch_interval = \"100ms\"\nstore_timeout = \"500ms\"";

/// What is so after the trouble.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// Everything as it was.
    AllIsThere,
    /// The same, but what was asked meanwhile may have been done late.
    AllIsThereAndMore,
    /// The same, but whoever signed out meanwhile was signed out at once: that takes no memory.
    AllIsThereButSignedOut,
    /// No session.
    NothingIsThere,
}

/// What must hold while something is wrong with Redis, from `begin` to `end`, and after it.
fn check_outage(
    what: &str,
    redis: Server,
    begin: impl FnOnce(&mut Server),
    end: impl FnOnce(&mut Server),
    after: After,
) {
    let url = redis.url();
    let keys = if after == After::AllIsThereButSignedOut { OFTEN } else { KEYS };
    let mut stage = Stage::before(redis, &url, keys);
    let (kept, other) = (stage.gateways[0].sign_in("ada"), stage.gateways[1].sign_in("bob"));
    let ended = stage.gateways[1].sign_in("ada");
    for gateway in &stage.gateways {
        for session in [&kept, &other, &ended] {
            wait_until("it is served", || status(gateway, session) == 200);
        }
    }
    assert_eq!(sign_out(&stage.gateways[0], &ended).status, 204, "{what}");
    let traffic = Traffic::start(&stage.gateways, &kept);

    begin(&mut stage.redis);
    let mut signed_out = 204;
    for gateway in &stage.gateways {
        wait_until("it is noticed", || status(gateway, &kept) == 503);
        check_unknown(&sign_in(gateway, "ada"));
        let answer = sign_out(gateway, &other);
        if after == After::AllIsThereButSignedOut {
            assert_eq!(answer.status, signed_out, "{what}: {answer:?}");
            signed_out = 401;
        } else {
            check_unknown(&answer);
        }
        assert!([401, 503].contains(&status(gateway, &ended)), "{what}");
    }

    end(&mut stage.redis);
    let over = Instant::now();
    let expected = if after == After::NothingIsThere { 401 } else { 200 };
    for gateway in &stage.gateways {
        wait_until("it is served again", || status(gateway, &kept) == expected);
    }
    eprintln!("{what}: served again after {:?}", over.elapsed());
    for gateway in &stage.gateways {
        assert_eq!(status(gateway, &ended), 401, "{what}: nobody comes back");
        let of_other = status(gateway, &other);
        match after {
            After::AllIsThere | After::NothingIsThere => assert_eq!(of_other, expected, "{what}"),
            After::AllIsThereAndMore => assert!([200, 401].contains(&of_other), "{what}"),
            After::AllIsThereButSignedOut => assert_eq!(of_other, 401, "{what}"),
        }
    }
    if after == After::NothingIsThere {
        for answers in traffic.stop() {
            let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
            let end = statuses.iter().position(|status| *status == 401).unwrap();
            assert!(statuses[end..].iter().all(|status| *status == 401), "{what}: {statuses:?}");
        }
    } else {
        traffic.stop_with_nobody_signed_out();
        assert_eq!(sign_out(&stage.gateways[1], &kept).status, 204, "{what}");
    }
    for gateway in &stage.gateways {
        wait_until("it is signed out", || status(gateway, &kept) == 401);
        assert_eq!(status(gateway, &gateway.sign_in("bob")), 200, "{what}");
        check_told(what, gateway);
    }
}

/// That the log says what has happened, and not once for each request.
fn check_told(what: &str, gateway: &Gateway) {
    let log = gateway.log();
    let marks = [" WARN  influx_gateway", " ERROR influx_gateway"];
    let told = log.lines().filter(|line| marks.iter().any(|mark| line.contains(mark)));
    let told: Vec<_> = told.collect();
    assert!((1..=8).contains(&told.len()), "{what}: {told:#?}");
}

#[test]
fn redis_is_killed_and_comes_back_with_its_data() {
    let redis = Server::start_with(&["--appendonly", "yes"]);
    let again = |redis: &mut Server| redis.start_again(&[]);
    check_outage("killed, with data", redis, Server::kill, again, After::AllIsThere);
}

#[test]
fn redis_is_killed_and_comes_back_empty() {
    let again = |redis: &mut Server| redis.start_again(&[]);
    check_outage("killed, empty", Server::start(), Server::kill, again, After::NothingIsThere);
}

#[test]
fn redis_takes_long_to_load() {
    let begin = |redis: &mut Server| {
        redis.tell(&["DEBUG", "POPULATE", "500", "filler", "1000"]);
        redis.tell(&["SAVE"]);
        redis.kill();
        let slowly =
            ["--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024"];
        redis.start_again(&slowly);
    };
    let end = |redis: &mut Server| redis.wait_until_it_answers();
    check_outage("loading", Server::start(), begin, end, After::AllIsThere);
}

#[test]
fn redis_hangs() {
    let begin = |redis: &mut Server| redis.signal("STOP");
    let end = |redis: &mut Server| redis.signal("CONT");
    check_outage("hangs", Server::start(), begin, end, After::AllIsThereAndMore);
}

#[test]
fn redis_is_full() {
    let begin = |redis: &mut Server| redis.tell(&["CONFIG", "SET", "maxmemory", "1"]);
    let end = |redis: &mut Server| redis.tell(&["CONFIG", "SET", "maxmemory", "0"]);
    check_outage("full", Server::start(), begin, end, After::AllIsThereButSignedOut);
}

#[test]
fn redis_is_read_only() {
    for serves in ["yes", "no"] {
        let begin = |redis: &mut Server| {
            redis.tell(&["CONFIG", "SET", "replica-serve-stale-data", serves]);
            let nobody = closed_port().port().to_string();
            redis.tell(&["REPLICAOF", "127.0.0.1", &nobody]);
        };
        let end = |redis: &mut Server| redis.tell(&["REPLICAOF", "NO", "ONE"]);
        check_outage("read-only", Server::start(), begin, end, After::AllIsThere);
    }
}

#[test]
fn redis_takes_no_writes_because_its_replicas_are_gone() {
    let begin = |redis: &mut Server| redis.tell(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let end = |redis: &mut Server| redis.tell(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    check_outage("alone", Server::start(), begin, end, After::AllIsThere);
}

/// Two gateways, the first of which reaches Redis by a relay.
fn relayed(keys: &str) -> ([Gateway; 2], Relay, Server, Upstream) {
    let (redis, upstream) = (Server::start(), Upstream::start());
    let relay = Relay::start(redis.address);
    let gateways = [relay.url(), redis.url()].map(|url| gateway(upstream.address, &url, keys));
    (gateways, relay, redis, upstream)
}

#[test]
fn an_answer_of_redis_breaks_off() {
    let (gateways, relay, _redis, _upstream) = relayed("near_cache = false");
    let [a, b] = &gateways;
    let session = a.sign_in("ada");
    let traffic = Traffic::start(&gateways, &session);
    for round in 0..6 {
        relay.suffer(Fault::Cut);
        match round % 3 {
            0 => wait_until("it is cut", || relay.has_cut()),
            1 => {
                let answer = sign_in(a, "bob");
                assert!([204, 503].contains(&answer.status), "{answer:?}");
            }
            _ => {
                let of_bob = b.sign_in("bob");
                let answer = sign_out(a, &of_bob);
                assert!([204, 503].contains(&answer.status), "{answer:?}");
                assert!(answer.status == 503 || status(b, &of_bob) == 401);
            }
        }
        wait_until("it is served again", || relay.has_cut() && status(a, &session) == 200);
    }
    traffic.stop_with_nobody_signed_out();
}

#[test]
fn a_gateway_that_was_cut_off_does_not_serve_what_was_signed_out_meanwhile() {
    for fault in [Fault::Refuse, Fault::Stall] {
        let ([a, b], relay, _redis, _upstream) = relayed(KEYS);
        let (session, other) = (a.sign_in("ada"), a.sign_in("bob"));
        assert_eq!((status(&b, &session), status(&a, &session)), (200, 200));
        assert_eq!(status(&a, &session), 200, "at hand");
        relay.suffer(fault);
        assert_eq!(sign_out(&b, &session).status, 204);
        let start = Instant::now();
        wait_until("it is noticed", || status(&a, &session) == 503);
        eprintln!("{fault:?}: no session is served any more after {:?}", start.elapsed());
        let seen = std::cell::RefCell::new(Vec::new());
        relay.suffer(Fault::None);
        wait_until("it is served again", || {
            seen.borrow_mut().push(status(&a, &session));
            status(&a, &other) == 200
        });
        let seen = seen.into_inner();
        assert!(seen.iter().all(|status| [401, 503].contains(status)), "{seen:?}");
        assert_eq!(status(&a, &session), 401);
    }
}

#[test]
fn a_redis_that_is_late_is_waited_for_as_long_as_is_configured() {
    let (gateways, relay, _redis, _upstream) =
        relayed("near_cache = false\nstore_timeout = \"1s\"");
    let [a, b] = &gateways;
    let session = a.sign_in("ada");
    relay.suffer(Fault::Delay(Duration::from_millis(20)));
    for _ in 0..3 {
        assert_eq!((status(a, &session), status(b, &session)), (200, 200));
    }
    relay.suffer(Fault::Delay(Duration::from_secs(3)));
    check_unknown(&visit(a, &session));
    assert_eq!(status(b, &session), 200);
    relay.suffer(Fault::None);
    wait_until("it is served again", || status(a, &session) == 200);
}

#[test]
fn a_gateway_that_starts_before_redis_serves_as_soon_as_that_is_there() {
    let mut redis = Server::start();
    let url = redis.url();
    redis.kill();
    let stage = Stage::before(redis, &url, "");
    let Stage { gateways, mut redis, upstream: _upstream } = stage;
    for gateway in &gateways {
        check_unknown(&sign_in(gateway, "ada"));
        let from_before = format!("influxdb-oss-session={}", "A".repeat(43));
        check_unknown(&visit(gateway, &from_before));
        check_unknown(&sign_out(gateway, &from_before));
        let token = get("/api/v2/buckets", &["Authorization: Token x"]);
        assert_eq!(gateway.connect().send(&token).status, 200);
        // Who has no cookie needs no Redis to be told so.
        assert_eq!(gateway.connect().send(&get("/api/v2/me", &[])).status, 401);
    }
    redis.start_again(&[]);
    for gateway in &gateways {
        wait_until("it serves", || sign_in(gateway, "ada").status == 204);
    }
}
