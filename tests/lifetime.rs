use std::io::Write;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use crate::clock;
use crate::support::*;

/// Each session is used once, some before its two seconds are over and some after.
#[test]
fn s_05_a_session_is_refused_from_its_two_seconds_on_and_never_before() {
    const IDLE: Duration = Duration::from_secs(2);
    let config = "[session]\nidle = \"2s\"\n";
    let gateway = Gateway::start_with(closed_port(), config, &users(&["ada"]));
    let start = Instant::now();
    let sessions: Vec<_> = (0..30)
        .map(|n| {
            let (before, session) = (Instant::now(), gateway.sign_in("ada"));
            (start + Duration::from_millis(n * 100), before, Instant::now(), cookie(&session))
        })
        .collect();
    let mut client = gateway.connect();
    let (mut accepted, mut refused) = (0, 0);
    for (when, before, after, line) in &sessions {
        wait_until("it is this session's turn", || Instant::now() >= *when);
        let least = after.elapsed();
        let status = client.send(&get("/api/v2/me", &[line])).status;
        // How long it had not been used lies between these, give or take what is rounded.
        let (most, rounding) = (before.elapsed(), Duration::from_millis(1));
        assert!(least < IDLE + rounding || status == 401, "{status} after {least:?} at least");
        assert!(most + rounding > IDLE || status == 200, "{status} after {most:?} at most");
        accepted += usize::from(status == 200);
        refused += usize::from(status == 401);
    }
    assert!(accepted > 0 && refused > 0, "{accepted} accepted, {refused} refused");
    wait_until("the records of all are gone", || {
        gateway.audit().matches("\"event\":\"expired\"").count() == sessions.len()
    });
}

/// The rule of docs/configuration.md: `me` and every forwarded request renew a session, whatever
/// they are answered; nothing else does.
#[test]
fn s_06_whatever_the_session_is_asked_for_renews_it_and_nothing_else_does() {
    let upstream = Upstream::behaving(|seen, stream| {
        let path = seen.line().split(' ').nth(1).unwrap();
        match path.strip_prefix("/api/v2/answers/") {
            Some("nothing") => false,
            Some(status) => answer(stream, &format!("{status} As Asked"), ""),
            None => answer(stream, "200 OK", ""),
        }
    });
    let gateway = clock::start(upstream.address, "", &users(&["ada", "bob"]));
    let sign_in = basic("bob", PASSWORD);
    let cases = [
        ("GET", "/api/v2/me", "", 200, true),
        ("GET", "/api/v2/answers/200", "", 200, true),
        ("POST", "/api/v2/answers/204", "", 204, true),
        ("GET", "/api/v2/answers/400", "", 400, true),
        ("GET", "/api/v2/answers/401", "", 401, true),
        ("GET", "/api/v2/answers/404", "", 404, true),
        ("GET", "/api/v2/answers/500", "", 500, true),
        ("GET", "/api/v2/answers/503", "", 503, true),
        ("POST", "/api/v2/answers/nothing", "", 502, true),
        // Refused here, but not before it was asked whose session it is.
        ("GET", "/api/v2/signin", "", 405, true),
        ("POST", "/api/v2/me", "", 405, true),
        ("GET", "/api/v2/me/x", "", 404, true),
        // Refused as another site's doing.
        ("POST", "/api/v2/write", "Sec-Fetch-Site: cross-site", 403, false),
        // Forwarded, but not on behalf of the session.
        ("GET", "/health", "", 200, false),
        ("GET", "/api/v2/answers/200", "Authorization: Token x", 200, false),
        // Answered here.
        ("POST", "/api/v2/signin", &*sign_in, 204, false),
        ("GET", "/nowhere", "", 404, false),
        ("GET", "/api/v2/../v2/me", "", 400, false),
        ("TRACE", "/api/v2/me", "", 405, false),
    ];
    let sessions = cases.map(|case| (case, cookie(&gateway.sign_in("ada"))));
    let unused = cookie(&gateway.sign_in("ada"));
    // Ten idle minutes end a session.
    for _ in 0..3 {
        clock::pass(&gateway, 240);
        for ((method, target, header, status, renews), line) in &sessions {
            let lines = [&**line, header];
            let lines = if header.is_empty() { &lines[..1] } else { &lines };
            let length = if *method == "POST" { &["Content-Length: 0"][..] } else { &[] };
            let request = request(method, target, &[lines, length].concat());
            let answer = gateway.connect().send(&request);
            // What does not renew a session may at last find it ended.
            let is_over = !renews && answer.status == 401;
            assert!(answer.status == *status || is_over, "{method} {target}: {answer:?}");
        }
    }
    let is_live = |line: &str| gateway.connect().send(&get("/api/v2/me", &[line])).status == 200;
    for ((method, target, header, _, renews), line) in &sessions {
        assert_eq!(is_live(line), *renews, "{method} {target} {header}");
    }
    assert!(!is_live(&unused));
}

