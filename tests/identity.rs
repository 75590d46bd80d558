use crate::influxdb::Influxdb;
use crate::support::*;

#[test]
fn exactly_one_identity_reaches_the_upstream() {
    let upstream = Upstream::start();
    let config = "[identity]\nheader = \"X-Auth-User\"\nid_header = \"X-Auth-Id\"\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada", "bob"]));
    let line = cookie(&gateway.sign_in("bob"));
    for forged in [
        vec!["X-Auth-User: eve"],
        vec!["x-auth-user: eve", "X-AUTH-USER: eve", "X-Auth-User: bob"],
        vec!["X_Auth_User: eve", "X.Auth.User: eve", "x-auth_user: eve", "X_Auth-Id: 1"],
        vec!["Connection: X-Auth-User, X-Auth-Id", "X-Auth-User: eve"],
        vec!["Connection: keep-alive, x-auth-user", "Connection: X-Auth-User"],
        vec!["X-Auth-Id: 0000000000000001", "X-Auth-User: a, b"],
        vec![],
    ] {
        let headers = [&[&*line], &forged[..]].concat();
        let answer = gateway.connect().send(&get("/api/v2/buckets", &headers));
        assert_eq!(answer.status, 200, "{forged:?}");
        let seen = upstream.next();
        assert_eq!(seen.header("x-auth-user"), Some("bob"), "{forged:?}");
        assert_eq!(seen.header("x-auth-id"), Some("0000000000000002"), "{forged:?}");
        assert!(!seen.head.contains("eve"), "{forged:?}: {}", seen.head);
        assert_eq!(seen.head.to_lowercase().matches("auth").count(), 2, "{}", seen.head);
        assert_eq!(seen.header("connection"), None, "{}", seen.head);
    }
}

#[test]
fn a_trailer_carries_no_identity() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    let headers = [&*line, "Transfer-Encoding: chunked", "Trailer: X-Forwarded-User"];
    client.write(request("POST", "/api/v2/write", &headers).as_bytes());
    client.write(b"1\r\nx\r\n0\r\nX-Forwarded-User: eve\r\n\r\n");
    assert_eq!(client.read().text(), "ada");
    let seen = upstream.next();
    assert_eq!((seen.body.as_slice(), seen.header("trailer")), (&b"x"[..], None));
}

#[test]
fn where_a_request_came_from_is_not_the_clients_to_say() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let headers = [
        "Authorization: Token x",
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.test",
        "Forwarded: for=6.6.6.6",
        "X-Real-IP: 6.6.6.6",
        "X-Original-URL: /api/v2/setup",
        "X-HTTP-Method-Override: DELETE",
    ];
    gateway.connect().send(&get("/api/v2/buckets", &headers));
    let seen = upstream.next();
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some("gateway.test"));
    assert_eq!(seen.header("host"), Some(&*upstream.address.to_string()));
    for gone in ["forwarded", "x-real-ip", "x-original-url", "x-http-method-override"] {
        assert_eq!(seen.header(gone), None, "{gone}");
    }
}

#[test]
fn the_session_cookie_stays_at_the_edge_in_every_spelling() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let session = gateway.sign_in("ada");
    let value = session.split_once('=').unwrap().1;
    for (lines, left) in [
        (vec![format!("a=1; {session}")], vec!["a=1"]),
        (vec![format!("{session}; {session}")], vec![]),
        (vec!["a=1".to_owned(), session.clone(), "b=2".to_owned()], vec!["a=1", "b=2"]),
        (vec![format!("Path=/api/; influxdb-oss-session=\"{value}\"; x")], vec!["Path=/api/; x"]),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| cookie(line)).collect();
        let headers: Vec<_> = lines.iter().map(String::as_str).collect();
        assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &headers)).text(), "ada");
        let seen = upstream.next();
        assert_eq!(seen.all("cookie"), left, "{lines:?}");
        assert!(!seen.head.contains(value));
    }
}

#[test]
fn a_request_id_is_kept_or_made_and_forwarded() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let send = |header: &str| {
        let answer =
            gateway.connect().send(&get("/api/v2/buckets", &["Authorization: Token x", header]));
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert_eq!(upstream.next().header("x-request-id"), Some(&*id));
        id
    };
    assert_eq!(send("X-Request-Id: abc-1"), "abc-1");
    let made = send("Accept: */*");
    assert!(made.len() > 16);
    for odd in ["a b".to_owned(), "x".repeat(10_000), "\"".to_owned()] {
        let id = send(&format!("X-Request-Id: {odd}"));
        assert!(id != odd && id.len() < 64, "{id}");
    }
}

