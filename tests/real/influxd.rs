//! A real InfluxDB 2, with a folder of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::*;

/// The organisation and the bucket that there are at first.
pub(crate) const ORG: &str = "home";
pub(crate) const BUCKET: &str = "weather";

/// Who set InfluxDB up, with [`PASSWORD`], and the operator token.
pub(crate) const OPERATOR: &str = "root";
pub(crate) const OPERATOR_TOKEN: &str = "operator-token-that-nobody-else-has";

/// What an organisation has that a token may read or write.
const KINDS: [&str; 20] = [
    "annotations",
    "authorizations",
    "buckets",
    "checks",
    "dashboards",
    "dbrp",
    "documents",
    "labels",
    "notebooks",
    "notificationEndpoints",
    "notificationRules",
    "remotes",
    "replications",
    "scrapers",
    "secrets",
    "sources",
    "tasks",
    "telegrafs",
    "variables",
    "views",
];

/// A running InfluxDB; killed when dropped.
pub(crate) struct Influxd {
    pub(crate) address: SocketAddr,
    /// The id of [`ORG`].
    pub(crate) org: String,
    /// The id of [`BUCKET`].
    pub(crate) bucket: String,
    folder: tempfile::TempDir,
    flags: Vec<String>,
    child: Child,
}

/// One of InfluxDB's users, with [`PASSWORD`].
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    /// An API token that may do all that there is to be done in [`ORG`].
    pub(crate) token: String,
    /// The token's own id.
    pub(crate) authorization: String,
}

impl Influxd {
    /// Set up, with every default.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Set up, with these flags.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        let mut influxd = Self::start_fresh(flags);
        let setup = json!({
            "username": OPERATOR, "password": PASSWORD, "org": ORG, "bucket": BUCKET, "token": OPERATOR_TOKEN,
        });
        let made = influxd.call("POST", "/api/v2/setup", Some(setup));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (influxd.org, influxd.bucket) = (text(&made["org"]["id"]), text(&made["bucket"]["id"]));
        influxd
    }

    /// As installed: nobody has set it up.
    pub(crate) fn start_fresh(flags: &[&str]) -> Self {
        let influxd = Self::begin(flags);
        influxd.wait_until_it_serves();
        influxd
    }

    /// The same without waiting for it.
    pub(crate) fn begin(flags: &[&str]) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), closed_port());
        let flags: Vec<_> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let child = launch(&folder, address, &flags);
        Self { address, org: String::new(), bucket: String::new(), folder, flags, child }
    }

    /// SIGKILL, and its end.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }

    /// Starts it once more, where it was and with what it had, after [`kill`](Self::kill).
    pub(crate) fn start_again(&mut self) {
        self.child = launch(&self.folder, self.address, &self.flags);
        self.wait_until_it_serves();
    }

    /// Starts it once more so that it fails, and does no more than say so, until it is killed.
    pub(crate) fn start_in_vain(&mut self) {
        let no_folder = self.folder.path().join("bolt");
        let in_vain = [
            format!("--engine-path={}", no_folder.display()),
            "--startup-error-linger=30m".to_owned(),
        ];
        let flags = [&self.flags[..], &in_vain].concat();
        self.child = launch(&self.folder, self.address, &flags);
        wait_until("InfluxDB has failed to start", || {
            std::net::TcpStream::connect(self.address).is_ok()
                && self.send(&get("/health", &[])).status == 503
        });
    }

    /// `/health` and `/ready` may be there before the rest is.
    fn wait_until_it_serves(&self) {
        wait_until("InfluxDB serves", || {
            std::net::TcpStream::connect(self.address).is_ok()
                && self.send(&get("/api/v2/setup", &[])).status == 200
        });
    }

    /// All that it keeps is in it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Asks it directly, on a connection of its own.
    pub(crate) fn send(&self, request: &str) -> Answer {
        Client::connect(self.address).send(request)
    }

    /// Asks it as the operator, for JSON; this must succeed.
    pub(crate) fn call(&self, method: &str, target: &str, body: Option<Value>) -> Value {
        let token = format!("Authorization: Token {OPERATOR_TOKEN}");
        let request = match body {
            Some(body) => {
                let headers = [token.as_str(), "Content-Type: application/json"];
                with_body(method, target, &headers, &body.to_string())
            }
            None => request(method, target, &[&token]),
        };
        let answer = self.send(&request);
        assert!((200..300).contains(&answer.status), "{method} {target}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    /// A new user, member of [`ORG`].
    pub(crate) fn add_user(&self, name: &str) -> User {
        let made = self.call("POST", "/api/v2/users", Some(json!({ "name": name })));
        let id = made["id"].as_str().unwrap().to_owned();
        self.set_password(&id, PASSWORD);
        let owners = format!("/api/v2/orgs/{}/owners", self.org);
        self.call("POST", &owners, Some(json!({ "id": id })));
        let (authorization, token) = self.add_token(&id);
        User { id, name: name.to_owned(), token, authorization }
    }

    /// Another password for the user of this id, by the operator.
    pub(crate) fn set_password(&self, id: &str, password: &str) {
        let target = format!("/api/v2/users/{id}/password");
        self.call("POST", &target, Some(json!({ "password": password })));
    }

    /// An API token of that user for all of [`ORG`], and for who it is: its id and itself.
    pub(crate) fn add_token(&self, user: &str) -> (String, String) {
        let mut permissions = Vec::new();
        for action in ["read", "write"] {
            for kind in KINDS {
                let resource = json!({ "type": kind, "orgID": self.org });
                permissions.push(json!({ "action": action, "resource": resource }));
            }
            let org = json!({ "type": "orgs", "id": self.org });
            permissions.push(json!({ "action": action, "resource": org }));
            let own = json!({ "type": "users", "id": user });
            permissions.push(json!({ "action": action, "resource": own }));
        }
        let wanted = json!({ "orgID": self.org, "userID": user, "permissions": permissions });
        let made = self.call("POST", "/api/v2/authorizations", Some(wanted));
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        (text("id"), text("token"))
    }
}

impl Drop for Influxd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn launch(folder: &tempfile::TempDir, address: SocketAddr, flags: &[String]) -> Child {
    let program = repository().join("target/influxd/influxd");
    assert!(program.exists(), "{} is missing; `make influxd` makes it", program.display());
    let path = |name: &str| folder.path().join(name);
    Command::new(program)
        .arg(format!("--http-bind-address={address}"))
        .arg(format!("--bolt-path={}", path("bolt").display()))
        .arg(format!("--sqlite-path={}", path("sqlite").display()))
        .arg(format!("--engine-path={}", path("engine").display()))
        .args(["--reporting-disabled", "--log-level=error"])
        .args(flags)
        // Nothing of whoever runs this.
        .env("HOME", folder.path())
        .env("INFLUXD_CONFIG_PATH", folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
