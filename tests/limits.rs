use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::clock;
use crate::secure::SecureGateway;
use crate::support::*;

/// The client of its own token, whom the gateway forwards without asking.
const TOKEN: &str = "Authorization: Token x";

const MIB: u64 = 1 << 20;

/// How long a slow client pauses between two pieces.
const PACE: Duration = Duration::from_millis(50);

fn limited(upstream: SocketAddr, limits: &str) -> Gateway {
    Gateway::start_with(upstream, &format!("[limits]\n{limits}\n"), &users(&["ada"]))
}

fn wait_for(time: Duration) {
    let start = Instant::now();
    wait_until("time has passed", || start.elapsed() >= time);
}

/// Sends `pieces` one after the other with a pause after each, until somebody ends `stop`.
fn drip<'a>(
    mut stream: TcpStream,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    stop: &Receiver<()>,
) {
    for piece in pieces {
        let is_gone = stream.write_all(piece).is_err();
        if is_gone || stop.recv_timeout(PACE) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

/// Checks that the answer is a 408 and that it did not come before `limit` was over.
fn check_timed_out(answer: &Answer, start: Instant, limit: Duration) {
    let took = start.elapsed();
    assert_eq!((answer.status, &answer.json()["code"]), (408, &"invalid".into()), "{answer:?}");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(took >= limit, "{took:?}");
}

/// An upstream that hands each connection to `behaviour` when the head of a request has been read:
/// nothing of a body is kept.
fn upstream(behaviour: impl Fn(BufReader<TcpStream>) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, behaviour) = (listener.local_addr().unwrap(), Arc::new(behaviour));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let behaviour = Arc::clone(&behaviour);
            thread::spawn(move || serve(stream, &*behaviour));
        }
    });
    address
}

fn serve(stream: TcpStream, behaviour: &dyn Fn(BufReader<TcpStream>)) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).unwrap_or(0) == 0 {
                return;
            }
        }
        // The gateway's own question, nobody's request.
        if !head.starts_with("GET /ping ") {
            return behaviour(reader);
        }
        answer(reader.get_mut(), "204 No Content", "");
    }
}

/// Reads and drops what comes, up to `most` bytes; returns how many they were.
fn discard(from: &mut impl Read, most: u64) -> u64 {
    let mut buffer = vec![0; 256 * 1024];
    let mut count = 0;
    while count < most {
        let room = usize::try_from(most - count).unwrap().min(buffer.len());
        match from.read(&mut buffer[..room]) {
            Ok(read @ 1..) => count += read as u64,
            _ => break,
        }
    }
    count
}

/// Writes `most` zeros, or as many as are taken; says in `count` how many they are.
fn pour(to: &mut impl Write, most: u64, count: &AtomicU64) {
    let buffer = vec![0; 256 * 1024];
    while count.load(Ordering::Relaxed) < most {
        let left = usize::try_from(most - count.load(Ordering::Relaxed)).unwrap();
        match to.write(&buffer[..left.min(buffer.len())]) {
            Ok(written @ 1..) => count.fetch_add(written as u64, Ordering::Relaxed),
            _ => return,
        };
    }
}

/// A line of the process's own account of its memory, in bytes.
fn memory(gateway: &Gateway, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib = line.trim_start_matches(':').trim().split(' ').next().unwrap();
    kib.parse::<u64>().unwrap() * 1024
}

/// What the process has in memory.
fn resident(gateway: &Gateway) -> u64 {
    memory(gateway, "VmRSS")
}

/// How many files the process has open, connections among them.
fn open_files(gateway: &Gateway) -> u64 {
    let files = std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).unwrap();
    files.count() as u64
}

/// The most it ever had.
fn peak(gateway: &Gateway) -> u64 {
    memory(gateway, "VmHWM")
}

// Slow heads.

const HEAD: &str = "head = \"500ms\"";
const HEAD_TIME: Duration = Duration::from_millis(500);

/// A head that takes five seconds to drip.
fn long_head() -> String {
    get("/health", &[&format!("X: {}", "x".repeat(60))])
}

