//! Pages for who has a session: those of InfluxDB itself, or of a server of their own, as InfluxDB 3's Explorer is.

use std::fs;
use std::io::Write as _;

use crate::programs::javascript;
use crate::secure::Authority;
use crate::support::*;
use crate::tls::SecureUpstream;

/// What pages need.
pub(crate) const PAGES: &str =
    "[cookie]\npath = \"/\"\nsame_site = \"lax\"\n[forward]\nui = \"session\"\n";

/// What a browser says of what it opens in a tab.
pub(crate) const OPENED: [&str; 2] = ["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"];

/// InfluxDB 3 on the shared token, for users of every access; more configuration may be added.
fn folder(upstream: &Upstream, config: &str) -> tempfile::TempDir {
    let list = users(&["ada", "bob", "reader", "writer"])
        .replace("name = \"reader\"", "access = \"read\"\nname = \"reader\"")
        .replace("name = \"writer\"", "access = \"write\"\nname = \"writer\"");
    let keys = format!("kind = \"influxdb3\"\ntoken_file = \"shared.token\"\n{PAGES}{config}");
    let folder = Gateway::prepare(&format!("http://{}", upstream.address), &keys, &list);
    fs::write(folder.path().join("shared.token"), "of-all").unwrap();
    folder
}

pub(crate) fn start(upstream: &Upstream, config: &str) -> Gateway {
    Gateway::start_in(folder(upstream, config))
}

/// The same with an Explorer at `explorer`.
pub(crate) fn start_with(upstream: &Upstream, explorer: &Upstream, config: &str) -> Gateway {
    start(upstream, &format!("[ui]\nurl = \"http://{}\"\n{config}", explorer.address))
}

/// A server of pages that says whom it was told of.
pub(crate) fn explorer() -> Upstream {
    Upstream::behaving(|seen, stream| {
        let user = seen.header("x-forwarded-user").unwrap_or("nobody");
        answer(stream, "200 OK", &format!("a page for {user}"))
    })
}

/// Every kind of page, and what belongs to them.
const PATHS: [&str; 9] = [
    "/",
    "/index.html",
    "/assets/app.js?v=1",
    "/query-data",
    "/signin",
    "/ws",
    "/apis",
    "/healthy",
    "/health/x",
];

#[test]
fn pages_are_for_who_has_a_session_by_every_method() {
    let (upstream, explorer) = (Upstream::start(), explorer());
    let apart = start_with(&upstream, &explorer, "");
    let together = start(&upstream, "");
    for (gateway, server, text) in
        [(&apart, &explorer, "a page for nobody"), (&together, &upstream, "ada")]
    {
        let session = cookie(&gateway.sign_in("ada"));
        let mut client = gateway.connect();
        for path in PATHS {
            for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
                for headers in [
                    &["Content-Length: 0"][..],
                    &["Content-Length: 0", "Authorization: Bearer of-all"],
                    &["Content-Length: 0", "Authorization: Token x"],
                    &["Content-Length: 0", &basic("ada", PASSWORD)],
                    &["Content-Length: 0", "Cookie: influxdb-oss-session=guess"],
                    &["Content-Length: 0", "X-Forwarded-User: ada"],
                ] {
                    let answer = client.send(&request(method, path, headers));
                    assert_eq!(answer.status, 401, "{method} {path} {headers:?}");
                }
                let headers = ["Content-Length: 0", &session];
                let answer = client.send(&request(method, path, &headers));
                assert_eq!(answer.status, 200, "{method} {path}");
                assert_eq!(answer.text(), if method == "HEAD" { "" } else { text });
                assert_eq!(server.next().line(), format!("{method} {path} HTTP/1.1"));
            }
        }
        let gone = gateway.connect().send(&post("/api/v2/signout", &[&session]));
        assert_eq!(gone.status, 204);
        assert_eq!(client.send(&get("/", &[&session])).status, 401);
    }
    assert!(upstream.saw_nothing() && explorer.saw_nothing());
}

