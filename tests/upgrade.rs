use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

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
        let authority = Authority::new();
        let [http, https] = [closed_port(), closed_port()];
        let keys = format!(
            "[admin]\nlisten = \"unix:admin.sock\"\n\
             [server]\ndrain_delay = \"{drain_delay}\"\nupgrade_socket = \"upgrade.sock\"\n\
             [[listen.https]]\naddress = \"{https}\"\ncertificate = \"gateway.crt\"\nkey = \"gateway.key\"\n"
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

    /// Another process, which has taken over.
    fn upgrade(&self) -> Gateway {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" run --upgrade --config \"$1\""]);
        command.arg(program().get_program()).arg(self.path("gateway.toml"));
        let new = Gateway::start_by(command, tempfile::tempdir().unwrap());
        assert_eq!(new.address, self.gateway().address);
        assert_eq!(new.next_https(), self.old.https);
        assert_eq!(new.next_admin(), self.path("admin.sock").display().to_string());
        wait_until("it has taken over", || {
            self.gateway().has_logged("another process has taken over")
        });
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

/// Whether the gateway is ready, as operators are told: the status.
fn ready(socket: &PathBuf) -> io::Result<u16> {
    let mut stream = UnixStream::connect(socket)?;
    stream
        .write_all(b"GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    answer.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(|| io::Error::other(answer))
}

/// Nobody is refused or cut off, and what takes long in the old process is answered by it.
#[test]
fn r_02_an_upgrade_under_load_refuses_nobody() {
    let (release, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let upstream = Upstream::behaving(move |seen, stream| {
        if seen.line().contains("/query") {
            gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        answer(stream, "200 OK", "answered")
    });
    let stage = Stage::start(upstream.address, "1s");
    let (address, socket) = (stage.gateway().address, stage.path("admin.sock"));
    let mut slow = stage.gateway().connect();
    slow.write(get("/api/v2/query", &[TOKEN]).as_bytes());
    let mut idle = stage.gateway().connect();
    assert_eq!(idle.send(&get("/api/v2/buckets", &[TOKEN])).status, 200);
    let load = Load::default();
    let request = get("/api/v2/buckets", &[TOKEN]);
    let new = thread::scope(|scope| {
        let _done = Done(&load);
        scope.spawn(|| {
            let mut kept = None;
            load.run("kept", |_| ask(&mut kept, address, &request));
        });
        scope.spawn(|| load.run("new", |_| ask(&mut None, address, &request)));
        scope.spawn(|| load.run("secure", |_| Ok(stage.old.connect().send(&request).status)));
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
    let failures = load.failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {:?}: {failures:?}", failures.len(), load.answered);
    assert_eq!(stage.old.gateway.wait().0, Some(0));
    assert!(new.has_logged("took over from another process"));
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
