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
