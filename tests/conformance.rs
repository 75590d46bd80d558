//! Replays `conformance/*.http`. How such a file is written is said in `conformance/README.md`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::*;

/// A file: its configuration and its exchanges.
struct Script {
    config: String,
    exchanges: Vec<Exchange>,
}

/// One request and what is expected of it.
#[derive(Default)]
struct Exchange {
    title: String,
    request: Vec<String>,
    body: Option<String>,
    status: u16,
    headers: Vec<String>,
    upstream: Vec<String>,
    expected_body: Option<String>,
}

fn parse(text: &str) -> Script {
    let mut parts = text.split("\n### ");
    let head = parts.next().unwrap();
    let config = head.lines().filter_map(|line| line.strip_prefix("conf ")).collect::<Vec<_>>();
    let exchanges: Vec<_> = parts.map(parse_exchange).collect();
    Script { config: config.join("\n") + "\n", exchanges }
}

fn parse_exchange(text: &str) -> Exchange {
    let (title, rest) = text.split_once('\n').unwrap();
    let mut exchange = Exchange { title: title.to_owned(), ..Exchange::default() };
    let (request, answer) = rest.split_once("\n\n").unwrap_or_else(|| panic!("{title}: no answer"));
    for line in request.lines() {
        match line.strip_prefix("<<< ") {
            Some(body) => exchange.body = Some(body.to_owned()),
            None => exchange.request.push(line.to_owned()),
        }
    }
    let (head, body) = answer.split_once("\n\n").unwrap_or((answer.trim_end(), ""));
    let body = body.trim_end_matches('\n');
    exchange.expected_body = (!body.is_empty()).then(|| body.to_owned());
    let mut lines = head.lines();
    exchange.status = lines.next().unwrap().trim().parse().unwrap_or_else(|_| panic!("{title}"));
    for line in lines {
        match line.strip_prefix("^ ") {
            Some(upstream) => exchange.upstream.push(upstream.to_owned()),
            None => exchange.headers.push(line.to_owned()),
        }
    }
    exchange
}

/// Whether `text` is as `pattern` says, where `*` stands for anything.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap()) else { return false };
    let mut last = None;
    for piece in pieces {
        last = Some(piece);
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.is_empty() || last.is_some_and(|last| text.ends_with(last))
}

/// Checks `Name: pattern` and `- Name` lines against the values that `all` finds of a name.
fn check_headers(lines: &[String], all: impl Fn(&str) -> Vec<String>) -> Result<(), String> {
    for line in lines {
        if let Some(absent) = line.strip_prefix("- ") {
            let found = all(absent);
            if !found.is_empty() {
                return Err(format!("{absent} is there: {found:?}"));
            }
            continue;
        }
        let (name, pattern) = line.split_once(':').ok_or(format!("{line:?} is no header"))?;
        let found = all(name);
        if found.len() != 1 || !matches(pattern.trim(), &found[0]) {
            return Err(format!("{name} is {found:?}, not {:?}", pattern.trim()));
        }
    }
    Ok(())
}

/// A small InfluxDB: the users' business is the gateway's, the rest is echoed.
fn influxdb() -> Upstream {
    Upstream::behaving(|seen, stream| {
        let target = seen.line().split(' ').nth(1).unwrap();
        let method = seen.line().split(' ').next().unwrap();
        let mut head = String::from("X-Influxdb-Build: OSS\r\nX-Influxdb-Version: v2.9.1\r\n");
        if let Some(origin) = seen.header("origin") {
            write!(head, "Access-Control-Allow-Origin: {origin}\r\n").unwrap();
        }
        let json = "Content-Type: application/json; charset=utf-8\r\n";
        match (method, target) {
            (_, "/ping") => reply(stream, "204 No Content", &head, ""),
            ("OPTIONS", _) if seen.header("origin").is_none() => {
                reply(stream, "405 Method Not Allowed", &head, "")
            }
            ("OPTIONS", _) => {
                head += "Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE, PATCH\r\n";
                reply(stream, "204 No Content", &head, "")
            }
            ("HEAD", _) => reply(stream, "200 OK", &(head + json), ""),
            _ if seen.header("authorization") == Some("Token bad") => {
                let body = r#"{"code":"unauthorized","message":"unauthorized access"}"#;
                let head = head + json + "X-Platform-Error-Code: unauthorized\r\n";
                reply(stream, "401 Unauthorized", &head, body)
            }
            (_, "/api/v2/nope") => {
                let body = "{\n\t\"code\": \"not found\",\n\t\"message\": \"path not found\"\n}";
                let head = head + json + "X-Platform-Error-Code: not found\r\n";
                reply(stream, "404 Not Found", &head, body)
            }
            _ => reply(stream, "200 OK", &(head + json), "{\"upstream\":true}\n"),
        }
    })
}

fn reply(stream: &mut TcpStream, status: &str, head: &str, body: &str) -> bool {
    let length = match status {
        "204 No Content" => String::new(),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    write!(stream, "HTTP/1.1 {status}\r\n{head}{length}\r\n{body}").is_ok()
}

struct Replay<'a> {
    gateway: &'a Gateway,
    upstream: &'a Upstream,
    /// The session cookie that was given last.
    last: String,
}

