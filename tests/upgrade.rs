mod background;
mod others;
mod passwords;
mod websockets;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::SystemTime;

use serde_json::Value;

use crate::influxdb::Influxdb;
use crate::secure::{Authority, SecureGateway};
use crate::support::*;

/// Whoever asks so, is forwarded.
const TOKEN: &str = "Authorization: Token x";

/// A gateway with listeners of all kinds, at addresses of its own choice, and others that take over from it.
struct Stage {
    old: SecureGateway,
}

impl Stage {
    fn start(upstream: SocketAddr, drain_delay: &str) -> Self {
        Self::with(upstream, drain_delay, "")
    }

    /// The same with more sections.
    fn with(upstream: SocketAddr, drain_delay: &str, config: &str) -> Self {
        let authority = Authority::new();
        let [http, https] = [closed_port(), closed_port()];
        let keys = format!(
            "[admin]\nlisten = \"unix:admin.sock\"\n\
             [server]\ndrain_delay = \"{drain_delay}\"\nupgrade_socket = \"upgrade.sock\"\n\
             [[listen.https]]\naddress = \"{https}\"\ncertificate = \"gateway.crt\"\nkey = \"gateway.key\"\n{config}"
        );
        let folder =
            Gateway::prepare(&format!("http://{upstream}"), &keys, &users(&["ada", "bob"]));
        authority.pair("127.0.0.1").write(folder.path(), "gateway");
        let path = folder.path().join("gateway.toml");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("127.0.0.1:0", &http.to_string())).unwrap();
        let gateway = Gateway::start_in(folder);
        let https = gateway.next_https();
        Self { old: SecureGateway { gateway, https, authority } }
    }

    fn gateway(&self) -> &Gateway {
        &self.old.gateway
    }

    fn path(&self, name: &str) -> PathBuf {
        self.gateway().folder().join(name)
    }

    /// Changes the file of the configuration.
    fn replace(&self, from: &str, to: &str) {
        let path = self.path("gateway.toml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// What takes over from it.
    fn command(&self) -> Command {
        let mut command = program();
        command.args(["run", "--upgrade", "--config"]).arg(self.path("gateway.toml"));
        command
    }

    /// Another process, which has taken over from the first.
    fn upgrade(&self) -> Gateway {
        self.upgrade_from(self.gateway())
    }

    /// Another process, which has taken over from `old`.
    fn upgrade_from(&self, old: &Gateway) -> Gateway {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" run --upgrade --config \"$1\""]);
        command.arg(program().get_program()).arg(self.path("gateway.toml"));
        let new = Gateway::start_by(command, tempfile::tempdir().unwrap());
        assert_eq!(new.address, self.gateway().address);
        assert_eq!(new.next_https(), self.old.https);
        assert_eq!(new.next_admin(), self.path("admin.sock").display().to_string());
        wait_until("it has taken over", || old.has_logged("another process has taken over"));
        new
    }
}

/// What somebody is told who tries to take over in vain.
fn fail(mut command: Command, code: i32) -> String {
    let output = output_of(&mut command, "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert_eq!(output.stdout, b"", "nothing is said to listen");
    told
}

/// Clients that ask all the time, each in its own way, and those of them that had no answer of 200.
#[derive(Default)]
struct Load {
    is_done: AtomicBool,
    answered: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// Ends the load, also when a test fails.
struct Done<'a>(&'a Load);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.is_done.store(true, Ordering::Relaxed);
    }
}

