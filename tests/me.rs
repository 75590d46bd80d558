use crate::support::*;

const REFUSED: &str = r#"{"code":"unauthorized","message":"unauthorized access"}"#;

#[test]
fn the_user_of_the_session_is_told() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let answer = gateway.connect().send(&get("/api/v2/me", &[&cookie(&gateway.sign_in("bob"))]));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(
        answer.text(),
        "{\n\t\"links\": {\n\t\t\"self\": \"/api/v2/users/0000000000000002\"\n\t},\n\t\"id\": \
         \"0000000000000002\",\n\t\"name\": \"bob\",\n\t\"status\": \"active\"\n}"
    );
    assert!(upstream.saw_nothing());
}

#[test]
fn s_03_a_cookie_that_is_no_session_is_refused_like_none() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let mut client = gateway.connect();
    // From then on all answers say it.
    wait_until("the upstream's version is known", || {
        gateway.connect().send(&get("/api/v2/me", &[])).header("x-influxdb-version").is_some()
    });
    let good = gateway.sign_in("ada");
    let value = good.split_once('=').unwrap().1;
    let of = |value: &str| format!("Cookie: influxdb-oss-session={value}");
    let mut lines = vec![
        "Cookie: ".to_owned(),
        of(""),
        of(&"A".repeat(43)),
        of(&value[..42]),
        of(&value[1..]),
        of(&value[..1]),
        of(&value.to_uppercase()),
        of(&value.to_lowercase()),
        of(&format!("{value}=")),
        of(&format!("{value}==")),
        of(&format!("{value}A")),
        of(&format!("A{value}")),
        of(&format!("{value}{value}")),
        of(&format!("{value}%20")),
        format!("Cookie: session={value}"),
        format!("Cookie: Influxdb-Oss-Session={value}"),
        format!("Cookie: influxdb-oss-session=junk; influxdb-oss-session={value}"),
        basic("ada", PASSWORD),
    ];
    // Each character with one of its six bits flipped.
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for place in 0..43 {
        let mut flipped = value.as_bytes().to_vec();
        let digit = digits.iter().position(|&digit| digit == flipped[place]).unwrap();
        flipped[place] = digits[digit ^ (1 << (place % 6))];
        lines.push(of(std::str::from_utf8(&flipped).unwrap()));
    }
    for (request, refused) in [
        (get as fn(&str, &[&str]) -> String, "/api/v2/me"),
        (get, "/api/v2/buckets"),
        (post, "/api/v2/write"),
        (post, "/api/v2/signout"),
    ] {
        let without = client.send(&request(refused, &[])).without_its_own();
        assert_eq!(without.0, 401);
        for line in &lines {
            let answer = client.send(&request(refused, &[line]));
            assert_eq!(answer.without_its_own(), without, "{refused}: {line}");
        }
    }
    assert!(upstream.saw_nothing());
    let answer = client.send(&get("/api/v2/me", &[&cookie(&good)]));
    assert_eq!(answer.status, 200, "none of them ended the session");
}

#[test]
fn s_03_the_refusal_is_influxdbs() {
    let gateway = Gateway::start(closed_port());
    let answer = gateway.connect().send(&get("/api/v2/me", &[]));
    assert_eq!((answer.status, &*answer.text()), (401, REFUSED));
    assert_eq!(answer.header("x-platform-error-code"), Some("unauthorized"));
}

#[test]
fn basic_beside_the_cookie_does_not_matter_and_a_token_decides() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    for beside in
        [basic("eve", "x"), "Authorization: Digest x".to_owned(), "Authorization: Token".to_owned()]
    {
        let answer = gateway.connect().send(&get("/api/v2/me", &[&cookie, &beside]));
        assert_eq!(answer.json()["name"], "ada", "{beside}");
    }
    assert!(upstream.saw_nothing());
    let token = "Authorization: bearer of-somebody-else";
    gateway.connect().send(&get("/api/v2/me", &[&cookie, token]));
    let seen = upstream.next();
    assert_eq!(seen.header("authorization"), Some("bearer of-somebody-else"));
    assert_eq!(seen.header("x-forwarded-user"), None);
}

#[test]
fn another_method_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    for (method, target, allow) in [
        ("POST", "/api/v2/me", "GET"),
        ("HEAD", "/api/v2/me", "GET"),
        ("GET", "/api/v2/signin", "POST"),
        ("DELETE", "/api/v2/signin", "POST"),
        ("GET", "/api/v2/signout", "POST"),
    ] {
        let answer = gateway.connect().send(&request(method, target, &[&cookie]));
        assert_eq!(answer.status, 405, "{method} {target}");
        assert_eq!(answer.header("allow"), Some(allow), "{method} {target}");
        assert_eq!(answer.header("content-length"), Some("0"), "{method} {target}");
        let stranger = gateway.connect().send(&request(method, target, &[]));
        assert_eq!(stranger.status, 401, "{method} {target}");
    }
    let me = gateway.connect().send(&get("/api/v2/me", &[&cookie]));
    assert_eq!(me.status, 200, "none of them ended the session");
    assert!(upstream.saw_nothing());
}
