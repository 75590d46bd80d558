use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use socket2::SockRef;

use crate::frames::{self, Connection};
use crate::secure::SecureGateway;
use crate::support::*;

#[test]
fn a_line_a_request() {
    let gateway = Gateway::start(Upstream::start().address);
    let line = cookie(&gateway.sign_in("ada"));
    let trace = "Zap-Trace-Span: {\"trace_id\":\"1a2b\",\"span_id\":\"3\"}";
    let headers = [&*line, trace, "X-Request-Id: r1"];
    gateway.connect().send(&get("/api/v2/buckets?name=private", &headers));
    gateway.connect().send(&get("/api/v2/buckets", &["Zap-Trace-Span: {", "X-Request-Id: r2"]));
    gateway.connect().send(&get("/caf%C3%A9", &["X-Request-Id: r3"]));
    let log = gateway.stop();
    let access = |id: &str| {
        let line = log.lines().find(|line| line.contains(&format!("request_id={id}")));
        line.unwrap_or_else(|| panic!("no line of {id}: {log}"))
    };
    let forwarded = access("r1");
    for field in [
        "INFO",
        "access",
        "client=127.0.0.1",
        "user=ada",
        "method=GET",
        "path=/api/v2/buckets ",
        "status=200",
        "bytes=3",
        "ms=",
        "trace_id=1a2b",
    ] {
        assert!(forwarded.contains(field), "{field}: {forwarded}");
    }
    let session = forwarded.split("session=").nth(1).unwrap();
    assert!(session[..8].bytes().all(|byte| byte.is_ascii_hexdigit()), "{forwarded}");
    assert_eq!(&session[8..9], " ");
    assert!(access("r2").contains("user=- session=- method=GET path=/api/v2/buckets status=401"));
    assert!(!access("r2").contains("trace_id"));
    assert!(access("r3").contains("path=/caf%C3%A9 status=404"));
    assert_eq!(log.lines().filter(|line| line.contains(" access]")).count(), 4);
}

#[test]
fn no_secret_at_any_level() {
    let upstream = Upstream::behaving(|seen, stream| {
        // Some requests fail, so that what is logged of failures is looked at too.
        !seen.line().contains("fail") && answer(stream, "200 OK", "")
    });
    let keys = "token_file = \"shared.token\"\n";
    let folder = Gateway::prepare(&format!("http://{}", upstream.address), keys, &users(&["ada"]));
    std::fs::write(folder.path().join("shared.token"), "shared-secret\n").unwrap();
    let gateway = Gateway::start_in(folder);

    let session = gateway.sign_in("ada");
    let line = cookie(&session);
    let wrong = "wrong-secret";
    gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", wrong)]));
    for target in ["/api/v2/query", "/api/v2/fail?p=query-secret", "/fail?p=query-secret"] {
        gateway.connect().send(&get(target, &[&line, &basic("ada", wrong)]));
        gateway.connect().send(&get(target, &["Authorization: Token token-secret"]));
    }
    gateway.connect().send("GET /api/v2/me HTTP/1.1\r\nAuthorization : Token token-secret\r\n\r\n");
    let mut client = gateway.connect();
    client.write(
        format!("GET /api/v2/me HTTP/1.1\r\nHost: x\r\n{line}\r\nBad Header: x\r\n\r\n").as_bytes(),
    );
    client.read_head();
    gateway.connect().send(&post("/api/v2/signout", &[&line]));
    let log = gateway.stop();

    assert!(log.contains("TRACE") || log.contains("DEBUG") || log.contains("INFO"), "{log}");
    let value = session.split_once('=').unwrap().1;
    let encoded = STANDARD.encode(format!("ada:{PASSWORD}"));
    for secret in [
        PASSWORD,
        &encoded,
        value,
        wrong,
        &STANDARD.encode(format!("ada:{wrong}")),
        "shared-secret",
        "token-secret",
        "query-secret",
        "$argon2id",
    ] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
}

#[test]
fn f_38_what_it_listens_on_is_in_the_log_too() {
    let gateway = Gateway::start(closed_port());
    let line = format!("listening on http://{}\n", gateway.address);
    let log = gateway.stop();
    assert!(log.contains(&format!("INFO  influx_gateway::cli::run] {line}")), "{log}");
}

/// Connects, says `text` and leaves: with a reset, or in good order.
fn leave(address: SocketAddr, text: &str, with_reset: bool) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    if with_reset {
        SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
    }
}

