use std::collections::HashSet;
use std::fs;
use std::process::Command;

use crate::influxdb::Influxdb;
use crate::support::*;

/// A row of a table of routes: what is needed, the method, and the path with names in braces.
struct Row {
    needed: String,
    method: String,
    path: String,
}

fn rows(text: &str) -> Vec<Row> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| {
        let words: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let [needed, method, path] = words.try_into().unwrap_or_else(|_| panic!("{line}"));
        Row { needed, method, path }
    };
    lines.map(row).collect()
}

fn of_influxdb_2() -> Vec<Row> {
    rows(include_str!("roles/influxdb2.txt"))
}

fn of_influxdb_3() -> Vec<Row> {
    rows(include_str!("roles/influxdb3.txt"))
}

/// The path with something for every name.
fn filled(path: &str) -> String {
    let segment = |segment: &str| match segment {
        "{path}" => "a/b".to_owned(),
        segment if segment.starts_with('{') => "0a1b2c3d4e5f6071".to_owned(),
        segment => segment.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Users of every access: on the shared token, and `own` with one of their own.
fn start(upstream: &Upstream, keys: &str, config: &str) -> Gateway {
    let list = users(&["reader", "writer", "full", "own"])
        .replace("name = \"reader\"", "access = \"read\"\nname = \"reader\"")
        .replace("name = \"writer\"", "access = \"write\"\nname = \"writer\"")
        .replace("name = \"own\"", "token = \"of-own\"\nname = \"own\"");
    let keys = format!("{keys}token_file = \"shared.token\"\n{config}");
    let folder = Gateway::prepare(&format!("http://{}", upstream.address), &keys, &list);
    fs::write(folder.path().join("shared.token"), "of-all").unwrap();
    Gateway::start_in(folder)
}

/// Asks every row as everybody, and holds the answers against what is needed.
fn check_all(upstream: &Upstream, gateway: &Gateway, rows: &[Row], credentials: bool) {
    let sessions = ["reader", "writer", "full", "own"].map(|name| cookie(&gateway.sign_in(name)));
    let mut client = gateway.connect();
    for Row { needed, method, path } in rows {
        let allowed = match &**needed {
            "read" | "public" => [true; 4],
            "write" => [false, true, true, true],
            "full" => [false, false, true, true],
            "credentials" => [false, false, credentials, true],
            "closed" => [false; 4],
            "local" => continue,
            word => panic!("{word}"),
        };
        for (session, allowed) in sessions.iter().zip(allowed) {
            // With a slash behind it InfluxDB reads the same path.
            let path = filled(path);
            for target in [path.clone() + "?a=b", path.clone() + "/"] {
                let is_exact = needed == "public"
                    || needed == "closed"
                    || path.ends_with('/')
                    || ["/query", "/write"].contains(&&*path);
                if is_exact && target.ends_with('/') {
                    continue;
                }
                let headers = [&**session, "Content-Length: 0"];
                let answer = client.send(&request(method, &target, &headers));
                let what = format!("{needed}: {method} {target}: {answer:?}");
                if allowed {
                    assert_eq!(answer.status, 200, "{what}");
                    assert_eq!(upstream.next().line(), format!("{method} {target} HTTP/1.1"));
                } else {
                    assert!(matches!(answer.status, 403 | 404), "{what}");
                    assert!(upstream.saw_nothing(), "{what}");
                }
            }
        }
    }
}

#[test]
fn f_16_every_route_of_influxdb_2_has_its_right() {
    let upstream = Upstream::start();
    check_all(&upstream, &start(&upstream, "", ""), &of_influxdb_2(), false);
    let open = start(&upstream, "", "[forward]\ncredentials = true\n");
    check_all(&upstream, &open, &of_influxdb_2(), true);
}

#[test]
fn f_16_every_route_of_influxdb_3_has_its_right() {
    let upstream = Upstream::start();
    let keys = "kind = \"influxdb3\"\n";
    check_all(&upstream, &start(&upstream, keys, ""), &of_influxdb_3(), false);
    let open = start(&upstream, keys, "[forward]\ncredentials = true\n");
    check_all(&upstream, &open, &of_influxdb_3(), true);
}

#[test]
fn f_16_the_table_has_every_operation_of_the_openapi() {
    // InfluxDB's Python client is made from its OpenAPI, an operation a function.
    let venv = repository().join(".venv/lib");
    let python = fs::read_dir(venv).expect("`make test` makes .venv").next().unwrap().unwrap();
    let services = python.path().join("site-packages/influxdb_client/service");
    let mut operations = HashSet::new();
    for file in fs::read_dir(services).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "py") {
            continue;
        }
        for call in fs::read_to_string(path).unwrap().split("call_api(").skip(1) {
            let words: Vec<_> = call.split('\'').take(4).collect();
            if let [_, path, _, method] = words[..] {
                operations.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    assert!(operations.len() > 200, "{operations:?}");
    let known: HashSet<_> = of_influxdb_2().into_iter().map(|row| (row.method, row.path)).collect();
    let missing: Vec<_> = operations.difference(&known).collect();
    assert!(missing.is_empty(), "without a verdict: {missing:?}");
}

#[test]
fn f_16_what_nobody_knows_is_for_full_access_only() {
    let upstream = Upstream::start();
    let unknown = "full GET /api/v2/novelty\nfull GET /api/v2/buckets/1/novelty\n\
                   full POST /api/v2/query/novelty\nfull GET /api/v2novelty\n\
                   full PUT /api/v2/write\nfull DELETE /api/v2/buckets\nfull POST /api/v2/me/x\n\
                   credentials GET /api/v2/authorizations/1/novelty\n\
                   credentials HEAD /api/v2/authorizations\ncredentials PUT /api/v2/restore/novelty\n\
                   credentials POST /api/v2/orgs/a%20b/secrets/novelty\n\
                   credentials DELETE /api/v2/users\n\
                   credentials PUT /private/legacy/authorizations/1/novelty\n";
    let rows = rows(unknown);
    let rows: Vec<_> = rows.into_iter().filter(|row| row.path != "/api/v2/me/x").collect();
    check_all(&upstream, &start(&upstream, "", ""), &rows, false);
}

#[test]
fn f_16_a_refusal_says_what_would_open_it() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "", "");
    let session = cookie(&gateway.sign_in("full"));
    let answer = gateway.connect().send(&get("/api/v2/authorizations", &[&session]));
    assert_eq!((answer.status, &answer.json()["code"]), (403, &"forbidden".into()));
    assert!(answer.text().contains("forward.credentials"), "{answer:?}");
}

#[test]
fn f_16_influxdbs_users_and_tokens_are_bounded_by_influxdb() {
    let influxdb = Influxdb::start();
    let gateway =
        Gateway::start_with(influxdb.upstream.address, "[users]\nsource = \"influxdb\"\n", "");
    let session = cookie(&gateway.sign_in("ada"));
    influxdb.upstream.seen_by_clients();
    let token = "Authorization: Token all";
    for header in [&*session, token] {
        for path in ["/api/v2/authorizations", "/private/legacy/authorizations"] {
            gateway.connect().send(&get(path, &[header]));
            let seen = influxdb.upstream.seen_by_clients();
            let line = format!("GET {path} HTTP/1.1");
            assert!(seen.iter().any(|seen| seen.line() == line), "{header} {path}");
        }
    }
}

#[test]
fn f_16_bounded_users_of_a_shared_token_are_warned_of() {
    let list = users(&["reader", "writer", "full", "own"])
        .replace("name = \"reader\"", "access = \"read\"\nname = \"reader\"")
        .replace("name = \"writer\"", "access = \"write\"\nname = \"writer\"")
        .replace("name = \"own\"", "access = \"read\"\ntoken = \"of-own\"\nname = \"own\"");
    let upstream = Upstream::start();
    let url = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&url, "token_file = \"shared.token\"\n", &list);
    fs::write(folder.path().join("shared.token"), "of-all").unwrap();
    let output = program()
        .args(["check", "--config"])
        .arg(folder.path().join("gateway.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    let checked = String::from_utf8(output.stderr).unwrap();
    let logged = Gateway::start_in(folder).stop();
    for text in [&checked, &logged] {
        let warned: Vec<_> =
            text.lines().filter(|line| line.contains("shared upstream token")).collect();
        assert_eq!(warned.len(), 2, "{text}");
        assert!(warned[0].contains("reader") && warned[0].contains("read-only"), "{warned:?}");
        assert!(warned[1].contains("writer"), "{warned:?}");
    }

    // Nobody is warned of what cannot be: without a shared token, or with InfluxDB's users.
    let folder = Gateway::prepare(&url, "", &list);
    let config = folder.path().join("gateway.toml");
    let output = program().args(["check", "--config"]).arg(config).output().unwrap();
    assert!(!String::from_utf8(output.stderr).unwrap().contains("shared upstream token"));
}

#[test]
fn f_17_setting_up_is_closed_in_every_spelling() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "", "");
    let session = cookie(&gateway.sign_in("own"));
    for header in [&*session, "Authorization: Token any", "A: b"] {
        for path in ["/api/v2/setup", "/api/v2/setup/", "/api/v2/setup?x=/", "/api/v2/setup/?x"] {
            let answer = gateway.connect().send(&post(path, &[header]));
            assert_eq!(answer.status, 403, "{path} {header}");
            assert!(answer.text().contains("forward.setup"), "{answer:?}");
        }
    }
    assert!(upstream.saw_nothing());
    // Opened, the slash makes the difference that it makes in InfluxDB.
    let gateway = start(&upstream, "", "[forward]\nsetup = true\n");
    assert_eq!(gateway.connect().send(&post("/api/v2/setup", &[])).status, 200);
    upstream.next();
    assert_eq!(gateway.connect().send(&post("/api/v2/setup/", &[])).status, 401);
    assert!(upstream.saw_nothing());
}

