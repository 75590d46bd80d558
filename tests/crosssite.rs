use std::io::Write as _;

use crate::clock;
use crate::frames::Connection;
use crate::secure::SecureGateway;
use crate::support::*;

/// With these keys of `[listen]` and these sections, for `ada` and `bob`.
pub(crate) fn start(upstream: &Upstream, listen: &str, config: &str) -> Gateway {
    let url = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&url, config, &users(&["ada", "bob"]));
    let path = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("[listen]\n", &format!("[listen]\n{listen}\n"), 1))
        .unwrap();
    Gateway::start_in(folder)
}

/// Behind a proxy that rewrites Host, which browsers do not know of: `Origin` is another host's.
#[test]
fn f_20_what_the_browser_says_of_the_site_decides_and_origin_only_where_it_says_nothing() {
    const OTHER: &str = "https://influx.example.com";
    const OWN: &str = "http://gateway.test";
    let upstream = Upstream::start();
    let gateway = start(&upstream, "allowed_origins = [\"https://grafana.test\"]", "");
    let session = cookie(&gateway.sign_in("ada"));
    for (sites, origin, allowed) in [
        (&["same-origin"][..], Some(OTHER), true),
        (&["same-origin"], Some("null"), true),
        (&["same-origin"], None, true),
        (&["none"], Some(OTHER), true),
        (&["none"], None, true),
        (&["same-site"], Some(OWN), false),
        (&["cross-site"], Some(OWN), false),
        (&["cross-site"], None, false),
        (&["same-origins"], Some(OWN), false),
        (&["Same-Origin"], Some(OWN), false),
        (&["none, same-origin"], Some(OWN), false),
        (&[""], Some(OWN), false),
        (&["same-origin", "same-origin"], Some(OWN), false),
        (&["same-origin", "cross-site"], Some(OWN), false),
        (&["cross-site", "same-origin"], None, false),
        (&["cross-site"], Some("https://grafana.test"), true),
        (&["unheard-of"], Some("https://grafana.test"), true),
        (&["same-origin"], Some("https://grafana.test"), true),
        (&[], Some(OWN), true),
        (&[], Some("https://gateway.test"), true),
        (&[], Some("https://grafana.test"), true),
        (&[], Some(OTHER), false),
        (&[], Some("null"), false),
        (&[], None, true),
    ] {
        let mut lines: Vec<_> =
            sites.iter().map(|site| format!("Sec-Fetch-Site: {site}")).collect();
        lines.extend(origin.map(|origin| format!("Origin: {origin}")));
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let credentials = basic("bob", PASSWORD);
        let with_session = [&[&*session], &lines[..]].concat();
        let with_password = [&[&*credentials], &lines[..]].concat();
        let sent = [
            (post("/api/v2/write", &with_session), 200),
            (request("DELETE", "/api/v2/buckets/1", &with_session), 200),
            (post("/api/v2/signin", &with_password), 204),
        ];
        for (request, good) in &sent {
            let answer = gateway.connect().send(request);
            assert_eq!(answer.status, if allowed { *good } else { 403 }, "{request}");
            if !allowed {
                assert_eq!(answer.json()["message"], "cross-site request blocked", "{request}");
            }
        }
        let answer = gateway.connect().send(&get("/api/v2/buckets", &with_session));
        assert_eq!(answer.status, 200, "reading changes nothing: {lines:?}");
    }
}

#[test]
fn f_20_of_hosts_that_trusted_proxies_tell_the_first_is_compared() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "trusted_proxies = [\"127.0.0.1\"]", "");
    let session = cookie(&gateway.sign_in("ada"));
    for (told, origin, allowed) in [
        (&["influx.test, inner.test"][..], "https://influx.test", true),
        (&["influx.test, inner.test"], "https://inner.test", false),
        (&["influx.test, inner.test"], "http://gateway.test", false),
        (&[" influx.test ,inner.test:8086,gateway.test"], "https://influx.test", true),
        (&["influx.test", "inner.test"], "https://influx.test", true),
        (&["influx.test", "inner.test"], "https://inner.test", false),
        (&["influx.test:8443"], "https://influx.test:8443", true),
        (&["influx.test:8443"], "https://influx.test", false),
    ] {
        let told: Vec<_> = told.iter().map(|host| format!("X-Forwarded-Host: {host}")).collect();
        let origin = format!("Origin: {origin}");
        let mut lines: Vec<_> = told.iter().map(String::as_str).collect();
        lines.extend([&*session, &*origin]);
        let answer = gateway.connect().send(&post("/api/v2/write", &lines));
        assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{lines:?}");
        if allowed {
            let seen = upstream.next();
            let first = told[0].split([' ', ',']).find(|word| word.starts_with("influx.test"));
            assert_eq!(seen.header("x-forwarded-host"), first, "{lines:?}");
        }
    }
}

