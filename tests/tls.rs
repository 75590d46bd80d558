use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, ServerConfig, ServerConnection, StreamOwned};

use crate::secure::{Authority, Pair, SecureGateway, hello};
use crate::support::*;

const HSTS: &str = "strict-transport-security";

fn sign_in() -> String {
    post("/api/v2/signin", &[&basic("ada", PASSWORD)])
}

#[test]
fn over_tls_the_cookie_is_secure_and_the_session_the_same() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let answer = secure.connect().send(&sign_in());
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert!(answer.header("set-cookie").unwrap().contains("; Secure;"), "{answer:?}");
    let line = cookie(&answer.cookie());
    let mut client = secure.connect();
    assert_eq!(client.send(&get("/api/v2/me", &[&line])).json()["name"], "ada");
    assert_eq!(client.send(&get("/api/v2/buckets", &[&line])).text(), "ada");
    assert_eq!(upstream.next().header("x-forwarded-proto"), Some("https"));
    // Over plain HTTP it is the same session, and the cookie is not Secure.
    let mut plain = secure.gateway.connect();
    assert_eq!(plain.send(&get("/api/v2/buckets", &[&line])).text(), "ada");
    assert_eq!(upstream.next().header("x-forwarded-proto"), Some("http"));
    assert!(!plain.send(&sign_in()).header("set-cookie").unwrap().contains("Secure"));
    let answer = client.send(&post("/api/v2/signout", &[&line]));
    assert_eq!((answer.status, client.send(&get("/api/v2/me", &[&line])).status), (204, 401));
}

#[test]
fn only_todays_versions_of_tls_are_spoken() {
    let secure = SecureGateway::start(closed_port());
    for (version, expected) in
        [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        let mut client = secure.connect_as(&[], &[version]).unwrap();
        assert_eq!(client.send(&get("/api/v2/me", &[])).status, 401);
        assert_eq!(client.version(), Some(expected));
    }
    // ECDHE_ECDSA with AES in GCM mode; the same in CBC mode; RC4 and 3DES.
    let (strong, weak) = ([0xc0, 0x2b], [0xc0, 0x09, 0xc0, 0x0a, 0x00, 0x05, 0x00, 0x0a]);
    assert_eq!(hello(secure.https, 0x0303, &strong)[0], 0x16, "a handshake that goes on");
    // Alerts, fatal: of the version, and of the want of a suite in common.
    for version in [0x0300, 0x0301, 0x0302] {
        let answer = hello(secure.https, version, &[&weak[..], &strong].concat());
        assert_eq!((answer[0], &answer[5..]), (0x15, &[2, 70][..]), "{version:04x}");
    }
    let answer = hello(secure.https, 0x0303, &weak);
    assert_eq!((answer[0], &answer[5..]), (0x15, &[2, 40][..]));
}

#[test]
fn the_client_chooses_between_http_1_and_http_2() {
    let secure = SecureGateway::start(closed_port());
    let chosen = |offered: &[&[u8]]| {
        let client = secure.connect_as(offered, rustls::ALL_VERSIONS).unwrap();
        client.protocol().map(|name| String::from_utf8(name.to_vec()).unwrap())
    };
    assert_eq!(chosen(&[b"h2", b"http/1.1"]).as_deref(), Some("h2"));
    assert_eq!(chosen(&[b"h2"]).as_deref(), Some("h2"));
    assert_eq!(chosen(&[b"http/1.1"]).as_deref(), Some("http/1.1"));
    assert_eq!(chosen(&[]), None);
    assert!(secure.connect_as(&[b"spdy/3"], rustls::ALL_VERSIONS).is_err());
}

#[test]
fn what_is_no_tls_harms_nobody() {
    let secure = SecureGateway::start(closed_port());
    for bytes in [&b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..], b"\x16\x03\x01\xff\xff\x01", &[0; 64]]
    {
        let mut client = Client::connect(secure.https);
        client.write(bytes);
        client.stream.shutdown(std::net::Shutdown::Write).unwrap();
        // An alert perhaps, then the end.
        while !client.is_closed() {}
    }
    assert_eq!(secure.connect().send(&get("/api/v2/me", &[])).status, 401);
}

