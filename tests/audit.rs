use std::fs;
use std::process::Command;

use crate::attack::{behind_a_proxy_with, try_from};
use crate::influxdb::{Influxdb, Person};
use crate::support::*;

fn start(config: &str) -> Gateway {
    Gateway::start_with(closed_port(), config, &users(&["ada", "bob"]))
}

/// The events of a trail, each with its reason if it has one.
fn events(trail: &[serde_json::Value]) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let event =
        |line: &serde_json::Value| format!("{} {}", text(&line["event"]), text(&line["reason"]));
    trail.iter().map(|line| event(line).trim_end().to_owned()).collect()
}

#[test]
fn a_line_an_event() {
    let config = "[session]\nmax_sessions_per_user = 2\nidle = \"2s\"\n";
    let gateway = start(config);
    let sign_in = |name: &str, password: &str, id: &str| {
        let id = format!("X-Request-Id: {id}");
        gateway.connect().send(&post("/api/v2/signin", &[&basic(name, password), &id]))
    };
    let session = sign_in("ada", PASSWORD, "r1").cookie();
    sign_in("ada", "wrong horse", "r2");
    sign_in("eve", "wrong horse", "r3");
    let second = gateway.sign_in("ada");
    gateway.connect().send(&get("/api/v2/me", &[&cookie(&second)]));
    let third = gateway.sign_in("ada");
    let headers = [cookie(&third), basic("ada", PASSWORD)];
    let body = "{\"password\":\"battery staple\"}";
    let change = with_body("PUT", "/api/v2/me/password", &[&headers[0], &headers[1]], body);
    assert_eq!(gateway.connect().send(&change).status, 204);
    assert_eq!(gateway.connect().send(&post("/api/v2/signout", &[&cookie(&third)])).status, 204);
    gateway.sign_in("bob");
    let trail = gateway.audited(11);
    assert_eq!(
        events(&trail),
        [
            "signed_in",
            "refused wrong_password",
            "refused unknown_user",
            "signed_in",
            "evicted",
            "signed_in",
            "password_changed",
            "revoked",
            "signed_out",
            "signed_in",
            "expired"
        ]
    );
    for (line, (user, id)) in trail.iter().zip([("ada", "r1"), ("ada", "r2"), ("eve", "r3")]) {
        assert_eq!((&line["user"], &line["request_id"]), (&user.into(), &id.into()));
        assert_eq!(line["client"], "127.0.0.1");
        let time = line["time"].as_str().unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z') && time.len() == 24, "{time}");
    }
    let fingerprint = |line: usize| trail[line]["session"].as_str().unwrap().to_owned();
    assert_eq!(fingerprint(4), fingerprint(0), "the first of three had to go");
    assert_eq!(fingerprint(7), fingerprint(3), "the other one, for the new password");
    assert_eq!(fingerprint(8), fingerprint(5));
    assert_eq!((&trail[10]["user"], fingerprint(10)), (&"bob".into(), fingerprint(9)));
    assert_eq!(trail[1]["session"], serde_json::Value::Null);
    assert!(!gateway.audit().contains(session.split_once('=').unwrap().1));
}

/// What [`refused_by_the_file`] has written down.
const REFUSALS: [&str; 15] = [
    "signed_in",
    "refused full",
    "refused malformed",
    "refused wrong_password",
    "refused wrong_password",
    "banned pair",
    "refused throttled",
    "refused wrong_password",
    "banned user",
    "refused throttled",
    "refused unknown_user",
    "refused unknown_user",
    "refused unknown_user",
    "banned client",
    "refused throttled",
];

/// A gateway with a listener for operators that has refused users of the file in every way, and what it must have
/// written down.
pub(crate) fn refused_by_the_file() -> (Gateway, Vec<&'static str>) {
    let config = "[signin]\nfailures = 2\nfailures_per_user = 3\nfailures_per_client = 4\n\
                  [session]\nmax_sessions = 1\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    let gateway = behind_a_proxy_with(config, &users(&["ada", "bob"]));
    gateway.sign_in("bob");
    assert_eq!(try_from(&gateway, "10.0.0.1", "ada", PASSWORD), 503);
    assert_eq!(gateway.connect().send(&post("/api/v2/signin", &[])).status, 401);
    let wrong = |address, name| try_from(&gateway, address, name, "wrong horse");
    assert_eq!([0; 3].map(|_| wrong("10.0.0.1", "ada")), [401, 401, 429]);
    // Of the same name, from another client; and then from one that is new to it.
    assert_eq!([wrong("10.0.0.2", "ada"), wrong("10.0.0.3", "ada")], [401, 429]);
    // The fourth failure of that client, whatever the names.
    assert_eq!(
        ["eve", "fay", "gil", "hal"].map(|name| wrong("10.0.0.2", name)),
        [401, 401, 401, 429]
    );
    (gateway, REFUSALS.to_vec())
}

