use std::fs;
use std::process::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use crate::support::*;

/// A running gateway and its configuration, which is changed while it runs.
struct Stage {
    gateway: Gateway,
    good: String,
}

impl Stage {
    fn start(config: &str) -> Self {
        let folder = Gateway::prepare(
            &format!("http://{}", Upstream::start().address),
            config,
            &users(&["ada"]),
        );
        // Where `reload` finds the process.
        let path = folder.path().join("gateway.toml");
        let mut text = fs::read_to_string(&path).unwrap();
        let pid = folder.path().join("pid");
        text = text.replace("[server]", &format!("[server]\npid_file = \"{}\"", pid.display()));
        fs::write(&path, &text).unwrap();
        Self { gateway: Gateway::start_in(folder), good: text }
    }

    /// Puts `text` into the place of the configuration, whole.
    fn write(&self, text: &str) {
        let folder = self.gateway.folder();
        fs::write(folder.join("gateway.new"), text).unwrap();
        fs::rename(folder.join("gateway.new"), folder.join("gateway.toml")).unwrap();
    }

    /// `influx-gateway reload`.
    fn reload(&self) -> Output {
        let path = self.gateway.folder().join("gateway.toml");
        output_of(program().args(["reload", "--config"]).arg(path), "")
    }

    /// Writes `text`, says so, and waits until it is in force.
    fn put(&self, text: &str) {
        let count = || self.gateway.log().matches("read again and in force").count();
        let before = count();
        self.write(text);
        let output = self.reload();
        assert!(output.status.success(), "{output:?}");
        wait_until("it is in force", || count() > before);
    }

    fn health(&self, host: &str) -> u16 {
        let request = format!("GET /gateway/health HTTP/1.1\r\nHost: {host}\r\n\r\n");
        self.gateway.connect().send(&request).status
    }

    fn sign_in(&self, password: &str) -> u16 {
        self.gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", password)])).status
    }
}

const FROM_ONE: &str =
    "[session]\nmax_sessions = 2\n[signin]\nfailures = 1\n[limits]\nconnections = 100\n";

#[test]
fn what_needs_no_restart_counts_at_once_and_what_does_is_named() {
    let stage = Stage::start(FROM_ONE);
    assert_eq!((stage.health("a.test"), stage.health("b.test")), (200, 200));
    assert_eq!((stage.sign_in(PASSWORD), stage.sign_in(PASSWORD)), (204, 204));
    assert_eq!(stage.sign_in(PASSWORD), 503, "two sessions are all there may be");
    let other = stage.good.replace("http = [", "hosts = [\"a.test\", \"gateway.test\"]\nhttp = [");
    let other = other
        .replace("max_sessions = 2", "max_sessions = 3")
        .replace("failures = 1\n", "failures = 2\n");
    stage.put(&other);
    assert_eq!((stage.health("a.test"), stage.health("b.test")), (200, 421));
    assert_eq!(stage.sign_in(PASSWORD), 204);
    // Of two failures the second begins a wait.
    assert_eq!((stage.sign_in("wrong"), stage.sign_in("wrong")), (401, 401));
    assert_eq!(stage.sign_in(PASSWORD), 429);

    let restart = "but for what needs a restart: ";
    assert!(!stage.gateway.has_logged(restart));
    stage.put(
        &other
            .replace("[session]", "[session]\nidle = \"5m\"")
            .replace("[server]", "[server]\nthreads = 3"),
    );
    assert!(
        stage.gateway.has_logged(&format!("{restart}server.threads, session.idle\n")),
        "{}",
        stage.gateway.log()
    );
    assert_eq!(stage.health("b.test"), 421);
    // Also after another change, for as long as it is so.
    stage.put(&other.replace("[session]", "[session]\nidle = \"5m\""));
    assert!(stage.gateway.has_logged(&format!("{restart}session.idle\n")));
}

#[test]
fn connections_of_clients_and_to_the_upstream_are_limited_anew() {
    let stage = Stage::start(FROM_ONE);
    let mut first = stage.gateway.connect();
    assert_eq!(first.send(&get("/gateway/health", &[])).status, 200);
    stage.put(&stage.good.replace("connections = 100", "connections = 1"));
    assert_eq!(stage.gateway.connect().read().status, 503);
    assert_eq!(first.send(&get("/gateway/health", &[])).status, 200, "nobody is cut off for it");
    stage.put(
        &stage.good.replace("connections = 100", "connections = 100\nupstream_connections = 1"),
    );
    assert_eq!(stage.health("gateway.test"), 200);
}

