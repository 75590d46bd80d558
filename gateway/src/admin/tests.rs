//! Answers without sockets.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::*;
use crate::session::Lifetime;
use crate::session::memory::{Capacity, MemoryStore};
use crate::session::store::SessionStore;
use crate::user::secret::ApiToken;

const TOKEN: &str = "0123456789abcdef";

fn admin(token: Option<&str>) -> Admin {
    let lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };
    let store = MemoryStore::new(lifetime, Capacity { total: 100, per_user: 10 }, []);
    let sessions = Arc::new(SessionStore::Memory(store));
    let token = token.map(|token| ApiToken::parse(token).unwrap());
    Admin {
        guard: Arc::new(Guard::new(token.as_ref())),
        readiness: Arc::new(Readiness::new(sessions, None)),
    }
}

fn ask(admin: &Admin, method: &str, target: &str, headers: &[(&'static str, &str)]) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(admin.answer(&Request { method: &method, target, headers: &map }))
}

fn status(admin: &Admin, target: &str, headers: &[(&'static str, &str)]) -> u16 {
    ask(admin, "GET", target, headers).status().as_u16()
}

const HERE: (&str, &str) = ("host", "127.0.0.1:9086");

#[test]
fn a_04_pages_of_other_sites_and_other_names_are_refused() {
    let admin = admin(None);
    for (headers, expected) in [
        (&[HERE][..], 200),
        (&[("host", "localhost:9086")], 200),
        (&[("host", "[::1]:9086")], 200),
        (&[HERE, ("origin", "http://127.0.0.1:9086"), ("sec-fetch-site", "same-origin")], 200),
        (&[HERE, ("sec-fetch-site", "none")], 200),
        (&[], 403),
        (&[("host", "rebound.example")], 403),
        (&[("host", "localhost.rebound.example")], 403),
        (&[HERE, ("origin", "http://evil.example")], 403),
        (&[HERE, ("origin", "null")], 403),
        (&[HERE, ("origin", "https://127.0.0.1:9086")], 403),
        (&[HERE, ("origin", "http://127.0.0.1:9086"), ("origin", "http://evil.example")], 403),
        (&[HERE, ("sec-fetch-site", "cross-site")], 403),
        (&[HERE, ("sec-fetch-site", "same-site")], 403),
    ] {
        assert_eq!(status(&admin, "/health/live", headers), expected, "{headers:?}");
    }
}

#[test]
fn a_04_a_path_is_exactly_itself() {
    let admin = admin(None);
    assert_eq!(status(&admin, "/health/live?x=1", &[HERE]), 200);
    for target in [
        "/",
        "/health",
        "/health/live/",
        "/health/liveX",
        "/health//live",
        "/Health/live",
        "/health/%6cive",
        "/health/live%2f",
        "/health/./live",
        "/x/../health/live",
        "/health/live;x",
        "/health/live%3f",
        "http://127.0.0.1:9086/health/live",
        "*",
        "",
    ] {
        assert_eq!(status(&admin, target, &[HERE]), 404, "{target}");
    }
    for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get", "TRACE"] {
        let answer = ask(&admin, method, "/health/live", &[HERE]);
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers()["allow"], "GET");
    }
}

#[test]
fn a_02_only_the_token_of_the_listener_lets_in() {
    let with = admin(Some(TOKEN));
    let right = format!("Bearer {TOKEN}");
    let name = ("host", "gateway.example");
    // By any name, as no page has the token.
    assert_eq!(status(&with, "/nothing", &[name, ("authorization", &right)]), 404);
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "Token 0123456789abcdef",
        "Bearer 0123456789abcdeg",
        &format!("{right} "),
    ] {
        let answer = ask(&with, "GET", "/nothing", &[name, ("authorization", wrong)]);
        assert_eq!(answer.status(), 401, "{wrong:?}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    }
    let twice = [name, ("authorization", &right), ("authorization", &right)];
    assert_eq!(status(&with, "/nothing", &twice), 401);
    assert_eq!(status(&with, "/nothing", &[name, ("cookie", "influxdb-oss-session=x")]), 401);
    // Probes have no token.
    assert_eq!(status(&with, "/health/live", &[name]), 200);
    assert_eq!(status(&with, "/health/ready", &[name]), 200);
    // Where none is known, none is right.
    let without = admin(None);
    assert_eq!(status(&without, "/nothing", &[HERE, ("authorization", &right)]), 401);
    assert_eq!(status(&without, "/nothing", &[HERE]), 404);

    let other = ApiToken::parse("another-token-of-32-characters").unwrap();
    assert!(with.guard.replace(&other) && !with.guard.replace(&other));
    assert_eq!(status(&with, "/nothing", &[name, ("authorization", &right)]), 401);
}

#[test]
fn whoever_is_about_to_stop_is_not_ready() {
    let admin = admin(None);
    assert_eq!(status(&admin, "/health/ready", &[HERE]), 200);
    admin.readiness.start_draining();
    let answer = ask(&admin, "GET", "/health/ready", &[HERE]);
    assert_eq!(answer.status(), 503);
    let body = br#"{"code":"unavailable","message":"not ready: draining"}"#;
    assert_eq!(&answer.body()[..], body);
    assert_eq!(status(&admin, "/health/live", &[HERE]), 200);
}
