use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::*;

/// Starts a gateway whose log goes where `keys` of `[log]` say. `RUST_LOG` has no say in it.
fn start(keys: &str) -> Gateway {
    start_in(prepare(keys))
}

fn prepare(keys: &str) -> tempfile::TempDir {
    let upstream = Upstream::start().address;
    Gateway::prepare(&format!("http://{upstream}"), &format!("[log]\n{keys}"), &users(&["ada"]))
}

fn start_in(folder: tempfile::TempDir) -> Gateway {
    let mut command = Command::new("env");
    // `env` takes the variable away again that the helper sets.
    command.args(["-u", "RUST_LOG"]).arg(program().get_program());
    Gateway::start_by(command, folder)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn ask(gateway: &Gateway, id: &str) {
    gateway.connect().send(&get("/api/v2/buckets", &[&format!("X-Request-Id: {id}")]));
}

fn has(path: &Path, id: &str) {
    let field = format!("request_id={id}");
    wait_until("the line is written", || text(path).contains(&field));
}

#[test]
fn the_whole_log_goes_into_the_file_and_nothing_is_lost_on_term() {
    let gateway = start("file = \"gateway.log\"");
    let path = gateway.folder().join("gateway.log");
    let mut client = gateway.connect();
    let cookie = cookie(&gateway.sign_in("ada"));
    let request = get("/api/v2/buckets", &[&cookie]);
    for _ in 0..1000 {
        assert_eq!(client.send(&request).status, 200);
    }
    // The folder goes with the gateway, an open file stays.
    let mut open = std::fs::File::open(&path).unwrap();
    gateway.signal("TERM");
    let (code, on_standard_error) = gateway.wait();
    let mut log = String::new();
    open.read_to_string(&mut log).unwrap();
    assert_eq!((code, &*on_standard_error), (Some(0), ""));
    assert!(log.contains("INFO  influx_gateway::cli::run] listening on http://"), "{log}");
    assert_eq!(log.matches("path=/api/v2/buckets status=200").count(), 1000);
    assert!(log.ends_with('\n') && log.contains("all requests are answered"));
}

#[test]
fn json_is_one_object_a_line() {
    let gateway = start("format = \"json\"\nlevel = \"debug\"");
    let cookie = cookie(&gateway.sign_in("ada"));
    let trace = "Zap-Trace-Span: {\"trace_id\":\"1a2b\"}";
    gateway.connect().send(&get("/api/v2/a%22%7D?q=private", &[&cookie, trace]));
    gateway.connect().send(&get("/api/v2/b\"},\\", &[&cookie]));
    gateway.connect().send("GET / HTTP/1.1\r\n\r\n");
    let log = gateway.stop();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        let time = line["time"].as_str().unwrap();
        assert!(time.len() == 24 && time.ends_with('Z'), "{line}");
        assert!(line["level"].is_string() && line["target"].is_string(), "{line}");
        assert_eq!(line["message"].is_string(), line["target"] != "access", "{line}");
    }
    let of = |path: &str| lines.iter().find(|line| line["path"] == path);
    let line = of("/api/v2/a%22%7D").unwrap_or_else(|| panic!("{log}"));
    for (name, expected) in [
        ("client", Value::from("127.0.0.1")),
        ("user", "ada".into()),
        ("method", "GET".into()),
        ("status", 200.into()),
        ("bytes", 3.into()),
        ("trace_id", "1a2b".into()),
    ] {
        assert_eq!(line[name], expected, "{name}");
    }
    assert!(line["ms"].is_f64() && line["session"].as_str().unwrap().len() == 8, "{line}");
    let early = lines.iter().find(|line| line["target"] == "access" && line["path"].is_null());
    assert!(early.unwrap()["user"].is_null() && early.unwrap()["status"] == 400, "{log}");
}

#[test]
fn a_level_and_no_access_lines() {
    let gateway = start("level = \"warn\"");
    ask(&gateway, "r1");
    let log = gateway.stop();
    assert!(log.contains(" WARN ") && !log.contains(" INFO "), "{log}");
    let gateway = start("access = false");
    ask(&gateway, "r1");
    let log = gateway.stop();
    assert!(log.contains(" INFO ") && !log.contains(" access] "), "{log}");
    // What the environment asks for outranks the level.
    let gateway = Gateway::start_in(prepare("level = \"error\""));
    ask(&gateway, "r1");
    assert!(gateway.stop().contains("request_id=r1"));
}