/// The same of InfluxDB's users, in every way that is not the same; and the reasons.
pub(crate) fn refused_by_influxdb() -> (Gateway, Vec<&'static str>) {
    // So many are sent to InfluxDB at once; the next one has to wait.
    const AT_ONCE: usize = 32;
    let influxdb = Influxdb::start();
    let long = "\u{e9}".repeat(5_462);
    let named = Person { name: long.clone(), password: PASSWORD.to_owned(), is_active: true };
    let short = Person { name: "bob".to_owned(), password: "short".to_owned(), is_active: true };
    influxdb.state().users.extend([(2, short), (4, named)]);
    let config = "[users]\nsource = \"influxdb\"\n[signin]\nhash_wait = \"1ms\"\n\
                  [admin]\nlisten = \"127.0.0.1:0\"\n";
    let gateway = Gateway::start_with(influxdb.upstream.address, config, "");
    let sign_in = |name: &str, password: &str| post("/api/v2/signin", &[&basic(name, password)]);
    let status = |request: &str| gateway.connect().send(request).status;
    assert_eq!(status(&sign_in("ada", "wrong horse")), 401);
    assert_eq!(status(&sign_in("bob", "short")), 403);
    assert_eq!(status(&sign_in(&long, PASSWORD)), 403);
    influxdb.state().is_mute = true;
    influxdb.upstream.seen_by_clients();
    let waiting = (0..AT_ONCE).map(|number| {
        let mut client = gateway.connect();
        client.write(sign_in(&format!("name{number}"), PASSWORD).as_bytes());
        influxdb.upstream.next();
        client
    });
    let waiting: Vec<_> = waiting.collect();
    assert_eq!(status(&sign_in("ada", PASSWORD)), 429);
    influxdb.upstream.hang_up();
    for mut client in waiting {
        assert_eq!(client.read().status, 503);
    }
    let first = ["wrong_credentials", "password_change_required", "name_too_long", "busy"];
    (gateway, [&first[..], &["unavailable"; AT_ONCE]].concat())
}

#[test]
fn o_03_each_way_to_be_refused_has_its_reason() {
    let (gateway, expected) = refused_by_the_file();
    let trail = gateway.audited(expected.len());
    assert_eq!(events(&trail), expected);
    for (place, seconds) in [(5, 60), (8, 1), (13, 60)] {
        assert_eq!(trail[place]["seconds"], seconds, "{}", trail[place]);
    }
}

#[test]
fn o_03_so_has_each_way_with_influxdbs_users() {
    let (gateway, expected) = refused_by_influxdb();
    let expected: Vec<_> = expected.iter().map(|reason| format!("refused {reason}")).collect();
    assert_eq!(events(&gateway.audited(expected.len())), expected);
}

#[test]
fn o_01_a_name_cannot_forge_a_line() {
    let gateway = start("");
    let forged =
        "x\",\"event\":\"signed_in\",\"client\":\"10.0.0.1\"}\r\n{\"time\":\"\u{1b}[31m\u{202e}";
    for name in [forged, "a\nb", "\u{9b}31m", "\u{0}"] {
        gateway.connect().send(&post("/api/v2/signin", &[&basic(name, "wrong horse")]));
    }
    let trail = gateway.audited(4);
    assert!(trail.iter().all(|line| line["event"] == "refused" && line["client"] == "127.0.0.1"));
    assert_eq!(trail[1]["user"], "a\nb");
    let text = gateway.audit();
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{text:?}");
}

