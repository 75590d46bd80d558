//! The parts every test is made of: the real program, an upstream that remembers what it saw, and
//! a client that speaks bytes.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The password of every user in [`users`].
pub(crate) const PASSWORD: &str = "correct horse";

/// Its hash, by the cheapest parameters that Argon2id has.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$zb0kk9ZzhRpF74EDMreAwA$Bmkr88hNGBKV1GCvz0rQt2LFIpic3FWJ5/dSnnk4IlU";

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Users of these names, all with [`PASSWORD`], ids counted from 1.
pub(crate) fn users(names: &[&str]) -> String {
    let mut text = String::new();
    for (index, name) in names.iter().enumerate() {
        let id = index + 1;
        writeln!(text, "[[user]]\nname = \"{name}\"\nid = \"{id:016x}\"\npassword = \"{HASH}\"")
            .unwrap();
    }
    text
}

/// The program under test.
///
/// `GATEWAY_PROGRAM` names another, such as one that is broken on purpose.
pub(crate) fn program() -> Command {
    let built = || env!("CARGO_BIN_EXE_influx-gateway").into();
    let mut command = Command::new(std::env::var_os("GATEWAY_PROGRAM").unwrap_or_else(built));
    command.env_remove("RUST_LOG");
    command
}

/// Runs `command` with `input` as its standard input.
pub(crate) fn output_of(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that wants no input may have ended by now.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// A folder of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A running gateway; killed when dropped.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    /// Its configuration and users file are in it.
    folder: tempfile::TempDir,
    child: Child,
    /// The listeners that it has announced after the first.
    announced: Mutex<BufReader<ChildStdout>>,
    log: Arc<Mutex<String>>,
    log_reader: Option<thread::JoinHandle<()>>,
    /// The session tokens that were handed out, none of which may be in the log.
    issued: Mutex<Vec<String>>,
}

impl Gateway {
    /// With the users `ada` and `bob`, and every default, in front of `upstream`.
    pub(crate) fn start(upstream: SocketAddr) -> Self {
        Self::start_with(upstream, "", &users(&["ada", "bob"]))
    }

    /// With this configuration besides the addresses, and these users. `config` may hold whole
    /// sections, `[upstream]` and `[listen]` excepted.
    pub(crate) fn start_with(upstream: SocketAddr, config: &str, users: &str) -> Self {
        Self::start_at(&format!("http://{upstream}"), config, users)
    }

    /// The same, with the URL of an upstream.
    pub(crate) fn start_at(url: &str, config: &str, users: &str) -> Self {
        Self::start_in(Self::prepare(url, config, users))
    }

    /// A folder with such a `gateway.toml` and `users.toml`. `config` may begin with keys of
    /// `[upstream]`, for which more files may be added. New hashes are as cheap as those in [`users`],
    /// and the audit trail is in `audit.jsonl`.
    pub(crate) fn prepare(url: &str, config: &str, users: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut text =
            format!("[listen]\nhttp = [\"127.0.0.1:0\"]\n[upstream]\nurl = \"{url}\"\n{config}\n");
        let cheap = "hash_memory_kib = 8\nhash_passes = 1";
        for (section, keys) in [("[signin]", cheap), ("[audit]", "file = \"audit.jsonl\"")] {
            if !text.contains(section) {
                writeln!(text, "{section}").unwrap();
            }
            text = text.replace(section, &format!("{section}\n{keys}"));
        }
        // A stop waits for nobody, unless that is what is tested.
        if !text.contains("drain_delay") {
            if !text.contains("[server]") {
                text += "[server]\n";
            }
            text = text.replace("[server]", "[server]\ndrain_delay = \"0s\"");
        }
        std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
        std::fs::write(folder.path().join("users.toml"), users).unwrap();
        folder
    }

    /// With the `gateway.toml` in `folder`.
    pub(crate) fn start_in(folder: tempfile::TempDir) -> Self {
        Self::start_by(program(), folder)
    }