#[test]
fn s_07_an_absolute_lifetime_ends_a_busy_session_and_the_cookie_names_no_date() {
    let config = "[session]\nlifetime = \"1h\"\n";
    let gateway = clock::start(Upstream::start().address, config, &users(&["ada"]));
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    // The record alone decides: there is no date that could outlive it.
    let set_cookie = answer.header("set-cookie").unwrap().to_ascii_lowercase();
    assert!(!set_cookie.contains("expires") && !set_cookie.contains("max-age"), "{set_cookie}");
    let line = cookie(&answer.cookie());
    let me = || gateway.connect().send(&get("/api/v2/me", &[&line])).status;
    for _ in 0..7 {
        assert_eq!(me(), 200);
        clock::pass(&gateway, 500);
    }
    assert_eq!(me(), 200, "it has lived for 58 minutes");
    clock::pass(&gateway, 120);
    assert_eq!(me(), 401);
    let mut client = gateway.connect();
    assert_eq!(client.send(&get("/api/v2/buckets", &[&line])).status, 401);
}

/// The rule of docs/configuration.md: a response that outlasts its session runs to its end. It is
/// no use of the session either, from its beginning on.
#[test]
fn s_20_a_response_that_outlasts_its_session_runs_to_its_end_and_renews_nothing() {
    for config in ["idle = \"10m\"", "lifetime = \"10m\""] {
        let (release, gate) = channel::<()>();
        let gate = Mutex::new(gate);
        let upstream = Upstream::behaving(move |_, stream| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).unwrap();
            // Bytes keep coming for as long as the session has ended.
            for _ in 0..2 {
                stream.write_all(b"5\r\nfirst\r\n").unwrap();
                gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            }
            stream.write_all(b"4\r\nlast\r\n0\r\n\r\n").is_ok()
        });
        // The response itself may pause for as long as it likes.
        let limits = "[limits]\nupstream_read = \"1day\"\nbody = \"1day\"\n";
        let config = format!("[session]\n{config}\n{limits}");
        let gateway = clock::start(upstream.address, &config, &users(&["ada"]));
        let line = cookie(&gateway.sign_in("ada"));
        let mut client = gateway.connect();
        client.write(post("/api/v2/query", &[&line]).as_bytes());
        assert_eq!(client.read_head().status, 200);
        assert_eq!((client.read_line(), client.read_bytes(7)), ("5".into(), b"first\r\n".into()));
        clock::pass(&gateway, 400);
        release.send(()).unwrap();
        assert_eq!((client.read_line(), client.read_bytes(7)), ("5".into(), b"first\r\n".into()));
        clock::pass(&gateway, 400);
        let me = gateway.connect().send(&get("/api/v2/me", &[&line]));
        assert_eq!(me.status, 401, "{config}: the session has ended under the response");
        release.send(()).unwrap();
        assert_eq!((client.read_line(), client.read_bytes(6)), ("4".into(), b"last\r\n".into()));
        assert_eq!((client.read_line(), client.read_line()), ("0".into(), String::new()));
        let again = client.send(&post("/api/v2/query", &[&line]));
        assert_eq!(again.status, 401, "{config}: on the same connection");
    }
}

