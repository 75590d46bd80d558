use std::fmt::Write as _;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Asker, Influxd, Mode, User, between, wait_long};
use crate::influxd::OPERATOR_TOKEN;
use crate::support::*;

/// An InfluxDB whose operator changes something, and what was measured then.
struct Story {
    influxd: Influxd,
    measured: Mutex<Vec<(String, Duration)>>,
}

impl Story {
    fn change_user(&self, user: &User, change: &serde_json::Value) {
        let target = format!("/api/v2/users/{}", user.id);
        self.influxd.call("PATCH", &target, Some(change.clone()));
    }

    fn set_active(&self, user: &User, is_active: bool) {
        self.change_user(user, &json!({ "status": status(is_active) }));
    }

    fn delete_user(&self, user: &User) {
        self.influxd.call("DELETE", &format!("/api/v2/users/{}", user.id), None);
    }

    fn set_token_active(&self, id: &str, is_active: bool) {
        let target = format!("/api/v2/authorizations/{id}");
        self.influxd.call("PATCH", &target, Some(json!({ "status": status(is_active) })));
    }

    fn delete_token(&self, id: &str) {
        self.influxd.call("DELETE", &format!("/api/v2/authorizations/{id}"), None);
    }

    /// Measures how long it takes from now until `condition` holds.
    fn measure(&self, what: &str, condition: impl Fn() -> bool) {
        let start = Instant::now();
        wait_long(what, condition);
        self.measured.lock().unwrap().push((what.to_owned(), start.elapsed()));
    }

    /// What was measured, as a table, also in `target/tmp/changes.md`.
    fn tell(&self) {
        let mut measured = self.measured.lock().unwrap().clone();
        measured.sort();
        let mut table = "| in InfluxDB | seconds |\n|---|--:|\n".to_owned();
        for (what, time) in measured {
            writeln!(table, "| {what} | {:.2} |", time.as_secs_f64()).unwrap();
        }
        eprintln!("{table}");
        std::fs::write(repository().join("target/tmp/changes.md"), table).unwrap();
    }
}

fn status(is_active: bool) -> &'static str {
    if is_active { "active" } else { "inactive" }
}

/// Status and message of a refusal.
fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["message"].as_str().unwrap_or_default().to_owned())
}

fn inactive() -> (u16, String) {
    (403, "User is inactive".to_owned())
}

fn unauthorized() -> (u16, String) {
    (401, "unauthorized access".to_owned())
}

/// InfluxDB lets nothing be read or written by an inactive token; yet it answers what lists things, with
/// an empty list.
fn assert_is_inactive(asker: &Asker<'_>) {
    let message = "insufficient permissions for write: token is inactive";
    assert_eq!(refusal(&asker.write("m v=1")), (403, message.to_owned()));
    let list = asker.forwarded();
    assert_eq!((list.status, &list.json()["buckets"]), (200, &json!([])));
}

/// Whom the access log names as having asked what got `answer`; `-` if the gateway knows nobody.
fn logged_user(gateway: &Gateway, answer: &Answer) -> String {
    let id = format!("request_id={}", answer.header("x-request-id").unwrap());
    wait_until("the request is logged", || gateway.has_logged(&id));
    let log = gateway.log();
    let line = log.lines().rev().find(|line| line.contains(&id)).unwrap();
    between(line, " user=", " ").unwrap().to_owned()
}

/// What InfluxDB's operator changes past the gateway, with every default.
pub(super) fn what_the_operator_changes_in_influxdb_counts_at_the_gateway() {
    let story = Story { influxd: Influxd::start(), measured: Mutex::default() };
    thread::scope(|scope| {
        scope.spawn(|| influxdbs_users(&story));
        scope.spawn(|| deleted_users(&story));
        scope.spawn(|| own_token(&story));
        scope.spawn(|| shared_token(&story));
        scope.spawn(|| token_passed(&story));
        scope.spawn(|| token_resolved(&story));
    });
    story.tell();
}

