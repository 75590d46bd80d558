use crate::frames::Connection;
use crate::secure::SecureGateway;
use crate::support::*;

const NAME: &str = "influxdb-oss-session";

/// The rule of InfluxDB: the first cookie of the name decides, in whatever order and by whichever
/// line it comes, with or without quotes, and no other is tried. Only what no cookie can be, by the
/// bytes in it, is passed over.
#[test]
fn s_12_of_two_cookies_of_the_name_the_first_decides() {
    let upstream = Upstream::start();
    let secure = SecureGateway::start(upstream.address);
    let gateway = &secure.gateway;
    let value = |name: &str| gateway.sign_in(name).split_once('=').unwrap().1.to_owned();
    let (ada, bob) = (value("ada"), value("bob"));
    let forged = "A".repeat(43);
    let check = |lines: &[String], expected: Option<&str>| {
        let fields: Vec<_> = lines.iter().map(|line| ("cookie", &**line)).collect();
        let lines: Vec<_> = lines.iter().map(|line| cookie(line)).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        let mut http2 = Connection::open(&secure, &[]);
        for answer in [
            gateway.connect().send(&get("/api/v2/me", &lines)),
            http2.ask("GET", "/api/v2/me", &fields),
        ] {
            let name = (answer.status == 200).then(|| answer.json()["name"].clone());
            assert_eq!(name, expected.map(Into::into), "{lines:?}: {answer:?}");
        }
        for answer in [
            gateway.connect().send(&get("/api/v2/buckets", &lines)),
            http2.ask("GET", "/api/v2/buckets", &fields),
        ] {
            let name = (answer.status == 200).then(|| answer.text());
            assert_eq!(name.as_deref(), expected, "{lines:?}: {answer:?}");
        }
        for seen in upstream.seen_by_clients() {
            assert!(!seen.head.contains(NAME), "{lines:?}: {}", seen.head);
        }
    };
    for (first, second, expected) in [
        (&ada, &bob, Some("ada")),
        (&bob, &ada, Some("bob")),
        (&ada, &forged, Some("ada")),
        (&forged, &ada, None),
        (&"junk".to_owned(), &ada, None),
        (&String::new(), &ada, None),
        (&ada, &String::new(), Some("ada")),
        (&ada, &ada, Some("ada")),
        (&format!("\"{ada}\""), &bob, Some("ada")),
        (&ada, &format!("\"{bob}\""), Some("ada")),
        (&format!("\"{forged}\""), &bob, None),
        (&"a\\b".to_owned(), &bob, Some("bob")),
        (&format!("\"{ada}"), &bob, Some("bob")),
    ] {
        // In one line, in two, and as clients write that know of Path.
        check(&[format!("{NAME}={first}; {NAME}={second}")], expected);
        check(&[format!("{NAME}={first};{NAME}={second}")], expected);
        check(&[format!("a=1; {NAME}={first}; b=2; {NAME}={second}; c=3")], expected);
        check(&[format!("{NAME}={first}"), format!("{NAME}={second}")], expected);
        check(&["a=1".to_owned(), format!("{NAME}={first}"), format!("{NAME}={second}")], expected);
        let paths = ["/api/v2", "/"].map(|path| format!("$Path=\"{path}\""));
        check(&[format!("{NAME}={first}; {}; {NAME}={second}; {}", paths[0], paths[1])], expected);
        check(&[format!("{NAME}={first}; {}; {NAME}={second}; {}", paths[1], paths[0])], expected);
    }
}

#[test]
fn s_12_signing_out_with_two_cookies_ends_the_session_of_the_first() {
    let gateway = Gateway::start(closed_port());
    let (first, second) = (gateway.sign_in("ada"), gateway.sign_in("ada"));
    let both = cookie(&format!("{first}; {second}"));
    let status = |request: &str| gateway.connect().send(request).status;
    assert_eq!(status(&post("/api/v2/signout", &[&both])), 204);
    assert_eq!(status(&get("/api/v2/me", &[&cookie(&first)])), 401);
    assert_eq!(status(&get("/api/v2/me", &[&cookie(&second)])), 200);
    assert_eq!(status(&post("/api/v2/signout", &[&both])), 401, "the second is not tried");
    assert_eq!(status(&get("/api/v2/me", &[&cookie(&second)])), 200);
}

fn ten_thousand_pairs() -> String {
    (0..10_000).map(|n| format!("c{n}=v")).collect::<Vec<_>>().join("; ")
}

