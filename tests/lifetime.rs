use std::time::{Duration, Instant};

use crate::support::*;

#[test]
fn an_idle_session_ends_after_two_seconds_and_a_busy_one_does_not() {
    let upstream = Upstream::start();
    let config = "[session]\nidle = \"2s\"\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let (idle, on_me, on_forwarded) =
        (gateway.sign_in("ada"), gateway.sign_in("ada"), gateway.sign_in("ada"));
    let mut client = gateway.connect();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        assert_eq!(client.send(&get("/api/v2/me", &[&cookie(&on_me)])).status, 200);
        let buckets = get("/api/v2/buckets", &[&cookie(&on_forwarded)]);
        assert_eq!(client.send(&buckets).status, 200);
    }
    assert_eq!(client.send(&get("/api/v2/me", &[&cookie(&idle)])).status, 401);
}

#[test]
fn an_absolute_lifetime_ends_a_busy_session() {
    let config = "[session]\nlifetime = \"1s\"\n";
    let gateway = Gateway::start_with(Upstream::start().address, config, &users(&["ada"]));
    let (start, line) = (Instant::now(), cookie(&gateway.sign_in("ada")));
    let mut client = gateway.connect();
    while client.send(&get("/api/v2/me", &[&line])).status == 200 {
        assert!(start.elapsed() < PATIENCE);
    }
    assert!(start.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_full_store_refuses_and_loses_nobody() {
    let config = "[session]\nmax_sessions = 20\nmax_sessions_per_user = 10\n";
    let names = ["u1", "u2", "u3"];
    let gateway = Gateway::start_with(Upstream::start().address, config, &users(&names));
    let mut sessions: Vec<_> = (0..10).map(|_| gateway.sign_in("u1")).collect();
    sessions.extend((0..10).map(|_| gateway.sign_in("u2")));

    let mut client = gateway.connect();
    // Longer than the cache waits before it tidies up, and more often than it takes to make it.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(1) {
        let answer = client.send(&post("/api/v2/signin", &[&basic("u3", PASSWORD)]));
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["code"], "unavailable");
        assert_eq!(answer.header("x-platform-error-code"), Some("unavailable"));
        assert_eq!(answer.header("retry-after"), Some("60"));
        assert_eq!(answer.header("set-cookie"), None);
    }
    for session in &sessions {
        assert_eq!(client.send(&get("/api/v2/me", &[&cookie(session)])).status, 200);
    }
    let signed_out = client.send(&post("/api/v2/signout", &[&cookie(&sessions[0])]));
    assert_eq!(signed_out.status, 204);
    gateway.sign_in("u3");
}

#[test]
fn one_session_too_many_of_a_user_ends_the_least_recently_used() {
    let config = "[session]\nmax_sessions_per_user = 2\n";
    let gateway = Gateway::start_with(Upstream::start().address, config, &users(&["ada", "bob"]));
    let of_bob = gateway.sign_in("bob");
    let mut client = gateway.connect();
    let mut status = |session: &str| client.send(&get("/api/v2/me", &[&cookie(session)])).status;
    let first = gateway.sign_in("ada");
    // The clock that orders uses counts milliseconds.
    let later = |since: Instant| while since.elapsed() < Duration::from_millis(5) {};
    later(Instant::now());
    let second = gateway.sign_in("ada");
    later(Instant::now());
    assert_eq!(status(&first), 200);
    let third = gateway.sign_in("ada");
    assert_eq!(status(&second), 401);
    assert_eq!((status(&first), status(&third), status(&of_bob)), (200, 200, 200));
}