#[test]
fn f_17_the_first_administrator_of_influxdb_3_is_not_made_through_the_gateway() {
    let upstream = Upstream::start();
    let keys = "kind = \"influxdb3\"\n";
    let gateway = start(&upstream, keys, "");
    let session = cookie(&gateway.sign_in("own"));
    for header in [&*session, "Authorization: Bearer any", "Authorization: Basic YTpi", "A: b"] {
        for path in [
            "/api/v3/configure/token/admin",
            "/api/v3/configure/token/admin/",
            "/api/v3/configure/token/admin?format=json",
            "/api/v3/enterprise/configure/token/admin",
            "/api/v3/configure/user",
            "/api/v3/configure/user/",
        ] {
            let answer = gateway.connect().send(&post(path, &[header]));
            assert_eq!(answer.status, 403, "{path} {header}");
            assert!(answer.text().contains("forward.setup"), "{answer:?}");
        }
    }
    assert!(upstream.saw_nothing());
    let gateway = start(&upstream, keys, "[forward]\nsetup = true\n");
    let path = "/api/v3/configure/token/admin";
    let answer = gateway.connect().send(&post(path, &[&session, "X-Forwarded-User: eve"]));
    assert_eq!(answer.text(), "nobody");
    assert_eq!(upstream.next().header("authorization"), None);
}

