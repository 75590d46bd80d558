//! A stand-in for InfluxDB 2, honest about users, sessions and tokens, and about nothing else.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::support::*;

/// A user of the stand-in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) password: String,
    pub(crate) is_active: bool,
}

/// What the stand-in knows. Tests look into it, and meddle with it.
pub(crate) struct State {
    /// By id.
    pub(crate) users: HashMap<u64, Person>,
    /// By the cookie's value: whose, until when.
    pub(crate) sessions: HashMap<String, (u64, Instant)>,
    /// By the token: whose, and whether it may read its owner.
    pub(crate) tokens: HashMap<String, (u64, bool)>,
    /// How long a session lasts at first, and at least after each request.
    pub(crate) length: Duration,
    pub(crate) slide: Duration,
    /// How far its clock is ahead.
    pub(crate) ahead: Duration,
    /// Answers nothing at all while true.
    pub(crate) is_mute: bool,
    /// What is written before each answer: whole heads of status 1xx.
    pub(crate) before: &'static str,
    /// Header lines before those of the answer to a sign-in.
    pub(crate) cookies_of_others: &'static str,
    /// Requests of `GET /api/v2/me`, `POST /api/v2/signin` and `POST /api/v2/signout`.
    pub(crate) asked: HashMap<&'static str, usize>,
    /// Requests of inactive users.
    pub(crate) asked_inactive: usize,
}

/// The stand-in.
pub(crate) struct Influxdb {
    pub(crate) upstream: Upstream,
    state: Arc<Mutex<State>>,
}

