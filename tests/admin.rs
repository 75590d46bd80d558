//! The listener for operators.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use crate::support::*;

const TOKEN: &str = "a-token-for-operators-only";

/// A gateway with a listener for operators, and where that is.
fn start(upstream: SocketAddr, keys: &str) -> (Gateway, SocketAddr) {
    let config = format!("[admin]\nlisten = \"127.0.0.1:0\"\n{keys}");
    let gateway = Gateway::start_with(upstream, &config, &users(&["ada", "bob"]));
    let address = gateway.next_admin().parse().unwrap();
    (gateway, address)
}

fn of_admin(method: &str, target: &str, headers: &[&str]) -> String {
    request(method, target, headers).replace("gateway.test", "127.0.0.1")
}

fn ask(address: SocketAddr, method: &str, target: &str, headers: &[&str]) -> Answer {
    Client::connect(address).send(&of_admin(method, target, headers))
}

/// There is none unless it is asked for, and nothing of it is on the port for clients.
#[test]
fn a_01_operators_have_a_listener_of_their_own() {
    let upstream = Upstream::start();
    let (gateway, admin) = start(upstream.address, "");
    let live = ask(admin, "GET", "/health/live", &[]);
    assert_eq!((live.status, live.text().as_str()), (200, "{\"status\":\"live\"}"));
    assert_eq!(live.header("cache-control"), Some("no-store"));
    assert_eq!(live.header("x-content-type-options"), Some("nosniff"));
    for target in ["/health/live", "/health/ready", "/status", "/sessions", "/bans", "/config"] {
        let answer = gateway.connect().send(&of_admin("GET", target, &[]));
        assert_eq!(answer.status, 404, "{target}");
        assert!(ask(admin, "GET", target, &["Origin: http://evil.test"]).status == 403);
    }
    // Nor does it forward, or sign in.
    assert_eq!(ask(admin, "GET", "/api/v2/me", &[]).status, 404);
    assert_eq!(ask(admin, "POST", "/api/v2/signin", &[]).status, 404);
    assert!(upstream.saw_nothing());
}

#[test]
fn a_02_a_session_or_an_upstream_token_is_no_token_of_the_listener() {
    let upstream = Upstream::start();
    let config = "token_file = \"influxdb.token\"\n[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"";
    let url = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&url, config, &users(&["ada"]));
    std::fs::write(folder.path().join("influxdb.token"), "the-upstream-token-of-all\n").unwrap();
    std::fs::write(folder.path().join("admin.token"), format!("{TOKEN}\n")).unwrap();
    let gateway = Gateway::start_in(folder);
    let admin: SocketAddr = gateway.next_admin().parse().unwrap();
    let session = gateway.sign_in("ada");

    let right = format!("Authorization: Bearer {TOKEN}");
    let statuses = |header: &str| ask(admin, "GET", "/nothing", &[header]).status;
    assert_eq!(statuses(&right), 404);
    for wrong in [
        cookie(&session),
        basic("ada", PASSWORD),
        "Authorization: Bearer the-upstream-token-of-all".to_owned(),
        format!("Authorization: Token {TOKEN}"),
    ] {
        assert_eq!(statuses(&wrong), 401, "{wrong}");
    }
    // The file is read again when it changes.
    std::fs::write(gateway.folder().join("admin.token"), "another-one-of-operators").unwrap();
    wait_until("the new token counts", || statuses(&right) == 401);
    assert_eq!(statuses("Authorization: Bearer another-one-of-operators"), 404);
    assert!(!gateway.log().contains(TOKEN));
}