#[test]
fn f_17_denied_tokens_reach_nobody_where_no_session_is_needed() {
    let upstream = Upstream::start();
    for (policy, passes) in [("deny", false), ("pass", true)] {
        for keys in ["", "kind = \"influxdb3\"\n"] {
            let config =
                format!("[users]\ntokens = \"{policy}\"\n[forward]\nui = true\nsetup = true\n");
            let gateway = start(&upstream, keys, &config);
            for value in ["Token any", "Bearer any", "Basic YTpi"] {
                for (method, path) in [
                    ("GET", "/health"),
                    ("HEAD", "/ping"),
                    ("GET", "/orgs/1"),
                    ("GET", "/api/v2"),
                    ("POST", "/api/v2/setup"),
                    ("OPTIONS", "/api/v2/buckets"),
                ] {
                    let headers = [&*format!("Authorization: {value}"), "Content-Length: 0"];
                    let answer = gateway.connect().send(&request(method, path, &headers));
                    assert_eq!(answer.status, 200, "{method} {path} {value}");
                    let expected = passes.then_some(value);
                    assert_eq!(
                        upstream.next().header("authorization"),
                        expected,
                        "{method} {path}"
                    );
                }
            }
        }
    }
}

/// What InfluxDB 1's endpoints take as credentials, as a header and what is added to the query.
const OWN: [(&str, &str); 7] = [
    ("Authorization: Token all", ""),
    ("Authorization: Token ada:all", ""),
    ("Authorization: Basic YW55OmFsbA==", ""),
    ("A: b", "&u=any&p=all"),
    ("A: b", "&p=all"),
    ("A: b", "&%70=all"),
    ("A: b", "&u=any&x=1&p=all"),
];