fn influxdbs_users(story: &Story) {
    let users = ["stopped", "idle", "renamed", "changed"].map(|name| story.influxd.add_user(name));
    let gateway = Mode::InfluxdbUsers.gateway(&story.influxd, &[]);
    let askers = users.each_ref().map(|user| Asker::new(Mode::InfluxdbUsers, &gateway, user));
    let [stopped, idle, renamed, changed] = &askers;

    // What InfluxDB is asked anyhow, it answers itself; and the gateway looks into its refusal.
    story.set_active(&users[0], false);
    assert_eq!(refusal(&stopped.forwarded()), inactive());
    story.measure("session, user inactive, after a request that was forwarded", || {
        stopped.me().status == 403
    });
    story.set_active(&users[0], true);
    story.measure("session, user active again", || stopped.forwarded().status == 200);

    story.influxd.set_password(&users[3].id, "battery staple");
    let sign_in = |password| {
        let request = post("/api/v2/signin", &[&basic("changed", password)]);
        gateway.connect().send(&request).status
    };
    assert_eq!((sign_in(PASSWORD), sign_in("battery staple")), (401, 204));

    // What the gateway answers by itself, it knows as of the last time it has asked.
    story.set_active(&users[1], false);
    story.change_user(&users[2], &json!({ "name": "Anew" }));
    thread::scope(|scope| {
        scope.spawn(|| {
            story.measure("session, user inactive, only `me` is asked", || idle.me().status == 403);
        });
        scope.spawn(|| {
            story.measure("session, user renamed", || renamed.me().json()["name"] == "Anew");
        });
    });
    let answer = renamed.forwarded();
    assert_eq!((answer.status, logged_user(&gateway, &answer)), (200, "Anew".to_owned()));
    // Another password has ended no session, here as there.
    assert_eq!((changed.me().status, changed.forwarded().status), (200, 200));
}

/// InfluxDB refuses the session of a deleted user in the words it has for an inactive one.
fn deleted_users(story: &Story) {
    let users = ["gone", "gone too", "gone idly"].map(|name| story.influxd.add_user(name));
    let blind = Mode::InfluxdbUsers.gateway(&story.influxd, &[]);
    let url = format!("http://{}", story.influxd.address);
    let config = "token_file = \"shared.token\"\n[users]\nsource = \"influxdb\"\n";
    let folder = Gateway::prepare(&url, config, "");
    std::fs::write(folder.path().join("shared.token"), OPERATOR_TOKEN).unwrap();
    let knowing = Gateway::start_in(folder);
    let gateways = [&blind, &knowing, &knowing];
    let [at_blind, at_knowing, idle] =
        [0, 1, 2].map(|n| Asker::new(Mode::InfluxdbUsers, gateways[n], &users[n]));
    for user in &users {
        story.delete_user(user);
    }
    assert_eq!(refusal(&at_blind.forwarded()), inactive());
    story.measure("session, user deleted, after a request that was forwarded: 403", || {
        refusal(&at_blind.me()) == inactive()
    });
    assert_eq!(refusal(&at_knowing.forwarded()), inactive());
    story.measure("session, user deleted, with `upstream.token_file`: 401", || {
        at_knowing.forwarded().status == 401
    });
    story.measure(
        "session, user deleted, with `upstream.token_file`, only `me` is asked: 401",
        || idle.me().status == 401,
    );
    assert_eq!(refusal(&at_blind.me()), inactive());
}

/// The token is refused by InfluxDB itself; the session is the users file's affair.
fn own_token(story: &Story) {
    let users = ["own", "own-gone"].map(|name| story.influxd.add_user(name));
    let known: Vec<_> = users.iter().collect();
    let gateway = Mode::OwnToken.gateway(&story.influxd, &known);
    let [asker, gone] = users.each_ref().map(|user| Asker::new(Mode::OwnToken, &gateway, user));
    changes_to_a_token(story, &users[0], &asker);
    story.delete_user(&users[1]);
    assert_eq!(refusal(&gone.forwarded()), inactive());
    for (asker, name) in [(asker, "own"), (gone, "own-gone")] {
        assert_eq!(asker.me().json()["name"], name);
    }
    gateway.sign_in("own");
}

fn token_passed(story: &Story) {
    let users = ["passed", "passed-gone"].map(|name| story.influxd.add_user(name));
    let gateway = Mode::TokenPassed.gateway(&story.influxd, &[&users[0]]);
    let [asker, gone] = users.each_ref().map(|user| Asker::new(Mode::TokenPassed, &gateway, user));
    changes_to_a_token(story, &users[0], &asker);
    story.delete_user(&users[1]);
    assert_eq!(refusal(&gone.forwarded()), inactive());
}

