//! Commands that ask a running gateway by its listener for operators.

mod client;
mod table;

use std::io::{IsTerminal, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::{ConfigFile, Failure, say};
use crate::app;
pub(super) use client::{Client, refusal};
pub(super) use table::{Table, plain};

#[derive(clap::Subcommand)]
pub(super) enum Sessions {
    /// List the sessions
    List(List),
    /// End a session
    Revoke(Revoke),
    /// End all sessions of a user
    RevokeUser(RevokeUser),
}

#[derive(clap::Subcommand)]
pub(super) enum Bans {
    /// List who has to wait before the next attempt to sign in
    List(Asking),
    /// Lift a ban
    Lift(Lift),
}

#[derive(clap::Args)]
pub(super) struct Asking {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    asking: Asking,
    /// Those of this user only
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    asking: Asking,
    /// The session's fingerprint, from the list or the log
    #[arg(value_name = "FINGERPRINT")]
    fingerprint: String,
}

#[derive(clap::Args)]
pub(super) struct RevokeUser {
    #[command(flatten)]
    asking: Asking,
    /// The user's name
    #[arg(value_name = "NAME")]
    name: String,
}

#[derive(clap::Args)]
pub(super) struct Lift {
    #[command(flatten)]
    asking: Asking,
    /// The ban's id, from the list
    #[arg(value_name = "ID")]
    id: String,
}

/// How many sessions are asked for at once.
const PAGE: usize = 1000;

pub(super) fn sessions(command: &Sessions) -> Result<(), Failure> {
    match command {
        Sessions::List(list) => list_sessions(list),
        Sessions::Revoke(revoke) => {
            let target = format!("/sessions/{}", encoded(&revoke.fingerprint));
            end(&revoke.asking, &target, "session")
        }
        Sessions::RevokeUser(user) => {
            end(&user.asking, &format!("/sessions?user={}", encoded(&user.name)), "session")
        }
    }
}

pub(super) fn bans(command: &Bans) -> Result<(), Failure> {
    match command {
        Bans::List(asking) => {
            let answer = connect(asking)?.ask("GET", "/bans")?;
            let bans = rows(&answer, "bans");
            if asking.json {
                return say::answer(&Value::from(bans).to_string());
            }
            let mut table = Table::new(["ID", "SCOPE", "USER", "CLIENT", "UNTIL", "FAILURES"]);
            for ban in &bans {
                table.add(ban, ["id", "scope", "user", "client", "until", "failures"]);
            }
            say::answer(&table.text())
        }
        Bans::Lift(lift) => end(&lift.asking, &format!("/bans/{}", encoded(&lift.id)), "ban"),
    }
}

pub(super) fn status(asking: &Asking) -> Result<(), Failure> {
    let status = connect(asking)?.ask("GET", "/status")?;
    if asking.json {
        return say::answer(&status.to_string());
    }
    let uptime = std::time::Duration::from_secs(status["uptime_seconds"].as_u64().unwrap_or(0));
    let obstacles: Vec<_> = status["obstacles"].as_array().into_iter().flatten().collect();
    let obstacles: Vec<_> = obstacles.iter().filter_map(|it| it.as_str()).collect();
    let ready = if obstacles.is_empty() {
        "yes".to_owned()
    } else {
        format!("no: {}", obstacles.join(", "))
    };
    let (store, upstream) = (&status["store"], &status["upstream"]);
    let known = if store["known"] == true { "" } else { ", does not answer" };
    let up = if upstream["up"] == true { "up" } else { "down" };
    let last = upstream["last_answer"].as_str().map(|last| format!(", last answer {last}"));
    let version = upstream["version"].as_str().map(|version| format!(", {version}"));
    let lines = [
        ("version", table::cell(&status["version"])),
        ("uptime", humantime::format_duration(uptime).to_string()),
        ("ready", ready),
        ("sessions", table::cell(&status["sessions"])),
        ("store", format!("{}{known}", table::cell(&store["kind"]))),
        ("upstream", format!("{up}{}{}", version.unwrap_or_default(), last.unwrap_or_default())),
        ("bans", table::cell(&status["bans"])),
    ];
    let certificates = status["certificates"].as_array().into_iter().flatten();
    let certificates = certificates.map(|it| ("tls", certificate_line(it)));
    let providers = status["providers"].as_array().into_iter().flatten();
    let providers = providers.map(|it| ("provider", provider_line(it)));
    let lines = lines.into_iter().chain(certificates).chain(providers);
    let lines: Vec<_> = lines.map(|(name, value)| format!("{name:9} {}", plain(&value))).collect();
    say::answer(&lines.join("\n"))
}

/// Whose keys are there, and since when and why they cannot be read.
fn provider_line(provider: &Value) -> String {
    let cell = |key: &str| table::cell(&provider[key]);
    let id = provider["id"].as_str().map(|id| format!(" {id}")).unwrap_or_default();
    let read = provider["last_read"].as_str().map(|read| format!(", last read {read}"));
    let failing = provider["failing_since"].as_str();
    let failing = failing.map(|since| format!(", failing since {since}: {}", cell("reason")));
    let (read, failing) = (read.unwrap_or_default(), failing.unwrap_or_default());
    format!("{}{id} {}: keys: {}{read}{failing}", cell("table"), cell("issuer"), cell("keys"))
}

/// To whom a certificate is shown, and until when it is valid.
fn certificate_line(certificate: &Value) -> String {
    let cell = |key: &str| table::cell(&certificate[key]);
    let to = match certificate["listener"].as_str() {
        Some(listener) => format!("to clients at {listener}"),
        None => "to the upstream".to_owned(),
    };
    format!("{to}: {}, valid until {}", cell("file"), cell("not_after"))
}

fn list_sessions(list: &List) -> Result<(), Failure> {
    let client = connect(&list.asking)?;
    let mut sessions = Vec::new();
    let mut progress = Progress::default();
    let user = list.user.as_deref().map(|user| format!("&user={}", encoded(user)));
    let mut after = String::new();
    loop {
        let user = user.as_deref().unwrap_or_default();
        let answer = client.ask("GET", &format!("/sessions?limit={PAGE}{user}{after}"))?;
        sessions.extend(rows(&answer, "sessions"));
        let Some(next) = answer["next"].as_str() else { break };
        after = format!("&after={}", encoded(next));
        progress.tell(sessions.len());
    }
    progress.end();
    // What was used while the list was made has come twice, last as it is now.
    let by =
        |session: &Value, key: &str| (table::cell(&session["user"]), table::cell(&session[key]));
    sessions.reverse();
    sessions.sort_by_key(|session| by(session, "fingerprint"));
    sessions.dedup_by_key(|session| by(session, "fingerprint"));
    sessions.sort_by_key(|session| by(session, "created"));
    if list.asking.json {
        return say::answer(&Value::from(sessions).to_string());
    }
    let heads = ["FINGERPRINT", "USER", "CREATED", "LAST USED", "EXPIRES", "CLIENT", "AGENT"];
    let mut table = Table::new(heads);
    for session in &sessions {
        let keys = ["fingerprint", "user", "created", "last_used", "expires", "client", "agent"];
        table.add(session, keys);
    }
    say::answer(&table.text())
}

/// Ends what is at `target`, a `thing`.
fn end(asking: &Asking, target: &str, thing: &str) -> Result<(), Failure> {
    let answer = connect(asking)?.ask("DELETE", target)?;
    let done = |key: &str| answer[key].as_u64().map(|count| (key.to_owned(), count));
    let (word, count) = done("revoked").or_else(|| done("lifted")).unwrap_or_default();
    if count == 0 {
        return Err(Failure::NotThere(format!("there is no such {thing}")));
    }
    if asking.json {
        return say::answer(&json!({ word: count }).to_string());
    }
    let plural = if count == 1 { "" } else { "s" };
    say::mention(&format!("{word} {count} {thing}{plural}"));
    Ok(())
}

/// How the gateway of the configuration at `path` says that it is.
pub(super) fn status_of(path: &Path) -> Result<Value, Failure> {
    connect_by(path)?.ask("GET", "/status")
}

fn connect(asking: &Asking) -> Result<Client, Failure> {
    connect_by(&asking.file.config)
}

fn connect_by(path: &Path) -> Result<Client, Failure> {
    let admin = app::load_config(path)?.admin.ok_or_else(|| {
        Failure::File(format!(
            "{}: there is no listener to ask; add [admin] with listen = \"127.0.0.1:9086\", and \
             start the gateway again",
            path.display()
        ))
    })?;
    Ok(Client::new(admin))
}

fn rows(answer: &Value, name: &str) -> Vec<Value> {
    answer[name].as_array().cloned().unwrap_or_default()
}

/// `text` for a path or a query: nothing in it means anything but itself.
fn encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02x}"),
    };
    text.bytes().map(encode).collect()
}

/// How far a long list is, on a terminal.
#[derive(Default)]
struct Progress(bool);

impl Progress {
    fn tell(&mut self, count: usize) {
        if std::io::stderr().is_terminal() {
            self.0 = true;
            let _ = write!(std::io::stderr(), "\r{count} sessions ...");
        }
    }

    fn end(&self) {
        if self.0 {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