#[test]
fn browsers_are_told_over_tls_to_come_over_tls() {
    let check = |listen: &str, expected: Option<&str>| {
        // It says that of itself, as InfluxDB 2.10 can, and the gateway's browsers must not hear it.
        let upstream = Upstream::behaving(|_, stream| {
            let own = "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n";
            write!(stream, "HTTP/1.1 200 OK\r\n{own}Content-Length: 0\r\n\r\n").is_ok()
        });
        let secure = SecureGateway::start_with(upstream.address, listen, "");
        let session = cookie(&secure.gateway.sign_in("ada"));
        let own = get("/api/v2/me", &[]);
        let public = get("/health", &[]);
        let forwarded = get("/api/v2/buckets", &[&session]);
        for request in [&own, &public, &forwarded] {
            assert_eq!(secure.connect().send(request).header(HSTS), expected, "{listen}");
            assert_eq!(secure.gateway.connect().send(request).header(HSTS), None, "{listen}");
        }
    };
    check("", Some("max-age=15552000"));
    check("hsts = \"1h\"", Some("max-age=3600"));
    check("hsts = \"off\"", None);
}

#[test]
fn a_request_that_is_refused_early_is_logged_with_its_version_of_tls() {
    let secure = SecureGateway::start(closed_port());
    let request = "GET /early HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    let lines = |tls: &str| {
        let log = secure.gateway.log();
        let early =
            log.lines().filter(|line| line.contains(" access] ") && line.contains(" path=- "));
        early.filter(|line| line.contains(&format!(" tls={tls} "))).count()
    };
    for (version, word) in [(&TLS12, "1.2"), (&TLS13, "1.3")] {
        let mut client = secure.connect_as(&[b"http/1.1"], &[version]).unwrap();
        assert_eq!(client.send(request).status, 400);
        wait_until("it is logged", || lines(word) == 1);
    }
    assert_eq!(secure.gateway.connect().send(request).status, 400);
    wait_until("it is logged", || lines("-") == 1);
}

#[test]
fn a_host_cookie_is_taken_over_tls() {
    let config = "[cookie]\nname = \"__Host-session\"\npath = \"/\"\n";
    let secure = SecureGateway::start_with(closed_port(), "", config);
    let mut client = secure.connect();
    let answer = client.send(&sign_in());
    let set = answer.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-session="), "{set}");
    assert!(set.contains("; Path=/;") && set.contains("; Secure"), "{set}");
    assert!(!set.contains("Domain"), "{set}");
    assert_eq!(client.send(&get("/api/v2/me", &[&cookie(&answer.cookie())])).status, 200);
}

#[test]
fn only_a_trusted_proxy_may_say_that_the_client_spoke_tls() {
    for (listen, is_secure) in
        [("trusted_proxies = [\"127.0.0.0/8\"]", true), ("trusted_proxies = []", false)]
    {
        let secure = SecureGateway::start_with(closed_port(), listen, "");
        let credentials = basic("ada", PASSWORD);
        let headers = [&*credentials, "X-Forwarded-Proto: https"];
        let answer = secure.gateway.connect().send(&post("/api/v2/signin", &headers));
        assert_eq!(
            answer.header("set-cookie").unwrap().contains("; Secure"),
            is_secure,
            "{listen}"
        );
        assert_eq!(answer.header(HSTS).is_some(), is_secure, "{listen}");
    }
}

