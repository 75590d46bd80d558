//! Upgrades that follow each other, over HTTP/2, and that end in the middle.

use serde_json::json;

use super::*;
use crate::cut_off::{half_write, listener};
use crate::frames::{Connection, End, GOAWAY, head};

/// A process that takes over as far as it says so.
struct Successor(UnixStream);

impl Successor {
    /// One that has the sockets, if it gets them.
    fn begin(stage: &Stage) -> Option<Self> {
        let stream = UnixStream::connect(stage.path("upgrade.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut successor = Self(stream);
        successor.say(&json!({"Hello": {"version": 2}}));
        let answer = successor.hear().unwrap();
        answer["Sockets"].is_object().then(|| {
            // What the sockets come with.
            successor.0.read_exact(&mut [0]).unwrap();
            successor
        })
    }

    fn say(&mut self, message: &Value) {
        let text = message.to_string();
        self.0.write_all(&u32::try_from(text.len()).unwrap().to_be_bytes()).unwrap();
        self.0.write_all(text.as_bytes()).unwrap();
    }

    fn hear(&mut self) -> io::Result<Value> {
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut text = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Gets all sessions: how many messages they are.
    fn get_sessions(&mut self) -> usize {
        self.say(&json!("Table"));
        let mut count = 0;
        while self.hear().unwrap() != json!("End") {
            count += 1;
        }
        count
    }
}

/// A process that is told to stop while it is taken over from, with a request that keeps it.
struct Stopping {
    stage: Stage,
    slow: Client,
    release: Sender<()>,
    _upstream: Upstream,
}

impl Stopping {
    /// Where the other process is as far as `take_over` says, and this one has closed its sockets.
    fn start<T>(take_over: impl FnOnce(&Stage) -> T) -> (Self, T) {
        let (release, upstream) = slow_upstream();
        let stage = Stage::start(upstream.address, "0s");
        stage.gateway().sign_in("ada");
        let mut slow = stage.gateway().connect();
        slow.write(get("/api/v2/query", &[TOKEN]).as_bytes());
        upstream.next();
        let taken = take_over(&stage);
        assert!(stage.path("admin.sock").exists());
        stage.gateway().signal("TERM");
        wait_until("its sockets are closed", || {
            TcpStream::connect(stage.gateway().address).is_err()
                && UnixStream::connect(stage.path("admin.sock")).is_err()
        });
        (Self { stage, slow, release, _upstream: upstream }, taken)
    }

    fn has_socket_file(&self) -> bool {
        self.stage.path("admin.sock").exists()
    }

    /// The request is answered, and the process ends.
    fn end(mut self) -> Stage {
        self.release.send(()).unwrap();
        let answer = self.slow.read();
        assert_eq!((answer.status, &*answer.text()), (200, "answered"));
        wait_until("it has ended", || has_ended(self.stage.gateway()));
        self.stage
    }
}

/// Whether the process is over.
fn has_ended(gateway: &Gateway) -> bool {
    let state = fs::read_to_string(format!("/proc/{}/stat", gateway.pid())).unwrap();
    state.rsplit_once(") ").unwrap().1.starts_with('Z')
}

#[test]
fn one_upgrade_follows_another() {
    let upstream = Upstream::start();
    let stage = Stage::start(upstream.address, "0s");
    let mut sessions = vec![("ada", stage.gateway().sign_in("ada"))];
    let mut serving = stage.upgrade();
    wait_until("the first has ended", || has_ended(stage.gateway()));
    for name in ["bob", "ada"] {
        sessions.push((name, serving.sign_in(name)));
        // It says no until it has seen that the one before it has ended.
        wait_until("it can be taken over from", || Successor::begin(&stage).is_some());
        let next = stage.upgrade_from(&serving);
        assert_eq!(serving.wait().0, Some(0));
        serving = next;
    }
    for (name, session) in &sessions {
        let answer = me(&mut serving.connect(), session);
        assert_eq!((answer.status, &answer.json()["name"]), (200, &(*name).into()));
    }
    assert_eq!(listed(&stage.path("admin.sock")).len(), 3);
}

#[test]
fn over_http_2_what_runs_is_answered_and_new_requests_go_to_the_new_process() {
    let (release, upstream) = slow_upstream();
    let stage = Stage::start(upstream.address, "0s");
    let cookie = [("cookie", &*stage.gateway().sign_in("ada"))];
    let mut connection = Connection::open(&stage.old, &[]);
    assert_eq!(connection.ask("GET", "/api/v2/buckets", &cookie).status, 200);
    let query = head("GET", "/api/v2/query");
    let slow = connection.send(&[&query[..], &cookie].concat(), None);
    while !upstream.next().line().contains("/query") {}
    let _new = stage.upgrade();
    assert_eq!(Connection::open(&stage.old, &[]).ask("GET", "/api/v2/me", &cookie).status, 200);
    loop {
        let frame = connection.read().expect("a farewell");
        connection.acknowledge(&frame);
        if frame.kind == GOAWAY {
            break;
        }
    }
    release.send(()).unwrap();
    match connection.finish(slow) {
        End::Answered(answer) => assert_eq!((answer.status, &*answer.text()), (200, "answered")),
        _ => panic!("it is not answered"),
    }
    // It ends, perhaps after a second farewell, which says up to which request all were answered.
    assert!(matches!(connection.goes_away(), None | Some(0)));
    wait_until("the old one has ended", || has_ended(stage.gateway()));
}

#[test]
fn a_process_that_stops_before_it_gives_its_sessions_is_not_taken_over_from() {
    let (stopping, successor) = Stopping::start(Successor::begin);
    assert!(!stopping.has_socket_file());
    let mut successor = successor.unwrap();
    successor.say(&json!("Table"));
    assert!(successor.hear().is_err());
    stopping.end();
}

#[test]
fn a_process_that_stops_when_it_has_given_its_sessions_leaves_the_file_of_its_socket() {
    let begin = |stage: &Stage| {
        let mut successor = Successor::begin(stage).unwrap();
        assert_eq!(successor.get_sessions(), 1);
        successor
    };
    let (stopping, mut successor) = Stopping::start(begin);
    assert!(stopping.has_socket_file());
    successor.say(&json!("Ready"));
    let stage = stopping.end();
    assert!(stage.path("admin.sock").exists());
    // Where the other process fails after all, nobody needs it.
    let (stopping, successor) = Stopping::start(begin);
    drop(successor);
    wait_until("it is gone", || !stopping.has_socket_file());
    stopping.end();
}

/// As after any crash: what runs in the old process is answered, and another one starts by itself.
#[test]
fn a_process_that_is_killed_after_it_has_taken_over_leaves_room_for_another() {
    let (release, upstream) = slow_upstream();
    let stage = Stage::start(upstream.address, "0s");
    let session = stage.gateway().sign_in("ada");
    let mut slow = stage.gateway().connect();
    slow.write(get("/api/v2/query", &[TOKEN]).as_bytes());
    upstream.next();
    let new = stage.upgrade();
    new.signal("KILL");
    wait_until("it is over", || has_ended(&new));
    wait_until("nobody listens", || TcpStream::connect(stage.gateway().address).is_err());
    release.send(()).unwrap();
    assert_eq!(slow.read().status, 200);
    let third = Gateway::start_in(stage.old.gateway.wait_and_keep());
    assert_eq!(ready(&third.folder().join("admin.sock")).unwrap(), 200);
    assert_eq!(me(&mut third.connect(), &session).status, 401);
}

/// The old process reads what has changed for as long as it has requests: a right that is taken away, nobody tells it of.
#[test]
fn a_request_that_the_old_process_is_sent_still_ends_with_the_right_of_its_user() {
    let (upstream, heads, rests) = listener("");
    let stage = Stage::start(upstream, "0s");
    let [head, first, second] = half_write(&stage.gateway().sign_in("ada"), "chunked");
    let mut client = stage.gateway().connect();
    client.write((head + &first).as_bytes());
    heads.recv_timeout(PATIENCE).expect("the head has reached the upstream");
    let _new = stage.upgrade();
    let path = stage.path("users.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(stage.path("users.new"), text.replacen("[[user]]", "[[user]]\naccess = \"read\"", 1))
        .unwrap();
    fs::rename(stage.path("users.new"), path).unwrap();
    wait_until("it was read", || stage.gateway().has_logged("the users file was read again"));
    client.write_some(second.as_bytes());
    let answer = client.read();
    assert_eq!(answer.status, 403, "{answer:?}");
    assert_eq!(rests.recv_timeout(PATIENCE).unwrap().0, b"5\r\nfirst\r\n");
    wait_until("the old one has ended", || has_ended(stage.gateway()));
}
