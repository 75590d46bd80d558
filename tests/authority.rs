use std::fs;
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::frames::*;
use crate::secure::SecureGateway;
use crate::support::*;

/// The password that the administrator, or the owner, sets.
const GIVEN: &str = "battery staple";

/// The one that whoever has taken the cookie would like to set.
const TAKEN: &str = "taken over by me";

/// What becomes of the session while the body of a request is half-sent.
pub(crate) type Event = (&'static str, fn(&Gateway, &str));

/// Every way in which a session loses its authority.
pub(crate) const EVENTS: [Event; 6] = [
    ("signed out", |gateway, session| {
        let answer = gateway.connect().send(&post("/api/v2/signout", &[&cookie(session)]));
        assert_eq!(answer.status, 204);
    }),
    ("an administrator's new password", |gateway, _| {
        edit(gateway, "passwd");
        reload(gateway);
    }),
    ("removed", |gateway, _| {
        edit(gateway, "remove");
        reload(gateway);
    }),
    ("removed and added again", |gateway, _| {
        edit(gateway, "remove");
        edit(gateway, "add");
        reload(gateway);
    }),
    ("the owner's new password, by another session", |gateway, _| {
        let session = gateway.sign_in("ada");
        let body = serde_json::json!({ "password": GIVEN }).to_string();
        let headers = [&*cookie(&session), &*basic("ada", PASSWORD)];
        let request = with_body("PUT", "/api/v2/me/password", &headers, &body);
        assert_eq!(gateway.connect().send(&request).status, 204);
    }),
    ("taken out of the file by hand", |gateway, _| {
        let path = gateway.folder().join("users.new");
        fs::write(&path, users(&["zoe", "bob"])).unwrap();
        fs::rename(path, gateway.folder().join("users.toml")).unwrap();
        reload(gateway);
    }),
];

/// `influx-gateway user <command> ada`.
pub(crate) fn edit(gateway: &Gateway, command: &str) {
    let mut program = program();
    program.args(["user", command, "ada", "--config"]).arg(gateway.folder().join("gateway.toml"));
    if command != "remove" {
        program.arg("--password-stdin");
    }
    let mut child = program
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(GIVEN.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{command}");
}

/// Has the gateway read the users file now.
pub(crate) fn reload(gateway: &Gateway) {
    let folder = gateway.folder();
    let _ = fs::rename(folder.join("audit.jsonl"), folder.join("audit.old"));
    gateway.signal("HUP");
    wait_until("it was read anew", || gateway.audit().contains("\"reload"));
}

fn sign_in_status(gateway: &Gateway, password: &str) -> u16 {
    gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", password)])).status
}

/// A change of ada's password to [`TAKEN`]: its head, and its body in two halves.
fn change(method: &str, session: &str, framing: &str) -> [String; 3] {
    let target = match method {
        "PUT" => "/api/v2/me/password",
        _ => "/api/v2/users/0000000000000001/password",
    };
    let body = serde_json::json!({ "password": TAKEN }).to_string();
    let (first, second) = body.split_at(10);
    let old = basic("ada", PASSWORD);
    let session = cookie(session);
    let mut headers = vec![&*session];
    if method == "PUT" {
        headers.push(&old);
    }
    if framing == "chunked" {
        headers.push("Transfer-Encoding: chunked");
        let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
        return [request(method, target, &headers), chunk(first), chunk(second) + "0\r\n\r\n"];
    }
    let length = format!("Content-Length: {}", body.len());
    headers.push(&length);
    [request(method, target, &headers), first.to_owned(), second.to_owned()]
}

/// Waits until the gateway has taken up what was sent: another request, sent later, is answered.
pub(crate) fn settle(gateway: &Gateway) {
    for _ in 0..3 {
        assert_eq!(gateway.connect().send(&get("/nowhere", &[])).status, 404);
    }
}

#[test]
fn f_07_a_half_sent_change_of_password_ends_with_the_authority_of_its_session() {
    for (what, happens) in EVENTS {
        for (method, framing) in [("POST", "length"), ("PUT", "length"), ("POST", "chunked")] {
            let gateway = Gateway::start(closed_port());
            let session = gateway.sign_in("ada");
            let [head, first, second] = change(method, &session, framing);
            let mut client = gateway.connect();
            client.write((head + &first).as_bytes());
            settle(&gateway);
            happens(&gateway, &session);
            client.write(second.as_bytes());
            let answer = client.read();
            assert_eq!(answer.status, 401, "{what}, {method} {framing}: {answer:?}");
            assert_eq!(sign_in_status(&gateway, TAKEN), 401, "{what}, {method} {framing}");
            let text = fs::read_to_string(gateway.folder().join("users.toml")).unwrap();
            assert_eq!(text.matches("[[user]]").count(), if what == "removed" { 1 } else { 2 });
        }
    }
}

#[test]
fn f_07_nor_does_an_edit_that_the_gateway_has_not_read_yet_give_way_to_it() {
    for commands in [&["passwd"][..], &["remove"], &["remove", "add"]] {
        let gateway = Gateway::start(closed_port());
        let session = gateway.sign_in("ada");
        let [head, first, second] = change("POST", &session, "length");
        let mut client = gateway.connect();
        client.write((head + &first).as_bytes());
        settle(&gateway);
        for command in commands {
            edit(&gateway, command);
        }
        let edited = fs::read_to_string(gateway.folder().join("users.toml")).unwrap();
        // At once: the gateway looks at the file every second.
        client.write(second.as_bytes());
        assert_eq!(client.read().status, 401, "{commands:?}");
        let left = fs::read_to_string(gateway.folder().join("users.toml")).unwrap();
        assert_eq!(left, edited, "{commands:?}");
        reload(&gateway);
        assert_eq!(sign_in_status(&gateway, TAKEN), 401);
        let given = if commands == ["remove"] { 401 } else { 204 };
        assert_eq!(sign_in_status(&gateway, GIVEN), given, "{commands:?}");
    }
}

#[test]
fn f_07_a_session_that_idles_out_under_the_body_changes_nothing() {
    for config in ["idle = \"1s\"", "lifetime = \"1s\""] {
        let config = format!("[session]\n{config}\n");
        let gateway = Gateway::start_with(closed_port(), &config, &users(&["ada"]));
        let start = Instant::now();
        let session = gateway.sign_in("ada");
        let [head, first, second] = change("POST", &session, "length");
        let mut client = gateway.connect();
        client.write((head + &first).as_bytes());
        wait_until("the session's time is over", || start.elapsed() > Duration::from_secs(3));
        client.write(second.as_bytes());
        assert_eq!(client.read().status, 401, "{config}");
        assert_eq!(sign_in_status(&gateway, TAKEN), 401);
        assert_eq!(sign_in_status(&gateway, PASSWORD), 204);
    }
}

#[test]
fn f_07_over_http_2_as_well() {
    for (what, happens) in EVENTS {
        let config =
            "[signin]\nhash_memory_kib = 8\nhash_passes = 1\n[audit]\nfile = \"audit.jsonl\"\n";
        let secure = SecureGateway::start_with(closed_port(), "", config);
        let session = secure.gateway.sign_in("ada");
        let mut connection = Connection::open(&secure, &[]);
        let stream = connection.next_stream();
        let path = "/api/v2/users/0000000000000001/password";
        let fields = [&head("POST", path)[..], &[("cookie", &*session)]].concat();
        connection.write(&frame(HEADERS, END_HEADERS, stream, &block(&fields)));
        let body = serde_json::json!({ "password": TAKEN }).to_string();
        let (first, second) = body.as_bytes().split_at(10);
        connection.write(&frame(DATA, 0, stream, first));
        settle(&secure.gateway);
        happens(&secure.gateway, &session);
        connection.write(&frame(DATA, END_STREAM, stream, second));
        assert_eq!(connection.finish(stream).answer().status, 401, "{what}");
        assert_eq!(sign_in_status(&secure.gateway, TAKEN), 401, "{what}");
    }
}

#[test]
fn f_07_a_user_made_inactive_meanwhile_is_told_so() {
    let gateway = Gateway::start(closed_port());
    let session = gateway.sign_in("bob");
    let target = "/api/v2/users/0000000000000002/password";
    let body = serde_json::json!({ "password": TAKEN }).to_string();
    let length = format!("Content-Length: {}", body.len());
    let mut client = gateway.connect();
    client.write(request("POST", target, &[&cookie(&session), &length]).as_bytes());
    settle(&gateway);
    let path = gateway.folder().join("users.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text + "status = \"inactive\"\n").unwrap();
    reload(&gateway);
    client.write(body.as_bytes());
    assert_eq!((client.read().status, sign_in_status(&gateway, TAKEN)), (403, 401));
}

#[test]
fn f_07_a_change_without_the_old_password_can_be_closed() {
    let config = "[users]\npassword_by_session = false\n";
    let upstream = Upstream::start();
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada", "bob"]));
    let session = cookie(&gateway.sign_in("ada"));
    let body = serde_json::json!({ "password": GIVEN }).to_string();
    for target in
        ["/api/v2/users/0000000000000001/password", "/api/v2/users/0000000000000001/password/"]
    {
        for extra in ["Accept: */*", &*basic("ada", PASSWORD)] {
            let headers = [&*session, extra];
            let answer = gateway.connect().send(&with_body("POST", target, &headers, &body));
            assert_eq!((answer.status, &answer.json()["code"]), (403, &"forbidden".into()));
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            assert!(message.contains("old password") && message.contains("PUT"), "{message}");
        }
    }
    assert_eq!((sign_in_status(&gateway, PASSWORD), sign_in_status(&gateway, GIVEN)), (204, 401));
    // The old password proves more than the cookie does.
    let target = "/api/v2/users/0000000000000001/password";
    let headers = [&*session, &basic("ada", PASSWORD)];
    assert_eq!(gateway.connect().send(&with_body("PUT", target, &headers, &body)).status, 204);
    assert_eq!(sign_in_status(&gateway, GIVEN), 204);
    assert!(upstream.saw_nothing());
}

#[test]
fn f_07_and_so_it_can_with_influxdbs_users() {
    let influxdb = crate::influxdb::Influxdb::start();
    let config = "[users]\nsource = \"influxdb\"\npassword_by_session = false\n";
    let gateway = Gateway::start_with(influxdb.upstream.address, config, "");
    let session = cookie(&gateway.sign_in("ada"));
    influxdb.upstream.seen_by_clients();
    let body = serde_json::json!({ "password": GIVEN }).to_string();
    for id in [1, 2] {
        let target = format!("/api/v2/users/{id:016x}/password");
        let answer = gateway.connect().send(&with_body("POST", &target, &[&session], &body));
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    assert!(influxdb.upstream.saw_nothing());
    assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&session])).status, 200);
}