#[test]
fn what_is_influxdbs_goes_to_influxdb_and_what_is_nobodys_to_nobody() {
    let (upstream, explorer) = (Upstream::start(), explorer());
    let gateway = start_with(&upstream, &explorer, "");
    let session = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    for path in [
        "/api/v2/buckets",
        "/api/v2private/notebooks",
        "/api/v3/query_sql?q=1",
        "/api/v3/configure/database",
        "/query?q=1",
    ] {
        assert_eq!(client.send(&get(path, &[&session])).text(), "ada", "{path}");
        assert_eq!(upstream.next().header("authorization"), Some("Bearer of-all"));
    }
    for path in ["/health", "/ping", "/ready"] {
        assert_eq!(client.send(&get(path, &[])).text(), "nobody", "{path}");
        upstream.next();
        assert_eq!(client.send(&post(path, &[&session])).status, 405, "{path}");
    }
    for path in [
        "/api",
        "/api/v1/health",
        "/metrics",
        "/debug/pprof/heap",
        "/gateway/",
        "/gateway/x",
        "/private/legacy/x",
        "/write/x",
        "/v1/anything",
        "/arrow.flight.protocol.FlightService/DoGet",
    ] {
        assert_eq!(client.send(&get(path, &[&session])).status, 404, "{path}");
    }
    assert!(upstream.saw_nothing() && explorer.saw_nothing());
    // An Explorer's own API is one of its own, and none of InfluxDB's.
    let own = "/api/connections";
    assert_eq!(client.send(&get(own, &[&session])).text(), "a page for nobody");
    explorer.next();
    assert_eq!(client.send(&get(own, &[])).status, 401);
    let together = start(&upstream, "");
    let session = cookie(&together.sign_in("ada"));
    assert_eq!(together.connect().send(&get(own, &[&session])).status, 404);
    assert!(upstream.saw_nothing() && explorer.saw_nothing());
}

#[test]
fn a_path_that_could_be_read_in_two_ways_leads_nowhere() {
    let (upstream, explorer) = (Upstream::start(), explorer());
    let gateway = start_with(&upstream, &explorer, "");
    let session = cookie(&gateway.sign_in("ada"));
    for path in [
        "/api/../ws",
        "/x/../api/v3/configure/token",
        "/./x",
        "//api/v3/query_sql",
        "/api//v3/query_sql",
        "/%2e%2e/x",
        "/x%2f..%2fapi/v3/query_sql",
        "/api%2fv3%2fquery_sql",
        "/api%2Fconnections",
        "/%61pi/v3/query_sql",
        "/x\\y",
        "/x%5cy",
        "/x;/api/v3",
        "/gateway%2fhealth",
        "/assets/%00",
    ] {
        for headers in [&[&*session][..], &[]] {
            let answer = gateway.connect().send(&get(path, headers));
            assert_eq!(answer.status, 400, "{path}");
        }
    }
    assert!(upstream.saw_nothing() && explorer.saw_nothing());
}