const COMPATIBLE: [(&str, &str); 3] =
    [("POST", "/write?db=d"), ("GET", "/query?q=a"), ("POST", "/query?q=a")];

fn ask(gateway: &Gateway, line: (&str, &str), own: (&str, &str), more: &str) -> Answer {
    let target = format!("{}{}", line.1, own.1);
    gateway.connect().send(&request(line.0, &target, &[own.0, more, "Content-Length: 0"]))
}

#[test]
fn f_32_own_credentials_pass_on_write_and_query() {
    let upstream = Upstream::start();
    for (keys, config) in [("kind = \"influxdb3\"\n", ""), ("", "[forward]\nv1 = true\n")] {
        let gateway = start(&upstream, keys, config);
        for line in COMPATIBLE {
            for own in OWN {
                let answer = ask(&gateway, line, own, "X-Forwarded-User: eve");
                assert_eq!((answer.status, &*answer.text()), (200, "nobody"), "{line:?} {own:?}");
                let seen = upstream.next();
                let target = format!("{}{}", line.1, own.1);
                assert_eq!(seen.line(), format!("{} {target} HTTP/1.1", line.0));
                let authorization = own.0.strip_prefix("Authorization: ");
                assert_eq!(seen.header("authorization"), authorization, "{line:?} {own:?}");
            }
        }
    }
}

#[test]
fn f_32_own_credentials_are_refused_where_tokens_are() {
    let upstream = Upstream::start();
    let deny = "[users]\ntokens = \"deny\"\n";
    let v1 = format!("{deny}[forward]\nv1 = true\n");
    for (keys, config) in [("kind = \"influxdb3\"\n", deny), ("", &*v1)] {
        let gateway = start(&upstream, keys, config);
        let session = cookie(&gateway.sign_in("full"));
        for line in COMPATIBLE {
            for own in OWN {
                assert_eq!(ask(&gateway, line, own, "A: b").status, 401, "{line:?} {own:?}");
            }
            // A token is never fallen back from, and a token in the query is one.
            for own in [OWN[0], OWN[3], OWN[4]] {
                assert_eq!(ask(&gateway, line, own, &session).status, 401, "{line:?} {own:?}");
            }
        }
        assert!(upstream.saw_nothing());
    }
}