/// Pages of other sites cannot keep a session alive by what they are refused.
#[test]
fn f_20_what_is_refused_renews_no_session() {
    let upstream = Upstream::start();
    let gateway = clock::start(upstream.address, "", &users(&["ada"]));
    let cases = [
        ("POST", "/api/v2/write", 403),
        ("DELETE", "/api/v2/buckets/1", 403),
        ("PUT", "/api/v2/me/password", 403),
        ("POST", "/api/v2/users/0000000000000001/password", 403),
        ("POST", "/api/v2/signin/", 403),
        ("POST", "/api/v2/signout", 403),
        ("POST", "/api/v2/me", 405),
        ("DELETE", "/api/v2/signin", 405),
        ("PUT", "/api/v2/me/x", 404),
    ];
    let sessions = cases.map(|case| (case, cookie(&gateway.sign_in("ada"))));
    let is_live = |line: &str| gateway.connect().send(&get("/api/v2/me", &[line])).status == 200;
    // Ten idle minutes end a session.
    clock::pass(&gateway, 400);
    for ((method, target, status), line) in &sessions {
        let headers = [&**line, "Origin: https://eve.test", "Content-Length: 0"];
        let answer = gateway.connect().send(&request(method, target, &headers));
        assert_eq!(answer.status, *status, "{method} {target}: {answer:?}");
    }
    clock::pass(&gateway, 400);
    for ((method, target, _), line) in &sessions {
        assert!(!is_live(line), "{method} {target}");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn f_20_without_a_session_it_is_401_whatever_the_site() {
    let gateway = Gateway::start(closed_port());
    let dead = format!("Cookie: influxdb-oss-session={}", "A".repeat(43));
    for lines in [&["Origin: https://eve.test"][..], &["Sec-Fetch-Site: cross-site", &dead]] {
        assert_eq!(gateway.connect().send(&post("/api/v2/write", lines)).status, 401);
    }
}

#[test]
fn f_20_the_log_of_a_403_says_what_was_compared_and_nothing_can_forge_a_line_by_it() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, "trusted_proxies = [\"127.0.0.1\"]", "");
    let session = cookie(&gateway.sign_in("ada"));
    let endless = format!("Origin: https://{}", "e".repeat(9000));
    for lines in [
        vec!["X-Request-Id: r1", "Origin: https://eve.test"],
        vec!["X-Request-Id: r2", "Origin: https://eve.test", "X-Forwarded-Host: influx.test, b"],
        vec!["X-Request-Id: r3", "Origin: https://eve.test", "Sec-Fetch-Site: cross-site"],
        vec!["X-Request-Id: r4", "Origin: a user=root\tstatus=200 \u{1f600} \" % \\"],
        vec!["X-Request-Id: r5", "Sec-Fetch-Site: x host=y"],
        vec!["X-Request-Id: r6", &endless],
        vec!["X-Request-Id: r7", "Origin: https://a.test", "Origin: https://b.test"],
    ] {
        let answer =
            gateway.connect().send(&post("/api/v2/write", &[&[&*session], &lines[..]].concat()));
        assert_eq!(answer.status, 403, "{lines:?}");
    }
    let fine = [&*session, "X-Request-Id: r8", "Origin: http://gateway.test"];
    assert_eq!(gateway.connect().send(&post("/api/v2/write", &fine)).status, 200);
    let log = gateway.stop();
    let line = |id: &str| {
        let mark = format!(" request_id={id}");
        log.lines().find(|line| line.contains(&mark)).unwrap_or_else(|| panic!("{id}: {log}"))
    };
    let ends = |id: &str, end: &str| {
        assert!(line(id).contains(&format!("{end} upstream=")), "{end}: {}", line(id));
    };
    assert!(line("r1").contains(" user=ada "), "{}", line("r1"));
    ends("r1", " origin=https://eve.test host=gateway.test sec_fetch_site=-");
    ends("r2", " origin=https://eve.test host=influx.test sec_fetch_site=-");
    ends("r3", " origin=https://eve.test host=gateway.test sec_fetch_site=cross-site");
    assert!(
        line("r4").contains(" origin=a%20user=root%09status=200%20%F0%9F%98%80"),
        "{}",
        line("r4")
    );
    ends("r5", " origin=- host=gateway.test sec_fetch_site=x%20host=y");
    assert!(line("r6").len() < 1000, "{}", line("r6").len());
    ends("r7", " origin=https://a.test,https://b.test host=gateway.test sec_fetch_site=-");
    assert!(!line("r8").contains("origin="), "{}", line("r8"));
}

