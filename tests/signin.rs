use crate::clock;
use crate::secure::SecureGateway;
use crate::support::*;

const REFUSED: &str = "{\n\t\"code\": \"unauthorized\",\n\t\"message\": \"unauthorized access\"\n}";

#[test]
fn s_01_a_name_and_a_password_make_a_session() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));

    assert_eq!(answer.status, 204);
    assert!(answer.body.is_empty());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    for absent in ["content-type", "content-length", "transfer-encoding", "www-authenticate"] {
        assert_eq!(answer.header(absent), None, "{absent}");
    }
    let cookie = answer.header("set-cookie").unwrap();
    let (value, attributes) = cookie.split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/api/; HttpOnly; SameSite=Strict");
    let token = value.strip_prefix("influxdb-oss-session=").unwrap();
    assert_eq!(token.len(), 43);
    assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    assert!(upstream.saw_nothing());
}

#[test]
fn s_01_over_tls_the_cookie_is_secure() {
    let secure = SecureGateway::start(closed_port());
    let answer = secure.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let (_, attributes) = answer.header("set-cookie").unwrap().split_once("; ").unwrap();
    assert_eq!(attributes, "Path=/api/; HttpOnly; Secure; SameSite=Strict");
}

#[test]
fn every_refusal_is_the_same() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let mut client = gateway.connect();
    let of = |scheme: &str| format!("Authorization: {scheme}");
    let long = "x".repeat(5000);
    for headers in [
        vec![],
        vec![basic("ada", "wrong horse")],
        vec![basic("eve", PASSWORD)],
        vec![basic("ada", "")],
        vec![basic("", PASSWORD)],
        vec![basic("ADA", PASSWORD)],
        vec![basic("ada ", PASSWORD)],
        vec![basic("ada", &long)],
        vec![of("Basic")],
        vec![of("Basic !!!")],
        vec![of("Basic YWRh")],
        vec![of("Basic  YWRhOmNvcnJlY3QgaG9yc2U=")],
        vec![of("Basic YWRhOmNvcnJlY3QgaG9yc2U")],
        vec![of("Basic /////w==")],
        vec![of("Token whatever")],
        vec![of("Bearer whatever"), basic("ada", PASSWORD)],
    ] {
        let lines: Vec<_> = headers.iter().map(String::as_str).collect();
        let answer = client.send(&post("/api/v2/signin", &lines));
        let context = format!("{headers:?}: {answer:?}");
        assert_eq!(answer.status, 401, "{context}");
        assert_eq!(answer.text(), REFUSED, "{context}");
        let content_type = answer.header("content-type");
        assert_eq!(content_type, Some("application/json; charset=utf-8"), "{context}");
        assert_eq!(answer.header("x-platform-error-code"), Some("unauthorized"), "{context}");
        assert_eq!(answer.header("www-authenticate"), None, "{context}");
        assert_eq!(answer.header("set-cookie"), None, "{context}");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn body_and_query_are_ignored_and_the_connection_goes_on() {
    let gateway = Gateway::start(Upstream::start().address);
    let mut client = gateway.connect();
    let headers = [&*basic("ada", PASSWORD), "Content-Type: application/json"];
    let request = with_body("POST", "/api/v2/signin?user=eve", &headers, r#"{"user":"eve"}"#);
    let cookie_of_ada = cookie(&client.send(&request).cookie());
    let me = client.send(&get("/api/v2/me", &[&cookie_of_ada]));
    assert_eq!(me.json()["name"], "ada");
}

#[test]
fn the_scheme_is_read_in_any_letter_case() {
    let gateway = Gateway::start(Upstream::start().address);
    let header = basic("ada", PASSWORD).replace("Basic", "bASIC");
    assert_eq!(gateway.connect().send(&post("/api/v2/signin", &[&header])).status, 204);
}

/// A cookie that comes along is neither adopted nor ended, whosever it is.
#[test]
fn s_02_each_sign_in_is_a_new_session_and_a_presented_one_is_not_adopted() {
    let gateway = clock::start(closed_port(), "", &users(&["ada", "bob"]));
    let me = |session: &str| gateway.connect().send(&get("/api/v2/me", &[&cookie(session)]));
    let expired = gateway.sign_in("bob");
    clock::pass(&gateway, 601);
    let signed_out = gateway.sign_in("bob");
    let sign_out = post("/api/v2/signout", &[&cookie(&signed_out)]);
    assert_eq!(gateway.connect().send(&sign_out).status, 204);
    let invented = format!("influxdb-oss-session={}", "A".repeat(43));

    let mut all = std::collections::HashSet::new();
    for (presented, owner) in [
        (gateway.sign_in("ada"), Some("ada")),
        (gateway.sign_in("bob"), Some("bob")),
        (expired, None),
        (signed_out, None),
        (invented, None),
        ("influxdb-oss-session=".to_owned(), None),
    ] {
        let headers = [basic("bob", PASSWORD), cookie(&presented)];
        let answer = gateway.connect().send(&post("/api/v2/signin", &[&headers[0], &headers[1]]));
        assert_eq!(answer.status, 204, "{presented}");
        assert_ne!(answer.cookie(), presented);
        assert!(all.insert(answer.cookie()), "{presented}: a session that was there before");
        assert_eq!(me(&answer.cookie()).json()["name"], "bob", "{presented}");
        let fate = me(&presented);
        let name = (fate.status == 200).then(|| fate.json()["name"].clone());
        assert_eq!(name, owner.map(Into::into), "{presented}: what became of it");
    }
}

#[test]
fn s_01_a_secure_cookie_is_set_when_the_configuration_says_so() {
    let config =
        "[cookie]\nname = \"sid\"\npath = \"/\"\nsecure = \"always\"\nsame_site = \"lax\"\n";
    let gateway = Gateway::start_with(Upstream::start().address, config, &users(&["ada"]));
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("sid="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; Secure; SameSite=Lax"), "{cookie}");
}

#[test]
fn an_inactive_user_signs_in_and_is_then_refused() {
    let upstream = Upstream::start();
    let users = users(&["ada"]) + "status = \"inactive\"\n";
    let gateway = Gateway::start_with(upstream.address, "", &users);
    let cookie = cookie(&gateway.sign_in("ada"));
    for target in ["/api/v2/me", "/api/v2/buckets"] {
        let answer = gateway.connect().send(&get(target, &[&cookie]));
        assert_eq!(answer.status, 403);
        assert_eq!(answer.text(), r#"{"code":"forbidden","message":"User is inactive"}"#);
    }
    assert!(upstream.saw_nothing());
}
