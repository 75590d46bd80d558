use std::io::Write;

use crate::support::*;

#[test]
fn without_a_session_or_a_token_nothing_reaches_the_upstream() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let mut client = gateway.connect();
    for target in
        ["/api/v2/buckets", "/api/v2/write?bucket=b", "/api/v2private/notebooks", "/api/v2x"]
    {
        let answer = client.send(&get(target, &[]));
        assert_eq!(answer.status, 401, "{target}");
        assert_eq!(answer.body.len(), 55, "{target}");
    }
    for target in ["/", "/write", "/query", "/metrics", "/debug/pprof", "/health/x", "/signin"] {
        let answer = client.send(&get(target, &[]));
        assert_eq!(answer.status, 404, "{target}");
        assert_eq!(answer.json()["code"], "not found", "{target}");
        assert_eq!(answer.json()["message"], "path not found", "{target}");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn public_paths_are_forwarded_for_nobody() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    for path in ["/health", "/ping", "/ready"] {
        let headers = [&*cookie, "X-Forwarded-User: eve"];
        assert_eq!(gateway.connect().send(&get(path, &headers)).text(), "nobody");
        let seen = upstream.next();
        assert_eq!((seen.header("cookie"), seen.header("x-forwarded-user")), (None, None));
        assert_eq!(gateway.connect().send(&request("HEAD", path, &[])).status, 200);
        assert_eq!(upstream.next().line(), format!("HEAD {path} HTTP/1.1"));
        assert_eq!(gateway.connect().send(&post(path, &[])).status, 405);
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn a_request_reaches_the_upstream_as_it_came() {
    let upstream = Upstream::behaving(|_, stream| {
        let head = "HTTP/1.1 422 Unprocessable Entity\r\nContent-Type: application/json\r\n\
                    X-Platform-Error-Code: conflict\r\nX-Influxdb-Build: OSS\r\nContent-Length: 2\r\n\r\n{}";
        stream.write_all(head.as_bytes()).is_ok()
    });
    let gateway = Gateway::start(upstream.address);
    let session = format!("Cookie: a=1; {}; b=\"2\"", gateway.sign_in("ada"));
    let target = "/api/v2/write?org=o&bucket=b%2Fc&precision=ns&x=%00";
    let headers = [&*session, "Content-Encoding: gzip", "Zap-Trace-Span: {\"trace_id\":\"1\"}"];
    let answer = gateway.connect().send(&with_body("POST", target, &headers, "m v=1\nm v=2\n"));

    assert_eq!(answer.status, 422);
    assert_eq!(answer.header("x-platform-error-code"), Some("conflict"));
    assert_eq!(answer.header("x-influxdb-build"), Some("OSS"));
    assert_eq!(answer.text(), "{}");
    let seen = upstream.next();
    assert_eq!(seen.line(), format!("POST {target} HTTP/1.1"));
    assert_eq!(seen.header("cookie"), Some("a=1; b=\"2\""));
    assert_eq!(seen.header("content-encoding"), Some("gzip"));
    assert_eq!(seen.header("zap-trace-span"), Some("{\"trace_id\":\"1\"}"));
    assert_eq!(seen.body, b"m v=1\nm v=2\n");
}

#[test]
fn the_credential_is_replaced_by_the_users_own_or_the_shared_one() {
    let upstream = Upstream::start();
    let mut list = users(&["bob", "eve", "ada"]) + "token_file = \"ada.token\"\n";
    list = list.replacen(
        "[[user]]\nname = \"eve\"",
        "[[user]]\ntoken = \"of-eve\"\nname = \"eve\"",
        1,
    );
    let folder = Gateway::prepare(
        &format!("http://{}", upstream.address),
        "token_file = \"shared.token\"\n",
        &list,
    );
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("shared.token", "of-all\n");
    write("ada.token", "of-ada\n");
    let gateway = Gateway::start_in(folder);

    for (name, expected) in [("ada", "of-ada"), ("eve", "of-eve"), ("bob", "of-all")] {
        let headers = [cookie(&gateway.sign_in(name)), basic("x", "y")];
        gateway.connect().send(&get("/api/v2/buckets", &[&headers[0], &headers[1]]));
        assert_eq!(upstream.next().header("authorization"), Some(&*format!("Token {expected}")));
    }
}

#[test]
fn without_any_token_the_clients_credential_is_removed() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let headers = [cookie(&gateway.sign_in("ada")), basic("ada", PASSWORD)];
    gateway.connect().send(&get("/api/v2/buckets", &[&headers[0], &headers[1]]));
    assert_eq!(upstream.next().header("authorization"), None);
}

#[test]
fn a_clients_own_token_goes_through_untouched() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    for scheme in ["Token", "Bearer", "token", "BEARER"] {
        let line = format!("Authorization: {scheme} abc==");
        gateway.connect().send(&get("/api/v2/query", &[&line, &cookie, "X_Forwarded_User: eve"]));
        let seen = upstream.next();
        assert_eq!(seen.header("authorization"), Some(&*format!("{scheme} abc==")));
        assert_eq!(seen.header("x-forwarded-user"), None);
        assert_eq!(seen.header("x_forwarded_user"), None);
        assert_eq!(seen.header("cookie"), None);
    }
}