/// What `check` says of a configuration, and its exit code.
fn check(config: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, config).unwrap();
    std::fs::write(folder.path().join("users.toml"), users(&["ada"])).unwrap();
    let output = program().args(["check", "--config"]).arg(&path).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn f_18_a_header_that_anybody_else_writes_carries_no_identity() {
    for name in [
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Port",
        "x_forwarded_for",
        "X.Forwarded.Host",
        "Forwarded",
        "X-Real-IP",
        "True-Client-IP",
        "X-HTTP-Method-Override",
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Content-Length",
        "Content_Length",
        "Content-Type",
        "Content-Encoding",
        "Transfer-Encoding",
        "Connection",
        "Keep-Alive",
        "Proxy-Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Expect",
        "Host",
        "Authorization",
        "Proxy-Authorization",
        "Cookie",
        "Set-Cookie",
        "Origin",
        "Referer",
        "Sec-Fetch-Site",
        "User-Agent",
        "Access-Control-Request-Method",
        "If-None-Match",
        "Range",
        "Cache-Control",
        "Date",
        "Via",
        "X-Request-Id",
        "x.request_id",
        "Zap-Trace-Span",
        "traceparent",
        "uber-trace-id",
        "X-Influxdb-Version",
        "X-Platform-Error-Code",
        "Location",
        "Retry-After",
        "Strict-Transport-Security",
    ] {
        for (key, other) in [("header", ""), ("id_header", "header = \"X-Own-User\"\n")] {
            let (code, text) = check(&format!("[identity]\n{other}{key} = \"{name}\"\n"));
            assert_eq!(code, Some(78), "{key} = {name}");
            assert!(text.contains(&format!(" identity.{key}: ")), "{name}: {text}");
        }
    }
    for name in ["X-Forwarded-User", "Remote-User", "X-WEBAUTH-USER", "X-Grafana-User", "X-Own"] {
        let config = format!("[identity]\nheader = \"{name}\"\nid_header = \"{name}-Id\"\n");
        assert_eq!(check(&config).0, Some(0), "{name}: {}", check(&config).1);
    }
    for id in ["X-Forwarded-User", "x_forwarded.user"] {
        let (code, text) = check(&format!("[identity]\nid_header = \"{id}\"\n"));
        assert_eq!(code, Some(78), "{id}");
        assert!(text.contains(" identity.id_header: "), "{text}");
    }
}

/// Whatever the header is called that this gateway writes, and whoever asks.
#[test]
fn f_18_identities_of_other_proxies_and_method_overrides_never_pass_from_clients() {
    let others = [
        "X-Forwarded-User",
        "X-Forwarded-User-Id",
        "X-Forwarded-Groups",
        "X-Forwarded-Email",
        "X-Forwarded-Preferred-Username",
        "X-Forwarded-Access-Token",
        "X-Forwarded-Client-Cert",
        "Remote-User",
        "Remote-Name",
        "Remote-Email",
        "Remote-Groups",
        "X-Remote-User",
        "X-Auth-Request-User",
        "X-Auth-Request-Email",
        "X-Auth-Request-Access-Token",
        "X-WEBAUTH-USER",
        "X-WEBAUTH-ROLE",
        "X-authentik-username",
        "X-Goog-Authenticated-User-Email",
        "X-Amzn-Oidc-Identity",
        "X-MS-CLIENT-PRINCIPAL-NAME",
        "Cf-Access-Authenticated-User-Email",
        "Tailscale-User-Login",
        "X-Consumer-Username",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Client-IP",
        "X-HTTP-Method",
        "X-HTTP-Method-Override",
        "X-Method-Override",
        "X-Corp-User",
        "X-Corp-Mail",
        "X-Team-Lead",
    ];
    let config = "[identity]\nheader = \"X-Own-User\"\n\
                  strip = [\"x_corp.user\", \"X-Corp-Mail\", \"X-Team-*\"]\n";
    let upstream = Upstream::start();
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let session = cookie(&gateway.sign_in("ada"));
    let passed =
        ["X-Own: eve-1", "X-Corporate: eve-2", "X-Team: eve-3", "Remote: eve-4", "Mail: eve-5"];
    for (target, who) in [
        ("/api/v2/buckets", &*session),
        ("/api/v2/buckets", "Authorization: Token x"),
        ("/health", "Accept: */*"),
    ] {
        for name in others {
            let spelled = [
                name.to_owned(),
                name.replace('-', "_"),
                name.replace('-', ".").to_uppercase(),
                name.to_lowercase().replacen('-', "_", 1),
                name.replace('-', "~").replacen('~', "+", 1),
            ];
            let lines: Vec<_> = spelled.iter().map(|name| format!("{name}: mallory")).collect();
            let mut lines: Vec<_> = lines.iter().map(String::as_str).collect();
            lines.push(who);
            lines.extend(passed);
            assert_eq!(gateway.connect().send(&get(target, &lines)).status, 200, "{name}");
            let seen = upstream.next();
            assert!(!seen.head.contains("mallory"), "{name}: {}", seen.head);
            assert_eq!(seen.head.matches(": eve-").count(), passed.len(), "{}", seen.head);
            let own = (who == session).then_some("ada");
            assert_eq!(seen.header("x-own-user"), own, "{}", seen.head);
        }
    }
}