    /// The same, by a command that becomes the program when it is given its arguments.
    pub(crate) fn start_by(mut command: Command, folder: tempfile::TempDir) -> Self {
        let mut child = command
            .args(["run", "--config"])
            .arg(folder.path().join("gateway.toml"))
            .env("RUST_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, sink) = (child.stderr.take().unwrap(), Arc::clone(&log));
        let log_reader = thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                sink.lock().unwrap().push_str(&(line + "\n"));
            }
        });
        let mut announced = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        announced.read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            let _ = child.wait();
            log_reader.join().unwrap();
            panic!("no listener: {line:?}\n{}", log.lock().unwrap());
        };
        let address = address.parse().unwrap();
        Self {
            address,
            folder,
            child,
            announced: Mutex::new(announced),
            log,
            log_reader: Some(log_reader),
            issued: Mutex::default(),
        }
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// The address of the next listener that was announced, which speaks HTTPS.
    pub(crate) fn next_https(&self) -> SocketAddr {
        let mut line = String::new();
        self.announced.lock().unwrap().read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on https://");
        address.unwrap_or_else(|| panic!("no HTTPS: {line:?}")).parse().unwrap()
    }

    /// Where the listener for operators is that was announced: its address, or its path.
    pub(crate) fn next_admin(&self) -> String {
        let mut line = String::new();
        self.announced.lock().unwrap().read_line(&mut line).unwrap();
        let place = line.trim().strip_prefix("listening on ");
        let place = place.and_then(|place| place.strip_suffix(" (admin)"));
        let place = place.unwrap_or_else(|| panic!("no listener for operators: {line:?}"));
        place.trim_start_matches("http://").trim_start_matches("unix:").to_owned()
    }

    /// Where its configuration is, and what else it reads.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The audit trail so far, its last line complete or not.
    pub(crate) fn audit(&self) -> String {
        std::fs::read_to_string(self.folder().join("audit.jsonl")).unwrap_or_default()
    }

    /// The audit trail as JSON, once it has `count` lines.
    pub(crate) fn audited(&self, count: usize) -> Vec<serde_json::Value> {
        wait_until("the audit trail is written", || self.audit().matches('\n').count() >= count);
        let audit = self.audit();
        let lines: Vec<_> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), count, "{audit}");
        lines
    }

    /// Does `work` while nobody reads the log.
    pub(crate) fn unread<T>(&self, work: impl FnOnce() -> T) -> T {
        // Whoever reads needs it to put what was read somewhere.
        let _log = self.log.lock().unwrap();
        work()
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Whether the log says `text`.
    pub(crate) fn has_logged(&self, text: &str) -> bool {
        self.log.lock().unwrap().contains(text)
    }

    /// Signs `name` in on a connection of its own and returns the cookie, `name=value`.
    pub(crate) fn sign_in(&self, name: &str) -> String {
        let answer = self.connect().send(&post("/api/v2/signin", &[&basic(name, PASSWORD)]));
        assert_eq!(answer.status, 204, "{answer:?}");
        let cookie = answer.cookie();
        let token = cookie.split_once('=').unwrap().1.to_owned();
        self.issued.lock().unwrap().push(token);
        cookie
    }

    /// The process id, to send signals to.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal`, for example `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
    }

    /// Waits until the process has ended by itself, and returns its exit code and its whole log.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "the process goes on");
            thread::park_timeout(Duration::from_millis(1));
        };
        self.log_reader.take().unwrap().join().unwrap();
        let log = self.log.lock().unwrap().clone();
        (status.code(), log)
    }

    /// Waits until the process has ended by itself, and returns its folder.
    pub(crate) fn wait_and_keep(mut self) -> tempfile::TempDir {
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        self.wait();
        folder
    }

    /// Every gateway of every test logs all there is to log, and has an audit trail; none of it is
    /// a secret.
    fn assert_no_secret_in_log(&self) {
        let log = self.log.lock().unwrap().clone() + &self.audit();
        let issued = self.issued.lock().unwrap();
        let fixed = [PASSWORD, "battery staple", "wrong horse", "$argon2id"];
        let basic = ["ada", "bob", "gone"].map(|name| basic(name, PASSWORD));
        let basic = basic.iter().map(|line| line.rsplit(' ').next().unwrap());
        let secrets = issued.iter().map(String::as_str).chain(fixed).chain(basic);
        for secret in secrets.filter(|_| !thread::panicking()) {
            // At first without a look at lines, of which there may be many.
            if log.contains(secret) {
                let line = log.lines().find(|line| line.contains(secret));
                panic!("{secret} is in the log: {line:?}");
            }
        }
    }

    /// Ends the process by `signal`, waits for its end and starts another with the same files.
    pub(crate) fn restart(mut self, signal: &str) -> Self {
        self.signal(signal);
        self.child.wait().unwrap();
        self.log_reader.take().unwrap().join().unwrap();
        self.assert_no_secret_in_log();
        Self::start_in(std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap()))
    }

    /// Stops the process and returns its whole log.
    pub(crate) fn stop(self) -> String {
        self.signal("TERM");
        self.wait().1
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.log_reader.take() {
            let _ = reader.join();
        }
        self.assert_no_secret_in_log();
        if thread::panicking() {
            let log = self.log.lock().unwrap();
            let last: Vec<_> = log.lines().rev().take(40).collect();
            eprintln!("--- the end of the gateway's log, last line first\n{}", last.join("\n"));
        }
    }
}

