use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::{Asker, Influxd, Mode, User, rows};
use crate::support::*;

/// How many ask in each mode at once.
const ASKERS: usize = 2;

/// How much each of them has to see in each part of the story.
const ENOUGH: usize = 20;

/// What one of them has seen so far.
#[derive(Default)]
struct Tally {
    /// Rounds of one read, one `me` and one write that all succeeded, since the last change.
    good: AtomicUsize,
    /// Refusals because InfluxDB was not there, since the last change.
    unavailable: AtomicUsize,
    /// How often its session was over.
    signed_out: AtomicUsize,
}

/// Where the story is.
#[derive(Default)]
struct Story {
    /// InfluxDB may have forgotten its sessions by now.
    is_restarting: AtomicBool,
    is_over: AtomicBool,
}

/// One who asks all the time, until the story is over.
struct Worker<'a> {
    mode: Mode,
    user: &'a User,
    number: usize,
    asker: Asker<'a>,
    tally: &'a Tally,
    story: &'a Story,
    /// Each write's number, and whether InfluxDB has acknowledged it.
    writes: Vec<bool>,
}

impl Worker<'_> {
    fn run(mut self) -> (String, Vec<bool>) {
        while !self.story.is_over.load(Ordering::SeqCst) {
            if self.read() && self.me() && self.write() {
                self.tally.good.fetch_add(1, Ordering::SeqCst);
            }
        }
        (self.name(), self.writes)
    }

    fn name(&self) -> String {
        format!("{:?}-{}", self.mode, self.number)
    }

    /// A question of one's own, to which nobody else's answer fits.
    fn read(&mut self) -> bool {
        let own = format!("of-{}", self.name());
        let answer = self.asker.get(&format!("/api/v2/buckets?name={own}"));
        if !self.is_success(&answer) {
            return false;
        }
        let buckets = answer.json()["buckets"].as_array().unwrap().clone();
        let names: Vec<_> = buckets.iter().map(|bucket| bucket["name"].as_str().unwrap()).collect();
        assert_eq!(names, [own], "{}", self.name());
        true
    }

    fn me(&mut self) -> bool {
        let answer = self.asker.me();
        if !self.is_success(&answer) {
            return false;
        }
        assert_eq!(answer.json()["name"], *self.user.name, "{}", self.name());
        true
    }

    fn write(&mut self) -> bool {
        let line = format!("load,asker={} n={}i", self.name(), self.writes.len());
        let answer = self.asker.write(&line);
        let is_acknowledged = self.is_success(&answer);
        self.writes.push(is_acknowledged);
        is_acknowledged
    }

    /// Whether it is; otherwise it is an answer that InfluxDB's outage accounts for.
    fn is_success(&mut self, answer: &Answer) -> bool {
        let name = self.name();
        match answer.status {
            200 | 204 => return true,
            502..=504 => {
                let json = answer.json();
                let is_dialect = json["code"].is_string() && json["message"].is_string();
                // InfluxDB says so itself while it begins, once it listens.
                let is_starting =
                    json["status"] == "starting" && self.story.is_restarting.load(Ordering::SeqCst);
                assert!(is_dialect || is_starting, "{name}: {answer:?}");
                assert_eq!(answer.header("set-cookie"), None, "{name}: {answer:?}");
                self.tally.unavailable.fetch_add(1, Ordering::SeqCst);
            }
            401 => {
                assert_eq!(self.mode, Mode::InfluxdbUsers, "{name}: {answer:?}");
                let is_forgotten = self.story.is_restarting.load(Ordering::SeqCst);
                assert!(is_forgotten, "{name} is signed out by an outage: {answer:?}");
                wait_until("the gateway has given up the session, too", || {
                    self.asker.me().status == 401
                });
                self.tally.signed_out.fetch_add(1, Ordering::SeqCst);
                self.asker = Asker::new(self.mode, self.asker.gateway, self.user);
            }
            _ => panic!("{name}: {answer:?}"),
        }
        false
    }
}