#[test]
fn f_38_everyday_business_is_neither_an_error_nor_a_warning() {
    let upstream = Upstream::behaving(|seen, stream| match seen.line() {
        // More than any buffer on the way holds.
        line if line.contains("large") => answer(stream, "200 OK", &"x".repeat(16 << 20)),
        _ => answer(stream, "200 OK", ""),
    });
    let secure = SecureGateway::start(upstream.address);
    let session = cookie(&secure.gateway.sign_in("ada"));
    let (http, https) = (secure.gateway.address, secure.https);
    let (large, write) =
        (get("/api/v2/large", &[&session]), "POST /api/v2/write HTTP/1.1\r\nHost: x");
    let half = format!("{write}\r\n{session}\r\nContent-Length: 100\r\n\r\nhalf");
    for with_reset in [false, true] {
        // Probes; half a head; half a body; an answer that nobody waits for; plain words to TLS.
        for text in ["", write, &half, &large] {
            leave(http, text, with_reset);
        }
        for text in ["", "\u{16}\u{3}\u{1}", &large] {
            leave(https, text, with_reset);
        }
    }
    let mut plain = TcpStream::connect(https).unwrap();
    plain.write_all(large.as_bytes()).unwrap();
    let _ = plain.read_to_end(&mut Vec::new());
    // TLS and nothing in it; HTTP/2 that breaks off; HTTP/2 that is none.
    drop(secure.connect());
    let mut connection = Connection::open(&secure, &[]);
    connection.send(
        &[&frames::head("GET", "/api/v2/large")[..], &[("cookie", &session[8..])]].concat(),
        None,
    );
    drop(connection);
    drop(Connection::open_with(&secure, b"nothing of the kind\r\n\r\n"));
    // Connections to the upstream that are put back and taken again.
    let mut client = secure.gateway.connect();
    for _ in 0..300 {
        assert_eq!(client.send(&get("/api/v2/buckets", &[&session])).status, 200);
    }
    drop(client);
    let log = secure.gateway.stop();
    let odd: Vec<_> = log
        .lines()
        .filter(|line| line.contains(" ERROR ") || line.contains(" WARN "))
        .filter(|line| line.contains(" pingora"))
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
    assert!(
        log.contains(
            "DEBUG influx_gateway::net::handshake] the TLS handshake with 127.0.0.1 has failed"
        ),
        "{log}"
    );
}

/// MiB of memory that the process has.
fn resident(gateway: &Gateway) -> usize {
    let path = format!("/proc/{}/statm", gateway.pid());
    let text = std::fs::read_to_string(path).unwrap();
    let pages: usize = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096 / (1024 * 1024)
}

#[test]
fn f_23_a_log_that_nobody_reads_is_bounded_in_bytes_and_says_what_it_lacks() {
    let gateway = Gateway::start(Upstream::start().address);
    let path = format!("/{}", "a".repeat(8000));
    let burst = get(&path, &[]).repeat(50);
    let at_first = resident(&gateway);
    let grown = gateway.unread(|| {
        let mut client = gateway.connect();
        for _ in 0..400 {
            client.write(burst.as_bytes());
            for _ in 0..50 {
                client.read();
            }
        }
        resident(&gateway) - at_first
    });
    assert!(grown < 64, "{grown} MiB for 20,000 lines");
    wait_until("what is lost is said", || gateway.has_logged("are missing from the log"));
    let log = gateway.stop();
    let written = log.matches(" access] ").count();
    let lost = log.lines().filter_map(|line| line.split_once(" lines are missing from the log"));
    let lost = lost.map(|(count, _)| count.parse::<usize>().unwrap());
    assert_eq!(written + lost.sum::<usize>(), 20_000, "every line is there or counted");
}

#[test]
fn f_23_what_clients_make_up_is_cut_at_1_kib_with_its_length() {
    let gateway = Gateway::start(Upstream::start().address);
    let paths = [1024, 1025, 5000].map(|length| format!("/{}", "a".repeat(length - 1)));
    for path in &paths {
        gateway.connect().send(&get(path, &[]));
    }
    let umlauts = format!("/{}", "%C3%A9".repeat(700));
    gateway.connect().send(&get(&umlauts, &[]));
    let log = gateway.stop();
    let path_of = |end: &str| {
        let ends = |path: &&str| path.ends_with(end);
        let mut paths = log.lines().filter_map(|line| line.split(" path=").nth(1));
        let path = paths.find_map(|rest| rest.split(' ').next().filter(ends));
        path.unwrap_or_else(|| panic!("{end}: {log}")).to_owned()
    };
    assert_eq!(path_of("aaa"), paths[0]);
    assert_eq!(path_of("..[1025]"), format!("{}..[1025]", &paths[1][..1024]));
    assert_eq!(path_of("..[5000]"), format!("{}..[5000]", &paths[2][..1024]));
    assert_eq!(path_of("..[4201]"), format!("{}..[4201]", &umlauts[..1024]));
}

#[test]
fn f_24_the_threads_that_write_are_there_before_the_gateway_is_called_ready() {
    let gateway = Gateway::start(Upstream::start().address);
    let task = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
    let names = || -> Vec<_> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
        tasks.filter_map(|entry| task(entry.unwrap()).ok()).collect()
    };
    // A thread gives itself its name, so it may be there before it has one. Nothing is logged and
    // nothing happens meanwhile for which one could be started.
    wait_until("both are there", || {
        let names = names();
        ["log\n", "audit\n"].iter().all(|one| names.iter().any(|name| name == one))
    });
}
