//! One suite for both directories: whoever knows the users, clients see the same.

use std::thread;

use crate::clock;
use crate::influxdb::Influxdb;
use crate::support::*;

const NEW: &str = "battery staple";

/// A gateway whose users are the same three, whoever knows them.
struct Stage {
    gateway: Gateway,
    influxdb: Influxdb,
}

fn with_file(config: &str) -> Stage {
    let influxdb = Influxdb::start();
    let config = format!("token_file = \"shared.token\"\n{config}");
    let users = users(&["ada", "bob", "gone"]) + "status = \"inactive\"\n";
    let folder =
        Gateway::prepare(&format!("http://{}", influxdb.upstream.address), &config, &users);
    std::fs::write(folder.path().join("shared.token"), "all").unwrap();
    Stage { gateway: clock::start_in(folder), influxdb }
}

fn with_influxdb(config: &str) -> Stage {
    let influxdb = Influxdb::start();
    let config = format!("[users]\nsource = \"influxdb\"\n{config}");
    let gateway = clock::start(influxdb.upstream.address, &config, "");
    Stage { gateway, influxdb }
}

/// Runs `check` with either directory.
fn with_both(config: &str, check: impl Fn(&Stage)) {
    check(&with_file(config));
    check(&with_influxdb(config));
}

impl Stage {
    fn status(&self, request: &str) -> u16 {
        self.gateway.connect().send(request).status
    }

    fn me(&self, session: &str) -> u16 {
        self.status(&get("/api/v2/me", &[&cookie(session)]))
    }

    fn sign_in(&self, name: &str, password: &str) -> Answer {
        self.gateway.connect().send(&post("/api/v2/signin", &[&basic(name, password)]))
    }
}

#[test]
fn signing_in_and_being_refused() {
    with_both("", |stage| {
        let answer = stage.sign_in("ada", PASSWORD);
        assert_eq!((answer.status, answer.body.len()), (204, 0));
        let set_cookie = answer.header("set-cookie").unwrap();
        assert!(set_cookie.ends_with("; Path=/api/; HttpOnly; SameSite=Strict"), "{set_cookie}");
        assert_eq!(answer.cookie().len(), "influxdb-oss-session=".len() + 43);
        let refused = stage.sign_in("ada", "wrong horse");
        assert_eq!((refused.status, refused.body.len()), (401, 62));
        for (name, password) in [("eve", PASSWORD), ("ada", ""), ("", ""), ("ADA", PASSWORD)] {
            let answer = stage.sign_in(name, password);
            assert_eq!((answer.status, &answer.body), (401, &refused.body), "{name}");
        }
        let odd = post("/api/v2/signin", &["Authorization: Basic !!!"]);
        assert_eq!(stage.status(&odd), 401);
    });
}

#[test]
fn the_user_is_told_and_told_upstream() {
    with_both("[identity]\nid_header = \"X-User-Id\"\n", |stage| {
        let session = stage.gateway.sign_in("bob");
        let me = stage.gateway.connect().send(&get("/api/v2/me", &[&cookie(&session)])).json();
        assert_eq!((&me["name"], &me["status"]), (&"bob".into(), &"active".into()));
        assert_eq!(me["id"], "0000000000000002");
        assert_eq!(me["links"]["self"], "/api/v2/users/0000000000000002");

        stage.influxdb.upstream.seen_by_clients();
        let line = format!("Cookie: a=1; {session}; b=2");
        let forged = "X-Forwarded-User: eve";
        let answer = stage.gateway.connect().send(&get("/api/v2/buckets", &[&line, forged]));
        assert_eq!((answer.status, &*answer.text()), (200, "bob"));
        let seen = stage.influxdb.upstream.next();
        assert_eq!(seen.header("x-user-id"), Some("0000000000000002"));
        assert!(!seen.head.contains(session.split_once('=').unwrap().1), "{}", seen.head);
        assert!(seen.all("cookie").contains(&"a=1; b=2"), "{}", seen.head);
    });
}

#[test]
fn signing_out() {
    with_both("", |stage| {
        let (session, other) = (stage.gateway.sign_in("ada"), stage.gateway.sign_in("ada"));
        let sign_out = post("/api/v2/signout", &[&cookie(&session)]);
        assert_eq!(stage.status(&sign_out), 204);
        assert_eq!((stage.me(&session), stage.me(&other)), (401, 200));
        assert_eq!(stage.status(&sign_out), 401);
        assert_eq!(stage.status(&get("/api/v2/buckets", &[&cookie(&session)])), 401);
    });
}