#[test]
fn a_request_streams_upstream_before_it_is_complete() {
    let (sender, arrived) = std::sync::mpsc::channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let read_along = move |mut stream: std::net::TcpStream| {
        let mut seen = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = std::io::Read::read(&mut stream, &mut buffer) {
            seen.extend_from_slice(&buffer[..read]);
            let text = String::from_utf8_lossy(&seen).into_owned();
            let _ = sender.send(text.clone());
            if text.contains("0\r\n\r\n") {
                answer(&mut stream, "204 No Content", "");
            }
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let read_along = read_along.clone();
            std::thread::spawn(move || read_along(stream));
        }
    });
    let gateway = Gateway::start(address);
    let cookie = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    let head = request("POST", "/api/v2/write", &[&cookie, "Transfer-Encoding: chunked"]);
    client.write(head.as_bytes());
    client.write(b"6\r\nm v=1\n\r\n");
    while !arrived.recv_timeout(PATIENCE).unwrap().contains("m v=1") {}
    client.write(b"6\r\nm v=2\n\r\n0\r\n\r\n");
    assert_eq!(client.read_head().status, 204);
}

/// However many pieces have come: also of a long answer, whose small pieces are left to gather, each is passed on without the
/// next.
#[test]
fn a_response_streams_before_it_is_complete() {
    const PIECES: usize = 40;
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let upstream = Upstream::behaving(move |_, stream| {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head).unwrap();
        for _ in 0..PIECES {
            stream.write_all(b"5\r\npiece\r\n").unwrap();
            gate.lock().unwrap().recv_timeout(PATIENCE).unwrap();
        }
        stream.write_all(b"4\r\nlast\r\n0\r\n\r\n").is_ok()
    });
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    client.write(post("/api/v2/query", &[&cookie]).as_bytes());
    assert_eq!(client.read_head().status, 200);
    for _ in 0..PIECES {
        assert_eq!(client.read_line(), "5");
        assert_eq!(client.read_bytes(7), b"piece\r\n");
        release.send(()).unwrap();
    }
    assert_eq!(client.read_line(), "4");
    assert_eq!(client.read_bytes(6), b"last\r\n");
}

#[test]
fn sixteen_megabytes_go_both_ways_unchanged() {
    let upstream = Upstream::behaving(|seen, stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", seen.body.len());
        stream.write_all(head.as_bytes()).is_ok() && stream.write_all(&seen.body).is_ok()
    });
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    let body: Vec<u8> = (0..16 << 20).map(|n: u32| n.to_le_bytes()[(n % 3) as usize]).collect();
    let length = format!("Content-Length: {}", body.len());
    client.write(request("POST", "/api/v2/write", &[&cookie, &length]).as_bytes());
    client.write(&body);
    let answer = client.read();
    assert!(answer.body == body);
    assert!(upstream.next().body == body);
}

#[test]
fn a_post_is_never_sent_twice() {
    // The first request of a connection is answered, the second makes the upstream hang up:
    // what a reused connection that is just being closed looks like.
    let requests = std::sync::atomic::AtomicUsize::new(0);
    let upstream = Upstream::behaving(move |_, stream| {
        requests.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0
            && answer(stream, "204 No Content", "")
    });
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    let write = with_body("POST", "/api/v2/write", &[&cookie], "m v=1");
    assert_eq!(client.send(&write).status, 204);
    let answer = client.send(&write);
    assert_eq!((answer.status, &answer.json()["code"]), (502, &"unavailable".into()));
    assert_eq!(upstream.next().body, b"m v=1");
    assert_eq!(upstream.next().body, b"m v=1");
    assert!(upstream.saw_nothing());
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let (ada, bob) = (cookie(&gateway.sign_in("ada")), cookie(&gateway.sign_in("bob")));
    let mut client = gateway.connect();
    let requests = [
        get("/api/v2/buckets", &[&ada]),
        with_body("POST", "/api/v2/write", &[&bob], "m v=1"),
        get("/api/v2/buckets", &[&ada]),
    ];
    client.write(requests.concat().as_bytes());
    let names: Vec<_> = (0..3).map(|_| client.read().text()).collect();
    assert_eq!(names, ["ada", "bob", "ada"]);
}