#[test]
fn f_32_a_session_counts_where_influxdb_3_is_asked_without_a_token() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "kind = \"influxdb3\"\n", "");
    let [session, over] = ["full", "full"].map(|name| cookie(&gateway.sign_in(name)));
    assert_eq!(gateway.connect().send(&post("/api/v2/signout", &[&over])).status, 204);
    for line in COMPATIBLE {
        // As everywhere, what is Basic is passed over where there is a session, and never sent on.
        for own in [("A: b", ""), ("A: b", "&u=any"), ("Authorization: Basic YW55OmFsbA==", "")] {
            assert_eq!(ask(&gateway, line, own, &session).text(), "full", "{line:?} {own:?}");
            assert_eq!(upstream.next().header("authorization"), Some("Bearer of-all"));
        }
        // A token in the query goes before the session, as one in the header does.
        assert_eq!(ask(&gateway, line, OWN[4], &session).text(), "nobody", "{line:?}");
        assert_eq!(upstream.next().header("authorization"), None);
        // No session and nothing of one's own, or a session that is over.
        for more in ["A: b", "Authorization: Digest x", "Cookie: influxdb-oss-session=x"] {
            assert_eq!(ask(&gateway, line, ("B: c", ""), more).status, 401, "{line:?} {more}");
        }
        assert_eq!(ask(&gateway, line, OWN[2], &over).status, 401, "{line:?}");
        assert!(upstream.saw_nothing());
    }
    // Elsewhere Basic is a name and a password, and nobody's token.
    let basic = "Authorization: Basic YW55OmFsbA==";
    for path in ["/api/v3/query_sql?p=all", "/api/v2/write?p=all"] {
        assert_eq!(gateway.connect().send(&post(path, &[basic])).status, 401, "{path}");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn f_32_own_credentials_are_resolved_to_their_user_or_refused() {
    let influxdb = Influxdb::start();
    let config = "[users]\ntokens = \"resolve\"\n[identity]\ntoken_prefix = \"influxdb:\"\n\
                  [forward]\nv1 = true\n";
    let gateway = Gateway::start_with(influxdb.upstream.address, config, &users(&["bob"]));
    let seen = |target: &str| {
        let seen = influxdb.upstream.seen_by_clients();
        let of = |seen: &&Seen| seen.line().contains(target);
        seen.iter().find(of).map(|seen| seen.header("x-forwarded-user").map(str::to_owned))
    };
    for line in COMPATIBLE {
        let path = &line.1[..6];
        for own in [OWN[0], OWN[1], OWN[2], OWN[3], OWN[6]] {
            ask(&gateway, line, own, "A: b");
            assert_eq!(seen(path), Some(Some("influxdb:ada".to_owned())), "{line:?} {own:?}");
        }
        for own in [
            // What InfluxDB knows as nobody's token: a password of its own for InfluxDB 1.
            ("Authorization: Basic YW55OnNlY3JldA==", ""),
            ("Authorization: Token ada:secret", ""),
            ("A: b", "&u=any&p=secret"),
            // Two of them: which of them the upstream goes by is not ours to guess.
            ("Authorization: Token all", "&u=any&p=all"),
            ("A: b", "&u=any&p=all&p=other"),
            ("A: b", "&u=any&p=all&u=other"),
        ] {
            assert_eq!(ask(&gateway, line, own, "A: b").status, 401, "{line:?} {own:?}");
            assert_eq!(seen(path), None, "{line:?} {own:?}");
        }
    }
}

#[test]
fn f_39_the_gateway_tells_by_itself_that_it_lives() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "", "[forward]\nui = true\n");
    let dead = Gateway::start_with(closed_port(), "", &users(&["ada"]));
    for gateway in [&gateway, &dead] {
        let mut client = gateway.connect();
        for method in ["GET", "HEAD"] {
            let answer = client.send(&request(method, "/gateway/health", &[]));
            assert_eq!((answer.status, answer.body.len()), (200, 0), "{method}");
            assert_eq!(answer.header("content-length"), Some("0"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("content-type"), None);
        }
        let session =
            cookie(&gateway.sign_in(if gateway.address == dead.address { "ada" } else { "own" }));
        for header in ["A: b", "Authorization: Token x", &session] {
            let answer = client.send(&get("/gateway/health?verbose=1", &[header]));
            assert_eq!((answer.status, answer.body.len()), (200, 0));
            for method in ["POST", "PUT", "DELETE"] {
                let headers = [header, "Content-Length: 0"];
                let answer = client.send(&request(method, "/gateway/health", &headers));
                assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
            }
            for path in
                ["/gateway", "/gateway/", "/gateway/health/", "/gateway/x", "/gateway/api/v2/me"]
            {
                for method in ["GET", "HEAD", "POST", "OPTIONS"] {
                    let headers = [header, "Content-Length: 0"];
                    let answer = client.send(&request(method, path, &headers));
                    assert_eq!(answer.status, 404, "{method} {path}");
                }
            }
        }
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn f_39_nothing_of_the_prefix_nor_of_the_api_can_be_made_public() {
    for path in [
        "/gateway/x",
        "/gateway",
        "/api/v2/x",
        "/api/v2private/x",
        "/api/v3/query_sql",
        "/private/x",
        "/query",
        "/write",
        "/api/v1/prom/write",
    ] {
        let config = format!("[forward]\npublic = [\"{path}\"]\n");
        let folder = Gateway::prepare("http://127.0.0.1:1", &config, &users(&["ada"]));
        let config = folder.path().join("gateway.toml");
        let output = program().args(["check", "--config"]).arg(config).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{path}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("forward.public") && text.contains(path), "{text}");
    }
}

#[test]
fn f_39_the_images_health_check_asks_the_gateway_alone() {
    let text = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let check = text.split("HEALTHCHECK").nth(1).unwrap().split("\nSTOPSIGNAL").next().unwrap();
    assert!(check.contains("/gateway/health"), "{check}");
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let command = check.split("CMD ").nth(1).unwrap().trim();
    let command = command.replace("127.0.0.1:8086", &gateway.address.to_string());
    assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
    drop(gateway);
    let output = Command::new("sh").args(["-c", &command]).output().unwrap();
    assert!(!output.status.success(), "{command}");
    assert!(upstream.saw_nothing());
}

#[test]
fn f_44_what_influxdb_1_has_besides_goes_through_with_its_own_credentials() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "", "[forward]\nv1 = true\n");
    let session = cookie(&gateway.sign_in("own"));
    for (method, target) in [
        ("OPTIONS", "/write"),
        ("OPTIONS", "/query?q=a"),
        ("OPTIONS", "/api/v1/prom/write"),
        ("POST", "/api/v1/prom/write?db=d&u=a&p=b"),
        ("POST", "/api/v1/prom/read?db=d"),
    ] {
        let headers = [&*session, "Origin: https://a.test", "Content-Length: 0"];
        let answer = gateway.connect().send(&request(method, target, &headers));
        assert_eq!((answer.status, &*answer.text()), (200, "nobody"), "{method} {target}");
        let seen = upstream.next();
        assert_eq!(seen.line(), format!("{method} {target} HTTP/1.1"));
        assert_eq!((seen.header("cookie"), seen.header("authorization")), (None, None));
    }
    let mut client = gateway.connect();
    assert_eq!(client.send(&get("/api/v1/prom/write", &[])).header("allow"), Some("POST"));
    for target in ["/api/v1/prom/write/", "/api/v1/prom", "/api/v1/health", "/write/"] {
        assert_eq!(client.send(&post(target, &[])).status, 404, "{target}");
    }
    let closed = start(&upstream, "", "[forward]\nui = true\n");
    for (method, target) in
        [("POST", "/api/v1/prom/write"), ("OPTIONS", "/write"), ("OPTIONS", "/query")]
    {
        let answer = closed.connect().send(&request(method, target, &["Content-Length: 0"]));
        assert_eq!(answer.status, 404, "{method} {target}");
    }
    let deny = "[users]\ntokens = \"deny\"\n[forward]\nv1 = true\n";
    let denying = start(&upstream, "", deny);
    for own in OWN {
        let line = ("POST", "/api/v1/prom/write?db=d");
        assert_eq!(ask(&denying, line, own, "A: b").status, 401, "{own:?}");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn f_47_private_paths_are_api() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "", "[forward]\nui = true\n");
    let session = cookie(&gateway.sign_in("own"));
    let path = "/private/legacy/authorizations";
    let mut client = gateway.connect();
    for (method, path) in [
        ("GET", path.to_owned()),
        ("POST", path.to_owned()),
        ("PATCH", format!("{path}/1")),
        ("DELETE", format!("{path}/1")),
        ("POST", format!("{path}/1/password")),
    ] {
        let none = request(method, &path, &["Content-Length: 0"]);
        let answer = client.send(&none);
        assert_eq!((answer.status, answer.body.len()), (401, 55), "{method} {path}");
        assert!(upstream.saw_nothing());
        for (header, who) in [(&*session, "own"), ("Authorization: Token x", "nobody")] {
            let answer = client.send(&request(method, &path, &[header, "Content-Length: 0"]));
            assert_eq!((answer.status, &*answer.text()), (200, who), "{method} {path}");
            let seen = upstream.next();
            assert_eq!(seen.line(), format!("{method} {path} HTTP/1.1"));
            let token = if who == "own" { "Token of-own" } else { "Token x" };
            assert_eq!((seen.header("authorization"), seen.header("cookie")), (Some(token), None));
        }
        let foreign = [&*session, "Content-Length: 0", "Sec-Fetch-Site: cross-site"];
        if method != "GET" {
            assert_eq!(client.send(&request(method, &path, &foreign)).status, 403);
        }
        let preflight = ["Origin: https://a.test"];
        assert_eq!(client.send(&request("OPTIONS", &path, &preflight)).text(), "nobody");
        upstream.next();
    }
    for path in ["/private", "/private/", "/private/legacy", "/private/legacy/authorizationsX"] {
        assert_eq!(client.send(&get(path, &[&session])).status, 404, "{path}");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn f_49_passwords_set_with_a_token_are_the_upstreams_affair() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "", "");
    let session = cookie(&gateway.sign_in("own"));
    for (method, path) in [
        ("POST", "/api/v2/users/0a1b2c3d4e5f6071/password"),
        ("PUT", "/api/v2/users/0a1b2c3d4e5f6071/password"),
        ("POST", "/api/v2/users/0000000000000004/password"),
        ("POST", "/api/v2/users/0a1b2c3d4e5f6071/password/"),
        ("PUT", "/api/v2/me/password"),
    ] {
        for scheme in ["Token", "Bearer"] {
            let header = format!("Authorization: {scheme} operator");
            let body = "{\"password\":\"battery staple\"}";
            // The session beside it does not count.
            let answer =
                gateway.connect().send(&with_body(method, path, &[&header, &session], body));
            assert_eq!((answer.status, &*answer.text()), (200, "nobody"), "{method} {path}");
            let seen = upstream.next();
            assert_eq!(seen.line(), format!("{method} {path} HTTP/1.1"));
            assert_eq!(seen.header("authorization"), header.strip_prefix("Authorization: "));
            assert_eq!((seen.body, seen.head.contains("ookie:")), (body.into(), false));
        }
    }
    // The gateway's own passwords are as they were, and a denied token sets none.
    gateway.sign_in("own");
    let denying = start(&upstream, "", "[users]\ntokens = \"deny\"\n");
    let path = "/api/v2/users/0a1b2c3d4e5f6071/password";
    let answer = denying.connect().send(&post(path, &["Authorization: Token operator"]));
    assert_eq!(answer.status, 401);
    // A session changes its own password only, and no token is lent for another's.
    let answer =
        gateway.connect().send(&with_body("POST", path, &[&session], "{\"password\":\"x\"}"));
    assert_eq!(answer.status, 403);
    assert!(upstream.saw_nothing());
}