#[test]
fn a_socket_in_the_file_system_is_its_owners() {
    let upstream = Upstream::start();
    let config = "[admin]\nlisten = \"unix:admin.sock\"";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let path = gateway.folder().join("admin.sock");
    assert_eq!(gateway.next_admin(), path.to_str().unwrap());
    let ask = || {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream
            .write_all(of_admin("GET", "/health/ready", &["Connection: close"]).as_bytes())
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert!(ask().ends_with("{\"status\":\"ready\"}"), "{}", ask());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

    // What a process has left that was killed, is replaced.
    let gateway = gateway.restart("KILL");
    let path = gateway.folder().join("admin.sock");
    assert_eq!(gateway.next_admin(), path.to_str().unwrap());
    assert!(UnixStream::connect(&path).is_ok());
}

#[test]
fn the_gateway_is_ready_while_the_upstream_answers_if_it_is_told_so() {
    let (_gateway, admin) = start(closed_port(), "ready_needs_upstream = true");
    let ready = ask(admin, "GET", "/health/ready", &[]);
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["message"], "not ready: upstream down");
    assert_eq!(ask(admin, "GET", "/health/live", &[]).status, 200);

    let upstream = Upstream::start();
    let (gateway, admin) = start(upstream.address, "ready_needs_upstream = true");
    let is = |status| ask(admin, "GET", "/health/ready", &[]).status == status;
    wait_until("the upstream has answered", || is(200));
    let session = gateway.sign_in("ada");
    upstream.end();
    let write = post("/api/v2/write", &[&cookie(&session)]);
    wait_until("it is missed", || {
        let _ = gateway.connect().send(&write);
        is(503)
    });
    let (_other, admin) = start(closed_port(), "");
    assert_eq!(ask(admin, "GET", "/health/ready", &[]).status, 200, "unless it is told so");
}

#[test]
fn the_requests_of_operators_are_read_strictly() {
    let upstream = Upstream::start();
    let (_gateway, admin) = start(upstream.address, "");
    let answer = ask(admin, "GET", "/health/live", &["Content-Length: 3"]);
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    for raw in [
        "GET /health/live HTTP/1.1\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /health/live HTTP/1.1\nHost: a\n\n",
        "GET /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ] {
        let mut client = Client::connect(admin);
        client.write(raw.as_bytes());
        assert_eq!(client.read().status, 400, "{raw:?}");
    }
}

/// Fingerprints of the sessions of `user`.
fn fingerprints(admin: SocketAddr, user: &str) -> Vec<String> {
    let answer = ask(admin, "GET", &format!("/sessions?user={user}"), &[]).json();
    let sessions = answer["sessions"].as_array().unwrap().clone();
    sessions.iter().map(|it| it["fingerprint"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_05_sessions_are_listed_without_being_renewed_and_ended_at_once() {
    let upstream = Upstream::start();
    let (gateway, admin) = start(upstream.address, "");
    let agent = "User-Agent: curl/8.5.0";
    let signed_in =
        gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD), agent]));
    let (first, second, bob) = (signed_in.cookie(), gateway.sign_in("ada"), gateway.sign_in("bob"));
    let me = |session: &str| gateway.connect().send(&get("/api/v2/me", &[&cookie(session)])).status;

    let list = ask(admin, "GET", "/sessions", &[]).json();
    let all = list["sessions"].as_array().unwrap();
    assert_eq!((all.len(), &list["next"]), (3, &serde_json::Value::Null));
    let curl = all.iter().find(|it| it["agent"] == "curl").unwrap();
    assert_eq!((curl["user"].as_str(), curl["client"].as_str()), (Some("ada"), Some("127.0.0.1")));
    for _ in 0..3 {
        let again = ask(admin, "GET", "/sessions", &[]).json();
        let is_unused = |it: &serde_json::Value| it["created"] == it["last_used"];
        assert!(again["sessions"].as_array().unwrap().iter().all(is_unused), "{again}");
    }
    // Page by page, each once.
    let (mut seen, mut after) = (Vec::new(), String::new());
    for _ in 0..3 {
        let page = ask(admin, "GET", &format!("/sessions?limit=1{after}"), &[]).json();
        seen.push(page["sessions"][0]["fingerprint"].to_string());
        after = format!("&after={}", page["next"].as_str().unwrap_or_default());
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 3);

    let fingerprint = curl["fingerprint"].as_str().unwrap();
    let one = format!("/sessions/{fingerprint}");
    let revoked = ask(admin, "DELETE", &one, &["X-Request-Id: by-hand-1"]);
    assert_eq!((revoked.status, revoked.json()["revoked"].as_u64()), (200, Some(1)));
    assert_eq!((me(&first), me(&second), me(&bob)), (401, 200, 200));
    assert_eq!(ask(admin, "DELETE", &one, &[]).status, 404);
    let audited = gateway.audited(4).pop().unwrap();
    for (key, value) in [
        ("event", "revoked"),
        ("actor", "admin"),
        ("user", "ada"),
        ("session", fingerprint),
        ("client", "127.0.0.1"),
        ("request_id", "by-hand-1"),
    ] {
        assert_eq!(audited[key], value, "{audited}");
    }

    let third = gateway.sign_in("ada");
    assert_eq!(fingerprints(admin, "ada").len(), 2);
    let revoked = ask(admin, "DELETE", "/sessions?user=ada", &[]);
    assert_eq!((revoked.status, revoked.json()["revoked"].as_u64()), (200, Some(2)));
    assert_eq!((me(&second), me(&third), me(&bob)), (401, 401, 200));
    // Never of everybody, and never by mistake.
    for target in
        ["/sessions", "/sessions?user=", "/sessions?user=bob&user=ada", "/sessions?users=bob"]
    {
        assert_eq!(ask(admin, "DELETE", target, &[]).status, 400, "{target}");
    }
    assert_eq!(ask(admin, "DELETE", "/sessions/", &[]).status, 404);
    assert_eq!(me(&bob), 200);
}