/// Waits for `condition`.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    assert!(holds_soon(condition), "waited in vain until {what}");
}

/// Waits for `condition`, and says whether it holds in the end.
pub(crate) fn holds_soon(condition: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() >= PATIENCE {
            return false;
        }
        // Looks again soon, and leaves the processor to those who are waited for.
        thread::park_timeout(Duration::from_millis(1));
    }
    true
}

/// One connection to a gateway.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Self { stream, reader }
    }

    /// Sends `request` and reads one answer.
    pub(crate) fn send(&mut self, request: &str) -> Answer {
        self.write(request.as_bytes());
        self.read_for(request.split(' ').next().unwrap_or_default())
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The same, as far as the other side takes it.
    pub(crate) fn write_some(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Reads the next answer to a request of this method that is final. An error is the end of the
    /// connection, what is no answer, or silence.
    pub(crate) fn next_final(&mut self, method: &str) -> io::Result<Answer> {
        loop {
            let answer = Answer::try_read(&mut self.reader, method)?;
            if answer.status >= 200 || answer.status == 101 {
                return Ok(answer);
            }
        }
    }

    /// Reads one answer to a request that was no `HEAD`.
    pub(crate) fn read(&mut self) -> Answer {
        self.read_for("GET")
    }

    /// Reads the head of an answer only.
    pub(crate) fn read_head(&mut self) -> Answer {
        Answer::try_read_head(&mut self.reader).unwrap()
    }

    /// Reads the next `length` bytes of a body.
    pub(crate) fn read_bytes(&mut self, length: usize) -> Vec<u8> {
        bytes_of(&mut self.reader, length).unwrap()
    }

    /// Reads a line, as of a chunk's size.
    pub(crate) fn read_line(&mut self) -> String {
        line_of(&mut self.reader).unwrap()
    }

    /// Reads whatever comes up to the end of the connection.
    pub(crate) fn read_rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).unwrap();
        rest
    }

    /// Whether the other side has closed the connection, which must happen.
    pub(crate) fn is_closed(&mut self) -> bool {
        match self.reader.read(&mut [0; 1]) {
            Ok(count) => count == 0,
            Err(error) => !is_timeout(&error),
        }
    }

    fn read_for(&mut self, method: &str) -> Answer {
        Answer::read(&mut self.reader, method)
    }
}

/// Whether nothing came for as long as was waited.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn line_of(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

