use crate::crosssite::start;
use crate::frames::Connection;
use crate::secure::SecureGateway;
use crate::support::*;

const HOSTS: &str =
    "hosts = [\"Influx.Example.com\", \"10.1.2.3\", \"[2001:db8::1]\", \"full.example.com.\"]";

/// A request with this Host.
fn for_host(method: &str, target: &str, host: &str, headers: &[&str]) -> String {
    request(method, target, headers).replacen("gateway.test", host, 1)
}

#[test]
fn f_19_only_the_hosts_that_are_named_are_answered() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, HOSTS, "");
    let signed = for_host(
        "POST",
        "/api/v2/signin",
        "influx.example.com",
        &[&basic("ada", PASSWORD), "Content-Length: 0"],
    );
    let session = cookie(&gateway.connect().send(&signed).cookie());
    for host in [
        "influx.example.com",
        "INFLUX.example.COM",
        "influx.example.com.",
        "influx.example.com:8086",
        "influx.example.com.:443",
        "influx.example.com:",
        "full.example.com",
        "10.1.2.3",
        "10.1.2.3:1",
        "[2001:db8::1]",
        "[2001:DB8:0:0::1]:8086",
        // The listener's own address: this connection comes over loopback.
        "127.0.0.1",
        "127.0.0.1:1",
        &gateway.address.to_string(),
    ] {
        let status = |request: &str| gateway.connect().send(request).status;
        assert_eq!(status(&for_host("GET", "/api/v2/me", host, &[&session])), 200, "{host}");
        assert_eq!(status(&for_host("GET", "/api/v2/buckets", host, &[&session])), 200, "{host}");
        assert_eq!(status(&for_host("GET", "/health", host, &[])), 200, "{host}");
    }
    upstream.seen_by_clients();
    for host in [
        "evil.test",
        "influx.example.com.evil.test",
        "evil-influx.example.com",
        "sub.influx.example.com",
        "example.com",
        "influx.example.com..",
        "influx_example.com",
        "10.1.2.30",
        "[2001:db8::2]",
        "[::1]",
        "127.0.0.2",
        "0.0.0.0",
        "localhost",
        "127.1",
    ] {
        for (method, target) in [
            ("GET", "/api/v2/me"),
            ("GET", "/api/v2/buckets"),
            ("POST", "/api/v2/write"),
            ("GET", "/health"),
            ("OPTIONS", "/api/v2/signin"),
            ("GET", "/elsewhere"),
            ("GET", "/api/v2/../me"),
            ("TRAC", "/"),
        ] {
            let lines = [&*session, "Content-Length: 0"];
            let answer = gateway.connect().send(&for_host(method, target, host, &lines));
            assert_eq!(answer.status, 421, "{host} {method} {target}: {answer:?}");
            assert_eq!(answer.header("set-cookie"), None);
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert!(answer.json()["message"].is_string());
        }
    }
    assert!(upstream.saw_nothing());
}

/// The other spellings of a host: HTTP/2's authority, and a target in absolute form.
#[test]
fn f_19_a_host_is_the_same_in_http_2_and_in_absolute_form() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start_with(upstream.address, HOSTS, "");
    let mut client = secure.gateway.connect();
    for (host, status) in
        [("influx.example.com", 401), ("Influx.Example.Com.:1", 401), ("evil.test", 421)]
    {
        let absolute = format!("GET http://{host}/api/v2/me HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(client.send(&absolute).status, status, "{host}");
        let mut http2 = Connection::open(&secure, &[]);
        let mut status_of = |host: (&str, &str)| {
            let head = [(":method", "GET"), (":scheme", "https"), (":path", "/api/v2/me"), host];
            let stream = http2.send(&head, None);
            http2.finish(stream).answer().status
        };
        assert_eq!(status_of((":authority", host)), status, "{host}");
        assert_eq!(status_of(("host", host)), status, "{host}");
        let address = secure.https.to_string();
        assert_eq!(status_of((":authority", &address)), 401, "a probe of the listener");
    }
    let old = "GET /api/v2/me HTTP/1.0\r\n\r\n";
    assert_eq!(secure.gateway.connect().send(old).status, 421, "no host is none of them");
}

/// A page by DNS rebinding can neither guess nor have an account locked.
#[test]
fn f_19_another_host_is_refused_before_anything_is_judged() {
    let upstream = Upstream::start();
    let gateway = start(&upstream, HOSTS, "[session]\nidle = \"2s\"\n");
    let sign_in = |host: &str, password: &str| {
        let headers = [&*basic("ada", password), "Content-Length: 0"];
        gateway.connect().send(&for_host("POST", "/api/v2/signin", host, &headers)).status
    };
    for _ in 0..30 {
        assert_eq!(sign_in("evil.test", "wrong horse"), 421);
        assert_eq!(sign_in("evil.test", PASSWORD), 421);
    }
    let too_long = "Content-Length: 100000";
    let answer =
        gateway.connect().send(&for_host("POST", "/api/v2/signin", "evil.test", &[too_long]));
    assert_eq!(answer.status, 421);
    assert_eq!(gateway.audit(), "", "nothing was judged");
    assert_eq!(sign_in("influx.example.com", PASSWORD), 204, "and nobody is locked out");
}

#[test]
fn f_19_behind_trusted_proxies_the_host_that_they_were_asked_for_counts() {
    let upstream = Upstream::start();
    let listen = format!("trusted_proxies = [\"127.0.0.1\"]\n{HOSTS}");
    let gateway = start(&upstream, &listen, "");
    let strict = start(&upstream, HOSTS, "");
    for (host, told, status) in [
        ("influx.example.com", None, 401),
        ("evil.test", None, 421),
        ("inner:8086", Some("influx.example.com"), 401),
        ("127.0.0.1:8086", Some("influx.example.com:443, inner"), 401),
        ("influx.example.com", Some("evil.test"), 421),
        ("127.0.0.1", Some("evil.test"), 421),
        ("inner", Some("evil.test, influx.example.com"), 421),
    ] {
        let told = told.map(|told| format!("X-Forwarded-Host: {told}"));
        let lines: Vec<_> = told.iter().map(String::as_str).collect();
        let request = for_host("GET", "/api/v2/me", host, &lines);
        assert_eq!(gateway.connect().send(&request).status, status, "{host} {told:?}");
    }
    let line = ["X-Forwarded-Host: influx.example.com"];
    let request = for_host("GET", "/api/v2/me", "evil.test", &line);
    assert_eq!(strict.connect().send(&request).status, 421, "a stranger is not believed");
}

#[test]
fn f_19_without_hosts_any_is_answered() {
    for listen in ["", "hosts = []"] {
        let gateway = start(&Upstream::start(), listen, "");
        let answer = gateway.connect().send(&for_host("GET", "/api/v2/me", "evil.test", &[]));
        assert_eq!(answer.status, 401, "{listen}");
    }
}

#[test]
fn f_19_what_cannot_be_a_host_is_a_fault() {
    for wrong in ["*.example.com", "http://influx.example.com", "a b", "", "a/b", "[::1", "a:b"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.toml");
        std::fs::write(&path, format!("[listen]\nhosts = [\"ok.test\", \"{wrong}\"]\n")).unwrap();
        let output = program().args(["check", "--config"]).arg(&path).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(&format!(":2: listen.hosts: {wrong:?}")), "{wrong}: {text}");
    }
}
