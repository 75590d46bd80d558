//! Replays `conformance/*.http` against the gateway, in front of a small InfluxDB. That the real one
//! answers so is for `real/contract.rs` to say.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;

use crate::exchanges::{Asked, Exchange, Replay, Script, check_headers, owned};
use crate::support::*;

/// What the stand-in takes for a good API token.
const TOKEN: &str = "good";

/// The version that it has.
const VERSION: &str = "v2.9.1";

/// Paths of the API that lead nowhere.
const NOWHERE: [&str; 4] = ["/api/v2/nope", "/api/v2/SIGNIN", "/api/v2/signinX", "/api/v2anything"];

/// A small InfluxDB: the users' business is the gateway's, of the rest it has statuses and headers.
fn influxdb() -> Upstream {
    Upstream::behaving(|seen, stream| {
        let [method, target] = seen.line().splitn(3, ' ').collect::<Vec<_>>()[..2] else {
            panic!("{seen:?}")
        };
        let path = target.split('?').next().unwrap();
        let mut head = format!("X-Influxdb-Build: OSS\r\nX-Influxdb-Version: {VERSION}\r\n");
        if let Some(origin) = seen.header("origin") {
            write!(head, "Access-Control-Allow-Origin: {origin}\r\n").unwrap();
        }
        let json = "Content-Type: application/json; charset=utf-8\r\n";
        let is_v1 = matches!(path, "/query" | "/write");
        match (method, path) {
            (_, "/ping") => reply(stream, "204 No Content", &head, ""),
            ("OPTIONS", _) if !is_v1 && seen.header("origin").is_none() => {
                reply(stream, "405 Method Not Allowed", &head, "")
            }
            ("OPTIONS", _) if !is_v1 => {
                head += "Access-Control-Allow-Methods: POST, GET, OPTIONS, PUT, DELETE, PATCH\r\n";
                reply(stream, "204 No Content", &head, "")
            }
            _ if is_refused(seen, is_v1) => {
                let body = match (is_v1, seen.header("authorization")) {
                    (true, Some(_)) => r#"{"code":"unauthorized","message":"Unauthorized"}"#,
                    _ => r#"{"code":"unauthorized","message":"unauthorized access"}"#,
                };
                let body = if method == "HEAD" { "" } else { body };
                let head = head + json + "X-Platform-Error-Code: unauthorized\r\n";
                reply(stream, "401 Unauthorized", &head, body)
            }
            ("HEAD", _) => reply(stream, "200 OK", &(head + json), ""),
            (_, path) if NOWHERE.contains(&path) => {
                let body = "{\n\t\"code\": \"not found\",\n\t\"message\": \"path not found\"\n}";
                let head = head + json + "X-Platform-Error-Code: not found\r\n";
                reply(stream, "404 Not Found", &head, body)
            }
            ("POST", "/api/v2/write" | "/write") => reply(stream, "204 No Content", &head, ""),
            ("POST", path) if path.ends_with("/password") => {
                reply(stream, "204 No Content", &head, "")
            }
            _ => reply(stream, "200 OK", &(head + json), "{\"upstream\":true}\n"),
        }
    })
}

/// Whether the credential is a bad one, or is missing where InfluxDB 1 wants one. That it is missing
/// otherwise means that the gateway has let somebody in.
fn is_refused(seen: &Seen, is_v1: bool) -> bool {
    let Some(authorization) = seen.header("authorization") else {
        return is_v1 && !seen.line().contains(&format!("&p={TOKEN}"));
    };
    let (scheme, token) = authorization.split_once(' ').unwrap();
    !scheme.eq_ignore_ascii_case("basic") && token.trim_start_matches("ada:") != TOKEN
}

fn reply(stream: &mut TcpStream, status: &str, head: &str, body: &str) -> bool {
    let length = match status {
        "204 No Content" => String::new(),
        _ => format!("Content-Length: {}\r\n", body.len()),
    };
    write!(stream, "HTTP/1.1 {status}\r\n{head}{length}\r\n{body}").is_ok()
}

impl Asked for Gateway {
    fn send(&self, request: &str) -> Answer {
        self.connect().send(request)
    }

    fn sign_in(&self, name: &str) -> String {
        Self::sign_in(self, name)
    }

    fn words(&self) -> Vec<(&str, String)> {
        let words = [("{token}", TOKEN), ("{version}", VERSION), ("{org}", "0a1b2c3d4e5f6071")];
        words.map(|(word, meaning)| (word, meaning.to_owned())).into()
    }
}

/// Asks `exchange` and says what is wrong with the answer, or with what the upstream saw.
fn run(
    replay: &mut Replay<Gateway>,
    upstream: &Upstream,
    exchange: &Exchange,
) -> Result<(), String> {
    let answer = replay.ask(exchange);
    let seen = upstream.seen_by_clients();
    exchange.gateway.check(&answer, |line| replay.expand(line))?;
    let expected: Vec<_> = exchange.upstream.iter().map(|line| replay.expand(line)).collect();
    check_upstream(&expected, &seen)
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
            check_headers(&expected[1..], |name| owned(seen.all(name)))
                .map_err(|what| format!("upstream: {what}"))
        }
        (_, other) => Err(format!("the upstream saw {} requests", other.len())),
    }
}

/// Runs one file and returns what went wrong.
fn replay(script: &Script) -> Vec<String> {
    let upstream = influxdb();
    let users = users(&["ada", "bob", "gone"]) + "status = \"inactive\"\n";
    let gateway = Gateway::start_with(upstream.address, &script.config, &users);
    wait_until("the gateway knows the upstream's version", || {
        let answer = gateway.connect().send(&get("/api/v2/me", &[]));
        answer.header("x-influxdb-version").is_some()
    });
    let mut replay = Replay::new(&gateway);
    let failures = script.exchanges.iter().filter_map(|exchange| {
        let failure = run(&mut replay, &upstream, exchange).err();
        failure.map(|what| format!("{}: {}: {what}", script.file, exchange.title))
    });
    failures.collect()
}

#[test]
fn every_exchange_is_as_recorded() {
    let scripts = Script::all();
    let count: usize = scripts.iter().map(|script| script.exchanges.len()).sum();
    let failures: Vec<_> = scripts.iter().flat_map(replay).collect();
    assert!(failures.is_empty(), "{} of {count}:\n{}", failures.len(), failures.join("\n"));
    assert!(count >= 370, "only {count} exchanges");
}
