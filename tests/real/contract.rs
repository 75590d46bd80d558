use serde_json::json;

use crate::exchanges::{Asked, Exchange, Expected, Replay, Script, matches};
use crate::influxd::Influxd;
use crate::support::*;

/// A real InfluxDB whose users are those of the exchanges.
struct Contract {
    influxd: Influxd,
    /// What is another with it than it is written in the exchanges.
    words: Vec<(&'static str, String)>,
}

impl Contract {
    fn start() -> Self {
        let influxd = Influxd::start();
        let [ada, bob, gone] = ["ada", "bob", "gone"].map(|name| influxd.add_user(name));
        let target = format!("/api/v2/users/{}", gone.id);
        influxd.call("PATCH", &target, Some(json!({ "status": "inactive" })));
        let ping = influxd.send(&get("/ping", &[]));
        let version = ping.header("x-influxdb-version").unwrap().to_owned();
        let words = vec![
            // What `users` of the gateway's tests counts.
            ("0000000000000001", ada.id),
            ("0000000000000002", bob.id),
            ("0000000000000003", gone.id),
            ("{token}", ada.token),
            ("{version}", version),
            ("{org}", influxd.org.clone()),
        ];
        Self { influxd, words }
    }

    /// What the exchanges of one file change, for those of the next.
    fn restore_passwords(&self) {
        for (_, id) in &self.words[..2] {
            self.influxd.set_password(id, PASSWORD);
        }
    }
}

impl Asked for Contract {
    fn send(&self, request: &str) -> Answer {
        self.influxd.send(request)
    }

    fn sign_in(&self, name: &str) -> String {
        let answer = self.send(&post("/api/v2/signin", &[&basic(name, PASSWORD)]));
        assert_eq!(answer.status, 204, "{answer:?}");
        answer.cookie()
    }

    fn words(&self) -> Vec<(&str, String)> {
        self.words.clone()
    }
}

/// What is the gateway's own wherever it is expected, as `conformance/everywhere` has it: its line, and
/// InfluxDB's in its place.
fn everywhere() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(repository().join("tests/conformance/everywhere")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parse = |line: &str| {
        let [gateway, influxdb, _why] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{line:?} does not have three parts")
        };
        (gateway.to_owned(), influxdb.to_owned())
    };
    lines.map(parse).collect()
}

/// What is expected of InfluxDB: what is of the gateway, unless something else is said.
fn expected(exchange: &Exchange, everywhere: &[(String, String)]) -> Expected {
    if let Some(otherwise) = &exchange.influxdb {
        return otherwise.answer.clone();
    }
    let mut expected = exchange.gateway.clone();
    for line in &mut expected.headers {
        if let Some((_, influxdb)) = everywhere.iter().find(|(own, _)| matches(own, line)) {
            line.clone_from(influxdb);
        }
    }
    expected
}

#[test]
fn influxdb_answers_every_exchange_as_recorded() {
    let everywhere = everywhere();
    let (mut asked, mut otherwise, mut failures) = (0, Vec::new(), Vec::new());
    let contract = Contract::start();
    for script in Script::all() {
        contract.restore_passwords();
        let mut replay = Replay::new(&contract);
        for exchange in &script.exchanges {
            let title = format!("{}: {}", script.file, exchange.title);
            let answer = replay.ask(exchange);
            asked += 1;
            let checked = expected(exchange, &everywhere)
                .check(&answer, |line| replay.expand(line))
                .and_then(|()| is_another(exchange, &answer));
            failures.extend(checked.err().map(|what| format!("{title}: {what}")));
            let why = exchange.influxdb.as_ref().map(|otherwise| &otherwise.why);
            otherwise.extend(why.map(|why| format!("{title}: {} {why}", answer.status)));
        }
    }
    eprintln!(
        "{asked} exchanges asked of InfluxDB; {} it answers otherwise than the gateway:\n{}",
        otherwise.len(),
        otherwise.join("\n")
    );
    assert!(failures.is_empty(), "{} of {asked}:\n{}", failures.len(), failures.join("\n"));
    assert!(asked >= 372, "only {asked} exchanges");
    assert!(otherwise.len() <= 70, "{} of them are said to be otherwise", otherwise.len());
}

/// Where InfluxDB is said to answer otherwise, it must not answer as the gateway does.
fn is_another(exchange: &Exchange, answer: &Answer) -> Result<(), String> {
    let is_said = exchange.influxdb.is_some();
    if is_said && exchange.gateway.check(answer, str::to_owned).is_ok() {
        return Err("it answers as the gateway does".to_owned());
    }
    Ok(())
}
