use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use crate::frames::{Connection, head};
use crate::secure::SecureGateway;
use crate::support::*;

#[test]
fn a_hundred_sign_ins_at_once_all_succeed() {
    let gateway = Gateway::start(Upstream::start().address);
    let answers: Vec<_> = thread::scope(|scope| {
        let sign_in = |n: usize| {
            let name = if n.is_multiple_of(2) { "ada" } else { "bob" };
            let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic(name, PASSWORD)]));
            assert_eq!(answer.status, 204);
            let line = cookie(&answer.cookie());
            let me = gateway.connect().send(&get("/api/v2/me", &[&line]));
            assert_eq!(me.json()["name"], name);
            line
        };
        let all: Vec<_> = (0..100).map(|n| scope.spawn(move || sign_in(n))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let different: std::collections::HashSet<_> = answers.iter().collect();
    assert_eq!(different.len(), 100);
}

/// A task in the background asks for the version, in a runtime of its own. On its connection, each piece of an answer would
/// have to wake two threads.
#[test]
fn what_is_forwarded_goes_by_no_connection_of_a_task_in_the_background() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(upstream.address);
    wait_until("the upstream's version is known", || {
        let answer = gateway.connect().send(&get("/api/v2/me", &[]));
        answer.header("x-influxdb-version") == Some("v2.9.1")
    });
    let mut client = gateway.connect();
    assert_eq!(upstream.connections(), 1);
    for _ in 0..3 {
        assert_eq!(client.send(&get("/health", &[])).status, 200);
        assert_eq!(upstream.connections(), 2);
    }
}

/// With a million sessions a third of the time is saved by it; the allocator is told so when the program is built.
#[test]
fn what_is_allocated_may_lie_in_huge_pages() {
    if !Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
        return;
    }
    let gateway = Gateway::start(closed_port());
    let maps = fs::read_to_string(format!("/proc/{}/smaps", gateway.pid())).unwrap();
    let mut flags = maps.lines().filter_map(|line| line.strip_prefix("VmFlags:"));
    assert!(flags.any(|flags| flags.split_whitespace().any(|flag| flag == "hg")), "{maps}");
}

const USERS: usize = 1000;

/// Of each kind: plain HTTP/1.1, HTTP/1.1 over TLS, and HTTP/2 twice.
const CONNECTIONS: usize = 50;

/// Rounds of [`STREAMS`] requests that each connection makes.
const ROUNDS: usize = 20;

/// Requests at once on a connection of HTTP/2, each of another user.
const STREAMS: usize = 5;

/// A user, the session cookie, and the header line with it.
struct Person {
    name: String,
    session: String,
    line: String,
}

/// Whom a connection asks for: each visits all users in its own order, and no two neighbours ask for
/// the same.
fn person(people: &[Person], connection: usize, step: usize) -> &Person {
    &people[(connection * 367 + step * 7) % people.len()]
}

/// Where the request of this step goes, and whether the answer to it has the right name in it, and
/// no other.
fn target(step: usize) -> &'static str {
    ["/api/v2/buckets", "/api/v2/me", "/api/v2/query"][step % 3]
}

fn check(person: &Person, step: usize, answer: &Answer) {
    let name = match target(step) {
        "/api/v2/me" => answer.json()["name"].as_str().unwrap_or_default().to_owned(),
        _ => answer.text(),
    };
    assert_eq!((answer.status, &name), (200, &person.name), "{}", target(step));
}

fn ask_one_by_one(people: &[Person], connection: usize, mut ask: impl FnMut(&str) -> Answer) {
    for step in 0..ROUNDS * STREAMS {
        let person = person(people, connection, step);
        check(person, step, &ask(&get(target(step), &[&person.line])));
    }
}

fn ask_at_once(people: &[Person], connection: usize, http2: &mut Connection) {
    for round in 0..ROUNDS {
        let steps = round * STREAMS..(round + 1) * STREAMS;
        let send = |step| {
            let cookie = [("cookie", &*person(people, connection, step).session)];
            http2.send(&[&head("GET", target(step))[..], &cookie].concat(), None)
        };
        let streams: Vec<_> = steps.clone().map(send).collect();
        for (step, answer) in steps.zip(http2.answers(&streams)) {
            check(person(people, connection, step), step, &answer);
        }
    }
}

/// 20,000 requests of a thousand users on two hundred connections, whose requests go upstream on
/// connections that they share.
#[test]
fn s_15_a_thousand_users_on_two_hundred_connections_never_see_another_name() {
    let upstream = Upstream::start();
    let names: Vec<_> = (0..USERS).map(|n| format!("user{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let config = "[signin]\nhash_memory_kib = 8\nhash_passes = 1\n";
    let secure = SecureGateway::start_for(upstream.address, "", config, &users(&names));
    let sign_in = |name: &&str| {
        let session = secure.gateway.sign_in(name);
        Person { name: (*name).to_owned(), line: cookie(&session), session }
    };
    let people: Vec<_> = names.iter().map(sign_in).collect();
    // Each has its connection before the first asks.
    let start = Barrier::new(4 * CONNECTIONS);
    thread::scope(|scope| {
        for n in 0..CONNECTIONS {
            let (secure, people, start) = (&secure, &people, &start);
            scope.spawn(move || {
                let mut client = secure.gateway.connect();
                start.wait();
                ask_one_by_one(people, 4 * n, |request| client.send(request));
            });
            scope.spawn(move || {
                let mut client = secure.connect();
                start.wait();
                ask_one_by_one(people, 4 * n + 1, |request| client.send(request));
            });
            for number in [4 * n + 2, 4 * n + 3] {
                scope.spawn(move || {
                    let mut client = Connection::open(secure, &[]);
                    start.wait();
                    ask_at_once(people, number, &mut client);
                });
            }
        }
    });
    let expected = 4 * CONNECTIONS * ROUNDS * STREAMS;
    assert_eq!(expected, 20_000);
    // All but those for `me`, every third of a connection's hundred.
    assert_eq!(upstream.seen_by_clients().len(), 4 * CONNECTIONS * (100 - 33));
}