impl Replay<'_> {
    /// Replaces `{x 72}`, `{basic name:password}`, `{session name}` and `{last}`.
    fn expand(&self, line: &str) -> String {
        let mut expanded = line.to_owned();
        while let Some((before, rest)) = expanded.split_once("{x ") {
            let (count, after) = rest.split_once('}').unwrap();
            expanded = format!("{before}{}{after}", "x".repeat(count.parse().unwrap()));
        }
        while let Some((before, rest)) = expanded.split_once("{basic ") {
            let (pair, after) = rest.split_once('}').unwrap();
            expanded = format!("{before}Basic {}{after}", STANDARD.encode(pair));
        }
        while let Some((before, rest)) = expanded.split_once("{session ") {
            let (name, after) = rest.split_once('}').unwrap();
            expanded = format!("{before}{}{after}", self.gateway.sign_in(name));
        }
        let value = self.last.split_once('=').map_or("", |(_, value)| value);
        expanded.replace("{last}", &self.last).replace("{last value}", value)
    }

    fn run(&mut self, exchange: &Exchange) -> Result<(), String> {
        let mut lines = exchange.request.iter().map(|line| self.expand(line));
        let (method_and_target, mut head) = (lines.next().unwrap(), String::new());
        for line in lines {
            write!(head, "{line}\r\n").unwrap();
        }
        let method = method_and_target.split(' ').next().unwrap();
        let body = exchange.body.as_deref().map(|body| self.expand(body));
        if let Some(body) = &body {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        } else if method == "POST" || method == "PUT" {
            head += "Content-Length: 0\r\n";
        }
        let host = if head.contains("Host:") { "" } else { "Host: gateway.test\r\n" };
        let body = body.unwrap_or_default();
        let answer = self
            .gateway
            .connect()
            .send(&format!("{method_and_target} HTTP/1.1\r\n{host}{head}\r\n{body}"));

        // A cookie without a value is a cookie deleted.
        if answer.header("set-cookie").is_some_and(|cookie| !cookie.contains("=;")) {
            self.last = answer.cookie();
        }
        let seen = self.upstream.seen_by_clients();
        let of_answer =
            |name: &str| answer.all(&name.to_lowercase()).into_iter().map(str::to_owned).collect();
        if answer.status != exchange.status {
            return Err(format!("{} instead of {}: {answer:?}", answer.status, exchange.status));
        }
        check_headers(&exchange.headers, of_answer)?;
        if let Some(expected) = &exchange.expected_body
            && !matches(expected, &answer.text())
        {
            return Err(format!("the body is {:?}, not {expected:?}", answer.text()));
        }
        check_upstream(&exchange.upstream, &seen)
    }
}

fn check_upstream(expected: &[String], seen: &[Seen]) -> Result<(), String> {
    match (expected, seen) {
        ([], []) => Ok(()),
        ([], [seen, ..]) => Err(format!("the upstream saw {:?}", seen.line())),
        (_, [seen]) => {
            let line = format!("{} HTTP/1.1", expected[0]);
            if line != seen.line() {
                return Err(format!("the upstream saw {:?}, not {line:?}", seen.line()));
            }
            let of_request =
                |name: &str| seen.all(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
            check_headers(&expected[1..], of_request).map_err(|what| format!("upstream: {what}"))
        }
        (_, other) => Err(format!("the upstream saw {} requests", other.len())),
    }
}

/// Runs one file; returns how many exchanges are in it and what went wrong.
fn replay(path: &Path) -> (usize, Vec<String>) {
    let script = parse(&("\n".to_owned() + &std::fs::read_to_string(path).unwrap()));
    let upstream = influxdb();
    let users = users(&["ada", "bob", "gone"]) + "status = \"inactive\"\n";
    let gateway = Gateway::start_with(upstream.address, &script.config, &users);
    wait_until("the gateway knows the upstream's version", || {
        let answer = gateway.connect().send(&get("/api/v2/me", &[]));
        answer.header("x-influxdb-version").is_some()
    });
    let mut replay = Replay { gateway: &gateway, upstream: &upstream, last: String::new() };
    let file = path.file_name().unwrap().to_str().unwrap();
    let failures = script.exchanges.iter().filter_map(|exchange| {
        replay.run(exchange).err().map(|what| format!("{file}: {}: {what}", exchange.title))
    });
    let failures = failures.collect();
    (script.exchanges.len(), failures)
}

#[test]
fn every_exchange_is_as_recorded() {
    let folder = repository().join("tests/conformance");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "http"))
        .collect();
    paths.sort();
    let (mut count, mut failures) = (0, Vec::new());
    for path in &paths {
        let (exchanges, failed) = replay(path);
        count += exchanges;
        failures.extend(failed);
    }
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= 120, "only {count} exchanges");
}

#[test]
fn patterns() {
    for (pattern, text, expected) in [
        ("abc", "abc", true),
        ("a*c", "abbbc", true),
        ("a*", "a", true),
        ("*", "", true),
        ("a*c", "abcd", false),
        ("abc", "abcd", false),
        ("a*b*c", "axbxc", true),
        ("a*c", "acbc", true),
    ] {
        assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
    }
}