impl Load {
    /// Asks until it is done.
    fn run(&self, who: &str, mut ask: impl FnMut(usize) -> io::Result<u16>) {
        for n in 0.. {
            if self.is_done.load(Ordering::Relaxed) {
                return;
            }
            match ask(n) {
                Ok(200) => {}
                other => self.failures.lock().unwrap().push(format!("{who}: {other:?}")),
            }
            self.answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn wait_for(&self, more: usize) {
        let before = self.answered.load(Ordering::Relaxed);
        wait_until("there is load", || self.answered.load(Ordering::Relaxed) > before + more);
    }
}

/// Asks on a connection that is kept for as long as the other side keeps it.
fn ask(kept: &mut Option<BufReader<TcpStream>>, to: SocketAddr, request: &str) -> io::Result<u16> {
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => BufReader::new(TcpStream::connect(to)?),
    };
    stream.get_mut().set_read_timeout(Some(PATIENCE))?;
    stream.get_mut().write_all(request.as_bytes())?;
    let answer = Answer::try_read(&mut stream, "GET")?;
    if answer.header("connection") != Some("close") {
        *kept = Some(stream);
    }
    Ok(answer.status)
}

fn buckets(session: &str) -> String {
    get("/api/v2/buckets", &[&cookie(session)])
}

fn me(client: &mut Client, session: &str) -> Answer {
    client.send(&get("/api/v2/me", &[&cookie(session)]))
}

fn sign_out(client: &mut Client, session: &str) -> Answer {
    client.send(&post("/api/v2/signout", &[&cookie(session)]))
}

/// What operators are answered.
fn of_operators(socket: &Path, target: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// All sessions, as operators see them, by their fingerprints.
fn listed(socket: &Path) -> BTreeMap<String, Value> {
    let answer = of_operators(socket, "/sessions?limit=1000").unwrap();
    let list: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let list = list["sessions"].as_array().unwrap();
    list.iter().map(|it| (it["fingerprint"].as_str().unwrap().to_owned(), it.clone())).collect()
}

/// A time of a session, in milliseconds.
fn millis(session: &Value, key: &str) -> u128 {
    let time = humantime::parse_rfc3339(session[key].as_str().unwrap()).unwrap();
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()
}

/// Whether the gateway is ready, as operators are told: the status.
fn ready(socket: &Path) -> io::Result<u16> {
    let answer = of_operators(socket, "/health/ready")?;
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    status.ok_or_else(|| io::Error::other(answer))
}

/// An upstream that answers at once, but a query not before it is told to.
fn slow_upstream() -> (Sender<()>, Upstream) {
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Upstream::behaving(move |seen, stream| {
        if seen.line().contains("/query") {
            gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        answer(stream, "200 OK", "answered")
    });
    (release, upstream)
}

/// Nobody is refused, cut off or signed out, and what takes long in the old process is answered by it.
#[test]
fn r_02_an_upgrade_under_load_refuses_nobody_and_signs_nobody_out() {
    let (release, upstream) = slow_upstream();
    let stage = Stage::start(upstream.address, "1s");
    let sessions: Vec<_> =
        (0..150).map(|n| stage.gateway().sign_in(["ada", "bob"][n % 2])).collect();
    let left = stage.gateway().sign_in("ada");
    assert_eq!(sign_out(&mut stage.gateway().connect(), &left).status, 204);
    let as_listed = listed(&stage.path("admin.sock"));
    let (address, socket) = (stage.gateway().address, stage.path("admin.sock"));
    let mut slow = stage.gateway().connect();
    slow.write(get("/api/v2/query", &[TOKEN]).as_bytes());
    let mut idle = stage.gateway().connect();
    assert_eq!(idle.send(&get("/api/v2/buckets", &[TOKEN])).status, 200);
    let load = Load::default();
    let new = thread::scope(|scope| {
        let _done = Done(&load);
        scope.spawn(|| {
            let mut kept = None;
            load.run("kept", |n| ask(&mut kept, address, &buckets(&sessions[n % 50])));
        });
        scope.spawn(|| {
            load.run("new", |n| ask(&mut None, address, &buckets(&sessions[n % 50])));
        });
        scope.spawn(|| {
            load.run("secure", |n| {
                Ok(stage.old.connect().send(&buckets(&sessions[n % 50])).status)
            });
        });
        scope.spawn(|| load.run("operator", |_| ready(&socket)));
        load.wait_for(50);
        let new = stage.upgrade();
        assert!(idle.is_closed(), "after the delay");
        load.wait_for(200);
        release.send(()).unwrap();
        let answer = slow.read();
        assert_eq!((answer.status, &*answer.text()), (200, "answered"));
        wait_until("the old one ends", || stage.gateway().has_logged("all requests are answered"));
        load.wait_for(50);
        new
    });
    let now = listed(&socket);
    let failures = load.failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {:?}: {failures:?}", failures.len(), load.answered);
    assert_eq!(stage.old.gateway.wait().0, Some(0));
    assert!(new.has_logged("took over from another process, with 150 sessions"));
    let differ = |key: &str, least: u128| {
        let differs = |(id, was): &(&String, &Value)| {
            millis(was, key).abs_diff(millis(&now[*id], key)) > least
        };
        as_listed.iter().filter(differs).count()
    };
    assert_eq!((now.len(), differ("created", 100)), (150, 0));
    // Fifty were used.
    assert!(differ("last_used", 100) <= 50 && differ("expires", 100) <= 50);
    let is_same = |(id, was): (&String, &Value)| {
        ["user", "client", "agent"].iter().all(|key| was[key] == now[id][key])
    };
    assert!(as_listed.iter().all(is_same));
    for (n, session) in sessions.iter().enumerate() {
        let answer = me(&mut new.connect(), session);
        assert_eq!((answer.status, &answer.json()["name"]), (200, &["ada", "bob"][n % 2].into()));
    }
    assert_eq!(me(&mut new.connect(), &left).status, 401);
}

/// Until the old process has ended, each does what it does for both: whoever is asked next, knows.
#[test]
fn sessions_that_begin_and_end_meanwhile_do_so_in_both_processes() {
    let upstream = Upstream::start();
    let stage = Stage::start(upstream.address, "1h");
    let [left, kept] = [stage.gateway().sign_in("ada"), stage.gateway().sign_in("bob")];
    let mut at_old: Vec<_> = (0..40).map(|_| stage.gateway().connect()).collect();
    for client in &mut at_old {
        assert_eq!(me(client, &left).status, 200);
    }
    let new = stage.upgrade();
    // The old one hears a moment later that the new one serves.
    wait_until("the old one closes connections", || {
        stage.gateway().has_logged("connections are closed with their next answer")
    });
    let mut at_new = new.connect();
    let mut next = || at_old.pop().unwrap();
    // Signed out of at the old one, and in.
    let out = sign_out(&mut next(), &left);
    assert_eq!((out.status, out.header("connection")), (204, Some("close")));
    assert_eq!(me(&mut at_new, &left).status, 401);
    let sign_in = |client: &mut Client| {
        client.send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)])).cookie()
    };
    for _ in 0..10 {
        let begun = sign_in(&mut next());
        assert_eq!(me(&mut at_new, &begun).status, 200);
        // And at the new one.
        assert_eq!(sign_out(&mut at_new, &begun).status, 204);
        assert_eq!(me(&mut next(), &begun).status, 401);
        let begun = sign_in(&mut at_new);
        assert_eq!(me(&mut next(), &begun).status, 200);
    }
    // The trail is written a moment later.
    wait_until("each is written once", || {
        stage.gateway().audit().matches("signed_out").count() == 11
    });
    stage.gateway().signal("TERM");
    drop(at_old);
    assert_eq!(stage.old.gateway.wait().0, Some(0));
    assert_eq!(me(&mut at_new, &kept).status, 200);
    assert_eq!(sign_out(&mut at_new, &kept).status, 204);
}