#[test]
fn a_03_no_answer_tells_a_secret() {
    let upstream = Upstream::start();
    let config = "token_file = \"influxdb.token\"\n[admin]\nlisten = \"127.0.0.1:0\"";
    let url = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&url, config, &users(&["ada"]));
    std::fs::write(folder.path().join("influxdb.token"), "the-upstream-token-of-all\n").unwrap();
    let gateway = Gateway::start_in(folder);
    let admin: SocketAddr = gateway.next_admin().parse().unwrap();
    let session = gateway.sign_in("ada");
    let token = session.split_once('=').unwrap().1;
    for target in ["/config", "/sessions", "/status", "/bans", "/health/ready"] {
        let answer = ask(admin, "GET", target, &[]);
        assert_eq!(answer.status, 200, "{target}");
        let text = format!("{:?} {}", answer.headers, answer.text());
        for secret in [token, "the-upstream-token-of-all", "$argon2id", PASSWORD] {
            assert!(!text.contains(secret), "{target}: {text}");
        }
        // Nor a digest, of whatever.
        let longest = text.split(|c: char| !c.is_ascii_hexdigit()).map(str::len).max();
        assert!(longest.unwrap() <= 32, "{target}: {text}");
    }
    let config = ask(admin, "GET", "/config", &[]).json();
    assert_eq!(config["upstream"]["url"], url.as_str());
    assert_eq!(config["upstream"]["token_file"], "influxdb.token");
    assert_eq!(config["session"]["idle"], "10m");
    assert!(config["server"]["threads"].as_u64().unwrap() > 0);
    let status = ask(admin, "GET", "/status", &[]).json();
    assert_eq!((status["sessions"].as_u64(), status["ready"].as_bool()), (Some(1), Some(true)));
    assert_eq!(status["store"], serde_json::json!({ "kind": "memory", "known": true }));
}

