//! The audit trail: one JSON line for each thing that happened to a session.

mod counted;
mod line;
mod trail;

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use crate::background_writer::{Sink, Writer};
use crate::clock;
use crate::request_meta::RequestMeta;
use crate::session::token::Fingerprint;
use crate::user::gateway_token::Mark;
use crate::user::login_name::LoginName;
use crate::user::name::Username;
use trail::{Entry, Trail};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A session began.
    SignedIn,
    /// A sign-in was refused, or the old password at a change of passwords.
    Refused(Reason),
    /// A session was ended by its user.
    SignedOut,
    /// A session was not used for long enough, or had lived for as long as it may.
    Expired,
    /// A session had to go for a newer one of the same user.
    Evicted,
    /// A session was ended from outside: for what has become of its user, by an administrator, or by its user in another
    /// session.
    Revoked,
    /// Somebody has failed too often and has to wait so many seconds.
    Banned(&'static str, u64),
    /// An administrator has lifted a ban: of the client with the name, of the client, or of the name.
    Lifted(&'static str),
    /// A user has a new password.
    PasswordChanged,
    /// A user has a new gateway token.
    TokenAdded,
    /// A user has a gateway token no more.
    TokenRemoved,
    /// The users file was read again: so many users.
    Reloaded(usize),
    /// The users file was read again and has faults: the old users stay.
    ReloadRefused(usize),
    /// So many events could not be written down before this one.
    Lost(usize),
}

/// Why a sign-in was refused. A closed list: never a client's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// There is no such user.
    UnknownUser,
    /// That is not the user's password.
    WrongPassword,
    /// One of the two; InfluxDB does not tell which.
    WrongCredentials,
    /// No name and password could be read, or they were too long.
    Malformed,
    /// There were too many failures before.
    Throttled,
    /// Too many passwords were waiting to be checked.
    Overloaded,
    /// There are as many sessions as there may be.
    Full,
    /// The name is too long to be told upstream.
    NameTooLong,
    /// InfluxDB could not be asked.
    Unavailable,
    /// InfluxDB requires a new password first.
    PasswordChangeRequired,
    /// A JWT that has ended.
    JwtExpired,
    /// A JWT that its issuer has not signed, or not as is allowed.
    JwtSignature,
    /// A JWT for somebody else.
    JwtAudience,
    /// A JWT that is signed with a key that its issuer does not have.
    JwtUnknownKey,
    /// A JWT that does not say what it has to.
    JwtClaims,
    /// A JWT from a client that has brought too many which nobody had signed.
    JwtThrottled,
    /// A user of an identity provider to whom nothing is granted.
    NoGrant,
    /// A user of an identity provider whose name is another's here.
    NameTaken,
    /// A browser that comes back from a provider has not begun the sign-in, or comes twice, or too late.
    OidcState,
    /// It comes back from another provider.
    OidcIssuer,
    /// The provider has not signed the user in.
    OidcDenied,
    /// The provider does not accept what it was asked.
    OidcProvider,
    /// The provider does not take the code.
    OidcCode,
    /// What the provider says of the user cannot be believed.
    OidcToken,
    /// A gateway token that is nobody's, or nobody's any more.
    TokenUnknown,
    /// A gateway token that has ended.
    TokenExpired,
    /// Something that holds a gateway token, or is like one.
    TokenMalformed,
    /// A gateway token that is nobody's, from a client that has failed too often.
    TokenThrottled,
    /// A gateway token that is nobody's, which could not be counted.
    TokenUnjudged,
}

/// Who has ended a session that is not their own, or lifted a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An administrator.
    Admin,
    /// The session's user, in another session.
    User,
}

/// Something that happened, with whatever is known about it.
pub struct Event {
    kind: EventKind,
    time: SystemTime,
    user: Option<LoginName>,
    client: Option<IpAddr>,
    session: Option<Fingerprint>,
    /// Which gateway token it is about, if one.
    token: Option<Mark>,
    request_id: Option<Box<str>>,
    /// Who did it, where that is not plain.
    actor: Option<Actor>,
    /// By which sign-in provider, as the configuration calls it.
    provider: Option<Arc<str>>,
}

impl Event {
    /// It has just happened.
    pub fn now(kind: EventKind) -> Self {
        let time = clock::wall();
        let (user, client, session, token, request_id, actor, provider) = Default::default();
        Self { kind, time, user, client, session, token, request_id, actor, provider }
    }