/// InfluxDB's half of a session goes over, and neither process signs out of it.
#[test]
fn sessions_of_influxdb_go_over_with_their_other_half() {
    let influxdb = Influxdb::start();
    let stage = Stage::with(influxdb.upstream.address, "1s", "[users]\nsource = \"influxdb\"\n");
    let session = stage.gateway().sign_in("ada");
    let new = stage.upgrade();
    assert_eq!(stage.old.gateway.wait().0, Some(0));
    let answer = me(&mut new.connect(), &session);
    assert_eq!((answer.status, &answer.json()["name"]), (200, &"ada".into()));
    assert_eq!(influxdb.sessions(), 1);
    assert_eq!(sign_out(&mut new.connect(), &session).status, 204);
    wait_until("it is over there too", || influxdb.sessions() == 0);
}

#[test]
fn a_process_that_fails_before_it_serves_leaves_the_old_one_as_it_was() {
    let upstream = Upstream::start();
    let stage = Stage::start(upstream.address, "0s");
    let http = format!("http = [\"{}\"", stage.gateway().address);
    // One fault in the configuration, and an address that is another's.
    stage.replace(&http, &format!("htp = 1\n{http}"));
    let told = fail(stage.command(), 78);
    assert!(told.contains("gateway.toml:2: listen.htp: unknown key"), "{told}");
    stage.replace("htp = 1\n", "");
    let other = Gateway::start(upstream.address);
    let both = format!("{http}, \"{}\"", other.address);
    stage.replace(&http, &both);
    let told = fail(stage.command(), 69);
    assert!(told.contains(&format!("cannot listen on {}", other.address)), "{told}");
    wait_until("it is told", || stage.gateway().has_logged("no other process has taken over"));
    stage.replace(&both, &http);
    let ask = || stage.gateway().connect().send(&get("/api/v2/buckets", &[TOKEN])).status;
    assert_eq!(ask(), 200);
    // Where others may write, nobody is trusted.
    let open = |mode| fs::set_permissions(stage.path("."), fs::Permissions::from_mode(mode));
    open(0o777).unwrap();
    let told = fail(stage.command(), 69);
    assert!(told.contains("upgrade.sock: no process can be taken over from: the folder"), "{told}");
    open(0o700).unwrap();
    let new = stage.upgrade();
    assert_eq!(stage.old.gateway.wait().0, Some(0));
    assert_eq!(new.connect().send(&get("/api/v2/buckets", &[TOKEN])).status, 200);
}