#[test]
fn a_file_that_was_moved_away_is_opened_anew_when_told() {
    use std::os::unix::fs::PermissionsExt;
    let gateway = start("");
    gateway.sign_in("ada");
    gateway.audited(1);
    let (file, moved) =
        (gateway.folder().join("audit.jsonl"), gateway.folder().join("audit.jsonl.1"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    fs::rename(&file, &moved).unwrap();
    gateway.sign_in("ada");
    let lines = |path| fs::read_to_string(path).unwrap_or_default().lines().count();
    wait_until("the old file goes on", || lines(&moved) == 2);
    gateway.signal("HUP");
    wait_until("there is a new file", || lines(&file) == 1);
    gateway.sign_in("bob");
    assert_eq!(events(&gateway.audited(2)), ["reloaded", "signed_in"]);
    assert_eq!(lines(&moved), 2);
}

#[test]
fn without_a_file_the_trail_is_in_the_log() {
    let folder = Gateway::prepare("http://127.0.0.1:9", "", &users(&["ada"]));
    let path = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap().replace("[audit]\nfile", "[audit]\n# file");
    fs::write(path, text).unwrap();
    let gateway = Gateway::start_in(folder);
    gateway.sign_in("ada");
    let log = gateway.stop();
    assert!(log.contains(" audit] {\"time\":\"20") && log.contains("\"signed_in\""), "{log}");
}

#[test]
fn in_a_log_of_json_the_trail_is_objects_of_it() {
    let folder = Gateway::prepare("http://127.0.0.1:9", "", &users(&["ada"]));
    let path = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap().replace("[audit]\nfile", "[audit]\n# file");
    fs::write(path, text + "[log]\nformat = \"json\"\n").unwrap();
    let gateway = Gateway::start_in(folder);
    gateway.sign_in("ada");
    let refused = post("/api/v2/signin", &[&basic("a\"}\u{1}é", "wrong horse")]);
    assert_eq!(gateway.connect().send(&refused).status, 401);
    let log = gateway.stop();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let lines: Vec<_> = lines.filter(|line| line["target"] == "audit").collect();
    assert_eq!(lines.len(), 2, "{log}");
    for (line, event, user) in
        [(&lines[0], "signed_in", "ada"), (&lines[1], "refused", "a\"}\u{1}é")]
    {
        let audit = &line["audit"];
        assert_eq!((&audit["event"], &audit["user"]), (&event.into(), &user.into()), "{line}");
        assert!(audit["time"].as_str().unwrap() <= line["time"].as_str().unwrap(), "{line}");
        assert_eq!((&line["level"], line.get("message")), (&"INFO".into(), None));
    }
}

#[test]
fn what_has_happened_is_written_before_the_end() {
    for signal in ["TERM", "INT"] {
        let gateway = start("");
        let path = gateway.folder().join("audit.jsonl");
        let kept = gateway.folder().join("kept.jsonl");
        fs::write(&path, "").unwrap();
        fs::hard_link(&path, &kept).unwrap();
        for _ in 0..50 {
            gateway.sign_in("ada");
        }
        gateway.signal(signal);
        let lines = || fs::read_to_string(&kept).unwrap().lines().count();
        wait_until("all is written", || lines() == 50);
        gateway.wait();
    }
}

#[test]
fn a_trail_and_a_log_that_cannot_be_written_are_faults_at_start() {
    let log = "[log]\nfile = \"gateway.log\"\n";
    let folder = Gateway::prepare("http://127.0.0.1:9", log, &users(&["ada"]));
    // Each leads to itself.
    for name in ["audit.jsonl", "gateway.log"] {
        std::os::unix::fs::symlink(name, folder.path().join(name)).unwrap();
    }
    let output = program()
        .args(["run", "--config"])
        .arg(folder.path().join("gateway.toml"))
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78));
    for name in ["audit.jsonl", "gateway.log"] {
        assert!(told.contains(&format!("{name}: cannot be written to: Too many levels")), "{told}");
    }
}

#[test]
fn fail2ban_finds_who_guesses_and_nobody_else() {
    let gateway = start("[signin]\nfailures = 1\n");
    gateway.sign_in("ada");
    let forged = "x\",\"client\":\"10.0.0.1\",\"event\":\"banned";
    for name in ["ada", "eve", forged, "ada"] {
        gateway.connect().send(&post("/api/v2/signin", &[&basic(name, "wrong horse")]));
    }
    gateway.connect().send(&post("/api/v2/signin", &[]));
    gateway.audited(9);
    let output = Command::new("fail2ban-regex")
        .args(["--out", "ip"])
        .arg(gateway.folder().join("audit.jsonl"))
        .arg(repository().join("conf/fail2ban/filter.d/influx-gateway.conf"))
        .output()
        .expect("fail2ban-regex is installed by `make test`");
    let found = String::from_utf8_lossy(&output.stdout);
    assert_eq!(found.lines().collect::<Vec<_>>(), ["127.0.0.1"; 4], "{output:?}");
}