#[test]
fn a_head_that_drips_is_cut_on_the_first_request_and_on_the_second() {
    let gateway = limited(Upstream::start().address, HEAD);
    for requests_before in [0, 1] {
        let mut client = gateway.connect();
        for _ in 0..requests_before {
            assert_eq!(client.send(&get("/health", &[])).status, 200);
        }
        let (stream, (end, stop)) = (client.stream.try_clone().unwrap(), channel());
        let start = Instant::now();
        let dripping = thread::spawn(move || drip(stream, long_head().as_bytes().chunks(1), &stop));
        check_timed_out(&client.read(), start, HEAD_TIME);
        drop(end);
        dripping.join().unwrap();
        assert!(client.is_closed());
    }
}

#[test]
fn a_head_that_stalls_is_cut() {
    let gateway = limited(Upstream::start().address, HEAD);
    for start_of_head in
        ["G", "GET /health HTTP/1.1\r\nHost: h\r\n", "GET / HTTP/1.1\r\nHost: h\r\n\r"]
    {
        let mut client = gateway.connect();
        let start = Instant::now();
        client.write(start_of_head.as_bytes());
        check_timed_out(&client.read(), start, HEAD_TIME);
        assert!(client.is_closed());
    }
}

#[test]
fn a_head_that_is_whole_in_time_is_read() {
    let gateway = clock::start(Upstream::start().address, "", &users(&["ada"]));
    let mut client = gateway.connect();
    let head = get("/health", &[]);
    for _ in 0..2 {
        let (first, second) = head.as_bytes().split_at(20);
        client.write(first);
        // Of ten seconds.
        clock::pass(&gateway, 7);
        client.write(second);
        assert_eq!(client.read().status, 200);
    }
}

#[test]
fn an_idle_connection_is_not_late_with_its_head() {
    let gateway = limited(Upstream::start().address, HEAD);
    let (mut fresh, mut used) = (gateway.connect(), gateway.connect());
    assert_eq!(used.send(&get("/health", &[])).status, 200);
    wait_for(HEAD_TIME * 2);
    assert_eq!(fresh.send(&get("/health", &[])).status, 200);
    assert_eq!(used.send(&get("/health", &[])).status, 200);
}

#[test]
fn a_connection_that_stays_idle_is_closed() {
    let gateway = clock::start(Upstream::start().address, "", &users(&["ada"]));
    let mut client = gateway.connect();
    for _ in 0..3 {
        // Every request begins the 75 seconds anew.
        assert_eq!(client.send(&get("/health", &[])).status, 200);
        clock::pass(&gateway, 50);
    }
    assert_eq!(client.send(&get("/health", &[])).status, 200);
    clock::pass_until_closed(&gateway, 76, &client);
}

#[test]
fn a_head_that_has_begun_in_time_may_end_later() {
    let config = "[limits]\nhead = \"1h\"\n";
    let gateway = clock::start(Upstream::start().address, config, &users(&["ada"]));
    let mut client = gateway.connect();
    let head = get("/health", &[]);
    assert_eq!(client.send(&head).status, 200);
    let (first, second) = head.as_bytes().split_at(20);
    clock::pass(&gateway, 50);
    client.write(first);
    clock::pass(&gateway, 50);
    client.write(second);
    assert_eq!(client.read().status, 200);
}

// Slow bodies.

const BODY: &str = "body = \"300ms\"";
const BODY_TIME: Duration = Duration::from_millis(300);

#[test]
fn a_body_that_stalls_is_cut_and_never_looks_complete() {
    let (sender, seen) = channel();
    let sender = Mutex::new(sender);
    let address = upstream(move |mut reader| {
        let mut body = Vec::new();
        let _ = reader.read_to_end(&mut body);
        sender.lock().unwrap().send(body).unwrap();
    });
    let gateway = limited(address, BODY);
    for (framing, start_of_body) in
        [("Content-Length: 100", "m v=1\n"), ("Transfer-Encoding: chunked", "6\r\nm v=1\n\r\n")]
    {
        let mut client = gateway.connect();
        let start = Instant::now();
        let head = request("POST", "/api/v2/write", &[TOKEN, framing]);
        client.write((head + start_of_body).as_bytes());
        check_timed_out(&client.read(), start, BODY_TIME);
        assert!(client.is_closed());
        assert_eq!(seen.recv_timeout(PATIENCE).unwrap(), start_of_body.as_bytes());
    }
}

