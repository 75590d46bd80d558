//! A page in Chromium asks what InfluxDB's own pages ask; InfluxDB itself serves it, by `--assets-path`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::json;

use crate::clock;
use crate::influxd::{BUCKET, Influxd, ORG, User};
use crate::modes::Mode;
use crate::nginx::Nginx;
use crate::secure::SecureGateway;
use crate::support::*;

/// A password of which browsers send each character as one byte.
const UMLAUTS: &str = "Grüße, Ångström ÿ";

/// So many rows are more than all buffers on the way to a browser hold; one a second from this time on.
const ROWS: u64 = 20_000;
const MORNING: u64 = 1_767_225_600;

/// What a gateway needs for pages.
const UI: &str = "[forward]\nui = true\n";

/// What the page asks and shows, InfluxDB's own users being who signs in.
const STEPS: &str = "\
visit: GET setup 200, GET me 401, GET setup 200, /signin?returnTo=%2Forgs%2F1%2Fdashboards
wrong password: POST signin 401, Could not sign in
nobody: POST signin 401, Could not sign in
sign in: POST signin 204, GET setup 200, GET me 200, GET flags 200, GET orgs 200, GET buckets 200, /orgs/1/dashboards, ada, home, _monitoring _tasks weather
cookie: influxdb-oss-session, /api/, Strict, HttpOnly true, Secure {secure}
protocol: {protocol}
reload: GET setup 200, GET me 200, GET flags 200, GET orgs 200, GET buckets 200, /orgs/1/dashboards, ada, home, _monitoring _tasks weather
poll: GET me 200, every 60000 ms
query: POST query 200, 20001 rows, last
{download}link of another site: GET setup 200, GET me 200, GET flags 200, GET orgs 200, GET buckets 200, /, ada, home, _monitoring _tasks weather
sign out: POST signout 204, GET setup 200, /signin
poll of the first tab: GET me 401, GET setup 200, /signin?returnTo=%2Forgs%2F1%2Fdashboards
{bob}
unexpected: nothing
";
const DOWNLOAD: &str = "download: query.csv, 20001 rows, last\n";

/// InfluxDB has the password in UTF-8, browsers send it in Latin-1, and bytes are compared.
const BOB_IS_REFUSED: &str = "umlauts: POST signin 401, /signin?returnTo=%2Forgs%2F1%2Fdashboards";
const BOB_IS_KNOWN: &str = "umlauts: POST signin 204, GET setup 200, GET me 200, GET flags 200, GET orgs 200, GET buckets 200, /orgs/1/dashboards";

/// InfluxDB with the page, [`ROWS`] and one row more, its users `ada` and, with [`UMLAUTS`], `bob`.
fn influxd() -> (Influxd, User, User) {
    let pages = repository().join("tests/clients/javascript/ui");
    let influxd = Influxd::start_with(&[&format!("--assets-path={}", pages.display())]);
    let (ada, bob) = (influxd.add_user("ada"), influxd.add_user("bob"));
    influxd.set_password(&bob.id, UMLAUTS);
    let mut lines = format!("air,part=last value=1 {MORNING}\n");
    for second in 0..ROWS {
        writeln!(lines, "air,part=first value={} {}", second * second, MORNING + second).unwrap();
    }
    let token = format!("Authorization: Token {}", ada.token);
    let write = format!("/api/v2/write?org={ORG}&bucket={BUCKET}&precision=s");
    assert_eq!(influxd.send(&with_body("POST", &write, &[&token], &lines)).status, 204);
    (influxd, ada, bob)
}

/// A server from which a query has its last row, once it may.
fn held() -> Upstream {
    let may_go = Arc::new((Mutex::new(false), Condvar::new()));
    Upstream::behaving(move |seen, stream| {
        let (flag, changed) = &*may_go;
        if seen.line().starts_with("GET /go ") {
            *flag.lock().unwrap() = true;
            changed.notify_all();
        } else {
            let guard = flag.lock().unwrap();
            drop(changed.wait_timeout_while(guard, PATIENCE, |may_go| !*may_go).unwrap());
        }
        answer(stream, "200 OK", "")
    })
}