#[test]
fn f_54_head_and_options_of_query_and_write_are_influxdbs_to_answer() {
    let upstream = Upstream::behaving(|seen, stream| {
        use std::io::Write;
        let is_head = seen.line().starts_with("HEAD");
        let body = if is_head { "" } else { "{}" };
        write!(
            stream,
            "HTTP/1.1 405 No\r\nAllow: POST\r\nX-A: b\r\nContent-Length: 2\r\n\r\n{body}"
        )
        .is_ok()
    });
    let gateway = start(&upstream, "", "[forward]\nv1 = true\n");
    for (method, path) in
        [("HEAD", "/query"), ("HEAD", "/write"), ("OPTIONS", "/query"), ("OPTIONS", "/write")]
    {
        let headers = ["Authorization: Token x"];
        let answer = gateway.connect().send(&request(method, path, &headers));
        assert_eq!((answer.status, answer.header("x-a")), (405, Some("b")), "{method} {path}");
        assert_eq!(upstream.next().line(), format!("{method} {path} HTTP/1.1"));
    }
    let gateway = start(&upstream, "kind = \"influxdb3\"\n", "");
    let session = cookie(&gateway.sign_in("full"));
    for path in ["/query", "/write", "/api/v3/query_sql"] {
        // InfluxDB 3 answers OPTIONS to everybody, and the rest to those it knows.
        assert_eq!(gateway.connect().send(&request("OPTIONS", path, &[])).status, 405);
        assert_eq!(upstream.next().header("authorization"), None);
        assert_eq!(gateway.connect().send(&request("HEAD", path, &[])).status, 401);
        assert_eq!(gateway.connect().send(&request("HEAD", path, &[&session])).status, 405);
        assert_eq!(upstream.next().header("authorization"), Some("Bearer of-all"));
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn f_54_the_shipped_configuration_of_compose_wants_no_file_that_it_does_not_use() {
    let text = fs::read_to_string(repository().join("conf/compose.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("compose.toml");
    fs::write(&config, text).unwrap();
    let output = program().args(["check", "--config"]).arg(config).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