#[test]
fn a_body_that_keeps_coming_may_take_its_time() {
    let upstream = Upstream::start();
    // Nor is the upstream late when time passes while it is being connected to.
    let config = "[limits]\nupstream_connect = \"1h\"\n";
    let gateway = clock::start(upstream.address, config, &users(&["ada"]));
    let mut client = gateway.connect();
    let body = "x".repeat(50);
    let head = request("POST", "/api/v2/write", &[TOKEN, "Content-Length: 50"]);
    client.write(head.as_bytes());
    for piece in body.as_bytes().chunks(10) {
        client.write(piece);
        // Of the 60 seconds in which the next piece must come.
        clock::pass(&gateway, 25);
    }
    assert_eq!(client.read().status, 200);
    assert_eq!(upstream.next().body, body.as_bytes());
}

// Slow readers, and clients that leave.

/// An upstream with an endless answer; tells how much of it was taken, once nobody takes more.
fn endless() -> (SocketAddr, Receiver<u64>) {
    let (sender, poured) = channel();
    let sender = Mutex::new(sender);
    let address = upstream(move |mut reader| {
        let count = AtomicU64::new(0);
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n";
        reader.get_mut().write_all(head).unwrap();
        pour(reader.get_mut(), u64::MAX, &count);
        sender.lock().unwrap().send(count.into_inner()).unwrap();
    });
    (address, poured)
}

#[test]
fn a_client_that_does_not_read_is_left() {
    let (address, poured) = endless();
    let gateway = limited(address, BODY);
    let before = resident(&gateway);
    let mut client = gateway.connect();
    client.write(get("/api/v2/query", &[TOKEN]).as_bytes());
    let taken = poured.recv_timeout(PATIENCE).expect("the upstream is left too");
    // What the kernel's buffers hold on the way, for the most part.
    assert!(taken < 64 * MIB, "{taken}");
    let grown = peak(&gateway) - before;
    assert!(grown < 32 * MIB, "{grown}");
    assert_eq!(client.read_head().status, 200);
    assert!(discard(&mut client.stream, u64::MAX) < 64 * MIB, "the connection ends");
}

#[test]
fn a_client_that_leaves_ends_the_request_upstream() {
    let (address, poured) = endless();
    let gateway = limited(address, "");
    let mut client = gateway.connect();
    client.write(get("/api/v2/query", &[TOKEN]).as_bytes());
    assert_eq!(client.read_head().status, 200);
    drop(client);
    poured.recv_timeout(PATIENCE).expect("nobody takes what nobody reads");
}

#[test]
fn a_client_that_leaves_before_the_answer_ends_the_request_upstream() {
    let (arrived, arrival) = channel();
    let (left, leaving) = channel();
    let senders = Mutex::new((arrived, left));
    let address = upstream(move |mut reader| {
        senders.lock().unwrap().0.send(()).unwrap();
        let rest = discard(&mut reader, u64::MAX);
        senders.lock().unwrap().1.send(rest).unwrap();
    });
    let gateway = limited(address, "");
    let mut client = gateway.connect();
    client.write(get("/api/v2/query", &[TOKEN]).as_bytes());
    arrival.recv_timeout(PATIENCE).unwrap();
    drop(client);
    assert_eq!(leaving.recv_timeout(PATIENCE), Ok(0));
}

// Many connections, many requests.

/// Checks the refusal of a connection that is one too many.
fn check_no_room(mut client: Client) {
    let answer = client.read();
    assert_eq!((answer.status, &answer.json()["code"]), (503, &"unavailable".into()));
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(client.is_closed());
}

/// So many connections, each of which has had its answer.
fn open(gateway: &Gateway, count: usize) -> Vec<Client> {
    let mut clients: Vec<_> = (0..count).map(|_| gateway.connect()).collect();
    for client in &mut clients {
        assert_eq!(client.send(&get("/health", &[])).status, 200);
    }
    clients
}