/// Cookies of any length and any bytes, with what is odd about them.
fn odd_cookies() -> Vec<(String, Vec<u8>)> {
    let mut odd = vec![
        ("no value".to_owned(), format!("{NAME}=").into_bytes()),
        ("no equals sign".to_owned(), NAME.as_bytes().to_vec()),
        ("nothing".to_owned(), vec![]),
        ("semicolons".to_owned(), vec![b';'; 4 << 10]),
        ("equals signs".to_owned(), vec![b'='; 4 << 10]),
        ("quotes".to_owned(), vec![b'"'; 4 << 10]),
        ("10,000 pairs".to_owned(), ten_thousand_pairs().into_bytes()),
        ("10,000 of the name".to_owned(), format!("{NAME}=x; ").repeat(10_000).into_bytes()),
    ];
    for length in [1, 42, 43, 44, 4 << 10, 64 << 10] {
        let text = format!("{NAME}={}", "A".repeat(length));
        odd.push((format!("{length} characters"), text.into_bytes()));
    }
    for byte in (0..=b' ').chain(0x7f..=0xff).chain(*b"\",;\\%+/=.") {
        let text = [NAME.as_bytes(), b"=", &[b'A'; 20], &[byte], &[b'A'; 22]].concat();
        odd.push((format!("byte {byte:#04x}"), text));
    }
    odd
}

fn with_cookie(target: &str, cookie: &[u8]) -> Vec<u8> {
    let head = format!("GET {target} HTTP/1.1\r\nHost: gateway.test\r\nCookie: ");
    [head.as_bytes(), cookie, b"\r\n\r\n"].concat()
}

/// Which rule has found a cookie wrong cannot be told from the answer: it is that to no cookie, or
/// the one to a head that nobody may send.
#[test]
fn s_13_an_odd_cookie_is_refused_like_none_or_as_no_request_at_all() {
    let upstream = Upstream::start();
    for (limits, too_long) in [("", 431), ("[limits]\nhead_bytes = 1_000_000\n", 401)] {
        let gateway = Gateway::start_with(upstream.address, limits, &users(&["ada"]));
        let good = gateway.sign_in("ada");
        wait_until("the upstream's version is known", || {
            gateway.connect().send(&get("/api/v2/me", &[])).header("x-influxdb-version").is_some()
        });
        let without = gateway.connect().send(&get("/api/v2/me", &[])).without_its_own();
        assert_eq!(without.0, 401);
        for (what, bytes) in odd_cookies() {
            let is_control = |&byte: &u8| byte < b' ' && byte != b'\t' || byte == 0x7f;
            let expected = match () {
                () if bytes.iter().any(is_control) => 400,
                () if bytes.len() > 16_384 => too_long,
                () => 401,
            };
            for target in ["/api/v2/me", "/api/v2/buckets"] {
                let mut client = gateway.connect();
                client.write(&with_cookie(target, &bytes));
                let answer = client.read();
                assert_eq!(answer.status, expected, "{what}: {answer:?}");
                if expected == 401 {
                    assert_eq!(answer.without_its_own(), without, "{what}");
                }
                assert_eq!(answer.header("set-cookie"), None, "{what}");
            }
        }
        let me = gateway.connect().send(&get("/api/v2/me", &[&cookie(&good)]));
        assert_eq!(me.status, 200, "none of them ended the session");
    }
    assert!(upstream.saw_nothing());
}

#[test]
fn s_13_a_session_is_found_behind_ten_thousand_cookies_of_others() {
    let upstream = Upstream::start();
    let config = "[limits]\nhead_bytes = 1_000_000\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let pairs = ten_thousand_pairs();
    let line = cookie(&format!("{pairs}; {}", gateway.sign_in("ada")));
    assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&line])).text(), "ada");
    let seen = upstream.next();
    assert_eq!(seen.header("cookie"), Some(&*pairs));
}

/// A browser's cookies of one host, as far as paths go: name, path and value, that of the longest path
/// first (RFC 6265 section 5.4).
#[derive(Default)]
struct Jar(Vec<(String, String, String)>);

impl Jar {
    /// Takes what `answer` sets and forgets what it deletes.
    fn take(&mut self, answer: &Answer) {
        for set in answer.all("set-cookie") {
            let (pair, attributes) = set.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            let path = attributes.split("; ").find_map(|word| word.strip_prefix("Path=")).unwrap();
            self.0.retain(|(other, at, _)| (&**other, &**at) != (name, path));
            if !attributes.contains("Max-Age=0") {
                self.0.push((name.to_owned(), path.to_owned(), value.to_owned()));
            }
        }
        self.0.sort_by_key(|(_, path, _)| std::cmp::Reverse(path.len()));
    }

