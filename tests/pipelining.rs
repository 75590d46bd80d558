use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufReader, Write};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::secure::{SecureGateway, SecureStream, connect};
use crate::support::*;

/// An upstream that answers each request with its own line once it is told to.
struct Slow {
    upstream: Upstream,
    told: Sender<()>,
}

impl Slow {
    fn start() -> Self {
        let (told, tells) = channel();
        let tells = Mutex::new(tells);
        let upstream = Upstream::behaving(move |seen, stream| {
            tells.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            answer(stream, "200 OK", seen.line())
        });
        Self { upstream, told }
    }

    /// What the upstream sees next, which waits for its answer.
    fn next(&self) -> Seen {
        self.upstream.next()
    }

    fn answer(&self) {
        self.told.send(()).unwrap();
    }
}

/// Leaves the gateway time to read what was sent. Nothing that is checked depends on whether it did.
fn pause(time: Duration) {
    let start = Instant::now();
    while let Some(left) = time.checked_sub(start.elapsed()) {
        thread::park_timeout(left);
    }
}

const TOKEN: &str = "Authorization: Token x";

#[test]
fn f_01_a_request_that_comes_in_two_pieces_while_the_one_before_is_answered() {
    let slow = Slow::start();
    let gateway = Gateway::start(slow.upstream.address);
    let first = get("/api/v2/query?first", &[TOKEN]);
    let second = with_body("DELETE", "/api/v2/buckets/1?second", &[TOKEN], "gone");
    let third = get("/api/v2/query?third", &[TOKEN]);
    for cut in (0..=second.len()).step_by(3).chain([1, 2, second.len() - 1]) {
        let mut client = gateway.connect();
        client.write(first.as_bytes());
        assert_eq!(slow.next().line(), "GET /api/v2/query?first HTTP/1.1");
        // Now Pingora watches whether the client is still there.
        client.write(&second.as_bytes()[..cut]);
        pause(Duration::from_millis(4));
        slow.answer();
        assert_eq!(client.read().text(), "GET /api/v2/query?first HTTP/1.1", "cut at {cut}");
        client.write(&second.as_bytes()[cut..]);
        client.write(third.as_bytes());
        let seen = slow.next();
        assert_eq!(seen.line(), "DELETE /api/v2/buckets/1?second HTTP/1.1", "cut at {cut}");
        assert_eq!(seen.body, b"gone", "cut at {cut}");
        slow.answer();
        assert_eq!(client.read().text(), seen.line(), "cut at {cut}");
        assert_eq!(slow.next().line(), "GET /api/v2/query?third HTTP/1.1", "cut at {cut}");
        slow.answer();
        assert_eq!(client.read().status, 200, "cut at {cut}");
    }
}

/// Over TLS what is read and what is there are two things: a record may hold more than was asked for.
#[test]
fn f_01_requests_that_come_over_tls_while_the_one_before_is_answered() {
    let slow = Slow::start();
    let secure = SecureGateway::start(slow.upstream.address);
    let body = "x".repeat(60_000);
    let second = with_body("POST", "/api/v2/write?second", &[TOKEN], &body);
    for cut in [0, 1, 5, 100, second.len() - body.len(), 20_000, 40_000, second.len()] {
        let roots = secure.authority.roots();
        let stream = connect(secure.https, roots, &[b"http/1.1"], rustls::ALL_VERSIONS).unwrap();
        let mut reader = BufReader::new(stream);
        let write = |reader: &mut BufReader<SecureStream>, bytes: &[u8]| {
            reader.get_mut().write_all(bytes).unwrap();
            reader.get_mut().flush().unwrap();
        };
        write(&mut reader, get("/api/v2/query?first", &[TOKEN]).as_bytes());
        assert_eq!(slow.next().line(), "GET /api/v2/query?first HTTP/1.1");
        write(&mut reader, &second.as_bytes()[..cut]);
        pause(Duration::from_millis(4));
        slow.answer();
        assert_eq!(Answer::read(&mut reader, "GET").status, 200, "cut at {cut}");
        write(&mut reader, &second.as_bytes()[cut..]);
        write(&mut reader, get("/api/v2/query?third", &[TOKEN]).as_bytes());
        let seen = slow.next();
        assert_eq!(seen.line(), "POST /api/v2/write?second HTTP/1.1", "cut at {cut}");
        assert!(seen.body == body.as_bytes(), "cut at {cut}");
        slow.answer();
        assert_eq!(Answer::read(&mut reader, "POST").status, 200, "cut at {cut}");
        assert_eq!(slow.next().line(), "GET /api/v2/query?third HTTP/1.1", "cut at {cut}");
        slow.answer();
        assert_eq!(Answer::read(&mut reader, "GET").status, 200, "cut at {cut}");
    }
}