#[test]
fn a_change_is_noticed_without_being_told_and_a_fault_changes_nothing() {
    let stage = Stage::start(FROM_ONE);
    let hosts =
        |hosts: &str| stage.good.replace("http = [", &format!("hosts = [{hosts}]\nhttp = ["));
    stage.write(&hosts("\"a.test\""));
    wait_until("it is in force", || stage.health("b.test") == 421);
    stage.write(&(hosts("\"b.test\"") + "thread = 3\n"));
    wait_until("it is told", || stage.gateway.has_logged("server.thread: unknown key"));
    assert_eq!((stage.health("a.test"), stage.health("b.test")), (200, 421));
    stage.write(&hosts("\"b.test\""));
    wait_until("it is in force", || stage.health("b.test") == 200);
}

/// A fault anywhere, also in a file that the configuration names, and nothing of it all changes.
#[test]
fn c_03_a_bad_file_changes_nothing_and_every_fault_is_told_with_file_and_line() {
    let stage = Stage::start(FROM_ONE);
    let session = cookie(&stage.gateway.sign_in("ada"));
    let hosts = stage.good.replace("http = [", "hosts = [\"a.test\"]\nhttp = [");
    stage.write(&(hosts.replace("failures = 1", "failures = 0") + "thread = 3\n"));
    fs::write(stage.gateway.folder().join("users.toml"), users(&["bob"]) + "x = 1\n").unwrap();
    let output = stage.reload();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78));
    let faults = [
        "server.thread: unknown key",
        "signin.failures: expected",
        "users.toml:5: user.x: unknown key",
    ];
    assert!(told.lines().count() == 3 && faults.iter().all(|fault| told.contains(fault)), "{told}");
    stage.gateway.signal("HUP");
    let refused = "not read again, and nothing changes: 3 faults";
    wait_until("it is told", || stage.gateway.has_logged(refused));
    for fault in told.lines() {
        assert!(stage.gateway.has_logged(fault), "{fault}");
    }
    wait_until("it is audited", || stage.gateway.audit().contains("\"reload_refused\""));
    assert_eq!(stage.health("b.test"), 200);
    assert_eq!(stage.gateway.connect().send(&get("/api/v2/me", &[&session])).status, 200);
}

#[test]
fn reload_by_the_listener_for_operators_says_what_has_come_of_it() {
    let stage = Stage::start("[admin]\nlisten = \"unix:admin.sock\"\n");
    let told = |output: &Output| String::from_utf8([&*output.stdout, &*output.stderr].concat());
    let output = stage.reload();
    assert!(output.status.success(), "{output:?}");
    assert!(told(&output).unwrap().contains("gateway.toml: read again and in force"));
    stage.write(&format!("{}[session]\nidle = \"5m\"\n", stage.good));
    let output = stage.reload();
    assert!(output.status.success(), "{output:?}");
    assert!(told(&output).unwrap().contains("needs a restart: session.idle"), "{output:?}");
    let path = stage.gateway.folder().join("gateway.toml");
    let copy = tempfile::tempdir().unwrap();
    fs::copy(path, copy.path().join("gateway.toml")).unwrap();
    fs::write(copy.path().join("users.toml"), users(&["ada"])).unwrap();
    let elsewhere = copy.path().join("gateway.toml");
    for command in [&["reload"][..], &["status"], &["sessions", "list"], &["bans", "list"]] {
        let output = output_of(program().args(command).arg("--config").arg(&elsewhere), "");
        assert_eq!(output.status.code(), Some(69), "{command:?}");
        let text = told(&output).unwrap();
        assert!(text.contains("(admin.listen)") && text.contains("is it running?"), "{text}");
    }
}

#[test]
fn reload_says_where_no_process_is() {
    let stage = Stage::start("");
    let Stage { gateway, good: _ } = stage;
    let folder = Gateway::prepare("http://127.0.0.1:9", "", &users(&["ada"]));
    let path = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap();
    let with = |pid: &std::path::Path| {
        text.replace("[server]", &format!("[server]\npid_file = \"{}\"", pid.display()))
    };
    let reload = || output_of(program().args(["reload", "--config"]).arg(&path), "");
    fs::write(&path, with(&folder.path().join("none"))).unwrap();
    let output = reload();
    assert_eq!(output.status.code(), Some(69));
    assert!(String::from_utf8(output.stderr).unwrap().contains("none: No such file"));
    // What one that was killed has left.
    let left = gateway.folder().join("pid");
    let id = gateway.pid().to_string();
    assert_eq!(fs::read_to_string(&left).unwrap().trim(), id);
    let kept = folder.path().join("left");
    fs::copy(&left, &kept).unwrap();
    fs::write(&path, with(&kept)).unwrap();
    let output = reload();
    assert_eq!(output.status.code(), Some(69));
    assert!(String::from_utf8(output.stderr).unwrap().contains("has ended"));
}