#[test]
fn a_renewed_certificate_is_taken_and_nothing_is_lost() {
    let secure = SecureGateway::start(closed_port());
    let line = cookie(&secure.gateway.sign_in("ada"));
    let shown = || secure.connect().certificate();
    let lives = |client: &mut crate::secure::SecureClient| {
        assert_eq!(client.send(&get("/api/v2/me", &[&line])).json()["name"], "ada");
    };
    let (mut client, first) = (secure.connect(), shown());
    lives(&mut client);

    let renewed = secure.authority.pair("127.0.0.1");
    renewed.write(secure.gateway.folder(), "gateway");
    wait_until("the new certificate is shown", || shown() == *renewed.chain()[0]);
    assert_ne!(first, shown());
    lives(&mut client);
    lives(&mut secure.connect());

    // A pair that is none: the old one stays, the log says so once for each change.
    let (broken, odd) =
        (Pair { certificate: "junk".to_owned(), ..renewed.clone() }, Authority::new());
    let odd = Pair { key: odd.pair("127.0.0.1").key, ..renewed.clone() };
    for (bad, told) in [(broken, "it is not PEM"), (odd, "the key is not the certificate's")] {
        bad.write(secure.gateway.folder(), "gateway");
        wait_until("the log says what is wrong", || secure.gateway.has_logged(told));
        assert!(secure.gateway.has_logged("the old certificate stays in use"));
        assert_eq!(shown(), *renewed.chain()[0]);
    }
    std::fs::remove_file(secure.gateway.folder().join("gateway.key")).unwrap();
    assert_eq!(shown(), *renewed.chain()[0]);

    let mended = secure.authority.pair("127.0.0.1");
    mended.write(secure.gateway.folder(), "gateway");
    wait_until("the mended certificate is shown", || shown() == *mended.chain()[0]);
    lives(&mut client);
}

/// Exit code and both outputs of `command` with this configuration.
pub(crate) fn outcome(command: &str, folder: &Path) -> (Option<i32>, String) {
    let config = folder.join("gateway.toml");
    let output = program().args([command, "--config"]).arg(config).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_certificate_that_cannot_be_used_is_a_fault_at_start() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    authority.pair("127.0.0.1").write(path, "good");
    authority.pair("127.0.0.1").write(path, "other");
    std::fs::write(path.join("users.toml"), users(&["ada"])).unwrap();
    std::fs::write(path.join("empty.pem"), "").unwrap();
    std::fs::write(path.join("junk.pem"), "junk\n").unwrap();
    let bad_body = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(path.join("bad.pem"), bad_body).unwrap();
    let listen = |certificate: &str, key: &str| {
        format!(
            "[[listen.https]]\naddress = \"127.0.0.1:0\"\ncertificate = \"{certificate}\"\n\
             key = \"{key}\"\n"
        )
    };
    let upstream = |keys: &str| format!("[upstream]\nurl = \"https://127.0.0.1:1\"\n{keys}\n");
    for (config, told) in [
        (listen("none.crt", "good.key"), "none.crt"),
        (listen("good.crt", "none.key"), "none.key"),
        (listen("empty.pem", "good.key"), "empty.pem"),
        (listen("good.crt", "empty.pem"), "empty.pem"),
        (listen("junk.pem", "good.key"), "junk.pem"),
        (listen("bad.pem", "good.key"), "bad.pem"),
        (listen("good.crt", "junk.pem"), "junk.pem"),
        (listen("good.key", "good.crt"), "good.key"),
        (listen("good.crt", "other.key"), "the key is not the certificate's"),
        (listen("good.crt", "good.key") + &listen("other.crt", "good.key"), "other.crt"),
        (upstream("ca_file = \"none.crt\""), "none.crt"),
        (upstream("ca_file = \"empty.pem\""), "empty.pem: it is empty"),
        (upstream("ca_file = \"junk.pem\""), "junk.pem: it is not PEM"),
        (upstream("ca_file = \"good.key\""), "good.key: it holds a key, and no certificate"),
        (upstream("ca_file = \"bad.pem\""), "bad.pem: not certificates of authorities"),
        (
            upstream("client_certificate = \"good.crt\"\nclient_key = \"other.key\""),
            "the key is not the certificate's",
        ),
        (upstream("client_certificate = \"none.crt\"\nclient_key = \"good.key\""), "none.crt"),
        (upstream("client_certificate = \"good.crt\""), "client_key"),
    ] {
        std::fs::write(path.join("gateway.toml"), &config).unwrap();
        for command in ["check", "run"] {
            let (code, text) = outcome(command, path);
            assert_eq!(code, Some(78), "{command} {config}: {text}");
            assert!(text.contains(told), "{command} {config}: {text}");
            assert!(!text.contains("panicked"), "{command} {config}: {text}");
        }
    }
    std::fs::write(path.join("gateway.toml"), listen("good.crt", "good.key")).unwrap();
    assert_eq!(outcome("check", path).0, Some(0));
}