/// Waits until a new connection is answered.
fn wait_for_room(gateway: &Gateway) {
    wait_until("there is room", || {
        let mut client = gateway.connect();
        client.write(get("/health", &[]).as_bytes());
        client.read().status == 200
    });
}

#[test]
fn there_is_room_for_so_many_connections() {
    let gateway = limited(Upstream::start().address, "connections = 5");
    let mut clients = open(&gateway, 5);
    check_no_room(gateway.connect());
    drop(clients.pop());
    wait_for_room(&gateway);
    assert_eq!(clients[0].send(&get("/health", &[])).status, 200);
}

/// A connection from another of this machine's addresses.
fn connect_from(address: [u8; 4], gateway: &Gateway) -> TcpStream {
    let kind = socket2::Type::STREAM;
    let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None).unwrap();
    socket.bind(&SocketAddr::new(IpAddr::from(address), 0).into()).unwrap();
    socket.connect(&gateway.address.into()).unwrap();
    socket.into()
}

#[test]
fn one_client_may_have_so_many_connections_and_another_too() {
    let gateway = limited(Upstream::start().address, "connections_per_client = 3");
    let clients = open(&gateway, 3);
    check_no_room(gateway.connect());
    let mut other = connect_from([127, 0, 0, 2], &gateway);
    other.write_all(get("/health", &["Connection: close"]).as_bytes()).unwrap();
    let mut answer = String::new();
    other.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(clients);
    wait_for_room(&gateway);
}

#[test]
fn a_refused_connection_hears_why_though_it_has_sent_a_request() {
    let gateway = limited(Upstream::start().address, "connections = 1");
    let _only = open(&gateway, 1);
    for _ in 0..100 {
        let mut client = gateway.connect();
        client.write(&vec![b'x'; 10_000]);
        assert_eq!(client.read().status, 503);
    }
}

#[test]
fn the_last_request_of_a_connection_is_told_so() {
    let gateway = limited(Upstream::start().address, "requests = 3");
    let mut client = gateway.connect();
    let health = get("/health", &[]);
    let ends = (0..3).map(|_| client.send(&health).header("connection") == Some("close"));
    assert_eq!(ends.collect::<Vec<_>>(), [false, false, true]);
    assert!(client.is_closed());
}

/// Raises the soft limit of this process too; returns what it is then.
fn raise_open_files() -> u64 {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    maximum.unwrap_or(u64::MAX)
}

#[test]
fn a_low_limit_of_open_files_is_raised() {
    raise_open_files();
    let url = format!("http://{}", Upstream::start().address);
    let folder = Gateway::prepare(&url, "", &users(&["ada"]));
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 256; exec \"$0\" \"$@\""]).arg(program().get_program());
    let gateway = Gateway::start_by(shell, folder);
    assert_eq!(open(&gateway, 400).len(), 400);
}

#[test]
fn ten_thousand_idle_connections_cost_little() {
    // Both ends have to have them, and the other tests some more.
    let count = raise_open_files().saturating_sub(2000).min(10_000);
    assert!(count >= 4000, "this machine lets a process open too few files: {count}");
    let gateway = limited(Upstream::start().address, "");
    let me = get("/api/v2/me", &[]);
    assert_eq!(gateway.connect().send(&me).status, 401);
    let before = resident(&gateway);
    let check = |connections: &str| {
        let each = (resident(&gateway) - before) / count;
        assert!(each < 8 * 1024, "{count} {connections} connections take {each} bytes each");
    };
    let mut idle: Vec<_> =
        (0..count).map(|_| TcpStream::connect(gateway.address).unwrap()).collect();
    wait_until("all are let in", || open_files(&gateway) > count);
    check("fresh");
    for stream in &mut idle {
        stream.write_all(me.as_bytes()).unwrap();
    }
    for stream in &mut idle {
        let mut answer = [0; 1024];
        let read = stream.read(&mut answer).unwrap();
        assert!(answer[..read].starts_with(b"HTTP/1.1 401 "));
    }
    check("used");
    assert_eq!(gateway.connect().send(&me).status, 401, "others are answered meanwhile");
    gateway.signal("TERM");
    for stream in &mut idle {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(discard(stream, u64::MAX), 0);
    }
    assert_eq!(gateway.wait().0, Some(0));
}