#[test]
fn f_01_a_client_that_leaves_ends_its_request_though_another_came_after_it() {
    let (left, leaving) = channel();
    let (arrived, arrival) = channel();
    let upstream = Upstream::behaving(move |seen, stream| {
        if seen.line().contains("ask") {
            arrived.send(()).unwrap();
            // Until the gateway hangs up.
            let _ = std::io::Read::read(stream, &mut [0]);
            let _ = left.send(());
        }
        false
    });
    let gateway = Gateway::start(upstream.address);
    let whole = get("/api/v2/query?after", &[TOKEN]);
    let half = &whole[..whole.len() - 5];
    for after in ["", "\r\n", half, &whole] {
        let mut client = gateway.connect();
        client.write(get("/api/v2/query?ask", &[TOKEN]).as_bytes());
        arrival.recv_timeout(PATIENCE).unwrap();
        client.write(after.as_bytes());
        drop(client);
        leaving.recv_timeout(PATIENCE).unwrap();
    }
}

/// One request of a sequence.
#[derive(Clone, Debug)]
enum Kind {
    Get,
    Delete,
    Write {
        body: String,
    },
    Chunked {
        chunks: Vec<String>,
        trailer: bool,
    },
    /// Answered by the gateway itself: a sign-in that is refused, with a body or without.
    Local {
        body: String,
    },
    /// Asks for leave to send its body, and does not wait for it.
    Expecting {
        body: String,
    },
}

impl Kind {
    /// Its bytes, and its request line and body if it is forwarded.
    fn written(&self, own: &str) -> (String, Option<(String, String)>) {
        let (method, mut headers, body) = match self {
            Self::Get => ("GET", vec![], String::new()),
            Self::Delete => ("DELETE", vec![], String::new()),
            Self::Write { body } => ("POST", vec![], body.clone()),
            Self::Chunked { chunks, .. } => ("POST", vec![], chunks.concat()),
            Self::Local { body } => {
                return (with_body("POST", "/api/v2/signin", &[], body), None);
            }
            Self::Expecting { body } => ("POST", vec!["Expect: 100-continue"], body.clone()),
        };
        headers.push(TOKEN);
        let target = format!("/api/v2/write?own={own}");
        let text = match self {
            Self::Chunked { chunks, trailer } => {
                headers.push("Transfer-Encoding: chunked");
                let mut text = request(method, &target, &headers);
                for chunk in chunks {
                    write!(text, "{:x};a=b\r\n{chunk}\r\n", chunk.len()).unwrap();
                }
                text + if *trailer { "0\r\nDigest: x\r\n\r\n" } else { "0\r\n\r\n" }
            }
            Self::Get => request(method, &target, &headers),
            _ => with_body(method, &target, &headers, &body),
        };
        (text, Some((format!("{method} {target} HTTP/1.1"), body)))
    }
}

/// A body that looks like requests, so that one that is cut wrongly is seen.
fn body() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{0,40}",
        Just(get("/api/v2/query?own=smuggled", &[TOKEN])),
        Just("x".repeat(3_000)),
        Just("x".repeat(30_000)),
    ]
}