/// An upstream that speaks TLS: it answers 200 with the user, and remembers heads of requests.
pub(crate) struct SecureUpstream {
    pub(crate) address: SocketAddr,
    seen: Mutex<Receiver<String>>,
}

impl SecureUpstream {
    /// With this certificate. Clients must have one signed by `clients`, if there is such.
    pub(crate) fn start(pair: &Pair, clients: Option<&Authority>) -> Self {
        Self::answering(pair, clients, |head| {
            header(head, "x-forwarded-user").unwrap_or_else(|| "nobody".to_owned())
        })
    }

    /// The same with another answer to the head of a request.
    pub(crate) fn answering(
        pair: &Pair,
        clients: Option<&Authority>,
        answer: impl Fn(&str) -> String + Send + Sync + 'static,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap();
        let builder = match clients {
            Some(authority) => {
                let roots = Arc::new(authority.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
            None => builder.with_no_client_auth(),
        };
        let config = Arc::new(builder.with_single_cert(pair.chain(), pair.private_key()).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, seen) = channel();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let (tls, sender) = (StreamOwned::new(connection, stream), sender.clone());
                let answer = Arc::clone(&answer);
                thread::spawn(move || serve(tls, |head| sender.send(head).is_ok(), &*answer));
            }
        });
        Self { address, seen: Mutex::new(seen) }
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().try_iter().collect()
    }
}

/// The value of a header in the head of a request.
pub(crate) fn header(head: &str, name: &str) -> Option<String> {
    let lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    let mut values = lines.filter(|(other, _)| other.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.to_owned())
}

fn serve(
    tls: StreamOwned<ServerConnection, TcpStream>,
    remember: impl Fn(String) -> bool,
    answer: &(impl Fn(&str) -> String + ?Sized),
) {
    let mut reader = BufReader::new(tls);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(reader.read_line(&mut head), Ok(1..)) {
                return;
            }
        }
        let body = answer(&head);
        // The gateway's own question about the version is nobody's request.
        let is_own =
            header(&head, "user-agent").is_some_and(|it| it.starts_with("influx-gateway/"));
        if !(is_own && head.starts_with("GET /ping ")) {
            remember(head);
        }
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if reader.get_mut().write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// Status, and `op` or text, of a forwarded request through a gateway in front of `upstream`.
fn forward(
    upstream: &SecureUpstream,
    host: &str,
    authority: &Authority,
    keys: &str,
) -> (u16, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.crt"), authority.certificate()).unwrap();
    forward_from(folder, upstream, host, &format!("ca_file = \"ca.crt\"\n{keys}"))
}

pub(crate) fn forward_from(
    folder: tempfile::TempDir,
    upstream: &SecureUpstream,
    host: &str,
    keys: &str,
) -> (u16, String) {
    let port = upstream.address.port();
    let text = format!(
        "[listen]\nhttp = [\"127.0.0.1:0\"]\n[upstream]\nurl = \"https://{host}:{port}\"\n{keys}\n"
    );
    std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
    std::fs::write(folder.path().join("users.toml"), users(&["ada"])).unwrap();
    let gateway = Gateway::start_in(folder);
    let line = cookie(&gateway.sign_in("ada"));
    let request = with_body("POST", "/api/v2/write", &[&line], "");
    let send = || gateway.connect().send(&request);
    let is_unknown = |answer: &Answer| answer.text().contains("gateway/upstream.resolve");
    wait_until("the name has an address", || !is_unknown(&send()));
    upstream.seen();
    let answer = send();
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line])).status, 200);
    let op = |answer: &Answer| answer.json()["op"].as_str().unwrap().to_owned();
    let text = if answer.status == 200 { answer.text() } else { op(&answer) };
    (answer.status, text)
}

