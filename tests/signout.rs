use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::time::Instant;

use crate::frames::Connection;
use crate::secure::SecureGateway;
use crate::support::*;

#[test]
fn s_08_after_sign_out_the_cookie_is_nothing_anywhere() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let gateway = &secure.gateway;
    let (session, other) = (gateway.sign_in("ada"), gateway.sign_in("ada"));
    let line = cookie(&session);
    let targets = ["/api/v2/me", "/api/v2/buckets"];

    // Connections that were open, and used the session, before it ended.
    let (mut plain, mut tls) = (gateway.connect(), secure.connect());
    let mut http2 = Connection::open(&secure, &[]);
    let mut statuses = |target: &str| {
        [
            plain.send(&get(target, &[&line])).status,
            tls.send(&get(target, &[&line])).status,
            http2.ask("GET", target, &[("cookie", &session)]).status,
            gateway.connect().send(&get(target, &[&line])).status,
        ]
    };
    for target in targets {
        assert_eq!(statuses(target), [200; 4], "{target}");
    }
    upstream.seen_by_clients();
    let answer = gateway.connect().send(&post("/api/v2/signout", &[&line]));
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(answer.header("content-type"), None);
    for target in targets {
        assert_eq!(statuses(target), [401; 4], "{target}");
    }
    let write = with_body("POST", "/api/v2/write", &[&line], "m v=1");
    assert_eq!(gateway.connect().send(&write).status, 401);
    assert!(upstream.saw_nothing());
    let me = gateway.connect().send(&get("/api/v2/me", &[&cookie(&other)]));
    assert_eq!(me.status, 200, "the user's other session stays");
}

/// Sessions are not shared: another gateway knows none of them, before or after.
#[test]
fn s_08_another_gateway_does_not_know_the_session_at_any_time() {
    let upstream = Upstream::start();
    let (first, second) = (Gateway::start(upstream.address), Gateway::start(upstream.address));
    let (line, _of_its_own) = (cookie(&first.sign_in("ada")), second.sign_in("ada"));
    let statuses = || {
        ["/api/v2/me", "/api/v2/buckets"]
            .map(|target| second.connect().send(&get(target, &[&line])).status)
    };
    assert_eq!(statuses(), [401; 2]);
    assert_eq!(first.connect().send(&post("/api/v2/signout", &[&line])).status, 204);
    assert_eq!(statuses(), [401; 2]);
    assert!(upstream.saw_nothing());
}

/// Signs in and out by way of `send`; the cookie is deleted with the attributes that it was set with.
fn check_deletion(mut send: impl FnMut(&str) -> Answer, name: &str, attributes: &str) {
    let answer = send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with(&format!("{name}=")), "{set}");
    let rest = set.split_once("; Path=").unwrap().1;
    assert_eq!(rest, attributes);
    let answer = send(&post("/api/v2/signout", &[&cookie(&answer.cookie())]));
    let (path, rest) = rest.split_once("; ").unwrap();
    let past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0";
    let expected = format!("{name}=; Path={path}; {past}; {rest}");
    assert_eq!(answer.header("set-cookie"), Some(&*expected));
}

#[test]
fn s_09_the_deletion_repeats_the_attributes_of_the_cookie() {
    for (keys, name, plain, tls) in [
        (
            "",
            "influxdb-oss-session",
            "/api/; HttpOnly; SameSite=Strict",
            "/api/; HttpOnly; Secure; SameSite=Strict",
        ),
        (
            "name = \"sid\"\npath = \"/x\"\nsecure = \"always\"\nsame_site = \"none\"\n",
            "sid",
            "/x; HttpOnly; Secure; SameSite=None",
            "/x; HttpOnly; Secure; SameSite=None",
        ),
        (
            "name = \"sid\"\nsecure = \"never\"\nsame_site = \"lax\"\n",
            "sid",
            "/api/; HttpOnly; SameSite=Lax",
            "/api/; HttpOnly; SameSite=Lax",
        ),
        (
            "name = \"__Host-sid\"\npath = \"/\"\n",
            "__Host-sid",
            "/; HttpOnly; Secure; SameSite=Strict",
            "/; HttpOnly; Secure; SameSite=Strict",
        ),
        (
            "name = \"__Secure-sid\"\n",
            "__Secure-sid",
            "/api/; HttpOnly; Secure; SameSite=Strict",
            "/api/; HttpOnly; Secure; SameSite=Strict",
        ),
    ] {
        let secure = SecureGateway::start_with(closed_port(), "", &format!("[cookie]\n{keys}"));
        check_deletion(|request| secure.gateway.connect().send(request), name, plain);
        check_deletion(|request| secure.connect().send(request), name, tls);
    }
}

/// curl keeps cookies by the rules of browsers, those of the prefixes and of Secure included.
#[test]
fn s_09_a_cookie_jar_drops_the_cookie() {
    for (keys, name) in [
        ("", "influxdb-oss-session"),
        ("name = \"__Host-sid\"\npath = \"/\"\n", "__Host-sid"),
        ("name = \"__Secure-sid\"\n", "__Secure-sid"),
    ] {
        let secure = SecureGateway::start_with(closed_port(), "", &format!("[cookie]\n{keys}"));
        let folder = secure.gateway.folder();
        let (ca, jar) = (folder.join("authority.crt"), folder.join("jar"));
        std::fs::write(&ca, secure.authority.certificate()).unwrap();
        let curl = |method: &str, target: &str, more: &[&str]| {
            let mut command = Command::new("curl");
            command.args(["--silent", "--show-error", "--fail", "--request", method]).args(more);
            command
                .arg("--cacert")
                .arg(&ca)
                .arg("--cookie")
                .arg(&jar)
                .arg("--cookie-jar")
                .arg(&jar);
            let url = format!("https://{}{target}", secure.https);
            let output = command.arg(url).output().expect("curl is there");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            std::fs::read_to_string(&jar).unwrap().contains(&format!("\t{name}\t"))
        };
        assert!(curl("POST", "/api/v2/signin", &["--user", &format!("ada:{PASSWORD}")]), "{name}");
        assert!(curl("GET", "/api/v2/me", &[]), "{name}");
        assert!(!curl("POST", "/api/v2/signout", &[]), "{name} is still there");
    }
}