/// A body that the gateway reads away.
fn short_body() -> impl Strategy<Value = String> {
    body().prop_map(|mut body| {
        body.truncate(2000);
        body
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    let chunks = proptest::collection::vec("[a-z\r\n]{1,30}", 0..4);
    prop_oneof![
        Just(Kind::Get),
        Just(Kind::Delete),
        body().prop_map(|body| Kind::Write { body }),
        (chunks, any::<bool>()).prop_map(|(chunks, trailer)| Kind::Chunked { chunks, trailer }),
        short_body().prop_map(|body| Kind::Local { body }),
        body().prop_map(|body| Kind::Expecting { body }),
    ]
}

/// What one client sends: requests, where their bytes are cut, and how many milliseconds pass after
/// each piece.
type Conversation = (Vec<Kind>, Vec<(prop::sample::Index, u64)>);

fn conversation() -> impl Strategy<Value = Conversation> {
    let pauses = prop_oneof![3 => Just(0), 2 => 1_u64..5, 2 => 15_u64..40];
    let cuts = proptest::collection::vec((any::<prop::sample::Index>(), pauses), 0..8);
    (proptest::collection::vec(kind(), 2..6), cuts)
}

/// Sends it all and reads as many answers; returns what should have reached the upstream.
fn hold(gateway: &Gateway, number: usize, conversation: &Conversation) -> Vec<(String, String)> {
    let (kinds, cuts) = conversation;
    let written = |(index, kind): (usize, &Kind)| kind.written(&format!("{number}.{index}"));
    let written: Vec<_> = kinds.iter().enumerate().map(written).collect();
    let text: String = written.iter().map(|(text, _)| text.as_str()).collect();
    let mut cuts: Vec<_> = cuts.iter().map(|(at, pause)| (at.index(text.len()), *pause)).collect();
    cuts.sort_unstable();
    let mut client = gateway.connect();
    let mut sending = client.stream.try_clone().unwrap();
    let bytes = text.into_bytes();
    let sender = thread::spawn(move || {
        let mut sent = 0;
        for (cut, time) in cuts {
            sending.write_all(&bytes[sent..cut]).unwrap();
            sent = cut;
            pause(Duration::from_millis(time));
        }
        sending.write_all(&bytes[sent..]).unwrap();
    });
    for (_, forwarded) in &written {
        let mut answer = client.read();
        while answer.status == 100 {
            answer = client.read();
        }
        let (line, status) = forwarded.as_ref().map_or(("", 401), |(line, _)| (line.as_str(), 200));
        assert_eq!(answer.status, status, "{line}: {answer:?}");
        assert!(status == 401 || answer.text() == line, "{line}: {answer:?}");
    }
    sender.join().unwrap();
    written.into_iter().filter_map(|(_, forwarded)| forwarded).collect()
}

/// Whatever is sent, wherever it is cut and whenever it comes: as many requests reach the upstream as
/// were sent, in their order, unchanged.
#[test]
fn f_01_every_request_of_every_sequence_reaches_the_upstream() {
    const CLIENTS: usize = 8;
    let upstream = Upstream::behaving(|seen, stream| {
        pause(Duration::from_millis(if seen.body.len() % 2 == 0 { 20 } else { 3 }));
        answer(stream, "200 OK", seen.line())
    });
    let gateway = Arc::new(Gateway::start(upstream.address));
    let conversations = proptest::collection::vec(conversation(), CLIENTS);
    let config = ProptestConfig {
        cases: 25,
        max_shrink_iters: 20,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let outcome = TestRunner::new(config).run(&conversations, |conversations| {
        let clients = conversations.into_iter().enumerate().map(|(number, conversation)| {
            let gateway = Arc::clone(&gateway);
            thread::spawn(move || hold(&gateway, number, &conversation))
        });
        let clients: Vec<_> = clients.collect();
        let sent: Vec<_> = clients.into_iter().map(thread::JoinHandle::join).collect();
        let mut seen = BTreeMap::<String, Vec<_>>::new();
        for request in upstream.seen_by_clients() {
            let line = request.line().to_owned();
            let client = line.split(['=', '.']).nth(1).unwrap_or_default().to_owned();
            let body = String::from_utf8(request.body).unwrap();
            seen.entry(client).or_default().push((line, body));
        }
        for (number, sent) in sent.into_iter().enumerate() {
            let seen = seen.remove(&number.to_string()).unwrap_or_default();
            prop_assert!(sent.is_ok(), "an answer is missing; the upstream saw {seen:?}");
            prop_assert_eq!(seen, sent.unwrap());
        }
        prop_assert!(seen.is_empty(), "{seen:?}");
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
