use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::*;

/// A gateway with the users `ada` and `bob` whose files are changed while it runs.
struct Stage {
    gateway: Gateway,
    upstream: Upstream,
}

impl Stage {
    fn start(config: &str) -> Self {
        let upstream = Upstream::start();
        let gateway = Gateway::start_with(upstream.address, config, &users(&["ada", "bob"]));
        Self { gateway, upstream }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.gateway.folder().join(name)
    }

    /// Puts `text` into the place of a file, whole.
    fn swap(&self, name: &str, text: &str) {
        fs::write(self.path("new"), text).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn status(&self, request: &str) -> u16 {
        self.gateway.connect().send(request).status
    }

    fn me(&self, session: &str) -> u16 {
        self.status(&get("/api/v2/me", &[&cookie(session)]))
    }

    fn delete(&self, session: &str) -> u16 {
        self.status(&request("DELETE", "/api/v2/buckets/1", &[&cookie(session)]))
    }

    /// The `Authorization` that reaches the upstream with a request of this session.
    fn credential(&self, session: &str) -> Option<String> {
        self.upstream.seen_by_clients();
        assert_eq!(self.status(&get("/api/v2/buckets", &[&cookie(session)])), 200);
        self.upstream.next().header("authorization").map(str::to_owned)
    }
}

/// `influx-gateway user …` for the configuration in `folder`.
fn user(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = program();
    command.arg("user").args(arguments).arg("--config").arg(folder.join("gateway.toml"));
    command.stdin(Stdio::null()).output().unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap()
}

#[test]
fn f_10_a_users_file_that_is_being_written_is_not_believed() {
    let stage = Stage::start("");
    let whole = users(&["ada"]) + "access = \"read\"\n";
    stage.swap("users.toml", &whole);
    stage.gateway.signal("HUP");
    let session = stage.gateway.sign_in("ada");
    wait_until("ada may only read", || stage.delete(&session) == 403);
    let half = users(&["ada"]);
    let start = Instant::now();
    let mut at_rest = 0;
    while start.elapsed() < Duration::from_secs(4) {
        // Somebody writes to it all the time, and never gets to the last line.
        let written = Instant::now();
        fs::write(stage.path("users.toml"), &half).unwrap();
        let status = stage.delete(&session);
        // Unless this test itself was held up, the file was never at rest.
        if written.elapsed() < Duration::from_millis(400) {
            assert!(status == 403 || at_rest > 0, "half a file was believed");
        } else {
            at_rest += 1;
        }
    }
    // What is at rest counts.
    wait_until("ada may do anything", || stage.delete(&session) == 200);
    stage.swap("users.toml", &whole);
    wait_until("ada may only read again", || stage.delete(&session) == 403);
}

#[test]
fn f_10_a_change_of_the_same_length_and_time_is_noticed() {
    let stage = Stage::start("");
    let path = stage.path("users.toml");
    let session = stage.gateway.sign_in("bob");
    let before = fs::metadata(&path).unwrap();
    let text = fs::read_to_string(&path).unwrap().replace("\"bob\"", "\"eve\"");
    fs::write(&path, text).unwrap();
    let file = File::options().append(true).open(&path).unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!((before.len(), before.mtime()), (after.len(), after.mtime()));
    wait_until("bob is gone", || stage.me(&session) == 401);
}

#[test]
fn f_11_a_change_that_could_not_be_read_is_read_when_it_can_be() {
    let stage = Stage::start("");
    let session = stage.gateway.sign_in("bob");
    // The token comes later than the file that names it.
    let text = users(&["ada"]) + "token_file = \"ada.token\"\n";
    stage.swap("users.toml", &text);
    wait_until("it is told", || stage.gateway.has_logged("ada.token: No such file"));
    assert_eq!(stage.me(&session), 200);
    fs::write(stage.path("ada.token"), "adas-token\n").unwrap();
    wait_until("bob is gone", || stage.me(&session) == 401);
    let ada = stage.gateway.sign_in("ada");
    assert_eq!(stage.credential(&ada).as_deref(), Some("Token adas-token"));
}

#[test]
fn f_11_a_flood_that_takes_every_descriptor_delays_a_change_and_loses_none() {
    let stage = Stage::start("");
    let session = stage.gateway.sign_in("bob");
    let mut open = stage.gateway.connect();
    let me = get("/api/v2/me", &[&cookie(&session)]);
    assert_eq!(open.send(&me).status, 200);
    let limit = |most: &str| {
        let pid = stage.gateway.pid().to_string();
        let mut set = Command::new("prlimit");
        set.args(["--pid", &pid, &format!("--nofile={most}:")]);
        assert!(set.status().unwrap().success());
    };
    limit("3");
    stage.swap("users.toml", &users(&["ada"]));
    wait_until("it is told", || stage.gateway.has_logged("Too many open files"));
    wait_until("the old users stay", || stage.gateway.has_logged("the old users stay"));
    assert_eq!(open.send(&me).status, 200);
    limit("1000");
    wait_until("bob is gone", || stage.me(&session) == 401);
}

#[test]
fn f_13_the_last_user_can_be_removed() {
    let stage = Stage::start("");
    let sessions = ["ada", "bob"].map(|name| stage.gateway.sign_in(name));
    for name in ["ada", "bob"] {
        let removed = user(stage.gateway.folder(), &["remove", name]);
        assert!(removed.status.success(), "{}", told(&removed));
    }
    wait_until("nobody is signed in", || sessions.iter().all(|session| stage.me(session) == 401));
    for name in ["ada", "bob", "eve"] {
        assert_eq!(stage.status(&post("/api/v2/signin", &[&basic(name, PASSWORD)])), 401);
    }
    let listed = user(stage.gateway.folder(), &["list"]);
    assert!(listed.status.success(), "{}", told(&listed));
    // And somebody new can come.
    stage.swap("users.toml", &users(&["ada"]));
    wait_until("ada is back", || stage.gateway.has_logged("1 users, 1 new"));
    stage.gateway.sign_in("ada");
}

#[test]
fn f_14_an_edit_keeps_owner_group_and_mode_but_no_rights_of_others() {
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&["ada", "bob", "eve"]));
    let path = folder.path().join("users.toml");
    let is_root = fs::metadata(&path).unwrap().uid() == 0;
    for (name, before, after) in
        [("ada", 0o640, 0o640), ("bob", 0o664, 0o660), ("eve", 0o444, 0o440)]
    {
        if is_root {
            chown(&path, Some(1234), Some(4321)).unwrap();
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(before)).unwrap();
        let old = fs::metadata(&path).unwrap();
        let removed = user(folder.path(), &["remove", name]);
        assert!(removed.status.success(), "{}", told(&removed));
        let new = fs::metadata(&path).unwrap();
        assert_ne!(old.ino(), new.ino());
        assert_eq!((new.uid(), new.gid(), new.mode() & 0o7777), (old.uid(), old.gid(), after));
    }
}