#[test]
fn an_idle_connection_over_tls_costs_little_more() {
    const COUNT: u64 = 1000;
    raise_open_files();
    let secure = SecureGateway::start(closed_port());
    let use_once = || {
        let mut client = secure.connect();
        assert_eq!(client.send(&get("/api/v2/me", &[])).status, 401);
        client
    };
    drop(use_once());
    let before = resident(&secure.gateway);
    let idle: Vec<_> = (0..COUNT).map(|_| use_once()).collect();
    let each = (resident(&secure.gateway) - before) / COUNT;
    assert!(each < 22 * 1024, "{} idle connections take {each} bytes each", idle.len());
}

// Large heads and bodies.

#[test]
fn a_head_may_have_so_many_bytes() {
    let gateway = limited(Upstream::start().address, "head_bytes = 1000");
    let bare = get("/health", &["X: "]).len();
    let head = |length: usize| get("/health", &[&format!("X: {}", "x".repeat(length - bare))]);
    assert_eq!(gateway.connect().send(&head(1000)).status, 200);
    for length in [1001, 2000] {
        let answer = gateway.connect().send(&head(length));
        assert_eq!((answer.status, &answer.json()["code"]), (431, &"request too large".into()));
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[test]
fn a_head_may_have_so_many_fields() {
    let gateway = limited(Upstream::start().address, "head_fields = 10");
    // One of them is Host.
    let head = |count: usize| get("/health", &vec!["X: y"; count - 1]);
    assert_eq!(gateway.connect().send(&head(10)).status, 200);
    let answer = gateway.connect().send(&head(11));
    assert_eq!((answer.status, &answer.json()["code"]), (431, &"request too large".into()));
}

#[test]
fn a_target_may_have_so_many_bytes() {
    let gateway = limited(Upstream::start().address, "target_bytes = 100");
    let head = |length: usize| get(&format!("/health?{}", "x".repeat(length - 8)), &[]);
    assert_eq!(gateway.connect().send(&head(100)).status, 200);
    let answer = gateway.connect().send(&head(101));
    assert_eq!((answer.status, &answer.json()["code"]), (414, &"request too large".into()));
}

#[test]
fn a_body_may_have_so_many_bytes() {
    let upstream = Upstream::start();
    let gateway = limited(upstream.address, "body_bytes = 50");
    let declared =
        |length: usize| with_body("POST", "/api/v2/write", &[TOKEN], &"x".repeat(length));
    let chunked = |length: usize| {
        let head = request("POST", "/api/v2/write", &[TOKEN, "Transfer-Encoding: chunked"]);
        let (first, second) = (length / 2, length - length / 2);
        let chunk = |size: usize| format!("{size:x}\r\n{}\r\n", "x".repeat(size));
        head + &chunk(first) + &chunk(second) + "0\r\n\r\n"
    };
    for request in [declared(50), chunked(50)] {
        assert_eq!(gateway.connect().send(&request).status, 200);
        assert_eq!(upstream.next().body.len(), 50);
    }
    for request in [declared(51), chunked(51)] {
        let answer = gateway.connect().send(&request);
        assert_eq!((answer.status, &answer.json()["code"]), (413, &"request too large".into()));
    }
    assert_eq!(gateway.connect().send(&get("/health", &[])).status, 200);
    assert!(upstream.next().line().starts_with("GET /health "));
    assert!(upstream.saw_nothing());
}

/// How much goes each way in one request.
const VOLUME: u64 = 1024 * MIB;

#[test]
fn a_large_upload_passes_through_and_is_not_kept() {
    let address = upstream(|mut reader| {
        let count = discard(&mut reader, VOLUME);
        answer(reader.get_mut(), "200 OK", &count.to_string());
    });
    let gateway = limited(address, "");
    let before = resident(&gateway);
    let mut client = gateway.connect();
    let length = format!("Content-Length: {VOLUME}");
    client.write(request("POST", "/api/v2/write", &[TOKEN, &length]).as_bytes());
    pour(&mut client.stream, VOLUME, &AtomicU64::new(0));
    assert_eq!(client.read().text(), VOLUME.to_string());
    let grown = peak(&gateway) - before;
    assert!(grown < 32 * MIB, "{grown} bytes of {VOLUME}");
}

#[test]
fn a_large_answer_passes_through_as_fast_as_it_is_read() {
    let poured = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&poured);
    let address = upstream(move |mut reader| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {VOLUME}\r\n\r\n");
        reader.get_mut().write_all(head.as_bytes()).unwrap();
        pour(reader.get_mut(), VOLUME, &count);
    });
    let gateway = limited(address, "");
    let before = resident(&gateway);
    let mut client = gateway.connect();
    client.write(get("/api/v2/query", &[TOKEN, "Connection: close"]).as_bytes());
    assert_eq!(client.read_head().status, 200);
    wait_for(Duration::from_millis(500));
    let ahead = poured.load(Ordering::Relaxed);
    assert!(ahead < 64 * MIB, "{ahead} bytes were taken of the upstream, and none by the client");
    // What came along with the head is in the client's buffer.
    let read = discard(&mut client.stream, u64::MAX);
    assert!(VOLUME - read < MIB, "{read}");
    let grown = peak(&gateway) - before;
    assert!(grown < 32 * MIB, "{grown} bytes of {VOLUME}");
}