/// What InfluxDB says to pages of any origin, and more than it ever says.
fn influxdb() -> Upstream {
    Upstream::behaving(|seen, stream| {
        let origin = seen.header("origin").unwrap_or("*");
        let head = format!(
            "Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Origin: *\r\n\
             Access-Control-Allow-Credentials: true\r\nAccess-Control-Allow-Credentials: true\r\n\
             Vary: Accept-Encoding\r\nContent-Length: 2\r\n"
        );
        write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\nok").is_ok()
    })
}

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";

fn varies_by_origin(answer: &Answer) -> bool {
    let words = answer.all("vary").join(",").to_ascii_lowercase();
    words.split(',').any(|word| word.trim() == "origin")
}

/// Local answers, forwarded ones, refusals; of an upstream that is there and of one that is not.
#[test]
fn f_48_allowed_origins_and_nobody_else_may_read_what_a_session_gets() {
    let listen = "allowed_origins = [\"https://grafana.test\", \"http://Console.TEST:80\"]";
    let config = "[limits]\nupstream_connect = \"1s\"\n";
    let upstream = influxdb();
    let gateway = start(&upstream, listen, config);
    let session = cookie(&gateway.sign_in("ada"));
    let sign_in = basic("ada", PASSWORD);
    let asked = [
        ("GET", "/api/v2/me", &*session, 200),
        ("GET", "/api/v2/buckets", &session, 200),
        ("POST", "/api/v2/write", &session, 200),
        ("GET", "/health", &session, 200),
        ("POST", "/api/v2/signin", &sign_in, 204),
        ("POST", "/api/v2/signin", &session, 401),
        ("GET", "/api/v2/me", "X-A: 1", 401),
        ("GET", "/api/v2/buckets", "Authorization: Token x", 200),
        ("PUT", "/api/v2/me", &session, 405),
        ("GET", "/api/v2/me/x", &session, 404),
        ("GET", "/elsewhere", &session, 404),
        ("GET", "/api/v2/../v2/me", &session, 400),
        ("POST", "/api/v2/setup", &session, 403),
    ];
    for origin in ["https://grafana.test", "http://console.test"] {
        let line = format!("Origin: {origin}");
        for (method, target, header, status) in asked {
            let lines = [header, &line, "Sec-Fetch-Site: cross-site", "Content-Length: 0"];
            let answer = gateway.connect().send(&request(method, target, &lines));
            assert_eq!(answer.status, status, "{method} {target}: {answer:?}");
            assert_eq!(answer.header(ALLOW_ORIGIN), Some(origin), "{method} {target}: {answer:?}");
            assert_eq!(answer.header(ALLOW_CREDENTIALS), Some("true"), "{method} {target}");
            assert!(varies_by_origin(&answer), "{method} {target}: {answer:?}");
        }
    }
    for origin in [
        "https://eve.test",
        "http://grafana.test",
        "https://grafana.test:8443",
        "https://grafana.test.eve.test",
        "https://GRAFANA.test",
        "null",
        "*",
    ] {
        let line = format!("Origin: {origin}");
        for (method, target, header, _) in asked {
            let lines = [header, &line, "Content-Length: 0"];
            let answer = gateway.connect().send(&request(method, target, &lines));
            let context = format!("{origin} {method} {target}: {answer:?}");
            assert_eq!(answer.header(ALLOW_CREDENTIALS), None, "{context}");
            assert!(answer.header(ALLOW_ORIGIN).is_none_or(|told| told == origin), "{context}");
            assert!(varies_by_origin(&answer), "{context}");
        }
    }
    for (method, target, header, _) in asked {
        let answer =
            gateway.connect().send(&request(method, target, &[header, "Content-Length: 0"]));
        assert_eq!(answer.header(ALLOW_CREDENTIALS), None, "{method} {target}: {answer:?}");
        assert!(varies_by_origin(&answer), "{method} {target}: {answer:?}");
    }
}