#[test]
fn f_14_what_a_killed_edit_left_is_removed_by_the_next() {
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&["ada", "bob"]));
    let left = folder.path().join(".users-k1LLed");
    let busy = folder.path().join(".users-bUsY00");
    fs::write(&left, "half a us").unwrap();
    fs::write(&busy, "half a us").unwrap();
    let other = File::open(&busy).unwrap();
    other.lock().unwrap();
    assert!(user(folder.path(), &["remove", "ada"]).status.success());
    assert!(!left.exists());
    assert!(busy.exists(), "somebody is still at it");
    drop(other);
    assert!(user(folder.path(), &["remove", "bob"]).status.success());
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.count(), 2, "the configuration and the users file");
}

#[test]
fn f_14_a_users_file_that_is_mounted_by_itself_is_told_with_the_remedy() {
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&["ada", "bob"]));
    let path = folder.path().join("users.toml");
    fs::write(folder.path().join("mounted"), users(&["ada", "bob"])).unwrap();
    // As an engine does it with `volumes: ["./users.toml:/etc/influx-gateway/users.toml"]`.
    let script = "mount --bind \"$1/mounted\" \"$1/users.toml\" || exit 111\n\
                  exec \"$2\" user remove ada --config \"$1/gateway.toml\"";
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    command.arg(folder.path()).arg(program().get_program());
    let output = command.output().unwrap();
    let text = told(&output);
    if output.status.code() == Some(111) || text.contains("unshare") {
        eprintln!("not run: no mount can be made here: {text}");
        return;
    }
    assert_eq!(output.status.code(), Some(78), "{text}");
    for words in ["users.toml: ", "busy", "mount the folder", "`file` of [users]"] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(fs::read_to_string(path).unwrap().contains("ada"));
    let left = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(left, 3, "nothing is left lying about");
}

#[test]
fn f_15_who_locks_the_users_file_stops_nothing_but_edits() {
    let stage = Stage::start("[signin]\nhash_workers = 1\n");
    let sessions = ["ada", "bob"].map(|name| stage.gateway.sign_in(name));
    // Anybody who may read it can do that.
    let locked = File::open(stage.path("users.toml")).unwrap();
    locked.lock().unwrap();
    let change = |session: &str| {
        let headers = [&*cookie(session), &basic("ada", PASSWORD)].map(str::to_owned);
        let headers: Vec<_> = headers.iter().map(String::as_str).collect();
        let body = "{\"password\":\"battery staple\"}";
        let request = with_body("PUT", "/api/v2/me/password", &headers, body);
        stage.gateway.connect().send(&request)
    };
    thread::scope(|scope| {
        let changes: Vec<_> = (0..4).map(|_| scope.spawn(|| change(&sessions[0]).status)).collect();
        // Before the first of them is answered, and after.
        for _ in 0..2 {
            for name in ["ada", "bob"] {
                stage.gateway.sign_in(name);
            }
        }
        for change in changes {
            assert_eq!(change.join().unwrap(), 503, "told within a bounded time");
        }
    });
    assert!(stage.gateway.has_logged("another process has locked it"));
    let removed = user(stage.gateway.folder(), &["remove", "bob"]);
    assert_eq!(removed.status.code(), Some(78), "{}", told(&removed));
    assert!(told(&removed).contains("another process has locked it"), "{}", told(&removed));
    // Revocation, by the same file: it is written to, not replaced.
    fs::write(stage.path("users.toml"), users(&["ada"])).unwrap();
    stage.gateway.signal("HUP");
    wait_until("bob is gone", || stage.me(&sessions[1]) == 401);
    assert_eq!(stage.me(&sessions[0]), 200);
    // And signals.
    let log = stage.gateway.stop();
    assert!(log.contains("all requests are answered"), "{log}");
    drop(locked);
}