#[test]
fn a_server_of_pages_learns_nothing_of_the_user() {
    let upstream = Upstream::start();
    let explorer = Upstream::behaving(|_, stream| {
        let cookies = "Set-Cookie: connect.sid=abc; Path=/; HttpOnly\r\n\
                       Set-Cookie: influxdb-oss-session=evil; Path=/\r\n\
                       Set-Cookie: influx-gateway-signed-in=0; Path=/";
        write!(
            stream,
            "HTTP/1.1 200 OK\r\n{cookies}\r\nX-Forwarded-User: eve\r\nContent-Length: 0\r\n\r\n"
        )
        .is_ok()
    });
    let gateway = start_with(&upstream, &explorer, "");
    let session = gateway.sign_in("ada");
    let token = session.split_once('=').unwrap().1.to_owned();
    let cookies = format!(
        "Cookie: connect.sid=own; {session}; influx-gateway-signed-in=1; \
         __Host-influx-oidc-0123abcd=state; b=2"
    );
    for credential in ["Authorization: Bearer mine", "Authorization: Basic YTpi", "A: b"] {
        let forged = ["X-Forwarded-User: eve", "X_Forwarded_User: eve", "Remote-User: eve"];
        let headers = [&[&*cookies, credential], &forged[..]].concat();
        let answer = gateway.connect().send(&with_body("POST", "/save", &headers, "name=x"));
        assert_eq!(answer.status, 200);
        assert_eq!(answer.all("set-cookie"), ["connect.sid=abc; Path=/; HttpOnly"]);
        assert_eq!(answer.header("x-forwarded-user"), None);
        let seen = explorer.next();
        assert_eq!(seen.header("cookie"), Some("connect.sid=own; b=2"));
        assert_eq!(seen.header("host"), Some(&*explorer.address.to_string()));
        assert_eq!(seen.header("x-forwarded-host"), Some("gateway.test"));
        assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(seen.body, b"name=x");
        for secret in [&*token, "ada", "eve", "of-all", "mine", "YTpi", "influx-", "oidc"] {
            assert!(!seen.head.contains(secret), "{secret}: {}", seen.head);
        }
    }
    assert!(upstream.saw_nothing());
    // InfluxDB's own pages are as its API.
    let together = start(&upstream, "");
    let session = cookie(&together.sign_in("ada"));
    together.connect().send(&get("/", &[&session, "X-Forwarded-User: eve"]));
    let seen = upstream.next();
    assert_eq!(seen.header("x-forwarded-user"), Some("ada"));
    assert_eq!(seen.header("authorization"), Some("Bearer of-all"));
    assert_eq!(seen.header("cookie"), None);
}

#[test]
fn pages_need_full_access_for_they_can_do_what_their_token_can() {
    let (upstream, explorer) = (Upstream::start(), explorer());
    let gateway = start_with(&upstream, &explorer, "");
    for (name, status) in [("ada", 200), ("reader", 403), ("writer", 403)] {
        let session = cookie(&gateway.sign_in(name));
        for text in [get("/", &[&session]), post("/save", &[&session])] {
            assert_eq!(gateway.connect().send(&text).status, status, "{name}");
        }
    }
    assert_eq!(explorer.seen_by_clients().len(), 2);
}