// Upstreams that do not wait, or say too much.

#[test]
fn an_answer_before_the_end_of_the_upload_arrives() {
    for hangs_up in [false, true] {
        let address = upstream(move |mut reader| {
            answer(reader.get_mut(), "413 Payload Too Large", "enough");
            if !hangs_up {
                discard(&mut reader, u64::MAX);
            }
        });
        let gateway = limited(address, "");
        let mut client = gateway.connect();
        let length = format!("Content-Length: {}", 1024 * MIB);
        client.write(request("POST", "/api/v2/write", &[TOKEN, &length]).as_bytes());
        let (mut stream, (end, stop)) = (client.stream.try_clone().unwrap(), channel::<()>());
        let uploading = thread::spawn(move || {
            let piece = [b'x'; 1024];
            let goes_on = || stop.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty);
            while goes_on() && stream.write_all(&piece).is_ok() {}
        });
        let answer = client.read();
        assert_eq!((answer.status, answer.text()), (413, "enough".to_owned()), "{hangs_up}");
        drop(end);
        drop(client);
        uploading.join().unwrap();
    }
}

/// Asks such an upstream again and again, each time on behalf of somebody else, and checks that
/// nobody reads what was meant for another, or for nobody: a number in brackets. Returns the
/// answers, each as all that came until the connection ended.
fn answers_of(behaviour: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Vec<String> {
    let upstream = Upstream::behaving(move |seen, stream| {
        let own = seen.line().split(['?', ' ']).nth(2).unwrap();
        behaviour(own, stream);
        true
    });
    let config = "[limits]\nupstream_read = \"2s\"\n[server]\nupstream_keepalive_pool_size = 1\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let ask = |number: u16| {
        let mut client = gateway.connect();
        let own = format!("({number})");
        let headers = [TOKEN, "Connection: close"];
        client.write(get(&format!("/api/v2/query?{own}"), &headers).as_bytes());
        let mut answer = Vec::new();
        client.stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8(answer).unwrap().to_lowercase();
        let is_own = |rest: &str| rest.starts_with(&own[1..]);
        assert!(answer.split('(').skip(1).all(is_own), "meant for another than {own}: {answer}");
        let has_two_lengths =
            answer.contains("content-length") && answer.contains("transfer-encoding");
        assert!(!has_two_lengths, "{answer}");
        answer
    };
    (0..30).map(ask).collect()
}

fn check_all(answers: &[String], start: &str, end: &str) {
    let odd = answers.iter().find(|text| !text.starts_with(start) || !text.ends_with(end));
    assert_eq!(odd, None);
}

