use std::time::{Duration, Instant};

use super::server::Server;
use super::stage::*;
use crate::support::*;

const REQUESTS: usize = 1000;

/// How many scripts were asked for.
fn scripts(redis: &Server) -> u64 {
    let calls = redis.calls();
    let of = |name| calls.get(name).copied().unwrap_or(0);
    of("evalsha") + of("eval") + of("fcall")
}

/// Sends so many requests with one session, and returns how many scripts and commands they cost.
fn count(stage: &Stage, session: &str, requests: usize) -> (u64, u64) {
    let mut client = stage.gateways[0].connect();
    let request = get("/api/v2/buckets", &[&cookie(session)]);
    assert_eq!(client.send(&request).status, 200);
    let all = || stage.redis.calls().values().sum::<u64>();
    let before = (scripts(&stage.redis), all());
    for _ in 0..requests {
        assert_eq!(client.send(&request).status, 200);
    }
    (scripts(&stage.redis) - before.0, all() - before.1)
}

#[test]
fn a_hot_session_costs_redis_next_to_nothing() {
    let stage = Stage::start();
    let session = stage.gateways[1].sign_in("ada");
    let (scripts, commands) = count(&stage, &session, REQUESTS);
    eprintln!("{REQUESTS} requests of a hot session: {scripts} scripts, {commands} commands");
    assert!(scripts <= 10, "{scripts}");
    assert!(commands <= 100, "{commands}");
}

#[test]
fn without_a_near_cache_each_request_asks_once() {
    let stage = Stage::start_with("near_cache = false");
    let session = stage.gateways[1].sign_in("ada");
    let (scripts, commands) = count(&stage, &session, REQUESTS);
    eprintln!("{REQUESTS} requests without near cache: {scripts} scripts, {commands} commands");
    let requests = u64::try_from(REQUESTS).unwrap();
    assert!((requests..requests + 50).contains(&scripts), "{scripts}");
    // The script, the time, the record.
    assert!(commands <= 3 * requests + 200, "{commands}");
}

/// With `idle` of two seconds, a use is written down every tenth of a second at most.
#[test]
fn a_busy_session_is_written_down_as_often_as_touch_interval_says() {
    let stage = Stage::start_with("idle = \"2s\"");
    let session = stage.gateways[1].sign_in("ada");
    let start = Instant::now();
    let (mut written, mut requests) = (0, 0);
    while start.elapsed() < Duration::from_secs(2) {
        written += count(&stage, &session, 100).0;
        requests += 100;
    }
    let intervals = u64::try_from(start.elapsed().as_millis() / 100).unwrap();
    eprintln!("{requests} requests in {intervals} intervals: {written} scripts");
    // Written down, and read again: twice where the word that it has changed comes after the first time.
    assert!(written <= 3 * intervals + 10, "{written} in {intervals} intervals");
    assert!(written >= intervals / 4, "it would have idled out: {written}");
}

/// What other sessions there are does not matter to a look-up.
#[test]
fn a_million_keys_make_no_look_up_dearer() {
    const MANY: &str = "1000000";
    let stage = Stage::start_with("near_cache = false\nstore_timeout = \"1m\"");
    let session = stage.gateways[1].sign_in("ada");
    // How many commands, and how many microseconds a script takes Redis.
    let cost = || {
        stage.redis.tell(&["CONFIG", "RESETSTAT"]);
        let (_, commands) = count(&stage, &session, REQUESTS);
        let stats = stage.redis.ask(&["INFO", "commandstats"]).text();
        let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha:")).unwrap();
        let time = line.split("usec_per_call=").nth(1).unwrap().split(',').next().unwrap();
        (commands, time.parse::<f64>().unwrap())
    };
    let few = cost();
    stage.redis.tell(&["DEBUG", "POPULATE", MANY, "igw:s", "200"]);
    let fill = "local all = {} for i = 1, ARGV[1] do all[#all + 1] = '1e15' all[#all + 1] = i \
                if #all == 1000 then redis.call('ZADD', KEYS[1], unpack(all)) all = {} end end \
                return redis.call('ZCARD', KEYS[1])";
    let filled = stage.redis.ask(&["EVAL", fill, "1", "igw:all", MANY]);
    assert!(filled.number() > 1_000_000, "{filled:?}");
    let many = cost();
    eprintln!(
        "{REQUESTS} look-ups: {} commands, {} µs each; among {MANY} keys: {} and {} µs",
        few.0, few.1, many.0, many.1
    );
    assert!(many.0 <= few.0 + few.0 / 10, "{} and {} commands", few.0, many.0);
    assert!(many.1 <= few.1 * 10.0, "{} and {} µs", few.1, many.1);
}