#[test]
fn an_inactive_user() {
    with_both("", |stage| {
        assert_eq!(stage.sign_in("gone", "wrong horse").status, 401);
        let session = stage.gateway.sign_in("gone");
        for target in ["/api/v2/me", "/api/v2/buckets"] {
            let answer = stage.gateway.connect().send(&get(target, &[&cookie(&session)]));
            assert_eq!(answer.status, 403);
            assert_eq!(answer.text(), r#"{"code":"forbidden","message":"User is inactive"}"#);
        }
        assert_eq!(stage.status(&post("/api/v2/signout", &[&cookie(&session)])), 204);
    });
}

#[test]
fn a_new_password() {
    with_both("", |stage| {
        let (mine, other) = (stage.gateway.sign_in("ada"), stage.gateway.sign_in("ada"));
        let of_bob = stage.gateway.sign_in("bob");
        let change = |old: &str, new: &str| {
            let headers = [cookie(&mine), basic("ada", old)];
            let body = format!("{{\"password\":\"{new}\"}}");
            let target = "/api/v2/me/password";
            let request = with_body("PUT", target, &[&headers[0], &headers[1]], &body);
            stage.gateway.connect().send(&request)
        };
        assert_eq!(
            change("wrong horse", NEW).json()["message"],
            "your username or password is incorrect"
        );
        assert_eq!(change(PASSWORD, "short").status, 400);
        assert_eq!((stage.me(&mine), stage.me(&other)), (200, 200));
        assert_eq!(change(PASSWORD, NEW).status, 204);
        assert_eq!((stage.me(&mine), stage.me(&of_bob)), (200, 200));
        assert_eq!(stage.me(&other), 401);
        assert_eq!(stage.sign_in("ada", PASSWORD).status, 401);
        assert_eq!(stage.sign_in("ada", NEW).status, 204);
    });
}

#[test]
fn clients_with_their_own_token() {
    with_both("", |stage| {
        let request = get("/api/v2/buckets", &["Authorization: Token all"]);
        assert_eq!(stage.gateway.connect().send(&request).text(), "nobody");
        assert_eq!(stage.status(&get("/api/v2/buckets", &["Authorization: Token none"])), 401);
        let session = cookie(&stage.gateway.sign_in("ada"));
        let both = get("/api/v2/buckets", &["Authorization: Token none", &session]);
        assert_eq!(stage.status(&both), 401, "a token never falls back to the cookie");
    });
}

#[test]
fn bounds_of_the_store() {
    with_both("[session]\nmax_sessions = 5\nmax_sessions_per_user = 3\n", |stage| {
        let of_ada: Vec<_> = (0..3).map(|_| stage.gateway.sign_in("ada")).collect();
        let of_bob: Vec<_> = (0..2).map(|_| stage.gateway.sign_in("bob")).collect();
        let answer = stage.sign_in("bob", PASSWORD);
        assert_eq!((answer.status, &answer.json()["code"]), (503, &"unavailable".into()));
        let fourth = stage.gateway.sign_in("ada");
        assert_eq!(of_ada.iter().filter(|session| stage.me(session) == 200).count(), 2);
        assert!(of_bob.iter().chain([&fourth]).all(|session| stage.me(session) == 200));
    });
}

#[test]
fn an_idle_session_ends() {
    with_both("", |stage| {
        let (used, idle) = (stage.gateway.sign_in("ada"), stage.gateway.sign_in("ada"));
        for _ in 0..3 {
            clock::pass(&stage.gateway, 240);
            assert_eq!(stage.me(&used), 200);
        }
        assert_eq!(stage.me(&idle), 401);
    });
}

#[test]
fn a_hundred_sign_ins_at_once() {
    with_both("", |stage| {
        let sessions: std::collections::HashSet<_> = thread::scope(|scope| {
            let all: Vec<_> = (0..100)
                .map(|n| scope.spawn(move || stage.gateway.sign_in(["ada", "bob"][n % 2])))
                .collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(sessions.len(), 100);
    });
}