/// A site for the browser.
struct Site {
    name: &'static str,
    base: String,
    /// What its cookie is, and how it is spoken to.
    secure: bool,
    protocol: &'static str,
    /// Whether browsers trust it so far as to let it have a service worker, by which it downloads.
    is_trusted: bool,
    /// Whether it knows `bob` by [`UMLAUTS`] as browsers send them.
    knows_umlauts: bool,
}

impl Site {
    /// Over HTTP and trusted, since it is at this machine.
    fn plain(name: &'static str, address: SocketAddr) -> Self {
        let base = format!("http://{address}");
        let protocol = "http/1.1";
        Self { name, base, secure: false, protocol, is_trusted: true, knows_umlauts: false }
    }

    /// Over HTTPS and HTTP/2.
    fn secure(name: &'static str, address: SocketAddr) -> Self {
        let base = format!("https://{address}");
        Self { base, secure: true, protocol: "h2", ..Self::plain(name, address) }
    }

    /// [`STEPS`], here.
    fn expected(&self) -> String {
        let bob = if self.knows_umlauts { BOB_IS_KNOWN } else { BOB_IS_REFUSED };
        STEPS
            .replace("{secure}", &self.secure.to_string())
            .replace("{protocol}", self.protocol)
            .replace("{download}", if self.is_trusted { DOWNLOAD } else { "" })
            .replace("{bob}", bob)
    }
}

/// The browser, for these sites.
fn browser(sites: &serde_json::Value) -> Command {
    let mut command = Command::new("node");
    command
        .arg(repository().join("tests/clients/javascript/ui.mjs"))
        .env("SITES", sites.to_string())
        .envs([("USER_NAME", "ada"), ("PASSWORD", PASSWORD)])
        .envs([("OTHER_USER", "bob"), ("OTHER_PASSWORD", UMLAUTS)]);
    command
}

/// All steps at each site. With `streamed`, a query's last row passes only when the page has its first.
fn assert_steps(sites: &[Site], streamed: bool) {
    let held: Vec<_> = sites.iter().map(|_| held()).collect();
    let listed = sites.iter().zip(&held).map(|(site, held)| {
        json!({ "name": site.name, "base": site.base, "held": format!("http://{}", held.address) })
    });
    let mut browser = browser(&listed.collect());
    if streamed {
        browser.env("STREAMED", "1");
    }
    let output = browser.output().expect("node is there; `make test-tools` installs it");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let seen = text(&output.stdout);
    assert!(output.status.success(), "{seen}\n{}", text(&output.stderr));
    let mut seen = seen.split("=== ").skip(1);
    for site in sites {
        let (name, steps) = seen.next().unwrap().split_once('\n').unwrap();
        assert_eq!(name, site.name);
        assert_eq!(
            steps.lines().collect::<Vec<_>>(),
            site.expected().lines().collect::<Vec<_>>(),
            "{name}"
        );
    }
}

#[test]
fn a_page_is_answered_through_gateways_what_influxdb_itself_answers() {
    let (influxd, ada, bob) = influxd();
    let users = Mode::InfluxdbUsers.gateway_with(&influxd, &[], UI);
    let file = Mode::OwnToken.gateway_with(&influxd, &[&ada, &bob], UI);
    know_umlauts(&file);
    let config = format!("[users]\nsource = \"influxdb\"\n{UI}");
    let secure = SecureGateway::start_for(influxd.address, "", &config, "");
    let sites = [
        Site::plain("InfluxDB", influxd.address),
        Site::plain("InfluxDB's users", users.address),
        Site::secure("InfluxDB's users over HTTPS", secure.https),
        Site { knows_umlauts: true, ..Site::plain("users of a file", file.address) },
    ];
    assert_steps(&sites, true);
}

