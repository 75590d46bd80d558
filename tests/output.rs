use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::support::*;

/// Places that take nothing: a full disk, and a pipe whose reader is gone.
const NOWHERE: [fn() -> Stdio; 2] = [
    || File::options().write(true).open("/dev/full").unwrap().into(),
    || std::io::pipe().unwrap().1.into(),
];

/// A process that serves; killed when dropped.
struct Ended(Child);

impl Ended {
    /// Tells it to stop once it heeds signals, which is after it has said where it listens.
    fn stop(mut self) -> Option<i32> {
        let pid = self.0.id().to_string();
        wait_until("it heeds signals", || {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = caught.map(|mask| u64::from_str_radix(mask.trim(), 16).unwrap());
            caught.is_some_and(|mask| mask & (1 << (15 - 1)) != 0)
        });
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signs_in(address: std::net::SocketAddr) {
    wait_until("it listens", || TcpStream::connect(address).is_ok());
    let ada = post("/api/v2/signin", &[&basic("ada", PASSWORD)]);
    assert_eq!(Client::connect(address).send(&ada).status, 204);
}

#[test]
fn f_31_serving_goes_on_whatever_becomes_of_its_output() {
    for nowhere in NOWHERE {
        for (stdout, stderr) in [(true, false), (false, true), (true, true)] {
            let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&["ada"]));
            let (config, address) = (folder.path().join("gateway.toml"), closed_port());
            let text = std::fs::read_to_string(&config).unwrap();
            let text = text.replace("127.0.0.1:0", &address.to_string());
            std::fs::write(&config, text).unwrap();
            let place = |lost: bool| if lost { nowhere() } else { Stdio::null() };
            let mut command = program();
            command.args(["run", "--config"]).arg(&config);
            let child = command.stdout(place(stdout)).stderr(place(stderr)).spawn().unwrap();
            let child = Ended(child);
            signs_in(address);
            assert_eq!(child.stop(), Some(0), "{stdout} {stderr}");
        }
    }
}

#[test]
fn f_31_the_demo_goes_on_too() {
    for nowhere in NOWHERE {
        let address = closed_port();
        let mut command = program();
        command.args(["demo", "--listen", &address.to_string()]);
        let child = Ended(command.stdout(nowhere()).stderr(nowhere()).spawn().unwrap());
        wait_until("it listens", || TcpStream::connect(address).is_ok());
        assert_eq!(Client::connect(address).send(&get("/api/v2/me", &[])).status, 401);
        assert_eq!(child.stop(), Some(0));
    }
}

/// Runs a tool on the configuration in `folder`, its output into `stdout` and `stderr`.
fn tool(folder: &Path, arguments: &[&str], stdout: Stdio, stderr: Stdio) -> Output {
    let mut command: Command = program();
    command.args(arguments);
    if arguments.first().is_some_and(|first| ["check", "user", "token", "run"].contains(first)) {
        command.arg("--config").arg(folder.join("gateway.toml"));
    }
    command.stdin(File::open(folder.join("password")).unwrap());
    command.stdout(stdout).stderr(stderr).spawn().unwrap().wait_with_output().unwrap()
}

/// A folder with these users, a token for all of them, and a password that is shorter than advised.
fn folder(users: &str) -> tempfile::TempDir {
    let folder = Gateway::prepare("http://127.0.0.1:1", "token_file = \"token\"", users);
    std::fs::write(folder.path().join("token"), "shared").unwrap();
    std::fs::write(folder.path().join("password"), "short").unwrap();
    folder
}

#[test]
fn f_31_tools_end_quietly_when_nobody_reads() {
    let many: Vec<_> = (0..5000).map(|n| format!("user{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let folder = folder(&users(&many));
    for arguments in [
        &["user", "list"][..],
        &["user", "list", "--json"],
        &["user", "add", "ada", "--password-stdin"],
        &["user", "passwd", "ada", "--password-stdin"],
        &["user", "remove", "ada"],
        &["hash"],
        &["check"],
        &["--help"],
        &["--version"],
    ] {
        let output = tool(folder.path(), arguments, NOWHERE[1](), Stdio::piped());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        // What is wrong with the input is said, whoever reads the output.
        let is_of_the_input = |line: &str| {
            line.contains("no upstream token for") || line.contains("is shorter than 8 bytes")
        };
        let other = said.lines().find(|line| !is_of_the_input(line));
        assert_eq!(other, None, "{arguments:?}");
    }
}

#[test]
fn f_31_a_reader_that_has_enough_is_no_fault() {
    let many: Vec<_> = (0..5000).map(|n| format!("user{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let folder = folder(&users(&many));
    let pasted = "set -o pipefail; \"$0\" user list --config \"$1\" | head -1";
    let output = Command::new("bash")
        .args(["-c", pasted, env!("CARGO_BIN_EXE_influx-gateway")])
        .arg(folder.path().join("gateway.toml"))
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), stdout.lines().count(), &*stderr), (Some(0), 1, ""));
}

#[test]
fn f_31_an_answer_that_is_lost_is_74_and_a_confirmation_is_not() {
    let folder = folder(&users(&["ada", "bob"]));
    for (arguments, code) in [
        (&["user", "list"][..], 74),
        (&["user", "list", "--json"], 74),
        (&["hash"], 74),
        (&["user", "passwd", "ada", "--password-stdin"], 0),
        (&["user", "remove", "bob"], 0),
        (&["check"], 0),
    ] {
        let output = tool(folder.path(), arguments, NOWHERE[0](), Stdio::piped());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        let is_said = said.contains("influx-gateway: standard output: ");
        assert_eq!(is_said, code == 74, "{arguments:?}: {said}");
    }
    let left = std::fs::read_to_string(folder.path().join("users.toml")).unwrap();
    assert!(left.contains("ada") && !left.contains("bob"), "what was not said was done");
}

/// A token is shown once. One that nobody has seen must not let anybody in.
#[test]
fn a_token_that_cannot_be_shown_is_not_kept() {
    let folder = folder(&users(&["ada"]));
    let file = folder.path().join("users.toml");
    let before = std::fs::read_to_string(&file).unwrap();
    for nowhere in NOWHERE {
        let output = tool(folder.path(), &["token", "add", "ada"], nowhere(), Stdio::piped());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(74), "{said}");
        assert!(said.contains("influx-gateway: standard output: "), "{said}");
        assert!(said.contains("the token was removed again"), "{said}");
        assert!(!said.contains("has a new token"), "{said}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    }
    let output = tool(folder.path(), &["token", "add", "ada"], Stdio::piped(), Stdio::piped());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.starts_with(b"igw_"), "{output:?}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("sha256"));
}

#[test]
fn f_31_the_exit_code_stays_when_nobody_hears_why() {
    let folder = folder("");
    std::fs::write(folder.path().join("gateway.toml"), "[listen]\nhttp = 1\n").unwrap();
    for nowhere in NOWHERE {
        for (arguments, code) in [
            (&["run"][..], 78),
            (&["check"], 78),
            (&["user", "list"], 78),
            (&["user", "add", "ada", "--password-stdin"], 78),
            (&["hash"], 0),
            (&["fly"], 64),
            (&[], 64),
        ] {
            let output = tool(folder.path(), arguments, Stdio::piped(), nowhere());
            assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        }
    }
}