impl Influxdb {
    /// With `ada` (1), `bob` (2) and the inactive `gone` (3), all with the usual password, and the
    /// token `all` of ada's.
    pub(crate) fn start() -> Self {
        let person = |name: &str, is_active| Person {
            name: name.to_owned(),
            password: PASSWORD.to_owned(),
            is_active,
        };
        let users =
            [(1, person("ada", true)), (2, person("bob", true)), (3, person("gone", false))];
        let state = Arc::new(Mutex::new(State {
            users: users.into(),
            sessions: HashMap::new(),
            tokens: [("all".to_owned(), (1, true))].into(),
            length: Duration::from_secs(3600),
            slide: Duration::from_secs(300),
            ahead: Duration::ZERO,
            is_mute: false,
            before: "",
            cookies_of_others: "",
            asked: HashMap::new(),
            asked_inactive: 0,
        }));
        let shared = Arc::clone(&state);
        let upstream = Upstream::behaving(move |seen, stream| {
            let mut state = shared.lock().unwrap();
            if state.is_mute {
                return true;
            }
            let (before, answer) = (state.before, state.answer(seen));
            drop(state);
            stream.write_all(before.as_bytes()).is_ok() && answer.write(stream)
        });
        Self { upstream, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Forgets all sessions, as a restart does.
    pub(crate) fn restart(&self) {
        self.state().sessions.clear();
        self.upstream.hang_up();
    }

    /// How many sessions there are.
    pub(crate) fn sessions(&self) -> usize {
        self.state().sessions.len()
    }
}

/// Status, extra header lines, body.
struct Reply(&'static str, String, String);

impl Reply {
    fn write(self, stream: &mut TcpStream) -> bool {
        let Self(status, mut head, body) = self;
        if status != "204 No Content" {
            write!(head, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        write!(stream, "HTTP/1.1 {status}\r\n{head}\r\n{body}").is_ok()
    }
}

fn empty() -> Reply {
    Reply("204 No Content", String::new(), String::new())
}

fn error(status: &'static str, code: &str, message: &str) -> Reply {
    let head = format!(
        "Content-Type: application/json; charset=utf-8\r\nX-Platform-Error-Code: {code}\r\n"
    );
    Reply(status, head, serde_json::json!({ "code": code, "message": message }).to_string())
}

fn unauthorized() -> Reply {
    error("401 Unauthorized", "unauthorized", "unauthorized access")
}

const LENGTH_RULE: &str = "passwords must be between 8 and 72 characters long";

impl State {
    fn now(&self) -> Instant {
        Instant::now() + self.ahead
    }

    fn answer(&mut self, seen: &Seen) -> Reply {
        let mut words = seen.line().split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        match (method, target.split('?').next().unwrap()) {
            ("POST", "/api/v2/signin") => {
                *self.asked.entry("signin").or_default() += 1;
                self.sign_in(seen)
            }
            ("POST", "/api/v2/signout") => {
                *self.asked.entry("signout").or_default() += 1;
                match cookie_of(seen).and_then(|cookie| self.sessions.remove(&cookie)) {
                    Some(_) => empty(),
                    None => unauthorized(),
                }
            }
            (method, path) => match self.authenticate(seen) {
                Ok((id, may_read_self)) => self.serve(method, path, id, may_read_self, seen),
                Err(reply) => reply,
            },
        }
    }

    fn sign_in(&mut self, seen: &Seen) -> Reply {
        static COUNTER: AtomicU64 = AtomicU64::new(1);
        let Some((name, password)) = basic_of(seen) else { return unauthorized() };
        let found = self.users.iter().find(|(_, user)| user.name == name);
        let Some((&id, _)) = found.filter(|(_, user)| user.password == password) else {
            return unauthorized();
        };
        if !(8..=72).contains(&password.len()) {
            let message = format!("password change required\n{LENGTH_RULE}");
            return error("403 Forbidden", "forbidden", &message);
        }
        let value = format!("{:086}==", COUNTER.fetch_add(1, Ordering::Relaxed));
        self.sessions.insert(value.clone(), (id, self.now() + self.length));
        let others = self.cookies_of_others;
        let cookie = format!(
            "{others}Set-Cookie: influxdb-oss-session={value}; Path=/api/; \
             Expires=Sun, 22 Nov 2026 06:06:40 GMT; HttpOnly; SameSite=Strict\r\n"
        );
        Reply("204 No Content", cookie, String::new())
    }

    /// Whose request it is, and whether it may read its own user.
    fn authenticate(&mut self, seen: &Seen) -> Result<(u64, bool), Reply> {
        let authorization = seen.all("authorization").first().copied().unwrap_or_default();
        let token = ["token ", "bearer "].iter().find_map(|scheme| {
            let head = authorization.get(..scheme.len())?;
            head.eq_ignore_ascii_case(scheme).then(|| &authorization[scheme.len()..])
        });
        let owner = if let Some(token) = token {
            *self.tokens.get(token).ok_or_else(unauthorized)?
        } else {
            let cookie = cookie_of(seen).ok_or_else(unauthorized)?;
            let (id, expires) = *self.sessions.get(&cookie).ok_or_else(unauthorized)?;
            let now = self.now();
            if expires <= now {
                self.sessions.remove(&cookie);
                return Err(unauthorized());
            }
            self.sessions.insert(cookie, (id, expires.max(now + self.slide)));
            (id, true)
        };
        match self.users.get(&owner.0) {
            Some(user) if user.is_active => Ok(owner),
            _ => {
                self.asked_inactive += 1;
                Err(error("403 Forbidden", "forbidden", "User is inactive"))
            }
        }
    }

    fn serve(&mut self, method: &str, path: &str, id: u64, reads_self: bool, seen: &Seen) -> Reply {
        match (method, path) {
            ("GET", "/api/v2/me") => {
                *self.asked.entry("me").or_default() += 1;
                if !reads_self {
                    let message = format!("read:users/{id:016x} is unauthorized");
                    return error("401 Unauthorized", "unauthorized", &message);
                }
                let name = &self.users[&id].name;
                let link = format!("/api/v2/users/{id:016x}");
                let user = serde_json::json!({
                    "links": { "self": link }, "id": format!("{id:016x}"), "name": name,
                    "status": "active",
                });
                Reply("200 OK", "Content-Type: application/json\r\n".to_owned(), user.to_string())
            }
            ("PUT", "/api/v2/me/password") => self.change_password(id, seen),
            (method, path) if path.starts_with("/api/v2/users/") => {
                let mut rest = path["/api/v2/users/".len()..].split('/');
                let id = rest.next().and_then(|id| u64::from_str_radix(id, 16).ok()).unwrap();
                self.serve_user(method, id, rest.next(), seen)
            }
            ("GET", "/api/v2/forbidden") => {
                error("401 Unauthorized", "unauthorized", "read:orgs/1 is unauthorized")
            }
            _ => {
                let user = seen.header("x-forwarded-user").unwrap_or("nobody");
                Reply("200 OK", String::new(), user.to_owned())
            }
        }
    }

    fn serve_user(&mut self, method: &str, id: u64, below: Option<&str>, seen: &Seen) -> Reply {
        if !self.users.contains_key(&id) {
            return error("404 Not Found", "not found", "user not found");
        }
        let text = |key: &str| {
            let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
            body[key].as_str().unwrap().to_owned()
        };
        match (method, below) {
            ("PUT", Some("password")) => return self.change_password(id, seen),
            ("POST", Some("password")) => {
                self.users.get_mut(&id).unwrap().password = text("password");
            }
            ("PATCH", None) => {
                self.users.get_mut(&id).unwrap().is_active = text("status") == "active";
                return Reply("200 OK", String::new(), "{}".to_owned());
            }
            ("DELETE", None) => drop(self.users.remove(&id)),
            _ => return Reply("200 OK", String::new(), "{}".to_owned()),
        }
        empty()
    }

    fn change_password(&mut self, id: u64, seen: &Seen) -> Reply {
        let user = self.users.get_mut(&id).unwrap();
        if basic_of(seen).is_none_or(|(_, old)| old != user.password) {
            let message = "your username or password is incorrect";
            return error("403 Forbidden", "forbidden", message);
        }
        let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        let new = body["password"].as_str().unwrap();
        if !(8..=72).contains(&new.len()) {
            return error("400 Bad Request", "invalid", LENGTH_RULE);
        }
        new.clone_into(&mut user.password);
        empty()
    }
}

fn cookie_of(seen: &Seen) -> Option<String> {
    let lines = seen.all("cookie").join("; ");
    let mut members = lines.split(';').map(str::trim);
    members.find_map(|member| member.strip_prefix("influxdb-oss-session=").map(str::to_owned))
}

fn basic_of(seen: &Seen) -> Option<(String, String)> {
    let encoded = seen.header("authorization")?.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (name, password) = decoded.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}
