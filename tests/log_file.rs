use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::secure::SecureGateway;
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
        ("file = \"no/such/folder.log\"", "there is no folder"),
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

/// The fields of the access line of `id`, by their names.
fn fields(log: &str, id: &str) -> Vec<(String, String)> {
    let line = log.lines().find(|line| line.contains(&format!(" request_id={id} ")));
    let line = line.unwrap_or_else(|| panic!("no line of {id}: {log}"));
    let fields = line.split(' ').filter_map(|field| field.split_once('='));
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_line_tells_of_the_upstream_of_tls_and_of_the_body() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let cookie = cookie(&secure.gateway.sign_in("ada"));
    let id = |id: &str| format!("X-Request-Id: {id}");
    let body = "Content-Length: 7\r\n\r\nm v=1 1";
    let write =
        format!("POST /api/v2/write HTTP/1.1\r\nHost: x\r\n{cookie}\r\n{}\r\n{body}", id("w"));
    assert_eq!(secure.gateway.connect().send(&write).status, 200);
    secure.gateway.connect().send(&get("/health", &[&id("p")]));
    secure.gateway.connect().send(&get("/api/v2/me", &[&cookie, &id("m")]));
    secure.connect().send(&get("/api/v2/buckets", &[&cookie, &id("t")]));
    let log = secure.gateway.stop();
    let last = ["upstream", "upstream_ms", "tls", "received"];
    let address = upstream.address.to_string();
    for (id, to, tls, received) in [
        ("w", &*address, "-", "7"),
        ("p", &address, "-", "0"),
        ("m", "-", "-", "0"),
        ("t", &address, "1.3", "0"),
    ] {
        let fields = fields(&log, id);
        let (names, values): (Vec<_>, Vec<_>) = fields[fields.len() - 4..].iter().cloned().unzip();
        assert_eq!(names, last, "{id}");
        assert_eq!([&*values[0], &values[2], &values[3]], [to, tls, received], "{id}");
        let ms = &fields.iter().find(|(name, _)| name == "ms").unwrap().1;
        match values[1].parse::<f64>() {
            Ok(time) => assert!(to != "-" && time <= ms.parse().unwrap(), "{id}: {time} of {ms}"),
            Err(_) => assert_eq!((to, &*values[1]), ("-", "-"), "{id}"),
        }
    }
}

#[test]
fn traceparent_goes_upstream_with_a_span_of_the_gateways_own() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let good = format!("Traceparent: 00-{trace}-b7ad6b7169203331-01");
    let state = "tracestate: vendor=1";
    let (seen_good, seen_none) = (["good", "public"], ["none"]);
    let ask = |path: &str, id: &str, headers: &[&str]| {
        let id = format!("X-Request-Id: {id}");
        gateway.connect().send(&get(path, &[headers, &[&*cookie, &id]].concat()));
    };
    ask("/api/v2/buckets", "good", &[&good, state]);
    ask("/health", "public", &[&good, state]);
    ask("/api/v2/buckets", "none", &[state]);
    ask("/api/v2/buckets", "odd", &["traceparent: 00-x", state]);
    ask("/api/v2/buckets", "twice", &[&good, &good, state]);
    let seen = upstream.seen_by_clients();
    let of = |id: &str| seen.iter().find(|seen| seen.header("x-request-id") == Some(id)).unwrap();
    let log = gateway.stop();
    let logged = |id: &str| fields(&log, id).into_iter().find(|(name, _)| name == "trace_id");
    for id in seen_good {
        let value = of(id).header("traceparent").unwrap();
        assert!(value.starts_with(&format!("00-{trace}-")) && value.ends_with("-01"), "{value}");
        assert!(
            !value.contains("b7ad6b7169203331") && of(id).header("tracestate") == Some("vendor=1")
        );
        assert_eq!(logged(id).unwrap().1, trace);
    }
    for id in seen_none {
        assert_eq!((of(id).header("traceparent"), logged(id)), (None, None));
        assert_eq!(of(id).header("tracestate"), Some("vendor=1"));
    }
    for id in ["odd", "twice"] {
        let values = of(id).all("traceparent");
        assert!(
            values.len() == 1 && values[0].len() == 55 && !values[0].contains(trace),
            "{values:?}"
        );
        assert_eq!(of(id).header("tracestate"), None);
        assert_eq!(logged(id).unwrap().1, values[0][3..35]);
    }
}