#[test]
fn an_outage_of_influxdb_under_load_is_said_as_such_and_passes() {
    let mut influxd = Influxd::start();
    let users = Mode::ALL.map(|mode| influxd.add_user(&format!("{mode:?}")));
    for (mode, number) in everybody() {
        let bucket = serde_json::json!({
            "name": format!("of-{mode:?}-{number}"), "orgID": influxd.org, "retentionRules": [],
        });
        influxd.call("POST", "/api/v2/buckets", Some(bucket));
    }
    let known: Vec<_> = users.iter().collect();
    let gateways = Mode::ALL.map(|mode| mode.gateway(&influxd, &known));
    let (story, tallies) = (Story::default(), everybody().map(|_| Tally::default()));
    let wait_for = |what: &str, count: fn(&Tally) -> &AtomicUsize| {
        for tally in &tallies {
            count(tally).store(0, Ordering::SeqCst);
        }
        wait_until(what, || {
            story.is_over.load(Ordering::SeqCst)
                || tallies.iter().all(|tally| count(tally).load(Ordering::SeqCst) >= ENOUGH)
        });
    };

    let writes: Vec<_> = thread::scope(|scope| {
        let workers = everybody().into_iter().zip(&tallies).map(|((mode, number), tally)| {
            let index = Mode::ALL.iter().position(|&other| other == mode).unwrap();
            let (user, gateway) = (&users[index], &gateways[index]);
            let asker = Asker::new(mode, gateway, user);
            let story = &story;
            let worker = Worker { mode, user, number, asker, tally, story, writes: Vec::new() };
            scope.spawn(move || {
                let _over = OverWhenFailed(story);
                worker.run()
            })
        });
        let workers: Vec<_> = workers.collect();
        let _over = OverWhenFailed(&story);
        wait_for("everybody is served", |tally| &tally.good);
        influxd.kill();
        wait_for("everybody is told of the outage", |tally| &tally.unavailable);
        assert_sign_ins_without_influxdb(&gateways);
        story.is_restarting.store(true, Ordering::SeqCst);
        influxd.start_again();
        wait_for("everybody is served again", |tally| &tally.good);
        story.is_over.store(true, Ordering::SeqCst);
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });

    // InfluxDB's users have signed in once more each; all other sessions and tokens are what they were.
    for ((mode, number), tally) in everybody().into_iter().zip(&tallies) {
        let expected = usize::from(mode == Mode::InfluxdbUsers);
        assert_eq!(tally.signed_out.load(Ordering::SeqCst), expected, "{mode:?}-{number}");
    }
    assert_written_once(&influxd, &writes);
}

/// Whoever knows the users can be asked: InfluxDB cannot, the users file can.
fn assert_sign_ins_without_influxdb(gateways: &[Gateway; Mode::ALL.len()]) {
    for (mode, gateway) in
        Mode::ALL.into_iter().zip(gateways).filter(|(mode, _)| mode.has_session())
    {
        let request = post("/api/v2/signin", &[&basic(&format!("{mode:?}"), PASSWORD)]);
        let answer = gateway.connect().send(&request);
        let expected = if mode == Mode::InfluxdbUsers { 503 } else { 204 };
        assert_eq!(answer.status, expected, "{mode:?}: {answer:?}");
    }
}

/// What was acknowledged is there once; what was not, once at most.
fn assert_written_once(influxd: &Influxd, writes: &[(String, Vec<bool>)]) {
    let mut counts: HashMap<(String, usize), usize> = HashMap::new();
    for row in rows(influxd, "SELECT n, asker FROM load") {
        let number = usize::try_from(row[1].as_u64().unwrap()).unwrap();
        *counts.entry((row[2].as_str().unwrap().to_owned(), number)).or_default() += 1;
    }
    for (name, writes) in writes {
        for (number, &is_acknowledged) in writes.iter().enumerate() {
            let count = counts.remove(&(name.clone(), number)).unwrap_or_default();
            let is_right = count == 1 || count == 0 && !is_acknowledged;
            assert!(is_right, "{name}, write {number}, {is_acknowledged}: there {count} times");
        }
    }
    assert!(counts.is_empty(), "nobody has written {counts:?}");
}

/// Everybody who asks.
fn everybody() -> [(Mode, usize); Mode::ALL.len() * ASKERS] {
    std::array::from_fn(|index| (Mode::ALL[index / ASKERS], index % ASKERS))
}

/// Ends the story when somebody fails, or nobody else would end.
struct OverWhenFailed<'a>(&'a Story);

impl Drop for OverWhenFailed<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.is_over.store(true, Ordering::SeqCst);
        }
    }
}