/// Each change counts for the next request. At the end, the token is gone.
fn changes_to_a_token(story: &Story, user: &User, asker: &Asker<'_>) {
    assert_eq!(asker.forwarded().status, 200);
    story.set_active(user, false);
    assert_eq!(refusal(&asker.forwarded()), inactive());
    story.set_active(user, true);
    assert_eq!(asker.forwarded().status, 200);
    story.influxd.set_password(&user.id, "battery staple");
    story.change_user(user, &json!({ "name": format!("{} anew", user.name) }));
    assert_eq!(asker.forwarded().status, 200);
    story.set_token_active(&user.authorization, false);
    assert_is_inactive(asker);
    story.set_token_active(&user.authorization, true);
    assert_eq!(asker.forwarded().status, 200);
    story.delete_token(&user.authorization);
    assert_eq!(refusal(&asker.forwarded()), unauthorized());
}

/// Users of the file need not be InfluxDB's. What becomes of the token hits all of them.
fn shared_token(story: &Story) {
    let owner = story.influxd.add_user("owner");
    let url = format!("http://{}", story.influxd.address);
    let folder = Gateway::prepare(&url, "token_file = \"shared.token\"\n", &users(&["ada", "bob"]));
    std::fs::write(folder.path().join("shared.token"), &owner.token).unwrap();
    let gateway = Gateway::start_in(folder);
    let [ada, bob] = ["ada", "bob"].map(|name| User { name: name.to_owned(), ..owner.clone() });
    let askers = [ada, bob].map(|user| Asker::new(Mode::SharedToken, &gateway, &user));
    let all = || askers.each_ref().map(|asker| asker.forwarded().status);
    assert_eq!(all(), [200; 2]);
    story.set_active(&owner, false);
    assert_eq!(all(), [403; 2]);
    story.set_active(&owner, true);
    assert_eq!(all(), [200; 2]);
    story.set_token_active(&owner.authorization, false);
    askers.iter().for_each(assert_is_inactive);
    story.set_token_active(&owner.authorization, true);
    assert_eq!(all(), [200; 2]);
    story.delete_token(&owner.authorization);
    assert_eq!(all(), [401; 2]);
    assert_eq!(askers.each_ref().map(|asker| asker.me().status), [200; 2]);
    let file = gateway.folder().join("shared.token");
    std::fs::write(file.with_extension("new"), OPERATOR_TOKEN).unwrap();
    std::fs::rename(file.with_extension("new"), &file).unwrap();
    story.measure("another token in `upstream.token_file`", || all() == [200; 2]);
}

/// What InfluxDB refuses, it refuses at once; what the gateway knows of the owner is up to a minute old.
fn token_resolved(story: &Story) {
    let names =
        ["stopped owner", "renamed owner", "gone owner", "of no token", "of a stopped token"];
    let users = names.map(|name| story.influxd.add_user(name));
    let gateway = Mode::TokenResolved.gateway(&story.influxd, &[]);
    let askers = users.each_ref().map(|user| Asker::new(Mode::TokenResolved, &gateway, user));
    let [stopped, renamed, gone, revoked, inert] = &askers;
    let known = |asker: &Asker<'_>| logged_user(&gateway, &asker.forwarded());
    for (asker, name) in askers.iter().zip(names) {
        assert_eq!(known(asker), name.replace(' ', "%20"));
    }
    story.set_active(&users[0], false);
    story.change_user(&users[1], &json!({ "name": "another" }));
    story.delete_user(&users[2]);
    story.delete_token(&users[3].authorization);
    story.set_token_active(&users[4].authorization, false);
    assert_eq!(refusal(&stopped.forwarded()), inactive());
    assert_eq!(renamed.forwarded().status, 200);
    assert_eq!(refusal(&gone.forwarded()), inactive());
    assert_eq!(refusal(&revoked.forwarded()), unauthorized());
    assert_is_inactive(inert);

    let measure = |what: &str, asker: &Asker<'_>, name: &str| {
        story.measure(&format!("resolved token, {what}"), || known(asker) == name);
    };
    let measure = &measure;
    thread::scope(|scope| {
        scope.spawn(|| {
            measure("user inactive, as the gateway knows", stopped, "-");
            assert_eq!(refusal(&stopped.forwarded()), inactive());
            story.set_active(&users[0], true);
            story
                .measure("resolved token, user active again", || stopped.forwarded().status == 200);
        });
        scope.spawn(|| measure("user renamed, in the log", renamed, "another"));
        scope.spawn(|| measure("user deleted, as the gateway knows", gone, "-"));
        scope.spawn(|| measure("token deleted, as the gateway knows", revoked, "-"));
        scope.spawn(|| {
            measure("token inactive, as the gateway knows", inert, "-");
            assert_eq!(refusal(&inert.forwarded()), unauthorized());
        });
    });
}