/// Users, the configuration and what is wrong with it, a thousand times, under load: every answer is as it should be,
/// and no connection is closed.
#[test]
fn c_03_a_thousand_reloads_under_load_drop_nothing() {
    let stage = Stage::start("[signin]\nfailures = 1000\n");
    let session = cookie(&stage.gateway.sign_in("ada"));
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let other = stage.good.replace("failures = 1000", "failures = 999");
    let bad = stage.good.clone() + "thread = 3\n";
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = stage.gateway.connect();
                while !done.load(Ordering::Relaxed) {
                    let answer = client.send(&get("/api/v2/buckets", &[&session]));
                    assert_eq!((answer.status, &*answer.text()), (200, "ada"));
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let count = |text: &str| stage.gateway.log().matches(text).count();
        for n in 0..1000 {
            // The log of a thousand is long: it is looked at from time to time.
            let is_looked_at = n % 100 < 2;
            let text = [&stage.good, &other, &bad][n % 3];
            let sign =
                if n % 3 == 2 { "nothing changes: 1 faults" } else { "gateway.toml: read again" };
            let before = if is_looked_at { count(sign) } else { 0 };
            let answers = answered.load(Ordering::Relaxed);
            stage.write(text);
            stage.gateway.signal("HUP");
            wait_until("requests were answered", || answered.load(Ordering::Relaxed) > answers);
            if is_looked_at {
                wait_until("it was read", || count(sign) > before);
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) >= 1000);
}

/// What is only in force after a restart, decides about the users file until then.
#[test]
fn a_reload_says_so_when_the_users_file_in_force_is_refused() {
    let resolve = "[users]\ntokens = \"resolve\"\n[identity]\ntoken_prefix = \"tok-\"\n";
    let elsewhere = "[users]\nfile = \"people.toml\"\n";
    for (config, from, to, text, fault) in [
        (resolve, "\"tok-\"", "\"tik-\"", users(&["ada", "tok-root"]), "the name tok-root begins"),
        (elsewhere, "people", "users", "x = 1\n".to_owned(), "people.toml:1: x: unknown key"),
    ] {
        for admin in ["[admin]\nlisten = \"unix:admin.sock\"\n", ""] {
            let folder = Gateway::prepare("http://127.0.0.1:9", &format!("{config}{admin}"), "");
            let path = |name: &str| folder.path().join(name);
            let pid = format!("[server]\npid_file = \"{}\"", path("pid").display());
            let good = fs::read_to_string(path("gateway.toml")).unwrap().replace("[server]", &pid);
            fs::write(path("gateway.toml"), &good).unwrap();
            for name in ["users.toml", "people.toml"] {
                fs::write(path(name), users(&["ada"])).unwrap();
            }
            let stage = Stage { gateway: Gateway::start_in(folder), good };
            let name = if config == elsewhere { "people.toml" } else { "users.toml" };
            fs::write(stage.gateway.folder().join(name), &text).unwrap();
            let hosts = stage.good.replace("http = [", "hosts = [\"a.test\"]\nhttp = [");
            stage.write(&hosts.replace(from, to));
            let output = stage.reload();
            let told = String::from_utf8([&*output.stdout, &*output.stderr].concat()).unwrap();
            if !admin.is_empty() {
                assert_eq!(output.status.code(), Some(78), "{told}");
                assert!(told.contains(fault) && told.contains("restart"), "{told}");
            }
            wait_until("it is logged", || stage.gateway.has_logged("nothing changes: "));
            assert!(stage.gateway.has_logged(fault));
            assert_eq!(stage.health("b.test"), 200, "nothing of it is in force");
            assert_eq!(stage.sign_in(PASSWORD), 204);
        }
    }
}

#[test]
fn a_reload_takes_a_users_file_without_users_as_the_signal_does() {
    for admin in ["[admin]\nlisten = \"unix:admin.sock\"\n", ""] {
        let stage = Stage::start(admin);
        let session = cookie(&stage.gateway.sign_in("ada"));
        fs::write(stage.gateway.folder().join("users.toml"), "# nobody\n").unwrap();
        let output = stage.reload();
        assert!(output.status.success(), "{output:?}");
        wait_until("ada is signed out", || {
            stage.gateway.connect().send(&get("/api/v2/me", &[&session])).status == 401
        });
        wait_until("that is said", || stage.gateway.has_logged("nobody can sign in"));
    }
}
