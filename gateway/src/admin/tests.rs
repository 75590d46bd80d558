//! Answers without sockets.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use serde_json::json;

use super::*;
use crate::audit::Audit;
use crate::auth::credential::Shared;
use crate::auth::throttle::tests::RULES;
use crate::auth::tokens::Tokens;
use crate::directory::Directory;
use crate::directory::file::FileDirectory;
use crate::directory::hash_pool::tests::room;
use crate::directory::influxdb::{Unreachable, UpstreamClient};
use crate::directory::users::Users;
use crate::gateway::reloads;
use crate::session::Lifetime;
use crate::session::Session;
use crate::session::memory::{Capacity, MemoryStore};
use crate::session::store::SessionStore;
use crate::session::token::SessionToken;
use crate::user::secret::{ApiToken, Scheme};
use crate::user::tests::user;

const TOKEN: &str = "0123456789abcdef";

fn admin(token: Option<&str>) -> Admin {
    let lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };
    let store = MemoryStore::new(lifetime, Capacity { total: 100, per_user: 10 }, []);
    let sessions = Arc::new(SessionStore::Memory(store));
    let token = token.map(|token| ApiToken::parse(token).unwrap());
    let users = FileDirectory::new(Users::new(Vec::new()), None, room());
    let (directory, store) = (Directory::File(Arc::new(users)), Arc::clone(&sessions));
    let auth = Auth::new(directory, store, Tokens::Pass, None, RULES, Audit::to_log());
    let shared = Arc::new(Shared::new(None, Scheme::Token));
    Admin {
        guard: Arc::new(Guard::new(token.as_ref())),
        readiness: Arc::new(Readiness::new(sessions, None)),
        auth: Arc::new(auth),
        version: Arc::new(Version::new(Arc::new(NoUpstream), shared)),
        config: Arc::new(ArcSwap::from_pointee(Value::Null)),
        certificates: Vec::new(),
        providers: Vec::new(),
        started: Moment::now(),
        reloads: reloads::line().0,
    }
}

/// An upstream that is not there.
struct NoUpstream;

#[async_trait::async_trait]
impl UpstreamClient for NoUpstream {
    async fn ask(&self, _: http::Request<()>) -> Result<http::Response<Bytes>, Unreachable> {
        Err(Unreachable)
    }
}

fn ask(admin: &Admin, method: &str, target: &str, headers: &[(&'static str, &str)]) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(admin.answer(&Request {
        method: &method,
        target,
        headers: &map,
        address: None,
    }))
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

/// A session whose id begins with the same 32 bits as that of another.
#[test]
fn a_05_a_fingerprint_of_two_sessions_ends_none_of_them() {
    let admin = admin(None);
    let id = SessionToken::generate().id();
    let twin = id.twin();
    for (id, name) in [(id, "ada"), (twin, "bob")] {
        let session = Session::start(id, Arc::new(user(name)), None, Moment::now());
        let SessionStore::Memory(memory) = &**admin.auth.sessions() else { panic!() };
        memory.create(session, Moment::now()).unwrap();
    }
    let delete = |digits| {
        let answer = ask(&admin, "DELETE", &format!("/sessions/{}", id.digits(digits)), &[HERE]);
        (answer.status().as_u16(), serde_json::from_slice::<Value>(answer.body()).unwrap())
    };
    let (status, body) = delete(8);
    let candidates = body["candidates"].as_array().unwrap();
    assert_eq!((status, candidates.len()), (409, 2), "{body}");
    assert!(candidates.iter().any(|it| it["fingerprint"] == id.digits(16) && it["user"] == "ada"));
    assert_eq!(delete(7).0, 404);
    assert_eq!(delete(17).0, 404);
    assert_eq!(delete(16), (200, json!({ "revoked": 1 })));
    assert_eq!(delete(16).0, 404);
    // Now it is the other's alone.
    assert_eq!(delete(8), (200, json!({ "revoked": 1 })));
}