fn bytes_of(reader: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Reads an answer to a request of this method.
    pub(crate) fn read(reader: &mut impl BufRead, method: &str) -> Self {
        Self::try_read(reader, method).unwrap()
    }

    /// The same; an error if the connection ends before, or what comes is no answer.
    pub(crate) fn try_read(reader: &mut impl BufRead, method: &str) -> io::Result<Self> {
        let mut answer = Self::try_read_head(reader)?;
        let has_body =
            method != "HEAD" && ![204, 304].contains(&answer.status) && answer.status >= 200;
        if !has_body {
            return Ok(answer);
        }
        if let Some(length) = answer.header("content-length") {
            answer.body = bytes_of(reader, length.parse().map_err(io::Error::other)?)?;
        } else if answer.header("transfer-encoding").is_some() {
            loop {
                let size =
                    usize::from_str_radix(&line_of(reader)?, 16).map_err(io::Error::other)?;
                answer.body.extend(bytes_of(reader, size)?);
                line_of(reader)?;
                if size == 0 {
                    break;
                }
            }
        } else {
            reader.read_to_end(&mut answer.body)?;
        }
        Ok(answer)
    }

    fn try_read_head(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Err(io::Error::other(format!(
                    "the connection ended in the head: {head:?}"
                )));
            }
        }
        Self::of_head(&head)
            .ok_or_else(|| io::Error::other(format!("no head of an answer: {head:?}")))
    }

    fn of_head(head: &str) -> Option<Self> {
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        let headers = lines.filter(|line| !line.is_empty()).map(header).collect::<Option<_>>()?;
        Some(Self { status, headers, body: Vec::new() })
    }

    /// The values of the header `name`, in lower case.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = |(other, _): &&(String, String)| other == name;
        self.headers.iter().filter(named).map(|(_, value)| value.as_str()).collect()
    }

    /// The value of the header `name`, in lower case; it must not come twice.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} came {} times", all.len());
        all.first().copied()
    }

    /// What two answers to the same question have in common: all but the request's own number, the time, and what kind of
    /// InfluxDB there is, which the gateway may learn between the two.
    pub(crate) fn without_its_own(&self) -> (u16, Vec<(String, String)>, String) {
        let mut headers = self.headers.clone();
        headers.retain(|(name, _)| {
            name != "x-request-id" && name != "date" && !name.starts_with("x-influxdb-")
        });
        (self.status, headers, self.text())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// `name=value` of the one cookie that was set.
    pub(crate) fn cookie(&self) -> String {
        let all = self.all("set-cookie");
        // With a provider, a hint comes behind it.
        let is_hint = |other: &&str| other.starts_with("influx-gateway-signed-in=");
        assert!(all[1..].iter().all(is_hint), "{all:?}");
        all[0].split(';').next().unwrap().to_owned()
    }
}

/// `GET target` with these header lines.
pub(crate) fn get(target: &str, headers: &[&str]) -> String {
    request("GET", target, headers)
}

/// `POST target` with these header lines and no body.
pub(crate) fn post(target: &str, headers: &[&str]) -> String {
    request("POST", target, &[headers, &["Content-Length: 0"]].concat())
}

/// A request with these header lines and no body.
pub(crate) fn request(method: &str, target: &str, headers: &[&str]) -> String {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: gateway.test\r\n");
    for header in headers {
        write!(text, "{header}\r\n").unwrap();
    }
    text + "\r\n"
}

/// A request with a body.
pub(crate) fn with_body(method: &str, target: &str, headers: &[&str], body: &str) -> String {
    let length = format!("Content-Length: {}", body.len());
    request(method, target, &[headers, &[&length]].concat()) + body
}

/// The header line of Basic credentials.
pub(crate) fn basic(name: &str, password: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

/// The header line of a cookie.
pub(crate) fn cookie(cookie: &str) -> String {
    format!("Cookie: {cookie}")
}

/// A request as the upstream saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The request line and the headers, byte for byte.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn line(&self) -> &str {
        self.head.split("\r\n").next().unwrap()
    }

    /// The values of the header `name`, in any case, in their order.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.split("\r\n").skip(1);
        lines
            .filter_map(|line| line.split_once(':'))
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} reached the upstream {} times: {}", all.len(), self.head);
        all.first().copied()
    }
}

/// What an upstream does with one request: writes to the connection whatever it likes. Returns
/// whether the connection goes on.
pub(crate) type Behaviour = dyn Fn(&Seen, &mut TcpStream) -> bool + Send + Sync;

/// A stand-in upstream on a port of its own: it remembers every request.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Receiver<Seen>>>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    is_over: Arc<AtomicBool>,
}

impl Upstream {
    /// Answers every request with 200 and the value of `X-Forwarded-User`.
    pub(crate) fn start() -> Self {
        Self::behaving(|seen, stream| {
            let user = seen.header("x-forwarded-user").unwrap_or("nobody");
            answer(stream, "200 OK", user)
        })
    }