#[test]
fn f_48_a_preflight_of_an_allowed_origin_is_answered_here_whatever_the_upstream_does() {
    for upstream in [influxdb().address, closed_port()] {
        let listen = "allowed_origins = [\"https://grafana.test\"]";
        let secure =
            SecureGateway::start_with(upstream, listen, "[cookie]\nsame_site = \"none\"\n");
        let mut http2 = Connection::open(&secure, &[]);
        for target in ["/api/v2/me", "/api/v2/signin", "/api/v2/buckets", "/api/v2/write?org=o"] {
            let fields = [
                ("origin", "https://grafana.test"),
                ("access-control-request-method", "DELETE"),
                ("access-control-request-headers", "content-type,x-own"),
            ];
            let lines = fields.map(|(name, value)| format!("{name}: {value}"));
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            for answer in [
                secure.gateway.connect().send(&request("OPTIONS", target, &lines)),
                http2.ask("OPTIONS", target, &fields),
            ] {
                assert_eq!(answer.status, 204, "{target}: {answer:?}");
                assert_eq!(answer.header(ALLOW_ORIGIN), Some("https://grafana.test"), "{target}");
                assert_eq!(answer.header(ALLOW_CREDENTIALS), Some("true"), "{target}");
                let methods = answer.header("access-control-allow-methods").unwrap();
                assert!(methods.split(", ").any(|method| method == "DELETE"), "{methods}");
                let names = answer.header("access-control-allow-headers").unwrap();
                for name in ["content-type", "x-own"] {
                    let is_it = |word: &str| word.trim().eq_ignore_ascii_case(name);
                    assert!(names.split(',').any(is_it), "{names}");
                }
                assert!(varies_by_origin(&answer), "{answer:?}");
            }
        }
        let lines = ["Origin: https://eve.test", "Access-Control-Request-Method: POST"];
        let answer = secure.gateway.connect().send(&request("OPTIONS", "/api/v2/me", &lines));
        assert_eq!(answer.header(ALLOW_CREDENTIALS), None, "{answer:?}");
    }
}

/// Nobody is allowed anything by default, and what InfluxDB tells pages of any origin stays.
#[test]
fn f_48_without_allowed_origins_no_answer_allows_credentials() {
    let upstream = influxdb();
    let gateway = Gateway::start(upstream.address);
    let session = cookie(&gateway.sign_in("ada"));
    for target in ["/api/v2/me", "/api/v2/buckets", "/health"] {
        let lines = [&*session, "Origin: https://eve.test"];
        let answer = gateway.connect().send(&get(target, &lines));
        assert_eq!(answer.header(ALLOW_ORIGIN), Some("https://eve.test"), "{target}: {answer:?}");
        assert_eq!(answer.header(ALLOW_CREDENTIALS), None, "{target}: {answer:?}");
    }
}

/// Whoever sets InfluxDB up gets its first token: no page of another site does.
#[test]
fn f_20_a_page_of_another_site_sets_nothing_up() {
    let upstream = Upstream::start();
    let setup = "[forward]\nsetup = true\n";
    let listen = "allowed_origins = [\"https://grafana.test\"]";
    let two = start(&upstream, listen, setup);
    let three = start(&upstream, listen, &format!("kind = \"influxdb3\"\n{setup}"));
    for (gateway, path) in [
        (&two, "/api/v2/setup"),
        (&three, "/api/v3/configure/token/admin"),
        (&three, "/api/v3/configure/user"),
    ] {
        for (lines, allowed) in [
            (&["Origin: https://evil.test"][..], false),
            (&["Origin: null"], false),
            (&["Sec-Fetch-Site: cross-site"], false),
            (&["Origin: http://gateway.test", "Sec-Fetch-Site: same-site"], false),
            (&["Origin: http://gateway.test"], true),
            (&["Origin: https://evil.test", "Sec-Fetch-Site: same-origin"], true),
            (&["Origin: https://grafana.test", "Sec-Fetch-Site: cross-site"], true),
            (&[], true),
        ] {
            let sent = [lines, &["Content-Type: text/plain"]].concat();
            let answer = gateway.connect().send(&with_body("POST", path, &sent, "{}"));
            assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{path} {lines:?}");
            assert_eq!(upstream.seen_by_clients().len(), usize::from(allowed), "{path} {lines:?}");
        }
    }
    // To read is no setting up.
    let reading = get("/api/v2/setup", &["Origin: https://evil.test"]);
    assert_eq!(two.connect().send(&reading).status, 200);
}