#[test]
fn s_10_without_a_session_it_is_refused_however_often() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let mut client = gateway.connect();
    let session = cookie(&gateway.sign_in("ada"));
    assert_eq!(client.send(&post("/api/v2/signout", &[&session])).status, 204);
    let invented = format!("Cookie: influxdb-oss-session={}", "A".repeat(43));
    for headers in [
        vec![],
        vec!["Authorization: Token good"],
        vec!["Cookie: influxdb-oss-session="],
        vec![&*invented],
        vec![&*session],
    ] {
        for _ in 0..3 {
            let answer = client.send(&post("/api/v2/signout", &headers));
            assert_eq!((answer.status, answer.body.len()), (401, 62), "{headers:?}");
            assert_eq!(answer.json()["message"], "unauthorized access");
            assert_eq!(answer.header("set-cookie"), None, "{headers:?}");
        }
    }
    let both = [cookie(&gateway.sign_in("ada")), "Authorization: Token good".to_owned()];
    assert_eq!(client.send(&post("/api/v2/signout", &[&both[0], &both[1]])).status, 204);
    assert!(upstream.saw_nothing());
}

#[test]
fn s_10_another_method_than_post_is_refused_and_ends_nothing() {
    let gateway = Gateway::start(closed_port());
    let session = cookie(&gateway.sign_in("ada"));
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE"] {
        let answer = gateway.connect().send(&request(method, "/api/v2/signout", &[&session]));
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
        assert_eq!(answer.header("set-cookie"), None, "{method}");
        let me = gateway.connect().send(&get("/api/v2/me", &[&session]));
        assert_eq!(me.status, 200, "{method} ended the session");
    }
}

/// How many requests are in flight at once.
const CROWD: usize = 100;

/// Where an upstream holds requests until it is opened.
#[derive(Default)]
struct Gate {
    /// How many have come, and whether it is open.
    state: Mutex<(usize, bool)>,
    opened: Condvar,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        let wait = self.opened.wait_timeout_while(state, PATIENCE, |(_, is_open)| !*is_open);
        assert!(!wait.unwrap().1.timed_out(), "the gate is opened");
    }

    fn arrived(&self) -> usize {
        self.state.lock().unwrap().0
    }

    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.opened.notify_all();
    }
}

#[test]
fn s_11_of_a_hundred_requests_in_flight_none_revives_the_session() {
    let gate = Arc::new(Gate::default());
    let at_the_gate = Arc::clone(&gate);
    let upstream = Upstream::behaving(move |seen, stream| {
        at_the_gate.pass();
        answer(stream, "200 OK", seen.header("x-forwarded-user").unwrap_or("nobody"))
    });
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    let buckets = get("/api/v2/buckets", &[&line]);
    let mut clients: Vec<_> = (0..CROWD).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        client.write(buckets.as_bytes());
    }
    wait_until("all are at the upstream", || gate.arrived() == CROWD);

    let status = |request: &str| gateway.connect().send(request).status;
    assert_eq!(status(&post("/api/v2/signout", &[&line])), 204);
    assert_eq!(status(&get("/api/v2/me", &[&line])), 401, "while they are in flight");
    gate.open();
    for client in &mut clients {
        let answer = client.read();
        assert_eq!((answer.status, &*answer.text()), (200, "ada"), "it was before the sign-out");
    }
    for client in &mut clients {
        assert_eq!(client.send(&buckets).status, 401, "the session is revived");
    }
    assert_eq!(status(&get("/api/v2/me", &[&line])), 401);
    assert_eq!(upstream.seen_by_clients().len(), CROWD, "nothing else has gone upstream");
}

#[test]
fn s_11_it_races_a_hundred_connections_and_each_request_is_before_or_after() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let line = cookie(&gateway.sign_in("ada"));
    let requests = [get("/api/v2/buckets", &[&line]), get("/api/v2/me", &[&line])];
    let (start, is_over) = (Barrier::new(CROWD + 1), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for number in 0..CROWD {
            let (requests, start, is_over, gateway) = (&requests, &start, &is_over, &gateway);
            scope.spawn(move || {
                let mut client = gateway.connect();
                let mut ask = || client.send(&requests[number % 2]).status;
                assert_eq!(ask(), 200);
                start.wait();
                let begun = Instant::now();
                loop {
                    assert!(begun.elapsed() < PATIENCE, "the session never ends");
                    let is_after = is_over.load(Ordering::Acquire);
                    let status = ask();
                    assert!(status == 401 || (status == 200 && !is_after), "{status}");
                    if status == 401 {
                        break;
                    }
                }
                for _ in 0..3 {
                    assert_eq!(ask(), 401, "the session is revived");
                }
            });
        }
        start.wait();
        assert_eq!(gateway.connect().send(&post("/api/v2/signout", &[&line])).status, 204);
        is_over.store(true, Ordering::Release);
    });
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line])).status, 401);
}