/// Sends a byte every 50 milliseconds, until there is an answer.
fn trickle(mut client: Client, head: &str) -> Answer {
    client.write(head.as_bytes());
    let mut stream = client.stream.try_clone().unwrap();
    let (end, stop) = channel::<()>();
    let trickling = thread::spawn(move || {
        // Not for ever: an answer that never comes is none.
        for _ in 0..600 {
            let pause = stop.recv_timeout(Duration::from_millis(50));
            if pause != Err(RecvTimeoutError::Timeout) || stream.write_all(b" ").is_err() {
                return;
            }
        }
    });
    let answer = client.read();
    drop(end);
    trickling.join().unwrap();
    answer
}

/// Every request whose body the gateway reads by itself.
fn locally_read(session: &str) -> Vec<(&'static str, &'static str, Vec<String>)> {
    let (session, basic) = (cookie(session), basic("ada", PASSWORD));
    vec![
        ("POST", "/api/v2/signin", vec![basic.clone()]),
        ("POST", "/api/v2/signin/", vec![basic.clone(), session.clone()]),
        ("POST", "/api/v2/signout", vec!["Cookie: a=b".to_owned()]),
        ("GET", "/api/v2/me", vec![session.clone()]),
        ("PUT", "/api/v2/me/password", vec![session.clone(), basic.clone()]),
        ("POST", "/api/v2/users/0000000000000001/password", vec![session.clone()]),
        ("PUT", "/api/v2/users/0000000000000001/password", vec![session, basic]),
    ]
}

