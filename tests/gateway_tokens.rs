//! Gateway tokens: whoever brings one is its user, and nothing else about it is worth anything.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Output;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::cut_off::{half_write, listener};
use crate::influxdb::Influxdb;
use crate::support::*;

/// What a token that is no good is answered with, by InfluxDB's own encoder.
const COMPACT: &str = r#"{"code":"unauthorized","message":"unauthorized access"}"#;

/// `ada` has a token of her own upstream; the others have the shared one, `rita` to read only, and `ina` is inactive.
fn folder(upstream: &Upstream, tables: &str) -> tempfile::TempDir {
    let list = users(&["ada", "bob", "rita", "ina"])
        .replace("name = \"ada\"", "token = \"of-ada\" # her own\nname = \"ada\"")
        .replace("name = \"rita\"", "access = \"read\"\nname = \"rita\"")
        .replace("name = \"ina\"", "status = \"inactive\"\nname = \"ina\"");
    let config = format!("token_file = \"shared.token\"\n{tables}");
    let folder = Gateway::prepare(&format!("http://{}", upstream.address), &config, &list);
    fs::write(folder.path().join("shared.token"), "shared").unwrap();
    folder
}

/// `influx-gateway token …` for the configuration in `folder`.
fn command(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = program();
    command.arg("token").args(arguments).arg("--config").arg(folder.join("gateway.toml"));
    output_of(&mut command, "")
}