#[test]
fn a_ban_is_listed_and_lifted() {
    let upstream = Upstream::start();
    let (gateway, admin) = start(upstream.address, "");
    let sign_in = |password: &str| {
        gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", password)])).status
    };
    for _ in 0..5 {
        assert_eq!(sign_in("wrong horse"), 401);
    }
    assert_eq!(sign_in(PASSWORD), 429);
    let bans = ask(admin, "GET", "/bans", &[]).json();
    let [ban] = &bans["bans"].as_array().unwrap()[..] else { panic!("{bans}") };
    assert_eq!((ban["scope"].as_str(), ban["failures"].as_u64()), (Some("pair"), Some(5)));
    assert_eq!((ban["user"].as_str(), ban["client"].as_str()), (Some("ada"), Some("127.0.0.1")));
    let one = format!("/bans/{}", ban["id"].as_str().unwrap());
    assert_eq!(ask(admin, "DELETE", &one, &[]).json()["lifted"], 1);
    assert_eq!(ask(admin, "DELETE", &one, &[]).status, 404);
    assert_eq!(ask(admin, "GET", "/bans", &[]).json()["bans"].as_array().unwrap().len(), 0);
    assert_eq!(sign_in(PASSWORD), 204);
    let lifted = &gateway.audited(9)[7];
    assert_eq!(
        (lifted["event"].as_str(), lifted["actor"].as_str()),
        (Some("ban_lifted"), Some("admin"))
    );
    assert_eq!((lifted["reason"].as_str(), lifted["user"].as_str()), (Some("pair"), Some("ada")));
}

/// Exit code, standard output, standard error.
fn command(gateway: &Gateway, arguments: &[&str]) -> (i32, String, String) {
    let mut command = program();
    command.args(arguments).arg("--config").arg(gateway.folder().join("gateway.toml"));
    let output = output_of(&mut command, "");
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn commands_ask_the_running_gateway() {
    let upstream = Upstream::start();
    let config = "[admin]\nlisten = \"unix:admin.sock\"\ntoken_file = \"admin.token\"";
    let url = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&url, config, &users(&["ada", "bob"]));
    std::fs::write(folder.path().join("admin.token"), TOKEN).unwrap();
    let gateway = Gateway::start_in(folder);
    let run = |arguments: &[&str]| command(&gateway, arguments);
    gateway.sign_in("ada");
    gateway.sign_in("ada");
    gateway.sign_in("bob");

    let (code, table, _) = run(&["sessions", "list"]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!((code, lines.len()), (0, 4), "{table}");
    assert!(lines[0].starts_with("FINGERPRINT  USER  CREATED"), "{table}");
    assert!(lines[1].contains("  ada   20") && lines[3].contains("  bob   20"), "{table}");
    let (_, json, _) = run(&["sessions", "list", "--json", "--user", "bob"]);
    let bob: serde_json::Value = serde_json::from_str(&json).unwrap();
    let fingerprint = bob[0]["fingerprint"].as_str().unwrap();
    assert_eq!(run(&["sessions", "revoke", fingerprint]).1, "revoked 1 session\n");
    let (code, stdout, stderr) = run(&["sessions", "revoke", fingerprint]);
    assert_eq!((code, stdout.as_str()), (1, ""));
    assert_eq!(stderr, "influx-gateway: there is no such session\n");
    assert_eq!(run(&["sessions", "revoke-user", "ada", "--json"]).1, "{\"revoked\":2}\n");
    assert_eq!(run(&["sessions", "revoke-user", "ada"]).0, 1);
    assert_eq!(run(&["sessions", "revoke", "../status"]).0, 1);

    let wrong = post("/api/v2/signin", &[&basic("\u{1b}[2J", "wrong horse")]);
    for _ in 0..5 {
        assert_eq!(gateway.connect().send(&wrong).status, 401);
    }
    let (_, table, _) = run(&["bans", "list"]);
    assert!(table.starts_with("ID                SCOPE  USER"), "{table}");
    assert!(table.contains("\\u{1b}[2J") && !table.contains('\u{1b}'), "{table}");
    let (_, json, _) = run(&["bans", "list", "--json"]);
    let bans: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        run(&["bans", "lift", bans[0]["id"].as_str().unwrap()]),
        (0, "lifted 1 ban\n".to_owned(), String::new())
    );
    assert_eq!(run(&["bans", "lift", "0"]).0, 1);

    let (code, status, _) = run(&["status"]);
    assert_eq!(code, 0);
    for line in ["ready     yes", "sessions  0", "store     memory", "upstream  up, v2.9.1"] {
        assert!(status.contains(line), "{status}");
    }
    let (_, json, _) = run(&["status", "--json"]);
    assert!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["uptime_seconds"].is_u64());

    // With another token than the gateway's.
    let copy = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(gateway.folder().join("gateway.toml")).unwrap();
    let socket = gateway.folder().join("admin.sock");
    let text = text.replace("unix:admin.sock", &format!("unix:{}", socket.display()));
    std::fs::write(copy.path().join("gateway.toml"), &text).unwrap();
    std::fs::write(copy.path().join("admin.token"), "another-one-of-operators").unwrap();
    std::fs::write(copy.path().join("users.toml"), users(&["ada"])).unwrap();
    let there = |arguments: &[&str]| {
        let mut command = program();
        let path = copy.path().join("gateway.toml");
        let output = output_of(command.args(arguments).arg("--config").arg(path), "");
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!((there(&["status"]).0, there(&["reload"]).0), (77, 77));
    let text = text.replace("[admin]", "").replace("token_file = \"admin.token\"", "");
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("listen = ")).collect();
    std::fs::write(copy.path().join("gateway.toml"), lines.join("\n")).unwrap();
    let (code, stderr) = there(&["status"]);
    assert_eq!(code, 78);
    assert!(stderr.contains("add [admin] with listen = \"127.0.0.1:9086\""), "{stderr}");
    gateway.signal("KILL");
    wait_until("it is gone", || run(&["status"]).0 == 69);
    let (_, _, stderr) = run(&["status"]);
    assert!(stderr.contains("is it running?") && !stderr.contains(TOKEN), "{stderr}");
}