#[test]
fn s_16_a_full_store_refuses_and_loses_nobody() {
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
    wait_until("the refusals are in the audit trail", || gateway.audit().contains("\"full\""));
    for session in &sessions {
        assert_eq!(client.send(&get("/api/v2/me", &[&cookie(session)])).status, 200);
    }
    let signed_out = client.send(&post("/api/v2/signout", &[&cookie(&sessions[0])]));
    assert_eq!(signed_out.status, 204);
    gateway.sign_in("u3");
}

#[test]
fn s_17_one_session_too_many_of_a_user_ends_the_least_recently_used() {
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

/// What commands do: each signs in, asks once, and leaves.
#[test]
fn f_46_commands_do_not_sign_a_browser_out() {
    let gateway = Gateway::start(Upstream::start().address);
    let browser = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    let mut status = |line: &str| client.send(&get("/api/v2/me", &[line])).status;
    for _ in 0..3 {
        assert_eq!(status(&browser), 200);
    }
    // Fewer than the default allows, and more.
    let commands: Vec<_> = (0..300)
        .map(|_| {
            let session = cookie(&gateway.sign_in("ada"));
            assert_eq!(status(&session), 200);
            session
        })
        .collect();
    assert_eq!(status(&browser), 200);
    assert_eq!(commands.iter().filter(|line| status(line) == 200).count(), 255);
}

#[test]
fn f_46_of_two_kinds_the_one_that_comes_in_crowds_goes_for_itself() {
    let config = "[session]\nmax_sessions_per_user = 4\n";
    let gateway = Gateway::start_with(Upstream::start().address, config, &users(&["ada"]));
    let sign_in = |agent: &str| {
        let request =
            post("/api/v2/signin", &[&basic("ada", PASSWORD), &format!("User-Agent: {agent}")]);
        cookie(&gateway.connect().send(&request).cookie())
    };
    let mut client = gateway.connect();
    let mut status = |line: &str| client.send(&get("/api/v2/me", &[line])).status;
    let browsers = [(); 2].map(|()| sign_in("Mozilla/5.0 (X11; Linux x86_64)"));
    assert!(browsers.iter().all(|line| status(line) == 200));
    for version in 0..20 {
        let script = sign_in(&format!("influxdb-client-python/1.{version}"));
        assert!((0..5).all(|_| status(&script) == 200), "oftener than once or twice");
    }
    assert!(browsers.iter().all(|line| status(line) == 200));
}

/// With sessions that would last for a day, what is left of those that were ended is little.
#[test]
fn f_26_what_has_ended_is_forgotten_at_once() {
    const ROUNDS: u64 = 3000;
    let config = "[session]\nidle = \"1day\"\n[signin]\nhash_workers = 2\n";
    let gateway = Gateway::start_with(closed_port(), config, &users(&["ada"]));
    let resident = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    };
    let mut client = gateway.connect();
    let mut rounds = |count: u64| {
        for _ in 0..count {
            let answer = client.send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
            let line = cookie(&answer.cookie());
            assert_eq!(client.send(&post("/api/v2/signout", &[&line])).status, 204);
        }
    };
    // Buffers and tables grow to their size first, and now and then afterwards: what is kept of each
    // session shows every time.
    rounds(ROUNDS);
    let grown = (0..3).map(|_| {
        let before = resident();
        rounds(ROUNDS);
        resident().saturating_sub(before)
    });
    let grown = grown.min().unwrap();
    assert!(grown < ROUNDS * 45, "{grown} bytes by {ROUNDS} sessions");
}