const SHORT: &str = "[limits]\nlocal_body = \"500ms\"\n";

#[test]
fn f_25_a_body_that_trickles_has_one_deadline_for_all_of_it() {
    let gateway = Gateway::start_with(closed_port(), SHORT, &users(&["ada"]));
    let session = gateway.sign_in("ada");
    for (method, target, headers) in locally_read(&session) {
        for framing in ["Content-Length: 4000", "Transfer-Encoding: chunked"] {
            let mut headers: Vec<_> = headers.iter().map(String::as_str).collect();
            headers.push(framing);
            let mut head = request(method, target, &headers);
            if framing.starts_with('T') {
                head.push_str("fa0\r\n");
            }
            let answer = trickle(gateway.connect(), &head);
            assert_eq!(answer.status, 408, "{method} {target} {framing}: {answer:?}");
            assert_eq!(answer.header("connection"), Some("close"));
        }
    }
    assert_eq!(gateway.audit().matches("signed_in").count(), 1, "nobody else was signed in");
}

#[test]
fn f_25_over_http_2_as_well() {
    let secure = SecureGateway::start_with(closed_port(), "", SHORT);
    let session = secure.gateway.sign_in("ada");
    for (method, target, headers) in locally_read(&session) {
        let fields: Vec<_> = headers.iter().map(|line| line.split_once(": ").unwrap()).collect();
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| (name.to_ascii_lowercase(), *value)).collect();
        let mut all = head(method, target).to_vec();
        all.extend(fields.iter().map(|(name, value)| (&**name, *value)));
        let mut connection = Connection::open(&secure, &[]);
        let stream = connection.next_stream();
        connection.write(&frame(HEADERS, END_HEADERS, stream, &block(&all)));
        let (_end, pause) = channel::<()>();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            connection.try_write(&frame(DATA, 0, stream, b" "));
            let _ = pause.recv_timeout(Duration::from_millis(50));
        }
        assert_eq!(connection.finish(stream).answer().status, 408, "{method} {target}");
    }
}

#[test]
fn f_25_a_body_that_is_whole_in_time_is_read() {
    let gateway =
        Gateway::start_with(closed_port(), "[limits]\nlocal_body = \"5s\"\n", &users(&["ada"]));
    let mut client = gateway.connect();
    for _ in 0..2 {
        let headers = [&*basic("ada", PASSWORD), "Content-Length: 6"];
        client.write(request("POST", "/api/v2/signin", &headers).as_bytes());
        for _ in 0..3 {
            settle(&gateway);
            client.write(b"{}");
        }
        assert_eq!(client.read().status, 204);
    }
}
