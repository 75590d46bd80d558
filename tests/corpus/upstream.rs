//! The upstream of the corpus: it answers everything with 200, and remembers every byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use super::http::{Head, body_length};

/// Marks the requests of the runner that are no part of a case.
pub(super) const END: &str = "corpus-end=";

/// A complete request as the upstream saw it.
pub(super) struct Request {
    pub(super) head: Head,
    /// As Latin-1.
    pub(super) body: String,
}

/// What reached the upstream since the case began.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) requests: Vec<Request>,
    /// All bytes of it, those of requests that were begun only too. As Latin-1.
    pub(super) received: String,
    /// What is no request.
    pub(super) garbage: Vec<String>,
    /// What was begun on connections that are open still.
    pub(super) unfinished: Vec<String>,
}

/// It serves for as long as the process lives.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

impl Upstream {
    pub(super) fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::default();
        let mut server = Server { listener, connections: Vec::new(), seen: Arc::clone(&seen) };
        thread::spawn(move || {
            loop {
                server.turn();
                thread::park_timeout(Duration::from_micros(100));
            }
        });
        Self { address, seen }
    }

    pub(super) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    /// Begins a new case.
    pub(super) fn forget(&self) {
        *self.seen() = Seen::default();
    }
}

/// All connections in one thread: before anything is answered, all that came before it is read. So
/// what came is known once the request that follows it is answered.
struct Server {
    listener: TcpListener,
    connections: Vec<Connection>,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    fn turn(&mut self) {
        self.read_all();
        if self.connections.iter().any(|connection| !connection.data.is_empty()) {
            self.read_all();
        }
        let mut seen = self.seen.lock().unwrap();
        for connection in &mut self.connections {
            connection.answer_all(&mut seen);
            if !connection.is_open {
                // What was begun and never completed.
                seen.received += &latin_1(&connection.data);
            }
        }
        self.connections.retain(|connection| connection.is_open);
        let begun = self.connections.iter().filter(|connection| !connection.data.is_empty());
        seen.unfinished = begun.map(|connection| latin_1(&connection.data)).collect();
    }

    fn read_all(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true).unwrap();
            stream.set_nodelay(true).unwrap();
            self.connections.push(Connection {
                stream,
                data: Vec::new(),
                is_open: true,
                continued: false,
            });
        }
        self.connections.iter_mut().for_each(Connection::read);
    }
}

struct Connection {
    stream: TcpStream,
    data: Vec<u8>,
    is_open: bool,
    /// Whether the request that has begun was told to go on.
    continued: bool,
}

impl Connection {
    fn read(&mut self) {
        let mut piece = [0; 8192];
        while self.is_open {
            match self.stream.read(&mut piece) {
                Ok(0) => self.is_open = false,
                Ok(count) => self.data.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => self.is_open = false,
            }
        }
    }

    fn answer_all(&mut self, seen: &mut Seen) {
        loop {
            match self.next_request() {
                Ok(Some((request, bytes))) => self.answer(request, &bytes, seen),
                Ok(None) => return,
                Err(()) => {
                    seen.garbage.push(latin_1(&self.data));
                    self.is_open = false;
                    return;
                }
            }
        }
    }

    /// The next complete request with its bytes; an error for what is none.
    fn next_request(&mut self) -> Result<Option<(Request, Vec<u8>)>, ()> {
        let Some(end) = self.data.windows(4).position(|end| end == b"\r\n\r\n") else {
            return Ok(None);
        };
        let (start, rest) = self.data.split_at(end + 4);
        let head = Head::of(&latin_1(&start[..end]));
        if !head.is_of_request() {
            return Err(());
        }
        let Some((length, body)) = body_length(&head, rest)? else {
            if !head.all("expect").is_empty() && !self.continued {
                self.continued = true;
                self.send("HTTP/1.1 100 Continue\r\n\r\n");
            }
            return Ok(None);
        };
        let request = Request { head, body: latin_1(&body) };
        let rest = self.data.split_off(end + 4 + length);
        self.continued = false;
        Ok(Some((request, std::mem::replace(&mut self.data, rest))))
    }

    fn answer(&mut self, request: Request, bytes: &[u8], seen: &mut Seen) {
        let target = request.head.first.split(' ').nth(1).unwrap_or_default();
        let agent = request.head.all("user-agent");
        let is_own = agent.first().is_some_and(|agent| agent.starts_with("influx-gateway/"));
        let end = target.split_once(END).map(|(_, number)| number.to_owned());
        let closes = request.head.first.ends_with("1.0")
            || request.head.all("connection").contains(&"close");
        let body = if request.head.first.starts_with("HEAD ") { "" } else { "ok\n" };
        let mut answer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n".to_owned();
        if let Some(number) = &end {
            answer += &["X-Corpus-End: ", number, "\r\n"].concat();
        }
        if closes {
            answer += "Connection: close\r\n";
        }
        if end.is_none() && !(is_own && target == "/ping") {
            seen.received += &latin_1(bytes);
            seen.requests.push(request);
        }
        self.send(&(answer + "\r\n" + body));
        self.is_open &= !closes;
    }

    fn send(&mut self, text: &str) {
        self.is_open &= self.stream.write_all(text.as_bytes()).is_ok();
    }
}

/// Bytes as text, a character for each.
pub(super) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}
