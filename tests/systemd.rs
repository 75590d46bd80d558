use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use crate::support::*;

const UNIT: &str = "conf/systemd/influx-gateway.service";

/// Where a service manager hears from the gateway.
struct Heard(UnixDatagram);

impl Heard {
    fn next(&self) -> String {
        let mut text = [0; 200];
        let length = self.0.recv(&mut text).expect("something is told");
        String::from_utf8(text[..length].to_vec()).unwrap()
    }
}

#[test]
fn the_service_manager_is_told_of_start_reload_and_end() {
    let folder = Gateway::prepare("http://127.0.0.1:9", "", &users(&["ada"]));
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = Heard(socket);
    let mut command = program();
    command.env("NOTIFY_SOCKET", &path);
    let gateway = Gateway::start_by(command, folder);
    assert_eq!(heard.next(), "READY=1\n");
    gateway.signal("HUP");
    let reloading = heard.next();
    let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").map(str::trim_end);
    assert!(time.is_some_and(|time| time.parse::<u64>().is_ok()), "{reloading}");
    assert_eq!(heard.next(), "READY=1\n");
    gateway.signal("TERM");
    assert_eq!(heard.next(), "STOPPING=1\n");
    assert_eq!(gateway.wait().0, Some(0));
}

/// With every setting known, and of all that a service might do, little allowed.
#[test]
fn the_unit_is_good_and_allows_little() {
    let text = fs::read_to_string(repository().join(UNIT)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("influx-gateway.service");
    // The program where it is here: one that is not there is a fault.
    let installed = "/usr/local/bin/influx-gateway";
    assert_eq!(text.matches(installed).count(), 2);
    let built = program().get_program().to_str().unwrap().to_owned();
    fs::write(&path, text.replace(installed, &built)).unwrap();
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        let output = output_of(command.args(arguments).arg(&path), "");
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    assert_eq!(analyze(&["verify"]), (Some(0), String::new()));
    // Of ten; what has no sandbox at all has 9.6.
    let (code, told) = analyze(&["security", "--offline=yes", "--threshold=18"]);
    assert_eq!(code, Some(0), "{told}");
}

/// Where the pages and the files beside them have the gateway write, the unit lets it write, and has made a folder.
#[test]
fn the_unit_makes_the_folders_that_the_pages_name() {
    let unit = fs::read_to_string(repository().join(UNIT)).unwrap();
    let made: Vec<_> = [("Runtime", "/run"), ("State", "/var/lib"), ("Logs", "/var/log")]
        .into_iter()
        .filter_map(|(kind, place)| {
            let key = format!("{kind}Directory=");
            let name = unit.lines().find_map(|line| line.strip_prefix(&key))?;
            Some(format!("{place}/{name}"))
        })
        .collect();
    let mut named = std::collections::BTreeMap::new();
    for folder in
        ["docs", "docs/examples", "conf", "conf/fail2ban/jail.d", "conf/fail2ban/filter.d"]
    {
        for entry in fs::read_dir(repository().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let is_of_path = |char: char| char.is_ascii_alphanumeric() || "/-_.".contains(char);
            for word in text.split(|char| !is_of_path(char)) {
                let is_written =
                    ["/run/", "/var/lib/", "/var/log/"].iter().any(|it| word.starts_with(it));
                if is_written && word.contains("/influx-gateway") {
                    named.insert(word.trim_end_matches(['.', '/']).to_owned(), path.clone());
                }
            }
        }
    }
    assert!(named.contains_key("/var/log/influx-gateway/audit.jsonl"), "{named:?}");
    for (word, page) in named {
        let is_made = made.iter().any(|it| word == *it || word.starts_with(&format!("{it}/")));
        assert!(is_made, "{}: {word}; the unit makes {made:?}", page.display());
        // `check` says nothing of a folder that is made at the start.
        let trail = format!("[audit]\nfile = \"{word}/audit.jsonl\"\n");
        if made.contains(&word) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("gateway.toml");
            fs::write(folder.path().join("users.toml"), users(&["ada"])).unwrap();
            fs::write(&path, trail).unwrap();
            let output = output_of(program().args(["check", "--config"]).arg(&path), "");
            assert_eq!(output.status.code(), Some(0), "{word}: {output:?}");
        }
    }
}