    /// How many bytes it takes besides itself.
    fn bytes(&self) -> usize {
        let user = self.user.as_ref().map_or(0, |user| user.as_str().len());
        user + self.request_id.as_ref().map_or(0, |id| id.len())
    }

    /// On whose request.
    #[must_use]
    pub fn on(mut self, meta: &RequestMeta<'_>) -> Self {
        self.client = meta.address.map(|address| address.to_canonical());
        self.request_id = Some(meta.request_id.into());
        self
    }

    /// Done by this one.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// By this sign-in provider.
    #[must_use]
    pub fn by_provider(self, provider: &Arc<str>) -> Self {
        Self { provider: Some(Arc::clone(provider)), ..self }
    }

    /// To whom.
    #[must_use]
    pub fn to(self, user: &Username) -> Self {
        self.for_typed(&user.into())
    }

    /// To whom, if the name is right.
    #[must_use]
    pub fn for_typed(mut self, user: &LoginName) -> Self {
        self.user = Some(user.clone());
        self
    }

    /// About which gateway token.
    #[must_use]
    pub fn with_token(self, token: Mark) -> Self {
        Self { token: Some(token), ..self }
    }

    /// In which session.
    #[must_use]
    pub fn within(mut self, session: Fingerprint) -> Self {
        self.session = Some(session);
        self
    }
}

/// Where events are written down.
#[derive(Clone)]
pub struct Audit(Arc<Destination>);

/// Whoever records writes, until there is a thread for it.
struct Destination {
    trail: Arc<Mutex<Trail>>,
    thread: OnceLock<Writer<Entry>>,
}

impl Audit {
    /// Into the log, with the target `audit`.
    pub fn to_log() -> Self {
        Self::to(Trail::Log)
    }

    /// Into the file at `path`, at its end; made if it is not there, with mode 0600.
    pub fn to_file(path: &Path) -> std::io::Result<Self> {
        Trail::open(path).map(Self::to)
    }

    fn to(trail: Trail) -> Self {
        let destination =
            Destination { trail: Arc::new(Mutex::new(trail)), thread: OnceLock::new() };
        Self(Arc::new(destination))
    }

    /// Starts the thread that writes. When the process serves, and not before: threads do not survive
    /// its going to the background. Without one, whoever records writes.
    pub fn start(&self) {
        match Writer::start("audit", SharedTrail(Arc::clone(&self.0.trail))) {
            Ok(thread) => drop(self.0.thread.set(thread)),
            Err(error) => log::error!("no thread could be started for the audit trail: {error}"),
        }
    }

    /// Counts `event` and writes it down, soon. Never waits once the thread has been started, and never panics.
    pub fn record(&self, event: Event) {
        counted::count(event.kind);
        match self.0.thread.get() {
            Some(thread) => thread.send(Entry::Event(event)),
            None => self.write(Entry::Event(event)),
        }
    }

    /// Opens the file again, after it was rotated.
    pub fn reopen(&self) {
        match self.0.thread.get() {
            // Whether there is room or not: a signal is not a request.
            Some(thread) => thread.send_surely(Entry::Reopen),
            None => self.write(Entry::Reopen),
        }
    }

    /// Waits, but not for long, until everything is written down.
    pub fn flush(&self) {
        if let Some(thread) = self.0.thread.get() {
            thread.flush();
        }
    }

    fn write(&self, entry: Entry) {
        let (mut lines, mut trail) = (Vec::new(), lock(&self.0.trail));
        trail.take(entry, &mut lines);
        trail.write(&mut lines);
    }
}

/// The trail, as the thread has it.
struct SharedTrail(Arc<Mutex<Trail>>);

impl Sink for SharedTrail {
    type Entry = Entry;

    fn take(&mut self, entry: Entry, lines: &mut Vec<u8>) {
        lock(&self.0).take(entry, lines);
    }

    fn write(&mut self, lines: &mut Vec<u8>) {
        if !lines.is_empty() {
            lock(&self.0).write(lines);
        }
    }

    fn tell_lost(&mut self, count: usize) {
        lock(&self.0).tell_lost(count);
    }
}

/// Lines are written whole or counted, so what a panic has left behind is sound.
fn lock(trail: &Mutex<Trail>) -> MutexGuard<'_, Trail> {
    trail.lock().unwrap_or_else(PoisonError::into_inner)
}