#[test]
fn a_page_is_used_behind_nginx_that_is_told_nothing_but_where_the_gateway_is() {
    let (influxd, ..) = influxd();
    // Browsers say how a page stands to a server only where they trust the connection, and nginx by itself
    // does not pass on the host that was asked for.
    let outside = closed_port();
    let base = format!("http://influx.test:{}", outside.port());
    let plain = behind_nginx(&influxd, &format!("allowed_origins = [\"{base}\"]"), "");
    let _nginx = Nginx::start(outside, plain.address);
    // Nor does nginx by itself say that it was asked over TLS.
    let secure = behind_nginx(&influxd, "", "[cookie]\nsecure = \"always\"\n");
    let secure_nginx = Nginx::start_secure(closed_port(), secure.address);
    let plain = Site::plain("HTTP", outside);
    let sites =
        [Site { base, is_trusted: false, ..plain }, Site::secure("HTTPS", secure_nginx.address)];
    assert_steps(&sites, false);
}

/// Lets `bob`, the last of the users file, sign in by [`UMLAUTS`] as browsers send them.
fn know_umlauts(gateway: &Gateway) {
    let typed = gateway.folder().join("typed");
    let bytes: Vec<u8> = UMLAUTS.chars().map(|c| u8::try_from(c).unwrap()).collect();
    std::fs::write(&typed, bytes).unwrap();
    let output = program().arg("hash").stdin(File::open(typed).unwrap()).output().unwrap();
    let hash = String::from_utf8(output.stdout).unwrap();
    let path = gateway.folder().join("users.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let (others, bob) = text.rsplit_once("$argon2id$").unwrap();
    let (_, rest) = bob.split_once('"').unwrap();
    std::fs::write(&path, format!("{others}{}\"{rest}", hash.trim())).unwrap();
    gateway.signal("HUP");
    wait_until("the users file is read again", || gateway.audit().contains("\"reloaded\""));
}

/// A gateway for InfluxDB's users with more of `[listen]`, and more sections.
pub(crate) fn behind_nginx(influxd: &Influxd, listen: &str, config: &str) -> Gateway {
    let url = format!("http://{}", influxd.address);
    let config = format!("[users]\nsource = \"influxdb\"\n{UI}{config}");
    let folder = Gateway::prepare(&url, &config, "");
    let path = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("[listen]", &format!("[listen]\n{listen}"))).unwrap();
    Gateway::start_in(folder)
}

/// A browser that asks whenever it is told to.
struct Tab {
    child: Child,
    input: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Tab {
    fn open(base: &str) -> Self {
        let mut command = browser(&json!([{ "name": "idle", "base": base }]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node is there; `make test-tools` installs it");
        let input = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, lines }
    }

    fn next_line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn poll(&mut self) -> String {
        self.input.write_all(b"\n").unwrap();
        self.next_line()
    }
}

#[test]
fn an_open_page_keeps_its_session_and_is_told_of_the_end_of_an_idle_one() {
    let (influxd, ..) = influxd();
    let config = format!("[users]\nsource = \"influxdb\"\n{UI}");
    let gateway = clock::start(influxd.address, &config, "");
    let mut tab = Tab::open(&format!("http://{}", gateway.address));
    assert_eq!(tab.next_line(), "=== idle");
    assert!(tab.next_line().starts_with("visit: "));
    assert!(tab.next_line().starts_with("sign in: POST signin 204, "));
    for _ in 0..3 {
        clock::pass(&gateway, 9 * 60);
        assert_eq!(tab.poll(), "poll: GET me 200, /orgs/1/dashboards");
    }
    clock::pass(&gateway, 10 * 60 + 1);
    let end = "poll: GET me 401, GET setup 200, /signin?returnTo=%2Forgs%2F1%2Fdashboards";
    assert_eq!(tab.poll(), end);
    drop(tab.input);
    let mut last = String::new();
    tab.lines.read_line(&mut last).unwrap();
    assert_eq!(last, "unexpected: nothing\n");
    assert!(tab.child.wait().unwrap().success());
}