    /// Answers as told.
    pub(crate) fn behaving(
        behaviour: impl Fn(&Seen, &mut TcpStream) -> bool + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, Arc::new(behaviour))
    }

    /// The address of one that answers every request, the gateway's own too, with these bytes.
    pub(crate) fn raw(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    let mut reader = BufReader::new(stream.try_clone().unwrap());
                    while read_request(&mut reader, &mut stream).is_some() {
                        if stream.write_all(answer.as_bytes()).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    /// The same on a listener that is open already.
    pub(crate) fn on(listener: TcpListener, behaviour: Arc<Behaviour>) -> Self {
        let address = listener.local_addr().unwrap();
        let (sender, seen) = channel();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let accepted = Arc::clone(&connections);
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                accepted.lock().unwrap().push(stream.try_clone().unwrap());
                let (behaviour, sender) = (Arc::clone(&behaviour), sender.clone());
                thread::spawn(move || serve(stream, &*behaviour, |seen| sender.send(seen).is_ok()));
            }
        });
        Self { address, seen: Arc::new(Mutex::new(seen)), connections, is_over }
    }

    /// The next request that came and was not looked at yet.
    pub(crate) fn next(&self) -> Seen {
        self.seen.lock().unwrap().recv_timeout(PATIENCE).expect("a request reaches the upstream")
    }

    /// Whether no request came that was not looked at yet.
    pub(crate) fn saw_nothing(&self) -> bool {
        self.seen_by_clients().is_empty()
    }

    /// The requests that came and were not looked at yet.
    pub(crate) fn seen_by_clients(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().try_iter().collect()
    }

    /// Answers nobody any more: what connects from now on finds nothing.
    pub(crate) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes whoever accepts.
        let _ = TcpStream::connect(self.address);
        wait_until("nothing listens", || TcpStream::connect(self.address).is_err());
        self.hang_up();
    }

    /// How many connections were ever opened, since all were closed.
    pub(crate) fn connections(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// Closes every connection that was ever opened.
    pub(crate) fn hang_up(&self) {
        for stream in self.connections.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn serve(mut stream: TcpStream, behaviour: &Behaviour, remember: impl Fn(Seen) -> bool) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(seen) = read_request(&mut reader, &mut stream) {
        // The gateway's own question, nobody's request.
        let is_own = |agent: &str| agent.starts_with("influx-gateway/");
        if seen.line().starts_with("GET /ping ") && seen.header("user-agent").is_some_and(is_own) {
            let version = "X-Influxdb-Build: OSS\r\nX-Influxdb-Version: v2.9.1";
            let _ = write!(stream, "HTTP/1.1 204 No Content\r\n{version}\r\n\r\n");
            continue;
        }
        // Before the answer, so that whoever has the answer finds it.
        remember(seen.clone());
        let goes_on = behaviour(&seen, &mut stream);
        if !goes_on {
            let _ = stream.shutdown(Shutdown::Both);
            return;
        }
    }
}

fn read_request(reader: &mut BufReader<TcpStream>, stream: &mut TcpStream) -> Option<Seen> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut seen = Seen { head, body: Vec::new() };
    if seen.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    if let Some(length) = seen.header("content-length") {
        seen.body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut seen.body).ok()?;
    } else if seen.header("transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim_end(), 16).ok()?;
            let start = seen.body.len();
            seen.body.resize(start + size, 0);
            reader.read_exact(&mut seen.body[start..]).ok()?;
            reader.read_line(&mut line).ok()?;
            if size == 0 {
                break;
            }
        }
    }
    Some(seen)
}

/// Writes a whole response; the connection goes on.
pub(crate) fn answer(stream: &mut TcpStream, status: &str, body: &str) -> bool {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).is_ok()
}

/// The connections to `port` of this host: their states and timers as Linux numbers those, and when these come, in hundredths
/// of a second: `02:00001770`.
pub(crate) fn connections_to(port: u16) -> Vec<(String, String)> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let remote = format!("0100007F:{port:04X}");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let rows = rows.filter(|row| row[2] == remote);
    rows.map(|row| (row[3].to_owned(), row[5].to_owned())).collect()
}

/// A port that nothing listens on.
pub(crate) fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
