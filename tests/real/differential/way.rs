//! A way to ask InfluxDB: directly, or through a gateway.

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpStream};

use serde_json::Value;

use super::plain::Plain;
use super::questions::{Made, Question};
use crate::influxd::{Influxd, OPERATOR, OPERATOR_TOKEN, User};
use crate::modes::Mode;
use crate::support::*;

/// A way to ask.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// InfluxDB itself, with everybody's own token.
    Direct,
    /// InfluxDB itself, with the operator's token for everybody.
    DirectAsOperator,
    /// A gateway in this mode.
    Through(Mode),
}

impl Way {
    pub(super) fn all() -> Vec<Self> {
        let through = Mode::ALL.into_iter().map(Self::Through);
        [Self::Direct, Self::DirectAsOperator].into_iter().chain(through).collect()
    }

    pub(super) fn is_direct(self) -> bool {
        matches!(self, Self::Direct | Self::DirectAsOperator)
    }

    /// The way whose answers this one's have to be.
    pub(super) fn model(self) -> Option<Self> {
        match self {
            Self::Direct => None,
            Self::Through(Mode::SharedToken) => Some(Self::DirectAsOperator),
            Self::DirectAsOperator | Self::Through(_) => Some(Self::Direct),
        }
    }

    /// As the list of differences calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Direct => "directly",
            Self::DirectAsOperator => "directly as the operator",
            Self::Through(Mode::InfluxdbUsers) => "InfluxDB's users",
            Self::Through(Mode::OwnToken) => "own token",
            Self::Through(Mode::SharedToken) => "shared token",
            Self::Through(Mode::TokenPassed) => "token passed",
            Self::Through(Mode::TokenResolved) => "token resolved",
        }
    }

    /// An InfluxDB with these things made, and the gateway if there is one.
    pub(super) fn begin(self, things: &[Made]) -> World {
        let influxd = Influxd::start();
        let me = influxd.call("GET", "/api/v2/me", None);
        let root = User {
            id: text(&me["id"]),
            name: OPERATOR.to_owned(),
            token: OPERATOR_TOKEN.to_owned(),
            authorization: String::new(),
        };
        let (ada, eve) = (influxd.add_user("ada"), influxd.add_user("eve"));
        let known = [("org", &influxd.org), ("weather", &influxd.bucket), ("root", &root.id)];
        let people = [("ada", &ada.id), ("eve", &eve.id), ("ada_token", &ada.token)];
        let mut names: Vec<_> = known
            .into_iter()
            .chain(people)
            .map(|(name, id)| (name.to_owned(), id.clone()))
            .collect();
        names.push(("root_token".to_owned(), OPERATOR_TOKEN.to_owned()));
        let number = u64::from_str_radix(&influxd.org, 16).unwrap().to_string();
        let folder = influxd.folder().display().to_string();
        let address = influxd.address.to_string();
        let texts = [("org_number", number), ("folder", folder), ("address", address)];
        names.extend(texts.map(|(name, text)| (name.to_owned(), text)));
        for Made { name, path, body } in things {
            let body = serde_json::from_str(&filled(&names, body)).unwrap();
            let answer = influxd.call("POST", &filled(&names, path), Some(body));
            // A label comes in a wrapping.
            let id = answer.get("id").unwrap_or(&answer[name]["id"]);
            names.push((name.clone(), text(id)));
        }
        let forward = "[forward]\nv1 = true\nui = true\n";
        let gateway = match self {
            Self::Through(mode) => Some(mode.gateway_with(&influxd, &[&root, &ada, &eve], forward)),
            Self::Direct | Self::DirectAsOperator => None,
        };
        let mut credentials = BTreeMap::new();
        for user in [&root, &ada] {
            let credential = match (self, &gateway) {
                (Self::Through(mode), Some(gateway)) => mode.credential(gateway, user),
                (Self::DirectAsOperator, _) => format!("Authorization: Token {OPERATOR_TOKEN}"),
                _ => format!("Authorization: Token {}", user.token),
            };
            credentials.insert(user.name.clone(), credential);
        }
        let world = World { influxd, gateway, credentials, names };
        world.wait_until_the_run_has_ended();
        world
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// `pattern` with the ids instead of their names.
fn filled(names: &[(String, String)], pattern: &str) -> String {
    let mut text = pattern.to_owned();
    if text.contains('<') {
        for (name, id) in names {
            text = text.replace(&format!("<{name}>"), id);
        }
    }
    text
}

/// What one way has to itself.
pub(super) struct World {
    influxd: Influxd,
    gateway: Option<Gateway>,
    /// The header lines by which people ask.
    credentials: BTreeMap<String, String>,
    /// Names in questions and answers, and what they stand for here.
    names: Vec<(String, String)>,
}

impl World {
    pub(super) fn ask(&self, question: &Question) -> Plain {
        let credential = match &*question.by {
            "nobody" => String::new(),
            "eve" => self.new_session("eve"),
            user => self.credentials[user].clone(),
        };
        let bytes = question.bytes(|pattern| filled(&self.names, pattern), &credential);
        let answers = answers(self.address(), question.method(), bytes);
        Plain::of(&answers, &self.names, question.same)
    }

    fn address(&self) -> SocketAddr {
        self.gateway.as_ref().map_or(self.influxd.address, |gateway| gateway.address)
    }

    fn new_session(&self, name: &str) -> String {
        let signin = post("/api/v2/signin", &[&basic(name, PASSWORD)]);
        cookie(&Client::connect(self.address()).send(&signin).cookie())
    }

    /// InfluxDB runs tasks when it likes.
    fn wait_until_the_run_has_ended(&self) {
        let run = filled(&self.names, "/api/v2/tasks/<task>/runs/<run>");
        let token = format!("Authorization: Token {OPERATOR_TOKEN}");
        wait_until("the run has ended", || {
            let run = self.influxd.send(&get(&run, &[&token]));
            run.status == 200 && run.json()["status"] == "success"
        });
    }
}

/// What comes back for a request, the interim answers first; nothing where the connection just ends.
fn answers(address: SocketAddr, method: &str, request: Vec<u8>) -> Vec<Answer> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut writer = stream.try_clone().unwrap();
    // Whoever refuses a body may not read it.
    let writing = std::thread::spawn(move || {
        let _ = std::io::Write::write_all(&mut writer, &request);
    });
    let mut reader = std::io::BufReader::new(stream.try_clone().unwrap());
    let mut answers = Vec::new();
    while std::io::BufRead::fill_buf(&mut reader).is_ok_and(|bytes| !bytes.is_empty()) {
        answers.push(Answer::read(&mut reader, method));
        if answers.last().is_some_and(|answer| answer.status >= 200) {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
    writing.join().unwrap();
    answers
}