#[test]
fn fail2ban_takes_the_jail() {
    let folder = tempfile::tempdir().unwrap();
    let (conf, copy) = (repository().join("conf/fail2ban"), folder.path().join("fail2ban"));
    assert!(
        Command::new("cp").args(["-r", "/etc/fail2ban"]).arg(&copy).status().unwrap().success()
    );
    fs::remove_dir_all(copy.join("jail.d")).unwrap();
    fs::create_dir(copy.join("jail.d")).unwrap();
    let name = "influx-gateway.conf";
    fs::copy(conf.join("filter.d").join(name), copy.join("filter.d").join(name)).unwrap();
    let trail = folder.path().join("audit.jsonl");
    fs::write(&trail, "").unwrap();
    let jail = fs::read_to_string(conf.join("jail.d").join(name)).unwrap();
    let here = jail.replace("/var/log/influx-gateway/audit.jsonl", trail.to_str().unwrap());
    assert_ne!(jail, here);
    fs::write(copy.join("jail.d").join(name), here).unwrap();
    let client =
        |flag| Command::new("fail2ban-client").arg("-c").arg(&copy).arg(flag).output().unwrap();
    let test = client("--test");
    assert!(test.status.success(), "{test:?}");
    let dump = String::from_utf8(client("-d").stdout).unwrap();
    assert!(dump.contains("'influx-gateway', 'maxretry', 20"), "{dump}");
}

#[test]
fn f_34_a_full_disk_tears_one_line_and_what_was_lost_is_counted() {
    let folder = Gateway::prepare(&format!("http://{}", closed_port()), "", &users(&["ada"]));
    let mut command = Command::new("sh");
    // Beyond the largest size of a file, writing fails as on a full disk, and kills who does not mind.
    let script = "trap '' XFSZ; exec \"$0\" \"$@\"";
    command.args(["-c", script, env!("CARGO_BIN_EXE_influx-gateway")]);
    let gateway = Gateway::start_by(command, folder);
    let largest = |size: &str| {
        let (pid, size) = (gateway.pid().to_string(), format!("--fsize={size}:"));
        assert!(Command::new("prlimit").args(["--pid", &pid, &size]).status().unwrap().success());
    };
    gateway.sign_in("ada");
    gateway.audited(1);
    let whole = gateway.audit().len();
    for round in 1..=2 {
        largest(&(gateway.audit().len() + 50).to_string());
        let said = || gateway.log().matches("events were not written").count();
        for _ in 0..3 {
            let before = said();
            gateway.sign_in("ada");
            wait_until("it is said that the event is lost", || said() > before);
        }
        largest("unlimited");
        gateway.sign_in("ada");
        let audit = || gateway.audit();
        wait_until("it goes on", || audit().matches("signed_in").count() == 1 + round);
    }
    let audit = gateway.audit();
    let lines: Vec<_> = audit.lines().map(serde_json::from_str::<serde_json::Value>).collect();
    let is_torn: Vec<_> = lines.iter().map(Result::is_err).collect();
    assert_eq!(is_torn, [false, true, false, false, true, false, false], "{audit}");
    assert_eq!(audit[whole..].find('\n'), Some(50), "{audit}");
    for lost in [2, 5] {
        let line = lines[lost].as_ref().unwrap();
        assert_eq!((&line["event"], &line["count"]), (&"lost".into(), &3.into()), "{audit}");
    }
}

#[test]
fn f_34_a_line_that_an_earlier_process_has_torn_is_ended() {
    let folder = Gateway::prepare(&format!("http://{}", closed_port()), "", &users(&["ada"]));
    fs::write(folder.path().join("audit.jsonl"), "{\"time\":\"2026").unwrap();
    let gateway = Gateway::start_in(folder);
    gateway.sign_in("ada");
    wait_until("it is written", || gateway.audit().ends_with("\"ada\"}\n"));
    assert_eq!(gateway.audit().lines().next(), Some("{\"time\":\"2026"));
    assert_eq!(gateway.audit().lines().count(), 2);
}
