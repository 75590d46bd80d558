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
fn without_a_session_it_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let mut client = gateway.connect();
    let good = gateway.sign_in("ada");
    let value = good.split_once('=').unwrap().1;
    let flipped = value.replace(&value[..1], if value.starts_with('A') { "B" } else { "A" });
    for line in [
        String::new(),
        "Cookie: ".to_owned(),
        "Cookie: influxdb-oss-session=".to_owned(),
        format!("Cookie: influxdb-oss-session={flipped}"),
        format!("Cookie: influxdb-oss-session={value}="),
        format!("Cookie: influxdb-oss-session={}", &value[..42]),
        format!("Cookie: influxdb-oss-session={}", value.to_uppercase().to_lowercase() + "x"),
        format!("Cookie: session={value}"),
        format!("Cookie: Influxdb-Oss-Session={value}"),
        format!("Cookie: influxdb-oss-session=junk; influxdb-oss-session={value}"),
        basic("ada", PASSWORD),
    ] {
        let headers: Vec<_> = Some(&*line).filter(|line| !line.is_empty()).into_iter().collect();
        let answer = client.send(&get("/api/v2/me", &headers));
        assert_eq!((answer.status, &*answer.text()), (401, REFUSED), "{line}");
        assert_eq!(answer.header("x-platform-error-code"), Some("unauthorized"), "{line}");
    }
    assert!(upstream.saw_nothing());
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