#[test]
fn a_target_that_is_no_path_is_refused() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    for target in ["api/v2/buckets", "?x", "*"] {
        let answer = gateway.connect().send(&request("GET", target, &[&cookie]));
        assert_eq!(answer.status, 400, "{target}");
    }
    assert!(upstream.saw_nothing());
    let absolute = "GET http://gateway.test/api/v2/buckets?a=1 HTTP/1.1\r\nHost: gateway.test\r\n";
    gateway.connect().send(&format!("{absolute}{cookie}\r\n\r\n"));
    assert_eq!(upstream.next().line(), "GET /api/v2/buckets?a=1 HTTP/1.1");
}

#[test]
fn a_refused_upload_does_not_become_a_request() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    let hidden = get("/api/v2/buckets", &["Authorization: Token smuggled"]);

    // A small body is read away, and the connection goes on.
    let mut client = gateway.connect();
    assert_eq!(client.send(&with_body("POST", "/api/v2/write", &[], &hidden)).status, 401);
    assert_eq!(client.send(&get("/health", &[])).status, 200);
    assert_eq!(upstream.next().line(), "GET /health HTTP/1.1");

    // Of a body that does not come, nothing is taken for a request either.
    let mut client = gateway.connect();
    let headers = ["Content-Length: 100000", "Expect: 100-continue"];
    let answer = client.send(&request("POST", "/api/v2/write", &headers));
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    let _ = client.stream.write_all(hidden.as_bytes());
    assert!(client.is_closed());
    assert!(upstream.saw_nothing());
}

#[test]
fn what_is_the_upstreams_business_only_does_not_come_back() {
    let upstream = Upstream::behaving(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\
                    Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nX-Forwarded-User: ada\r\n\
                    Set-Cookie: theme=dark\r\nSet-Cookie: influxdb-oss-session=x; Path=/\r\n\
                    X-Kept: 1\r\n\r\nok";
        stream.write_all(head.as_bytes()).is_ok()
    });
    let gateway = Gateway::start(upstream.address);
    let cookie = cookie(&gateway.sign_in("ada"));
    let answer = gateway.connect().send(&get("/api/v2/buckets", &[&cookie]));
    assert_eq!((answer.text(), answer.header("x-kept")), ("ok".to_owned(), Some("1")));
    assert_eq!(answer.all("set-cookie"), ["theme=dark"]);
    for gone in ["x-hop", "keep-alive", "proxy-authenticate", "x-forwarded-user"] {
        assert_eq!(answer.header(gone), None, "{gone}");
    }
    assert_eq!(answer.header("connection"), Some("keep-alive"));
}

/// What a user of InfluxDB's own pages meets is written down, where the gateway cannot mend it.
#[test]
fn f_53_the_ui_finds_no_metrics_and_answers_that_any_client_can_show() {
    let upstream = Upstream::start();
    let config = "[forward]\nui = true\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let session = cookie(&gateway.sign_in("ada"));
    assert_eq!(gateway.connect().send(&get("/signin", &[])).status, 200);
    upstream.seen_by_clients();
    // InfluxDB, which would scrape them, brings nothing; nor does it help to be signed in.
    for headers in [&[][..], &[&*session], &["User-Agent: InfluxDB/v2.9.1"]] {
        assert_eq!(gateway.connect().send(&get("/metrics", headers)).status, 404);
    }
    assert!(upstream.saw_nothing());

    let guess = || gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", "wrong horse")]));
    let banned = (0..10).map(|_| guess()).find(|answer| answer.status == 429).unwrap();
    assert!(banned.header("content-type").unwrap().starts_with("application/json"));
    assert!(banned.header("retry-after").unwrap().parse::<u64>().unwrap() > 0);
    let json = banned.json();
    assert_eq!(json["code"], "too many requests");
    assert!(json["message"].as_str().unwrap().contains("try again later"));

    let text = std::fs::read_to_string(repository().join("docs/guide.md")).unwrap();
    let start = text.find("## InfluxDB's UI through the gateway").unwrap();
    let part = text[start..].split("\n## ").next().unwrap();
    for word in
        ["session.lifetime", "upstream_read", "504", "restart", "/metrics", "Could not sign in"]
    {
        assert!(part.contains(word), "{word}");
    }
}
