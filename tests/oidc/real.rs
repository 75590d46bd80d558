//! A real provider, oidc-provider: the whole of what a user does with one, by a script.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use serde_json::{Value, json};

use super::browser::Browser;
use super::provider::{CLIENT, SECRET, parameter};
use crate::support::*;

/// The provider; killed when dropped.
struct Real {
    child: Child,
    issuer: String,
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Real {
    fn start(gateway: SocketAddr) -> Self {
        let folder = repository().join("tests/oidc/node");
        let mut child = Command::new("node")
            .arg(folder.join("provider.mjs"))
            .args([CLIENT, SECRET, &format!("http://{gateway}")])
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node is installed by `make test-tools`");
        let mut issuer = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
        assert!(issuer.starts_with("http://"), "oidc-provider is installed by `make test-tools`");
        Self { child, issuer: issuer.trim().to_owned() }
    }

    fn address(&self) -> SocketAddr {
        self.issuer.strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// What a browser with these cookies gets there.
    fn send(&self, jar: &mut Vec<(String, String)>, request: &str) -> Answer {
        let pairs: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let line = cookie(&pairs.join("; "));
        let request = request.replacen("\r\n", &format!("\r\n{line}\r\n"), 1);
        let answer = Client::connect(self.address()).send(&request);
        for set in answer.all("set-cookie") {
            let (name, rest) = set.split_once('=').unwrap();
            jar.retain(|(other, _)| other != name);
            let value = rest.split(';').next().unwrap();
            if !value.is_empty() {
                jar.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    fn regroup(&self, subject: &str, groups: &str) {
        let target = format!("/groups?sub={subject}&groups={groups}");
        assert_eq!(Client::connect(self.address()).send(&post(&target, &[])).status, 200);
    }
}

/// The path of a URL, and what follows.
fn path(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    &rest[rest.find('/').unwrap()..]
}

/// Has `subject` sign in at the provider; returns where that sends the browser to, and the cookies there.
fn go(real: &Real, browser: &mut Browser<'_>, subject: &str) -> (String, Vec<(String, String)>) {
    let mut jar = Vec::new();
    let account = format!("X-Account: {subject}");
    let mut location =
        browser.get("/gateway/oidc/real/login").header("location").unwrap().to_owned();
    while !location.contains("/gateway/") {
        let answer = real.send(&mut jar, &get(path(&location), &[&account]));
        assert_eq!(answer.status, 303, "{location}: {answer:?}");
        answer.header("location").unwrap().clone_into(&mut location);
    }
    (location, jar)
}

/// The browser comes back.
fn arrive(browser: &mut Browser<'_>, location: &str) {
    let answer = browser.get(path(location));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/gateway/")), "{answer:?}");
}

/// Has each of `items` done with, by many threads at once.
fn by_threads<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let items = Mutex::new(items.into_iter());
    let next = || items.lock().unwrap().next();
    std::thread::scope(|scope| {
        let some = || scope.spawn(|| std::iter::from_fn(next).map(&work).collect::<Vec<_>>());
        let threads: Vec<_> = (0..THREADS).map(|_| some()).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn a_certified_provider_signs_in_refreshes_and_signs_out() {
    let upstream = Upstream::start();
    let port = closed_port();
    let real = Real::start(port);
    let tables = format!(
        "[[oidc]]\nid = \"real\"\nissuer = \"{}\"\nclient_id = \"{CLIENT}\"\nclient_secret_file = \"oidc.secret\"\n\
         redirect = \"http://{port}/gateway/oidc/real/callback\"\nsign_out = \"provider\"\nrefresh = \"1ms\"\n\
         [[grant]]\ngroup = \"writers\"\naccess = \"write\"\ntoken_file = \"writers.token\"\n[[grant]]\ngroup = \"readers\"\n",
        real.issuer
    );
    let folder = super::prepare(&upstream, &tables);
    let file = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("127.0.0.1:0", &port.to_string())).unwrap();
    let gateway = Gateway::start_in(folder);
    let told = format!("keys of {} are in use", real.issuer);
    wait_until("the provider is known", || gateway.has_logged(&told));

    let mut browser = Browser::new(&gateway);
    let (back, mut jar) = go(&real, &mut browser, "ann");
    arrive(&mut browser, &back);
    assert_eq!(browser.get("/api/v2/me").json()["name"], "user-ann");
    assert_eq!(browser.send(&post("/api/v2/write", &[])).status, 200);
    real.regroup("ann", "readers");
    assert_eq!(browser.send(&post("/api/v2/write", &[])).status, 403);
    assert_eq!(browser.get("/api/v2/buckets").status, 200);

    // The user signs out there: here too, in every browser.
    let url = browser.get("/api/v2/me/provider").json()["provider"]["sign_out"].clone();
    let url = url.as_str().unwrap();
    assert_eq!(parameter(url, "post_logout_redirect_uri"), format!("http://{port}/gateway/"));
    let form = real.send(&mut jar, &get(path(url), &[])).text();
    let xsrf = form.split("name=\"xsrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let xsrf = xsrf.unwrap_or_else(|| panic!("{form}"));
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let confirm =
        with_body("POST", "/session/end/confirm", &[kind], &format!("xsrf={xsrf}&logout=yes"));
    let answer = real.send(&mut jar, &confirm);
    assert!(
        answer.header("location").unwrap().starts_with(&format!("http://{port}/gateway/")),
        "{answer:?}"
    );
    // By the provider's word, and not because it does not refresh it any more.
    wait_until("the provider has said so", || {
        gateway.has_logged("oidc: real has ended 1 sessions")
    });
    wait_until("the session has ended", || {
        let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
        gateway.connect().send(&get("/api/v2/me", &[&line])).status == 401
    });
    // Many at once, and nobody gets another's session: all have begun before the first of them comes back.
    let names: Vec<_> = (0..MANY).map(|number| format!("u{number}")).collect();
    let begun = by_threads(names, |name| {
        let mut browser = Browser::new(&gateway);
        let (back, _) = go(&real, &mut browser, &name);
        (name, browser, back)
    });
    // The last to begin comes back first.
    by_threads(begun.into_iter().rev().collect(), |(name, mut browser, back)| {
        arrive(&mut browser, &back);
        let me = browser.get("/api/v2/me").json()["name"].clone();
        assert_eq!(me, json!(format!("user-{name}")));
    });
    let audit = gateway.audit();
    let signed_in = audit.lines().filter(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["event"] == "signed_in" && line["provider"] == "real"
    });
    assert_eq!(signed_in.count(), MANY + 1);
}

/// How many sign in at once.
const MANY: usize = 1000;

/// By so many threads.
const THREADS: usize = 20;