/// Its exit code, and what it says.
fn told(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = command(folder, arguments);
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

/// A new token.
pub(crate) fn add(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder, &[&["add"], arguments].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// A gateway, and a token of each of these users, who have it from the start.
fn start<const N: usize>(
    upstream: &Upstream,
    tables: &str,
    names: [&str; N],
) -> (Gateway, [String; N]) {
    let folder = folder(upstream, tables);
    let tokens = names.map(|name| add(folder.path(), &[name, "--label", "of the test"]));
    (Gateway::start_in(folder), tokens)
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

/// The fingerprint of a token, as the list has it.
pub(crate) fn fingerprint(folder: &Path, user: &str) -> String {
    let (_, text) = told(folder, &["list", user, "--json"]);
    serde_json::from_str::<Value>(&text).unwrap()[0]["fingerprint"].as_str().unwrap().to_owned()
}

fn ask(gateway: &Gateway, headers: &[&str]) -> Answer {
    gateway.connect().send(&get("/api/v2/buckets", headers))
}

#[test]
fn whoever_brings_a_gateway_token_is_its_user() {
    let upstream = Upstream::start();
    let (gateway, [of_ada, of_bob, of_rita, of_ina]) =
        start(&upstream, "", ["ada", "bob", "rita", "ina"]);
    let others = cookie(&gateway.sign_in("bob"));
    for scheme in ["Bearer", "Token", "bearer", "TOKEN"] {
        let header = format!("Authorization: {scheme} {of_ada}");
        let forged = ["X-Forwarded-User: eve", &*others, &*header];
        assert_eq!(ask(&gateway, &forged).text(), "ada", "{scheme}");
        let seen = upstream.next();
        assert_eq!(seen.header("authorization"), Some("Token of-ada"));
        assert!(!seen.head.contains("igw_") && seen.header("cookie").is_none(), "{}", seen.head);
    }
    assert_eq!(ask(&gateway, &[&bearer(&of_bob)]).text(), "bob");
    assert_eq!(upstream.next().header("authorization"), Some("Token shared"));
    // Rights are the user's.
    let write = |token: &str| gateway.connect().send(&post("/api/v2/write", &[&bearer(token)]));
    assert_eq!((write(&of_ada).status, write(&of_rita).status), (200, 403));
    let credentials = post("/api/v2/authorizations", &[&bearer(&of_bob)]);
    assert_eq!(gateway.connect().send(&credentials).status, 403);
    let credentials = post("/api/v2/authorizations", &[&bearer(&of_ada)]);
    assert_eq!(gateway.connect().send(&credentials).status, 200);
    let inactive = ask(&gateway, &[&bearer(&of_ina)]);
    assert_eq!((inactive.status, &inactive.json()["message"]), (403, &json!("User is inactive")));
    let me = gateway.connect().send(&get("/api/v2/me", &[&bearer(&of_ada)])).json();
    assert_eq!((&me["name"], &me["id"]), (&json!("ada"), &json!("0000000000000001")));
    // Who has a device has neither the user's sessions nor the password.
    let sessions = get("/api/v2/me/sessions", &[&bearer(&of_ada)]);
    assert_eq!(gateway.connect().send(&sessions).status, 403);
    let body = "{\"password\":\"battery staple\"}";
    for (method, target) in
        [("PUT", "/api/v2/me/password"), ("POST", "/api/v2/users/0000000000000001/password")]
    {
        let password = with_body(method, target, &[&bearer(&of_ada)], body);
        assert_eq!(gateway.connect().send(&password).status, 403, "{target}");
    }
    assert_eq!(upstream.seen_by_clients().len(), 2, "a write and an authorization");
    let mark = fingerprint(gateway.folder(), "ada");
    let log = gateway.stop();
    let line = format!("user=ada session=- token={mark} method=POST path=/api/v2/write status=200");
    assert!(log.contains(&line), "{log}");
    assert!(!log.contains(&of_ada) && !log.contains(&of_ada[4..]), "the token is in the log");
}

#[test]
fn tokens_work_where_clients_of_influxdb_1_put_them_and_do_not_stay_there() {
    let upstream = Upstream::start();
    let (gateway, [token]) = start(&upstream, "[forward]\nv1 = true", ["ada"]);
    let session = cookie(&gateway.sign_in("bob"));
    let encoded = STANDARD.encode(format!("any:{token}"));
    for (target, header, line) in [
        (format!("/query?db=d&u=x&p={token}&q=SHOW"), String::new(), "/query?db=d&q=SHOW"),
        (format!("/write?p={token}"), session.clone(), "/write"),
        (format!("/write?%70=%69{};db=d", &token[1..]), session.clone(), "/write?db=d"),
        ("/query?db=d".to_owned(), format!("Authorization: Basic {encoded}"), "/query?db=d"),
        ("/query?db=d&u=x".to_owned(), bearer(&token), "/query?db=d"),
        ("/query?db=d".to_owned(), format!("Authorization: Token any:{token}"), "/query?db=d"),
        ("/api/v1/prom/read?db=d".to_owned(), bearer(&token), "/api/v1/prom/read?db=d"),
    ] {
        let headers: Vec<_> = [&*header].into_iter().filter(|line| !line.is_empty()).collect();
        let answer = gateway.connect().send(&post(&target, &headers));
        assert_eq!((answer.status, &*answer.text()), (200, "ada"), "{target} {header}");
        let seen = upstream.next();
        assert_eq!(seen.line(), format!("POST {line} HTTP/1.1"));
        assert_eq!(seen.header("authorization"), Some("Token of-ada"));
        assert!(!seen.head.contains(&token[5..]), "{}", seen.head);
    }
    // Two credentials could be read in two ways.
    for (target, header) in [
        (format!("/query?p={token}&p=x"), String::new()),
        (format!("/query?p={token}"), "Authorization: Token other".to_owned()),
        ("/query?p=other".to_owned(), bearer(&token)),
        (format!("/query?p={token}"), bearer(&token)),
    ] {
        let headers: Vec<_> = [&*header].into_iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(gateway.connect().send(&post(&target, &headers)).status, 401, "{target}");
    }
    assert!(upstream.saw_nothing());
    assert!(!gateway.stop().contains(&token[5..]), "the token is in the log");
}

#[test]
fn a_token_that_stands_where_nobody_looks_for_it_goes_nowhere() {
    let upstream = Upstream::start();
    let (gateway, [token]) = start(&upstream, "", ["ada"]);
    let escaped = token.replacen("igw", "i%67w", 1);
    for (target, headers) in [
        (format!("/api/v2/buckets?token={token}"), vec![bearer(&token)]),
        (format!("/api/v2/buckets?p={token}"), vec![bearer(&token)]),
        (format!("/api/v2/buckets?{token}"), vec![bearer(&token)]),
        (format!("/api/v2/buckets?p={escaped}"), vec![bearer(&token)]),
        (format!("/health?token={token}"), vec![]),
        (format!("/query?q=select%20'{token}'"), vec![bearer(&token)]),
        ("/api/v2/buckets".to_owned(), vec![format!("Authorization: Bearer token={token}")]),
        ("/api/v2/buckets".to_owned(), vec![format!("Authorization: Token a/{token}")]),
    ] {
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let answer = gateway.connect().send(&get(&target, &headers));
        assert_eq!(answer.status, 401, "{target} {headers:?}");
    }
    assert!(upstream.saw_nothing());
    // What is only called so is no token.
    let target = "/api/v2/buckets?name=igw_measurements_of_which_the_name_is_rather_long";
    assert_eq!(gateway.connect().send(&get(target, &[&bearer(&token)])).status, 200);
}

#[test]
fn tokens_work_with_influxdb_3() {
    let upstream = Upstream::start();
    let (gateway, [of_ada, of_rita]) = start(&upstream, "kind = \"influxdb3\"", ["ada", "rita"]);
    for (target, header) in [
        ("/api/v3/query_sql".to_owned(), bearer(&of_ada)),
        ("/api/v2/write?bucket=b".to_owned(), format!("Authorization: Token {of_ada}")),
        (format!("/query?p={of_ada}&db=d"), "Accept: */*".to_owned()),
        ("/write?db=d".to_owned(), basic("x", &of_ada)),
    ] {
        let answer = gateway.connect().send(&post(&target, &[&header]));
        assert_eq!((answer.status, &*answer.text()), (200, "ada"), "{target}");
        let seen = upstream.next();
        assert_eq!(seen.header("authorization"), Some("Bearer of-ada"));
        assert!(!seen.head.contains("igw_"), "{}", seen.head);
    }
    let write = |target: &str| post(target, &[&bearer(&of_rita)]);
    for target in ["/api/v3/write_lp?db=d", "/write?db=d", "/api/v3/configure/token/x"] {
        assert_eq!(gateway.connect().send(&write(target)).status, 403, "{target}");
    }
    assert_eq!(gateway.connect().send(&write("/api/v3/query_sql")).text(), "rita");
    assert_eq!(upstream.next().header("authorization"), Some("Bearer shared"));
    assert!(upstream.saw_nothing());
}

/// None of them is worth anything, not even with a session beside.
#[test]
fn a_token_that_is_not_good_is_401_and_never_the_cookie_and_never_passed() {
    let upstream = Upstream::start();
    let folder = folder(
        &upstream,
        "[signin]\nfailures = 1000\nfailures_per_client = 1000\n[forward]\npublic = [\"/health\"]",
    );
    let good = add(folder.path(), &["ada"]);
    let ended = add(folder.path(), &["ada", "--label", "ended", "--expires", "1h"]);
    let users = fs::read_to_string(folder.path().join("users.toml")).unwrap();
    let expires = users.lines().find(|line| line.starts_with("expires = ")).unwrap();
    let users = users.replace(expires, "expires = \"2026-01-01T00:00:00Z\"");
    fs::write(folder.path().join("users.toml"), users).unwrap();
    let gateway = Gateway::start_in(folder);
    let session = gateway.sign_in("bob");
    gateway.audited(1);
    let value = session.split_once('=').unwrap().1.to_owned();
    let unknown = format!("igw_{}", "A".repeat(43));
    for (token, reason) in [
        (unknown.clone(), "token_unknown"),
        (format!("igw_{value}"), "token_unknown"),
        (ended.clone(), "token_expired"),
        (good[..46].to_owned(), "token_malformed"),
        (format!("{good}A"), "token_malformed"),
        (format!("{good}="), "token_malformed"),
        ("igw_".to_owned(), "token_malformed"),
        (format!("any:{good}"), "token_malformed"),
        (format!("\"{good}\""), "token_malformed"),
    ] {
        let cookie = cookie(&session);
        for headers in [&[&*bearer(&token)][..], &[&*cookie, &*bearer(&token)]] {
            let before = gateway.audit().matches('\n').count();
            let answer = ask(&gateway, headers);
            assert_eq!((answer.status, &*answer.text()), (401, COMPACT), "{token}");
            let line = gateway.audited(before + 1).pop().unwrap();
            assert_eq!(
                (&line["event"], &line["reason"]),
                (&json!("refused"), &json!(reason)),
                "{token}"
            );
            assert_eq!(line["client"], "127.0.0.1");
            // Only of a token that was somebody's it is known whose.
            let of = if reason == "token_expired" { json!("ada") } else { Value::Null };
            assert_eq!(
                (&line["user"], line["token"].is_null()),
                (&of, reason == "token_malformed")
            );
        }
    }
    // Where a gateway token does not belong, it is worth nothing either.
    for header in [
        basic("any", &good),
        format!("Authorization: {good}"),
        format!("Authorization: Digest {good}"),
    ] {
        assert_eq!(ask(&gateway, &[&cookie(&session), &header]).status, 401, "{header}");
        let page = gateway.connect().send(&get("/health", &[&header]));
        assert_eq!(page.status, 200);
        assert_eq!(upstream.next().header("authorization"), None, "{header}");
    }
    assert_eq!(gateway.connect().send(&get("/health", &[&bearer(&good)])).status, 200);
    assert_eq!(upstream.next().header("authorization"), None);
    assert!(upstream.saw_nothing());
    assert_eq!(ask(&gateway, &[&bearer(&good)]).text(), "ada");
    // The session goes on.
    assert_eq!(ask(&gateway, &[&cookie(&session)]).text(), "bob");
}

#[test]
fn the_value_of_the_session_cookie_is_no_token() {
    let upstream = Upstream::start();
    let (gateway, [token]) = start(&upstream, "[users]\ntokens = \"deny\"", ["ada"]);
    let session = gateway.sign_in("ada");
    let value = session.split_once('=').unwrap().1;
    for wrong in [value.to_owned(), format!("igw_{value}")] {
        assert_eq!(ask(&gateway, &[&bearer(&wrong)]).status, 401);
    }
    // Nor is a token a session.
    let name = session.split_once('=').unwrap().0;
    for value in [&*token, &token[4..]] {
        assert_eq!(ask(&gateway, &[&format!("Cookie: {name}={value}")]).status, 401);
    }
    assert!(upstream.saw_nothing());
    // Denied are InfluxDB's own.
    assert_eq!(ask(&gateway, &[&bearer(&token)]).text(), "ada");
}

#[test]
fn the_value_of_the_session_cookie_does_not_go_upstream_as_a_token() {
    let upstream = Upstream::start();
    let (gateway, [_token]) =
        start(&upstream, "[forward]\nv1 = true\n[users]\ntokens = \"pass\"", ["ada"]);
    let session = gateway.sign_in("ada");
    let value = session.split_once('=').unwrap().1.to_owned();
    let ways = |value: &str| {
        let header = |path: &str, header: String| get(path, &[&header]);
        [
            header("/api/v2/buckets", bearer(value)),
            header("/api/v2/buckets", format!("Authorization: token  {value} ")),
            header("/query?db=d", bearer(value)),
            header("/query?db=d", format!("Authorization: Token ada:{value}")),
            header("/query?db=d", basic("ada", value)),
            get(&format!("/query?db=d&u=ada&p={value}"), &[]),
            get(&format!("/query?db=d&%70={value}"), &[]),
        ]
    };
    for way in ways(&value) {
        assert_eq!(gateway.connect().send(&way).status, 401, "{way}");
    }
    assert!(upstream.saw_nothing());
    // What only looks like one is somebody else's, and so is one that has ended.
    for way in ways(&"A".repeat(43)) {
        assert_eq!(gateway.connect().send(&way).status, 200, "{way}");
    }
    assert_eq!(ask(&gateway, &[&cookie(&session)]).status, 200);
    assert_eq!(gateway.connect().send(&post("/api/v2/signout", &[&cookie(&session)])).status, 204);
    upstream.seen_by_clients();
    assert_eq!(ask(&gateway, &[&bearer(&value)]).status, 200);
    let found = upstream.next();
    assert_eq!(found.header("authorization"), Some(&*format!("Bearer {value}")));
}

#[test]
fn with_influxdb_as_the_directory_there_are_none_and_none_is_passed() {
    let influxdb = Influxdb::start();
    let config = "[users]\nsource = \"influxdb\"\ntokens = \"pass\"";
    let gateway = Gateway::start_with(influxdb.upstream.address, config, "");
    influxdb.upstream.seen_by_clients();
    assert_eq!(ask(&gateway, &[&bearer(&format!("igw_{}", "A".repeat(43)))]).status, 401);
    assert!(influxdb.upstream.saw_nothing());
    let (code, text) = told(gateway.folder(), &["add", "ada"]);
    assert!(code == 78 && text.contains("users.source is not \"file\""), "{text}");
}

#[test]
fn worthless_tokens_count_as_failed_sign_ins_of_their_client() {
    let upstream = Upstream::start();
    let tables =
        "[admin]\nlisten = \"127.0.0.1:0\"\n[signin]\nfailures = 100\nfailures_per_client = 3";
    let (gateway, [good]) = start(&upstream, tables, ["ada"]);
    let admin = gateway.next_admin();
    let unknown = bearer(&format!("igw_{}", "A".repeat(43)));
    for _ in 0..3 {
        assert_eq!(ask(&gateway, &[&unknown]).status, 401);
    }
    let answer = ask(&gateway, &[&unknown]);
    assert_eq!(answer.status, 429, "{answer:?}");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let sign_in = post("/api/v2/signin", &[&basic("ada", PASSWORD)]);
    assert_eq!(gateway.connect().send(&sign_in).status, 429, "of its client, with any name");
    // A good token is no guess.
    assert_eq!(ask(&gateway, &[&bearer(&good)]).text(), "ada");
    let audit = gateway.audited(6);
    let last: Vec<_> = audit.iter().map(|line| line["reason"].as_str().unwrap()).collect();
    let refused = ["token_unknown"; 3];
    assert_eq!(last, [&refused[..], &["client", "token_throttled", "throttled"]].concat());
    let metrics = Client::connect(admin.parse().unwrap())
        .send(&get("/metrics", &[]).replace("gateway.test", "127.0.0.1"));
    for (outcome, count) in [("accepted", 1), ("unknown", 3), ("throttled", 1), ("expired", 0)] {
        let line =
            format!("influx_gateway_gateway_tokens_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.text().contains(&line), "{line}{}", metrics.text());
    }
}

#[test]
fn tokens_are_banned_by_themselves_before_their_client_is() {
    let upstream = Upstream::start();
    let (gateway, []) = start(&upstream, "[signin]\nfailures = 2", []);
    let unknown = bearer(&format!("igw_{}", "A".repeat(43)));
    let statuses = [0; 3].map(|_| ask(&gateway, &[&unknown]).status);
    assert_eq!(statuses, [401, 401, 429]);
    gateway.sign_in("ada");
    let audit = gateway.audited(5);
    assert_eq!((&audit[2]["event"], &audit[2]["reason"]), (&json!("banned"), &json!("pair")));
}

#[test]
fn a_token_that_is_added_or_removed_is_so_without_a_reload() {
    let upstream = Upstream::start();
    // Whoever asks too often with what is not known yet, waits.
    let tables =
        "[signin]\nfailures = 100000\nfailures_per_client = 100000\nfailures_per_user = 100000";
    let (gateway, [first]) = start(&upstream, tables, ["ada"]);
    let session = gateway.sign_in("ada");
    assert_eq!(ask(&gateway, &[&bearer(&first)]).text(), "ada");
    let second = add(gateway.folder(), &["ada", "--label", "second"]);
    wait_until("it is known", || ask(&gateway, &[&bearer(&second)]).status == 200);
    let (code, text) = told(gateway.folder(), &["remove", "ada", "--label", "of the test"]);
    assert_eq!(code, 0, "{text}");
    wait_until("it is gone", || ask(&gateway, &[&bearer(&first)]).status == 401);
    assert_eq!(ask(&gateway, &[&bearer(&second)]).text(), "ada");
    // Nobody was signed out for it.
    assert_eq!(ask(&gateway, &[&cookie(&session)]).text(), "ada");
    let audit = gateway.audit();
    for (event, token) in [("token_added", &second), ("token_removed", &first)] {
        let lines: Vec<Value> =
            audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let of: Vec<_> = lines.iter().filter(|line| line["event"] == event).collect();
        assert_eq!(of.len(), 1, "{audit}");
        assert_eq!(of[0]["user"], "ada");
        assert_eq!(of[0]["token"].as_str().unwrap().len(), 8);
        assert!(!audit.contains(token.as_str()));
    }
}

#[test]
fn an_upload_ends_when_its_token_is_removed() {
    let (address, heads, rests) = listener("");
    let folder = Gateway::prepare(&format!("http://{address}"), "", &users(&["ada"]));
    let token = add(folder.path(), &["ada", "--label", "x"]);
    let gateway = Gateway::start_in(folder);
    let [head, first, second] = half_write("influxdb-oss-session=none", "chunked");
    let head = head.replace("Cookie: influxdb-oss-session=none", &bearer(&token));
    let mut client = gateway.connect();
    client.write((head + &first).as_bytes());
    heads.recv_timeout(PATIENCE).unwrap();
    assert_eq!(told(gateway.folder(), &["remove", "ada", "--label", "x"]).0, 0);
    let me = get("/api/v2/me", &[&bearer(&token)]);
    wait_until("it is gone", || gateway.connect().send(&me).status == 401);
    client.write_some(second.as_bytes());
    let answer = client.next_final("POST").unwrap();
    assert_eq!((answer.status, &*answer.text()), (401, COMPACT));
    let (rest, has_ended) = rests.recv_timeout(PATIENCE).unwrap();
    assert!(has_ended && !rest.windows(6).any(|part| part == b"second"), "{rest:?}");
    let mut byte = [0];
    assert!(matches!(client.stream.read(&mut byte), Ok(0) | Err(_)), "the connection goes on");
}

#[test]
fn the_command_line_adds_lists_and_removes_tokens() {
    let upstream = Upstream::start();
    let folder = folder(&upstream, "");
    let folder = folder.path();
    let before = fs::read_to_string(folder.join("users.toml")).unwrap();
    let output =
        command(folder, &["add", "ada", "--label", "Telegraf, kitchen", "--expires", "90d"]);
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let token = stdout.trim_end();
    assert!(
        token.starts_with("igw_") && token.len() == 47 && stdout.lines().count() == 1,
        "{stdout}"
    );
    assert!(stderr.contains("ada has a new token ") && !stderr.contains(token), "{stderr}");
    let second = add(folder, &["bob"]);
    assert_ne!(second, token);
    let file = fs::read_to_string(folder.join("users.toml")).unwrap();
    assert!(
        !file.contains(token) && !file.contains(&second) && file.contains("# her own"),
        "{file}"
    );
    assert_eq!(file.matches("[[user.client_token]]").count(), 2);
    let (_, list) = told(folder, &["list", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list[0]["label"], "Telegraf, kitchen");
    assert_eq!((&list[0]["user"], &list[0]["expired"]), (&json!("ada"), &json!(false)));
    assert_eq!(
        (&list[1]["user"], &list[1]["label"], &list[1]["expires"]),
        (&json!("bob"), &Value::Null, &Value::Null)
    );
    let sha256 = list[1]["sha256"].as_str().unwrap();
    assert!(file.contains(&format!("sha256 = \"{sha256}\"")));
    let (_, table) = told(folder, &["list", "bob"]);
    let lines: Vec<_> =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(lines[0], ["USER", "LABEL", "FINGERPRINT", "EXPIRES"]);
    assert_eq!(lines[1], ["bob", "-", &sha256[..8], "-"]);
    for (arguments, code, says) in [
        (
            &["add", "ada", "--label", "Telegraf, kitchen"][..],
            78,
            "ada has a token \"Telegraf, kitchen\" already",
        ),
        (&["add", "nobody"], 78, "there is no user nobody"),
        (&["add", "ada", "--expires", "soon"], 64, "such as 90d"),
        (&["add", "ada", "--expires", "0s"], 64, "a second or more"),
        (&["add", "ada", "--label", "ä"], 64, "visible ASCII"),
        (&["list", "nobody"], 1, "there is no user nobody"),
        (&["remove", "ada", "--label", "other"], 1, "ada has no such token"),
        (&["remove", "ada", "--fingerprint", sha256], 1, "ada has no such token"),
        (&["remove", "ada", "--fingerprint", "abc"], 64, "4 to 64 hex digits"),
        (&["remove", "ada"], 1, "ada has no token without a label"),
        (&["add", "bob", "--label", "other"], 0, "bob has a new token"),
        (&["remove", "bob"], 0, &format!("bob has the token {} no more", &sha256[..8])),
        (&["remove", "bob", "--label", "other"], 0, "bob has the token"),
        (&["add", "bob"], 0, "bob has a new token"),
        (&["add", "bob"], 0, "bob has a new token"),
        (&["remove", "bob"], 64, "2 tokens of bob have no label, none was removed"),
        (&["remove", "ada", "--label", "Telegraf, kitchen"], 0, "ada has the token"),
    ] {
        let (found, text) = told(folder, arguments);
        assert!(found == code && text.contains(says), "{arguments:?}: {found} {text}");
    }
    let (_, list) = told(folder, &["list", "bob", "--json"]);
    let list: Value = serde_json::from_str(&list).unwrap();
    for token in list.as_array().unwrap() {
        let fingerprint = token["fingerprint"].as_str().unwrap();
        assert_eq!(told(folder, &["remove", "bob", "--fingerprint", fingerprint]).0, 0);
    }
    assert_eq!(fs::read_to_string(folder.join("users.toml")).unwrap(), before);
}

#[test]
fn explain_says_whose_a_gateway_token_is_and_why_one_is_worthless() {
    let upstream = Upstream::start();
    let folder = folder(&upstream, "");
    let folder = folder.path();
    let token = add(folder, &["rita", "--label", "roof"]);
    let explain = |token: &str, method: &str| {
        fs::write(folder.join("client.token"), token).unwrap();
        let mut command = program();
        command.arg("explain").arg("--config").arg(folder.join("gateway.toml"));
        command
            .args([method, "/api/v2/write", "--json", "--token"])
            .arg(folder.join("client.token"));
        let output = output_of(&mut command, "");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.contains(token), "{text}");
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let mark = fingerprint(folder, "rita");
    let told = explain(&token, "POST");
    let caller = format!("rita, by the gateway token {mark} (roof); status active, access read");
    assert_eq!(told["caller"], caller);
    assert!(
        told["why"]
            .as_str()
            .unwrap()
            .starts_with("access = \"read\" of the user, in the users file"),
        "{told}"
    );
    let unknown = explain(&format!("igw_{}", "A".repeat(43)), "POST");
    assert!(unknown["decision"].as_str().unwrap().starts_with("rejected: 401"), "{unknown}");
    assert!(unknown["why"].as_str().unwrap().contains("no user's of the users file"), "{unknown}");
    assert!(explain(&token[..46], "POST")["why"].as_str().unwrap().contains("not whole"));
}
