//! `gateway/openapi.yaml` and `openapi-admin.yaml`: that they list what the gateway answers, and that the program keeps
//! to them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::process::Command;

use crate::support::*;

/// What the document describes: the local routes, and the one that shares a path with them.
const ROUTES: [&str; 12] = [
    "DELETE /api/v2/me/sessions",
    "DELETE /api/v2/me/sessions/{fingerprint}",
    "GET /api/v2/me",
    "GET /api/v2/me/provider",
    "GET /api/v2/me/sessions",
    "GET /api/v2/setup",
    "POST /api/v2/setup",
    "POST /api/v2/signin",
    "POST /api/v2/signout",
    "POST /api/v2/users/{userID}/password",
    "PUT /api/v2/me/password",
    "PUT /api/v2/users/{userID}/password",
];

/// What the one of the listener for operators describes.
const ADMIN_ROUTES: [&str; 11] = [
    "DELETE /bans/{id}",
    "DELETE /sessions",
    "DELETE /sessions/{fingerprint}",
    "GET /bans",
    "GET /config",
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
    "GET /sessions",
    "GET /status",
    "POST /reload",
];

#[test]
fn the_documents_list_exactly_the_routes() {
    assert_eq!(listed("gateway/openapi.yaml"), BTreeSet::from(ROUTES.map(str::to_owned)));
    let admin = BTreeSet::from(ADMIN_ROUTES.map(str::to_owned));
    assert_eq!(listed("gateway/openapi-admin.yaml"), admin);
}

/// The table of the program has a path behind each route, as its comment.
#[test]
fn every_route_of_the_listener_for_operators_stands_in_its_document() {
    let text = fs::read_to_string(repository().join("gateway/src/admin/route.rs")).unwrap();
    let (_, kinds) = text.split_once("enum Route<'a> {\n").unwrap();
    let (kinds, _) = kinds.split_once("\n}\n").unwrap();
    let paths =
        kinds.lines().filter_map(|line| line.trim().strip_prefix("/// `")?.strip_suffix("`."));
    let of_program: BTreeSet<_> = paths.collect();
    let routes = kinds.lines().filter(|line| !line.trim().starts_with("///")).count();
    assert_eq!(of_program.len(), routes, "one path each: {of_program:?}");
    let document = listed("gateway/openapi-admin.yaml");
    let of_document = document.iter().map(|route| route.split_once(' ').unwrap().1);
    assert_eq!(of_program, of_document.collect());
    // And the paths are those that it knows: any method but the right ones is told which those are.
    let config = "[admin]\nlisten = \"127.0.0.1:0\"\n";
    let gateway = Gateway::start_with(closed_port(), config, &users(&["ada"]));
    let address = gateway.next_admin().parse().unwrap();
    for path in of_program {
        let part = path.replace(['{', '}'], "");
        let request = format!("PATCH {part} HTTP/1.1\r\nHost: {address}\r\n\r\n");
        let answer = Client::connect(address).send(&request);
        assert_eq!(answer.status, 405, "{path}");
        let allowed: BTreeSet<_> = answer.header("allow").unwrap().split(", ").collect();
        let described = document.iter().filter_map(|route| route.split_once(' '));
        let described = described.filter(|(_, other)| *other == path).map(|(method, _)| method);
        assert_eq!(allowed, described.collect(), "{path}");
    }
}

fn listed(document: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(repository().join(document)).unwrap();
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
    routes
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
    let url = format!("http://{}", gateway.address);
    let mut schemathesis = schemathesis(&url, "gateway/openapi.yaml", "schemathesis.toml");
    schemathesis
        .env("SCHEMATHESIS_HOOKS", repository().join("tests/openapi/hooks.py"))
        .env("GATEWAY_URL", &url)
        .env("GATEWAY_USER", "ada")
        .env("GATEWAY_PASSWORD", PASSWORD);
    finds_nothing(schemathesis, ROUTES.len());
    for seen in upstream.seen_by_clients() {
        assert!(seen.line().starts_with("GET /api/v2/setup"), "the upstream saw {}", seen.line());
    }
}

#[test]
fn schemathesis_finds_nothing_at_the_listener_for_operators() {
    let upstream = Upstream::start();
    let config = "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"";
    let folder =
        Gateway::prepare(&format!("http://{}", upstream.address), config, &users(&["ada"]));
    fs::write(folder.path().join("admin.token"), "a-token-for-operators-only").unwrap();
    let gateway = Gateway::start_in(folder);
    gateway.sign_in("ada");
    let url = format!("http://{}", gateway.next_admin());
    let mut schemathesis = schemathesis(&url, "gateway/openapi-admin.yaml", "admin.toml");
    schemathesis.args(["--header", "Authorization: Bearer a-token-for-operators-only"]);
    finds_nothing(schemathesis, ADMIN_ROUTES.len());
}

/// A run of it with all checks on `document` and by `config`, of what answers at `url`.
fn schemathesis(url: &str, document: &str, config: &str) -> Command {
    let program = repository().join(".venv/bin/schemathesis");
    assert!(program.exists(), "{} is missing; `make test` makes it", program.display());
    let mut schemathesis = Command::new(program);
    schemathesis
        .args(["--no-color", "--config-file"])
        .arg(repository().join("tests/openapi").join(config))
        .args(["run", "--checks", "all", "--url", url])
        .arg(repository().join(document))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    schemathesis
}

fn finds_nothing(mut schemathesis: Command, routes: usize) {
    let folder = tempfile::tempdir().unwrap();
    let output = schemathesis.current_dir(folder.path()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains(&format!("Tested: {routes}\n")), "{stdout}");
}