/// What a handshake that fails is told.
pub(crate) fn refused() -> (u16, String) {
    (502, "gateway/upstream.handshake".to_owned())
}

#[test]
fn an_upstream_is_known_by_its_certificate_and_name() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let upstream = SecureUpstream::start(&authority.pair("127.0.0.1"), None);
    assert_eq!(forward(&upstream, "127.0.0.1", &authority, ""), (200, "ada".to_owned()));
    let seen = upstream.seen();
    let host = format!("host: {}\r\n", upstream.address);
    assert!(seen[0].to_ascii_lowercase().contains(&host), "{seen:?}");
    let named = SecureUpstream::start(&authority.pair("localhost"), None);
    assert_eq!(forward(&named, "localhost", &authority, ""), (200, "ada".to_owned()));
    named.seen();

    assert_eq!(forward(&upstream, "127.0.0.1", &stranger, ""), refused(), "unknown authority");
    assert_eq!(forward(&named, "127.0.0.1", &authority, ""), refused(), "wrong name");
    assert_eq!(forward(&upstream, "localhost", &authority, ""), refused(), "wrong name");
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(forward_from(folder, &upstream, "127.0.0.1", ""), refused(), "the system's");
    assert_eq!((upstream.seen(), named.seen()), (vec![], vec![]));
    for (pair, what) in [
        (authority.expired("127.0.0.1"), "expired"),
        (authority.pair("*.0.0.1"), "a wildcard for an address"),
        (authority.pair("127.0.0.2"), "another address"),
    ] {
        let upstream = SecureUpstream::start(&pair, None);
        assert_eq!(forward(&upstream, "127.0.0.1", &authority, ""), refused(), "{what}");
        assert_eq!(upstream.seen(), [""; 0], "{what}");
    }
}

#[test]
fn an_upstream_that_speaks_no_tls_gets_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, begun) = channel();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut bytes = [0; 1];
            std::io::Read::read_exact(&mut stream, &mut bytes).unwrap();
            let _ = sender.send(bytes[0]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let plain = SecureUpstream { address, seen: Mutex::new(channel().1) };
    assert_eq!(forward(&plain, "127.0.0.1", &Authority::new(), ""), refused());
    // The beginning of a handshake, whoever asks for what.
    assert!(begun.try_iter().all(|byte| byte == 0x16));
}

#[test]
fn the_gateway_shows_its_own_certificate_to_an_upstream_that_asks() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let upstream = SecureUpstream::start(&servers.pair("127.0.0.1"), Some(&clients));
    let with = |pair: &Pair| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.crt"), servers.certificate()).unwrap();
        pair.write(folder.path(), "own");
        let keys =
            "ca_file = \"ca.crt\"\nclient_certificate = \"own.crt\"\nclient_key = \"own.key\"";
        forward_from(folder, &upstream, "127.0.0.1", keys)
    };
    assert_eq!(with(&clients.pair("gateway.test")), (200, "ada".to_owned()));
    upstream.seen();
    // With TLS 1.3 the refusal comes after the handshake, as far as the client can tell.
    for (status, op) in
        [with(&servers.pair("gateway.test")), forward(&upstream, "127.0.0.1", &servers, "")]
    {
        assert_eq!(status, 502);
        assert!(op.starts_with("gateway/upstream."), "{op}");
    }
    assert_eq!(upstream.seen(), [""; 0]);
}