const EXCESS: &str = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n(nobody)";

/// Writes what may be too much: the gateway may have hung up already.
fn write(stream: &mut TcpStream, text: &str) {
    let _ = stream.write_all(text.as_bytes());
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n";

#[test]
fn a_second_answer_reaches_nobody() {
    let at_once = answers_of(|own, stream| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", own.len());
        write(stream, &(head + own + EXCESS));
    });
    check_all(&at_once, "http/1.1 200 ok\r\n", ")");
    let after_chunks = answers_of(|own, stream| {
        write(stream, &format!("{CHUNKED}\r\n{}0\r\n\r\n{EXCESS}", chunk(own)));
    });
    check_all(&after_chunks, "http/1.1 200 ok\r\n", ")\r\n0\r\n\r\n");
    let after_no_body = answers_of(|_, stream| {
        write(stream, &format!("HTTP/1.1 204 No Content\r\n\r\n{EXCESS}"));
    });
    check_all(&after_no_body, "http/1.1 204 no content\r\n", "\r\n\r\n");
}

#[test]
fn an_answer_of_two_lengths_is_read_in_one_way_only() {
    for length in [3, 500] {
        let chunks_win = answers_of(move |own, stream| {
            let head = format!("{CHUNKED}Content-Length: {length}\r\n\r\n");
            write(stream, &format!("{head}{}0\r\n\r\n{EXCESS}", chunk(own)));
        });
        check_all(&chunks_win, "http/1.1 200 ok\r\n", ")\r\n0\r\n\r\n");
    }
    let nobody_wins = answers_of(|own, stream| {
        let lengths = format!("Content-Length: {}\r\nContent-Length: 100\r\n\r\n", own.len());
        write(stream, &format!("HTTP/1.1 200 OK\r\n{lengths}{own}{EXCESS}"));
    });
    check_all(&nobody_wins, "http/1.1 502 bad gateway\r\n", "}");
}

#[test]
fn an_answer_with_a_broken_chunk_never_looks_complete() {
    let broken = answers_of(|own, stream| {
        write(stream, &format!("{CHUNKED}\r\n{}zz\r\n{EXCESS}", chunk(own)));
    });
    for answer in broken {
        assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    }
}

#[test]
fn a_storm_of_interim_answers_is_no_answer() {
    let storm = answers_of(|own, stream| {
        write(stream, &"HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n".repeat(1000));
        answer(stream, "200 OK", own);
    });
    for answer in storm {
        assert!(answer.contains("http/1.1 502 bad gateway\r\n"), "{answer}");
        assert_eq!(answer.matches("http/1.1 103 early hints\r\n").count(), 16, "{answer}");
    }
}

#[test]
fn an_answer_that_nobody_has_asked_for_is_dropped_with_its_connection() {
    let ((asked, asking), (written, wrote)) = (channel::<()>(), channel());
    let shared = Mutex::new((asking, written));
    let upstream = Upstream::behaving(move |_, stream| {
        answer(stream, "200 OK", "own");
        let shared = shared.lock().unwrap();
        let _ = shared.0.recv_timeout(PATIENCE);
        write(stream, EXCESS);
        let _ = shared.1.send(());
        true
    });
    let gateway = limited(upstream.address, "");
    let query = get("/api/v2/query", &[TOKEN]);
    for _ in 0..200 {
        assert_eq!(gateway.connect().send(&query).text(), "own");
        // The connection waits for the next request when this comes.
        asked.send(()).unwrap();
        wrote.recv_timeout(PATIENCE).unwrap();
    }
}

#[test]
fn a_body_that_the_gateway_itself_reads_is_bounded() {
    let gateway = limited(closed_port(), "local_body_bytes = 20");
    let sign_in = |length: usize| {
        let body = "x".repeat(length);
        let request = with_body("POST", "/api/v2/signin", &[&basic("ada", PASSWORD)], &body);
        gateway.connect().send(&request).status
    };
    assert_eq!((sign_in(20), sign_in(21)), (204, 413));
}
