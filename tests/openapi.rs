//! `gateway/openapi.yaml`: that it lists what the gateway answers, and that the program keeps to it.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::Command;

use crate::support::*;

/// What the document describes: the local routes, and the one that shares a path with them.
const ROUTES: [&str; 8] = [
    "GET /api/v2/me",
    "GET /api/v2/setup",
    "POST /api/v2/setup",
    "POST /api/v2/signin",
    "POST /api/v2/signout",
    "POST /api/v2/users/{userID}/password",
    "PUT /api/v2/me/password",
    "PUT /api/v2/users/{userID}/password",
];

#[test]
fn the_document_lists_exactly_the_local_routes() {
    let text = fs::read_to_string(repository().join("gateway/openapi.yaml")).unwrap();
    let (_, paths) = text.split_once("\npaths:\n").unwrap();
    let (paths, _) = paths.split_once("\ncomponents:\n").unwrap();
    let (mut path, mut routes) = ("", BTreeSet::new());
    for line in paths.lines().filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':')) {
        match line.strip_prefix("  ") {
            None => path = line,
            Some(key) if key.starts_with(' ') || key == "parameters" => {}
            Some(method) => {
                routes.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
    }
    assert_eq!(routes, BTreeSet::from(ROUTES.map(str::to_owned)));
}

#[test]
fn schemathesis_finds_nothing() {
    let upstream = Upstream::behaving(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\
                    X-Influxdb-Build: OSS\r\nX-Influxdb-Version: v2.9.1\r\n";
        write!(stream, "{head}\r\n{{\"allowed\":false}}").is_ok()
    });
    // It guesses a lot.
    let patient = "[signin]\nfailures = 100_000\nfailures_per_client = 100_000\n";
    let gateway = Gateway::start_with(upstream.address, patient, &users(&["ada"]));
    let (url, folder) = (format!("http://{}", gateway.address), tempfile::tempdir().unwrap());
    let schemathesis = repository().join(".venv/bin/schemathesis");
    assert!(schemathesis.exists(), "{} is missing; `make test` makes it", schemathesis.display());

    let output = Command::new(schemathesis)
        .current_dir(folder.path())
        .args(["--no-color", "--config-file"])
        .arg(repository().join("tests/openapi/schemathesis.toml"))
        .args(["run", "--checks", "all", "--url", &url])
        .arg(repository().join("gateway/openapi.yaml"))
        .env("SCHEMATHESIS_HOOKS", repository().join("tests/openapi/hooks.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("GATEWAY_URL", &url)
        .env("GATEWAY_USER", "ada")
        .env("GATEWAY_PASSWORD", PASSWORD)
        .output()
        .unwrap();

    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains(&format!("Tested: {}\n", ROUTES.len())), "{stdout}");
    for seen in upstream.seen_by_clients() {
        assert!(seen.line().starts_with("GET /api/v2/setup"), "the upstream saw {}", seen.line());
    }
}