#[test]
fn without_a_process_to_take_over_from_nothing_is_started() {
    let upstream = Upstream::start();
    let stage = Stage::start(upstream.address, "0s");
    fs::rename(stage.path("upgrade.sock"), stage.path("elsewhere")).unwrap();
    let told = fail(stage.command(), 69);
    let socket = stage.path("upgrade.sock").display().to_string();
    let line = format!("{socket}: no process can be taken over from: No such file or directory");
    assert!(told.contains(&line) && told.contains("without --upgrade"), "{told}");
}

/// Whoever can reach the socket, and is another user, gets nothing. Only root can be another user.
#[test]
fn another_user_is_refused_by_both_sides() {
    let upstream = Upstream::start();
    let stage = Stage::start(upstream.address, "0s");
    let mode = fs::metadata(stage.path("upgrade.sock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    if fs::metadata(stage.path("gateway.toml")).unwrap().uid() != 0 {
        return;
    }
    for (name, mode) in [(".", 0o755), ("upgrade.sock", 0o666), ("gateway.key", 0o644)] {
        fs::set_permissions(stage.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::write(stage.path("audit.jsonl"), "").unwrap();
    fs::set_permissions(stage.path("audit.jsonl"), fs::Permissions::from_mode(0o666)).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    command.arg(program().get_program()).args(stage.command().get_args());
    let told = fail(command, 69);
    assert!(told.contains("the other process is of user 0, and this one of user 65534"), "{told}");
    let line = "the other process is of user 65534, and this one of user 0";
    wait_until("the old one says so", || stage.gateway().has_logged(line));
}