#[test]
fn the_level_is_read_again() {
    let gateway = start("level = \"error\"\naccess = false");
    let config = gateway.folder().join("gateway.toml");
    let quiet = text(&config);
    ask(&gateway, "quiet");
    std::fs::write(&config, quiet.replace("\"error\"\naccess = false", "\"info\"")).unwrap();
    gateway.signal("HUP");
    wait_until("it is in force", || {
        ask(&gateway, "loud");
        gateway.has_logged("request_id=loud")
    });
    assert!(!gateway.stop().contains("request_id=quiet"));
}

#[test]
fn hup_and_usr1_open_the_file_again() {
    let gateway = start("file = \"gateway.log\"");
    let (path, old) = ["gateway.log", "old.log"].map(|name| gateway.folder().join(name)).into();
    for (signal, id) in [("HUP", "h"), ("USR1", "u")] {
        ask(&gateway, &format!("{id}1"));
        std::fs::rename(&path, &old).unwrap();
        gateway.signal(signal);
        wait_until("it is there again", || path.exists());
        ask(&gateway, &format!("{id}2"));
        has(&path, &format!("{id}2"));
        has(&old, &format!("{id}1"));
        assert!(!text(&path).contains(&format!("request_id={id}1")));
    }
    assert_eq!(gateway.stop(), "");
}

#[test]
fn logrotate_rotates_it() {
    let gateway = start("file = \"gateway.log\"");
    let path = gateway.folder().join("gateway.log");
    let rotation = gateway.folder().join("logrotate.conf");
    let said = format!(
        "{path} {{\n rotate 2\n create 0640\n sharedscripts\n postrotate\n  kill -USR1 {pid}\n endscript\n}}\n",
        path = path.display(),
        pid = gateway.pid()
    );
    std::fs::write(&rotation, said).unwrap();
    for round in 1..=2 {
        ask(&gateway, &format!("before{round}"));
        has(&path, &format!("before{round}"));
        let output = Command::new("logrotate")
            .env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin")
            .args(["--force", "--state"])
            .arg(gateway.folder().join("state"))
            .arg(&rotation)
            .output()
            .expect("logrotate is installed by `make test`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ask(&gateway, &format!("after{round}"));
        let after = format!("request_id=after{round}");
        wait_until("it goes on in one of them", || {
            let rotated = gateway.folder().join("gateway.log.1");
            text(&path).contains(&after) || text(&rotated).contains(&after)
        });
    }
    let rotated: Vec<PathBuf> =
        [1, 2].map(|number| gateway.folder().join(format!("gateway.log.{number}"))).into();
    has(&rotated[0], "before2");
    has(&rotated[1], "before1");
    // The signal has been heeded by now, or soon.
    wait_until("new lines are in the new file", || {
        ask(&gateway, "last");
        text(&path).contains("request_id=last")
    });
}

#[test]
fn a_file_that_cannot_be_written_is_said_once_and_what_is_missing_counted() {
    let folder = prepare("file = \"gateway.log\"");
    let path = folder.path().join("gateway.log");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let gateway = start_in(folder);
    for _ in 0..20 {
        ask(&gateway, "lost");
    }
    std::fs::remove_file(&path).unwrap();
    gateway.signal("USR1");
    wait_until("it is there", || path.exists());
    ask(&gateway, "found");
    has(&path, "found");
    let log = text(&path);
    let (count, _) = log.split_once(" lines are missing from the log").unwrap();
    // Besides those of the requests, what is said at the start.
    assert!(count.parse::<usize>().unwrap() > 20, "{log}");
    assert!(!log.contains("request_id=lost"), "{log}");
    let said = gateway.stop();
    assert_eq!(said.matches("cannot be written to").count(), 1, "{said}");
    assert!(said.contains("gateway.log: cannot be written to") && said.contains("(log.file)"));
}

#[test]
fn faults_of_the_table_are_told() {
    for (keys, fault) in [
        ("file = \"no/such/folder.log\"", "cannot be written to"),
        ("format = \"xml\"", "\"text\""),
        ("level = \"loud\"", "\"info\""),
        ("access = 1", "log.access"),
        ("colour = 1", "log.colour"),
    ] {
        let folder = prepare(keys);
        let mut command = program();
        let config = folder.path().join("gateway.toml");
        let output = output_of(command.args(["run", "--config"]).arg(config), "");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains(fault), "{fault}: {said}");
    }
}
