//! What a gateway lives through with a real InfluxDB: outages, sessions that end there, users and tokens
//! that its operator changes there, and whom it counts.

use std::thread;
use std::time::{Duration, Instant};

use crate::influxd::{Influxd, User};
use crate::modes::Mode;
use crate::support::*;

/// What the operator changes in InfluxDB, and how soon a gateway acts.
mod changes;
/// InfluxDB killed and started again while it is being asked.
mod outage;
/// A session that two gateways share.
mod shared;
/// InfluxDB's sessions of one minute.
mod short_sessions;
/// Whom InfluxDB's statistics of users count.
mod statistics;

/// The credential by which a user asks a gateway, and how it is asked.
struct Asker<'a> {
    gateway: &'a Gateway,
    credential: String,
}

impl<'a> Asker<'a> {
    fn new(mode: Mode, gateway: &'a Gateway, user: &User) -> Self {
        Self { gateway, credential: mode.credential(gateway, user) }
    }

    /// Asks for `target` on a connection of its own.
    fn get(&self, target: &str) -> Answer {
        self.gateway.connect().send(&get(target, &[&self.credential]))
    }

    /// What is forwarded in every mode.
    fn forwarded(&self) -> Answer {
        self.get("/api/v2/buckets?limit=1")
    }

    /// What the gateway answers by itself where it has sessions.
    fn me(&self) -> Answer {
        self.get("/api/v2/me")
    }

    /// Writes one point, of which InfluxDB says when it was: the same line once more is another point.
    fn write(&self, line: &str) -> Answer {
        let target = "/api/v2/write?org=home&bucket=weather";
        self.gateway.connect().send(&with_body("POST", target, &[&self.credential], line))
    }
}

/// What comes between `before` and `after` in `text`.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.split_once(before)?.1.split_once(after).map(|(found, _)| found)
}

/// The rows that a query has, which InfluxDB is asked directly.
fn rows(influxd: &Influxd, query: &str) -> Vec<Vec<serde_json::Value>> {
    let target = format!("/query?db=weather&q={}", query.replace(' ', "+"));
    let answer = influxd.call("GET", &target, None);
    let rows = answer["results"][0]["series"][0]["values"].as_array();
    let row = |row: &serde_json::Value| row.as_array().unwrap().clone();
    rows.unwrap_or_else(|| panic!("{query}: {answer}")).iter().map(row).collect()
}

/// For what happens at InfluxDB or at the gateway by the minute. Looks five times a second, so that the
/// logs of those who wait stay short.
fn wait_long(what: &str, condition: impl Fn() -> bool) {
    let end = Instant::now() + 10 * PATIENCE;
    while !condition() {
        assert!(Instant::now() < end, "waited in vain until {what}");
        thread::park_timeout(Duration::from_millis(200));
    }
}

/// Nobody can hurry a real InfluxDB, so whoever has to wait a minute for it waits at the same time.
#[test]
fn what_takes_a_minute() {
    thread::scope(|scope| {
        scope.spawn(short_sessions::a_session_of_one_minute_ends_only_where_nothing_renews_it);
        scope.spawn(changes::what_the_operator_changes_in_influxdb_counts_at_the_gateway);
    });
}