    /// Sends a request below `/api/` with all of them, and takes what comes.
    fn send(&mut self, gateway: &Gateway, method: &str, target: &str, header: &str) -> Answer {
        let pairs: Vec<_> =
            self.0.iter().map(|(name, _, value)| format!("{name}={value}")).collect();
        let line = cookie(&pairs.join("; "));
        let mut lines = vec![header, "Content-Length: 0"];
        lines.extend((!pairs.is_empty()).then_some(&*line));
        let answer = gateway.connect().send(&request(method, target, &lines));
        self.take(&answer);
        answer
    }
}

fn restart_with_path(gateway: Gateway, old: &str, new: &str) -> Gateway {
    let path = gateway.folder().join("gateway.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let changed = text.replace(&format!("path = \"{old}\""), &format!("path = \"{new}\""));
    assert_ne!(changed, text);
    std::fs::write(&path, changed).unwrap();
    gateway.restart("INT")
}

/// A browser that has cookies of two paths sends that of the longer one first, and it decides.
#[test]
fn f_33_browsers_are_signed_in_again_when_the_path_of_the_cookie_changes() {
    for (old, new) in [("/api/", "/"), ("/api/", "/api"), ("/", "/api/"), ("/api/", "/api/v2")] {
        let config = format!("[cookie]\npath = \"{old}\"\n");
        let gateway = Gateway::start_with(closed_port(), &config, &users(&["ada"]));
        let (mut jar, sign_in) = (Jar::default(), basic("ada", PASSWORD));
        assert_eq!(jar.send(&gateway, "POST", "/api/v2/signin", &sign_in).status, 204);
        assert_eq!(jar.send(&gateway, "GET", "/api/v2/me", "X-A: 1").status, 200);
        let gateway = restart_with_path(gateway, old, new);
        let is_hidden = old.len() > new.len();
        for round in 0..2 {
            let me = |jar: &mut Jar| jar.send(&gateway, "GET", "/api/v2/me", "X-A: 1").status;
            assert_eq!(me(&mut jar), 401);
            let answer = jar.send(&gateway, "POST", "/api/v2/signin", &sign_in);
            assert_eq!(answer.status, 204);
            let set = answer.all("set-cookie");
            let is_first =
                set[0].contains(&format!("; Path={new};")) && !set[0].contains("Max-Age");
            assert!(is_first, "the session's own comes first: {set:?}");
            if is_hidden && round == 0 {
                assert_eq!(set.len(), 2, "{set:?}");
                assert!(set[1].contains(&format!("; Path={old};")), "{set:?}");
                assert!(set[1].contains("; Max-Age=0;"), "{set:?}");
                assert_eq!(jar.0.len(), 1, "{old} to {new}: {:?}", jar.0);
            }
            assert_eq!(me(&mut jar), 200, "{old} to {new}");
            let answer = jar.send(&gateway, "POST", "/api/v2/signout", "X-A: 1");
            assert_eq!(answer.status, 204);
            let cleared = answer.all("set-cookie");
            assert!(cleared.iter().all(|set| set.contains("; Max-Age=0;")), "{cleared:?}");
            assert!(cleared[0].contains(&format!("; Path={new};")), "{cleared:?}");
            let paths = if is_hidden { 2 } else { 1 };
            assert_eq!(cleared.len(), paths, "{old} to {new}: {cleared:?}");
        }
    }
}

/// Clients join several of them, or take the last.
#[test]
fn f_33_a_sign_in_without_a_cookie_sets_exactly_one() {
    for path in ["/api/", "/", "/api/v2"] {
        let config = format!("[cookie]\npath = \"{path}\"\n");
        let gateway = Gateway::start_with(closed_port(), &config, &users(&["ada"]));
        for header in [
            "X-A: 1",
            "Cookie: theme=dark; influxdb-oss-sessions=1",
            "Cookie: INFLUXDB-OSS-SESSION=1",
        ] {
            let lines = [header, &basic("ada", PASSWORD)];
            let answer = gateway.connect().send(&post("/api/v2/signin", &lines));
            assert_eq!((answer.status, answer.all("set-cookie").len()), (204, 1), "{header}");
        }
        let refused = [&*basic("ada", "wrong horse"), "Cookie: influxdb-oss-session=x"];
        let answer = gateway.connect().send(&post("/api/v2/signin", &refused));
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None));
    }
}

/// Browsers take such a cookie with the path `/` alone, so there is no other to clear.
#[test]
fn f_33_a_host_cookie_never_had_another_path() {
    let config = "[cookie]\nname = \"__Host-session\"\npath = \"/\"\n";
    let secure = SecureGateway::start_with(closed_port(), "", config);
    let lines = [&*basic("ada", PASSWORD), "Cookie: __Host-session=x"];
    let answer = secure.connect().send(&post("/api/v2/signin", &lines));
    assert_eq!((answer.status, answer.all("set-cookie").len()), (204, 1));
}