#[test]
fn a_browser_without_a_session_signs_in_first_and_comes_back() {
    let (upstream, explorer) = (Upstream::start(), explorer());
    let page = "[page]\nenabled = true\npath = \"/account/\"\n";
    let gateway = start_with(&upstream, &explorer, page);
    let mut client = gateway.connect();
    let html = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
    for (path, place) in [
        ("/", "/account/?return_to=/"),
        ("/tables/cpu?db=a%20b&x=1", "/account/?return_to=/tables/cpu%3Fdb%3Da%2520b%26x%3D1"),
        ("/signin?returnTo=%2Forgs", "/account/?return_to=/orgs"),
        ("/signin?returnTo=//evil.test", "/account/?return_to=/"),
        ("/signin", "/account/?return_to=/"),
        ("/x?next=\"evil\"", "/account/?return_to=/x%3Fnext%3D%2522evil%2522"),
        ("/x?next=%3Cb%3E&%5B%5D={}", "/account/?return_to=/"),
    ] {
        for headers in
            [&OPENED[..], &[html], &[OPENED[0], OPENED[1], "Cookie: influxdb-oss-session=x"]]
        {
            let answer = client.send(&get(path, headers));
            assert_eq!(answer.status, 303, "{path} {headers:?}");
            assert_eq!(answer.header("location"), Some(place), "{path}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
    }
    for (method, headers) in [
        ("GET", &[][..]),
        ("GET", &["Accept: */*"]),
        ("GET", &["Accept: application/json, text/html"]),
        ("GET", &["Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty", html]),
        ("GET", &["Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe", html]),
        ("GET", &["Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: script"]),
        ("HEAD", &OPENED),
        ("POST", &OPENED),
    ] {
        let headers = [&["Content-Length: 0"], headers].concat();
        let answer = client.send(&request(method, "/", &headers));
        assert_eq!(answer.status, 401, "{method} {headers:?}");
    }
    // Of InfluxDB's API nothing changes.
    assert_eq!(client.send(&get("/api/v3/query_sql", &OPENED)).status, 401);
    assert_eq!(client.send(&get("/api/connections", &[])).status, 401);
    let fields = format!("name=ada&password={}&return_to=/tables/cpu", PASSWORD.replace(' ', "+"));
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let answer = client.send(&with_body("POST", "/account/signin", &form, &fields));
    assert_eq!((answer.status, answer.header("location")), (303, Some("/tables/cpu")));
    let set = answer.header("set-cookie").unwrap();
    assert!(set.contains("Path=/;") && set.contains("SameSite=Lax"), "{set}");
    let session = cookie(&answer.cookie());
    let answer = client.send(&get("/tables/cpu", &[&[&*session], &OPENED[..]].concat()));
    assert_eq!(answer.text(), "a page for nobody");
    // Without a page there is nowhere to go.
    let bare = start_with(&upstream, &explorer, "");
    assert_eq!(bare.connect().send(&get("/", &OPENED)).status, 401);
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let (upstream, explorer) = (Upstream::start(), explorer());
    let gateway = start_with(&upstream, &explorer, "");
    let session = cookie(&gateway.sign_in("ada"));
    for headers in [
        &["Sec-Fetch-Site: cross-site"][..],
        &["Sec-Fetch-Site: same-site"],
        &["Origin: https://evil.test"],
        &["Origin: null"],
    ] {
        let headers = [&[&*session], headers].concat();
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let headers = [&["Content-Length: 0"], &headers[..]].concat();
            let answer = gateway.connect().send(&request(method, "/save", &headers));
            assert_eq!(answer.status, 403, "{method} {headers:?}");
        }
    }
    assert!(explorer.saw_nothing());
    let own = [&*session, "Origin: http://gateway.test", "Sec-Fetch-Site: same-origin"];
    assert_eq!(gateway.connect().send(&post("/save", &own)).status, 200);
}

#[test]
fn the_servers_own_address_is_not_told_and_no_cache_keeps_a_page() {
    let upstream = Upstream::start();
    let explorer = Upstream::behaving(|seen, stream| {
        let host = seen.header("host").unwrap();
        let head = match seen.line().split(' ').nth(1).unwrap() {
            "/own" => format!("302 Found\r\nLocation: http://{host}/login?next=/x"),
            "/slashes" => format!("302 Found\r\nLocation: http://{host}//evil.test/"),
            "/other" => "302 Found\r\nLocation: https://idp.test/authorize".to_owned(),
            "/asset" => "200 OK\r\nCache-Control: public, max-age=60".to_owned(),
            _ => "200 OK\r\nSurrogate-Control: max-age=60".to_owned(),
        };
        write!(stream, "HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").is_ok()
    });
    let gateway = start_with(&upstream, &explorer, "");
    let session = cookie(&gateway.sign_in("ada"));
    for (path, place, caching) in [
        ("/own", Some("/login?next=/x"), "private, no-cache"),
        ("/slashes", Some("/evil.test/"), "private, no-cache"),
        ("/other", Some("https://idp.test/authorize"), "private, no-cache"),
        ("/asset", None, "private, max-age=60"),
        ("/page", None, "private, no-cache"),
    ] {
        let answer = gateway.connect().send(&get(path, &[&session]));
        assert_eq!(answer.header("location"), place, "{path}");
        assert_eq!(answer.header("cache-control"), Some(caching), "{path}");
        assert_eq!(answer.header("surrogate-control"), None, "{path}");
    }
}

#[test]
fn an_explorer_that_is_down_is_no_trouble_of_influxdbs() {
    let upstream = Upstream::start();
    let config = format!("[ui]\nurl = \"http://{}\"\n", closed_port());
    let admin = "[admin]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"admin.token\"\nready_needs_upstream = true\n";
    let folder = folder(&upstream, &(config + admin));
    fs::write(folder.path().join("admin.token"), "an-admin-token-of-enough-length").unwrap();
    let gateway = Gateway::start_in(folder);
    let admin = gateway.next_admin().parse().unwrap();
    let session = cookie(&gateway.sign_in("ada"));
    let answer = gateway.connect().send(&get("/", &[&session]));
    assert_eq!((answer.status, &answer.json()["code"]), (502, &"unavailable".into()));
    assert_eq!(gateway.connect().send(&get("/api/v3/query_sql", &[&session])).status, 200);
    // Nothing is counted as InfluxDB's.
    let token = "Authorization: Bearer an-admin-token-of-enough-length";
    wait_until("it is ready", || {
        Client::connect(admin).send(&get("/health/ready", &[])).status == 200
    });
    let metrics = Client::connect(admin).send(&get("/metrics", &[token])).text();
    assert!(metrics.contains("route=\"ui\""), "{metrics}");
    let failures =
        metrics.lines().filter(|line| line.starts_with("influx_gateway_upstream_failures"));
    assert!(failures.clone().count() > 0, "{metrics}");
    for line in failures {
        assert!(line.ends_with(" 0"), "{line}");
    }
}

#[test]
fn a_refusal_of_an_explorers_own_is_no_word_of_influxdbs_about_the_user() {
    let refuse = || Upstream::behaving(|_, stream| answer(stream, "401 Unauthorized", "{}"));
    let (upstream, explorer) = (refuse(), refuse());
    let config =
        format!("kind = \"influxdb3\"\n{PAGES}[ui]\nurl = \"http://{}\"\n", explorer.address);
    // There is no token that could go upstream.
    let gateway = Gateway::start_with(upstream.address, &config, &users(&["ada"]));
    let session = cookie(&gateway.sign_in("ada"));
    let told = "the upstream answers 401";
    assert_eq!(gateway.connect().send(&get("/page", &[&session])).status, 401);
    wait_until("it is logged", || gateway.has_logged("path=/page status=401"));
    assert!(!gateway.has_logged(told), "{}", gateway.log());
    assert_eq!(gateway.connect().send(&get("/api/v3/query_sql", &[&session])).status, 401);
    wait_until("it is told", || gateway.has_logged(told));
}

#[test]
fn an_explorer_over_tls_is_verified() {
    let upstream = Upstream::start();
    let authority = Authority::new();
    let server = SecureUpstream::start(&authority.pair("127.0.0.1"), None);
    for (signer, status) in [(&authority, 200), (&Authority::new(), 502)] {
        let url = format!("[ui]\nurl = \"https://{}\"\nca_file = \"ui.crt\"\n", server.address);
        let folder = folder(&upstream, &url);
        fs::write(folder.path().join("ui.crt"), signer.certificate()).unwrap();
        let gateway = Gateway::start_in(folder);
        let session = cookie(&gateway.sign_in("ada"));
        assert_eq!(gateway.connect().send(&get("/", &[&session])).status, status);
        // InfluxDB is spoken to as ever.
        assert_eq!(gateway.connect().send(&get("/api/v3/query_sql", &[&session])).text(), "ada");
    }
}

#[test]
fn where_pages_are_needs_a_restart_and_who_has_them_does_not() {
    let (upstream, explorer) = (Upstream::start(), explorer());
    let gateway = start(&upstream, "");
    let session = cookie(&gateway.sign_in("ada"));
    let path = gateway.folder().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap();
    let moved = text.clone() + &format!("[ui]\nurl = \"http://{}\"\n", explorer.address);
    fs::write(gateway.folder().join("new"), moved).unwrap();
    fs::rename(gateway.folder().join("new"), &path).unwrap();
    gateway.signal("HUP");
    wait_until("it says so", || gateway.has_logged("needs a restart: ui"));
    assert_eq!(gateway.connect().send(&get("/", &[&session])).text(), "ada");
    assert_eq!(gateway.connect().send(&get("/api/connections", &[&session])).status, 404);
    assert!(explorer.saw_nothing());
    fs::write(gateway.folder().join("new"), text.replace("\"session\"", "false")).unwrap();
    fs::rename(gateway.folder().join("new"), &path).unwrap();
    gateway.signal("HUP");
    wait_until("there are no pages", || {
        gateway.connect().send(&get("/", &[&session])).status == 404
    });
}

#[test]
fn explain_says_where_a_page_comes_from() {
    let upstream = Upstream::start();
    let explain = |config: &str, arguments: &[&str]| {
        let folder = folder(&upstream, config);
        let mut command = program();
        command.arg("explain").arg("--config").arg(folder.path().join("gateway.toml"));
        let output = output_of(command.args(arguments), "");
        String::from_utf8(output.stdout).unwrap()
    };
    let apart = "[ui]\nurl = \"http://explorer.test:8080\"\n";
    let text = explain(apart, &["GET", "/tables", "--user", "ada"]);
    assert!(text.contains("forwarded to http://explorer.test:8080 (ui.url)"), "{text}");
    assert!(
        !text.contains("X-Forwarded-User: ada") && !text.contains("x-forwarded-user"),
        "{text}"
    );
    let text = explain(apart, &["GET", "/api/v3/query_sql", "--user", "ada"]);
    assert!(text.contains(&format!("forwarded to http://{}", upstream.address)), "{text}");
    let text = explain("", &["GET", "/tables", "--user", "ada"]);
    assert!(text.contains(&format!("forwarded to http://{}", upstream.address)), "{text}");
    let text = explain(apart, &["GET", "/tables"]);
    assert!(text.contains("401"), "{text}");
    let text = explain(apart, &["GET", "/tables", "--user", "reader"]);
    assert!(text.contains("403") && text.contains("access = \"full\""), "{text}");
}

#[test]
fn in_chromium_pages_and_their_websocket_are_for_who_is_signed_in() {
    let (upstream, port) = (Upstream::start(), closed_port().port());
    let config = format!("[ui]\nurl = \"http://127.0.0.1:{port}\"\n[page]\nenabled = true\n");
    let gateway = start(&upstream, &config);
    let output = javascript("explorer.mjs")
        .env("EXPLORER_PORT", port.to_string())
        .env("GATEWAY_URL", format!("http://{}", gateway.address))
        .env("GATEWAY_USER", "ada")
        .env("GATEWAY_PASSWORD", PASSWORD)
        .output()
        .unwrap();
    let seen = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "{seen}\n{}", String::from_utf8_lossy(&output.stderr));
    let wanted = "\
without a session: /gateway/?return_to=/tables%3Fdb%3Da
signed in: /tables?db=a, echo: hello
a form: 200
a stranger's socket: refused
a stranger's form: sent, 0 came
another tab: echo: hello
sign out: 204, closed
afterwards: /gateway/?return_to=/tables%3Fdb%3Da
seen: GET /tables?db=a nobody, POST /save nobody, GET / nobody";
    assert_eq!(seen, wanted, "{seen}");
    assert!(upstream.saw_nothing());
}

#[test]
fn the_configuration_in_the_documentation_is_good() {
    let page = fs::read_to_string(repository().join("docs/influxdb3.md")).unwrap();
    let (_, section) = page.split_once("## The Explorer\n").unwrap();
    let block = section.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(block.contains("ui = \"session\"") && block.contains("[ui]"), "{block}");
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.toml");
    for (name, text) in [
        ("gateway.toml", block),
        ("users.toml", &*fs::read_to_string(repository().join("conf/users.toml")).unwrap()),
        ("influxdb.token", "a-token"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let output = output_of(program().args(["check", "--config"]).arg(&config), "");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