#[test]
fn the_socket_of_operators_goes_with_the_process_that_listens_on_it() {
    let folder = Gateway::prepare(
        "http://127.0.0.1:9",
        "[admin]\nlisten = \"unix:admin.sock\"\n",
        &users(&["ada"]),
    );
    let gateway = Gateway::start_in(folder);
    let socket = gateway.next_admin();
    // By whoever asks for it while another listens there, nothing is.
    let path = gateway.folder().join("gateway.toml");
    let output = output_of(program().args(["run", "--config"]).arg(path), "");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{told}");
    assert!(told.contains("another process listens there"), "{told}");
    UnixStream::connect(&socket).unwrap();
    gateway.signal("TERM");
    let kept = gateway.wait_and_keep();
    assert!(!std::path::Path::new(&socket).exists(), "it is left");
    // What somebody else has put there in the meantime is not touched.
    let gateway = Gateway::start_in(kept);
    gateway.next_admin();
    std::fs::remove_file(&socket).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    gateway.signal("TERM");
    let _kept = gateway.wait_and_keep();
    UnixStream::connect(&socket).unwrap();
    drop(other);
}

#[test]
fn a_value_that_follows_from_others_is_shown_as_it_is() {
    let (_gateway, admin) = start(closed_port(), "[session]\nidle = \"1m\"");
    let config = ask(admin, "GET", "/config", &[]).json();
    assert_eq!(config["session"]["touch_interval"], "3s");
    // Null is what is not there: none of these has a default.
    let mut none = Vec::new();
    for (table, keys) in config.as_object().unwrap() {
        // Lists of tables, of which there are none.
        let Some(keys) = keys.as_object() else {
            assert_eq!(keys, &serde_json::json!([]), "{table}");
            continue;
        };
        let null = keys.iter().filter(|(_, value)| value.is_null());
        none.extend(null.map(|(key, _)| format!("{table}.{key}")));
    }
    none.sort();
    let expected = [
        "admin.token_file",
        "identity.id_header",
        "identity.token_prefix",
        "log.file",
        "page.logo",
        "server.error_log",
        "server.group",
        "server.user",
        "server.working_directory",
        "session.store_ca_file",
        "session.store_key",
        "tracing.endpoint",
        "ui.ca_file",
        "ui.url",
        "upstream.ca_file",
        "upstream.client_certificate",
        "upstream.client_key",
        "upstream.token_file",
    ];
    assert_eq!(none, expected);
}