#[test]
fn f_18_what_keeps_requests_in_one_piece_cannot_be_stripped() {
    for name in ["Content-Length", "transfer_encoding", "Host", "Connection", "a b", "", "*"] {
        let (code, text) = check(&format!("[identity]\nstrip = [\"X-A\", \"{name}\"]\n"));
        assert_eq!(code, Some(78), "{name}");
        assert!(text.contains(":2: identity.strip: "), "{name}: {text}");
    }
    assert_eq!(check("[identity]\nstrip = [\"X-Corp-User\", \"Remote-*\"]\n").0, Some(0));
}

/// An InfluxDB user who takes the name of a user of the file stays somebody else.
#[test]
fn f_18_a_users_file_and_the_owners_of_tokens_have_name_spaces_of_their_own() {
    let resolve = "[users]\ntokens = \"resolve\"\n";
    let (code, text) = check(resolve);
    assert_eq!(code, Some(78));
    assert!(
        text.contains(":2: users.tokens: ") && text.contains("identity.token_prefix"),
        "{text}"
    );
    for wrong in ["", "a b", "a,", "50%", "\u{e9}"] {
        let (code, text) = check(&format!("{resolve}[identity]\ntoken_prefix = \"{wrong}\"\n"));
        assert_eq!(code, Some(78), "{wrong:?}");
        assert!(text.contains(":4: identity.token_prefix: "), "{wrong:?}: {text}");
    }
    // Names of the file have no colon; without one, they must not begin with the prefix.
    assert_eq!(check(&format!("{resolve}[identity]\ntoken_prefix = \"ada:\"\n")).0, Some(0));
    let (code, text) = check(&format!("{resolve}[identity]\ntoken_prefix = \"ad\"\n"));
    assert_eq!(code, Some(78));
    assert!(text.contains("users.toml: ") && text.contains("identity.token_prefix"), "{text}");
    // One directory has one name space.
    assert_eq!(check("[users]\nsource = \"influxdb\"\ntokens = \"resolve\"\n").0, Some(0));

    for prefix in ["influxdb:", "token-of/"] {
        let influxdb = Influxdb::start();
        let config = format!("{resolve}[identity]\ntoken_prefix = \"{prefix}\"\n");
        let gateway = Gateway::start_with(influxdb.upstream.address, &config, &users(&["ada"]));
        let answer = gateway.connect().send(&get("/api/v2/buckets", &["Authorization: Token all"]));
        assert_eq!(answer.text(), format!("{prefix}ada"));
        assert!(gateway.stop().contains(&format!(" user={prefix}ada ")));
    }
}

#[test]
fn f_18_a_users_file_that_takes_the_prefix_of_tokens_is_not_taken() {
    let influxdb = Influxdb::start();
    let config = "[users]\ntokens = \"resolve\"\n[identity]\ntoken_prefix = \"token-\"\n";
    let gateway = Gateway::start_with(influxdb.upstream.address, config, &users(&["ada"]));
    std::fs::write(gateway.folder().join("users.toml"), users(&["ada", "token-ada"])).unwrap();
    gateway.signal("HUP");
    wait_until("the log says so", || gateway.has_logged("identity.token_prefix"));
    let sign_in = post("/api/v2/signin", &[&basic("token-ada", PASSWORD)]);
    assert_eq!(gateway.connect().send(&sign_in).status, 401);
}

/// InfluxDB would take it for its own, whatever the gateway's cookie is called.
#[test]
fn f_18_a_cookie_of_influxdbs_name_never_goes_upstream() {
    let upstream = Upstream::start();
    let config = "[cookie]\nname = \"gw\"\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let session = gateway.sign_in("ada");
    assert!(session.starts_with("gw="));
    let foreign = "influxdb-oss-session=mallory";
    for (target, lines, left) in [
        ("/api/v2/buckets", vec![format!("a=1; {session}; {foreign}; b=2")], vec!["a=1; b=2"]),
        ("/api/v2/buckets", vec![session.clone(), foreign.to_owned()], vec![]),
        ("/api/v2/buckets", vec![session.clone(), format!("{foreign}; c")], vec!["c"]),
        ("/health", vec![foreign.to_owned()], vec![]),
        ("/health", vec![format!("{session};{foreign};gwx=1")], vec!["gwx=1"]),
    ] {
        let lines: Vec<_> = lines.iter().map(|line| cookie(line)).collect();
        let mut lines: Vec<_> = lines.iter().map(String::as_str).collect();
        assert_eq!(gateway.connect().send(&get(target, &lines)).status, 200, "{lines:?}");
        assert_eq!(upstream.next().all("cookie"), left, "{lines:?}");
        lines.push("Authorization: Token x");
        assert_eq!(gateway.connect().send(&get(target, &lines)).status, 200, "{lines:?}");
        assert_eq!(upstream.next().all("cookie"), left, "{lines:?}");
    }
}
