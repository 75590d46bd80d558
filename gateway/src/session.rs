//! A session: its user, its times, and whether it is still valid.

mod deadlines;
mod ended;
pub mod entry;
mod error;
mod in_flight;
mod index;
pub mod logged_out;
pub mod memory;
pub mod once;
pub mod origin;
pub mod provider;
mod record;
pub mod redis;
pub mod store;
pub mod token;
mod upstream;
mod usage;

use std::ops::Deref;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

use crate::clock::Moment;
use crate::request_meta::{Client, ClientKind};
use crate::user::secret::UpstreamSession;
use crate::user::{User, UserId};
pub use in_flight::{Notice, Watch};
use origin::{Named, Origin};
use provider::ProviderHalf;
pub use record::{Page, Place, Record, UnixMillis, Wanted};
use token::SessionId;
pub use upstream::{Question, UpstreamSessionState};
use usage::{MANY, Usage};

/// How long sessions live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetime {
    /// The session ends when it was not used for this long.
    pub idle: Duration,
    /// The session ends this long after sign-in, however busy; `None`: never for that reason.
    pub absolute: Option<Duration>,
}

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// It never began: there was no room.
    Refused,
    /// The user signed out.
    SignedOut,
    /// It was not used for long enough, or had lived for as long as it may.
    Expired,
    /// The user opened more than there may be, and this was the first that had to go for it.
    Evicted,
    /// The user is gone or has a new password, or InfluxDB no longer knows the session.
    Revoked,
    /// An administrator has ended it, or its user in another session.
    OnRequest,
}

/// One signed-in user on one client.
pub struct Session {
    id: SessionId,
    /// Under which the session is counted.
    user_id: AtomicU64,
    user: ArcSwap<User>,
    /// The other half, if it was InfluxDB that signed the user in.
    upstream: Option<Arc<UpstreamSessionState>>,
    started: Moment,
    /// The word of its [`Usage`].
    usage: AtomicU64,
    /// When the store will look at it, in the store's own count.
    tick: AtomicU32,
    client: Client,
    /// Boxed: most have none.
    origin: Option<Box<Origin>>,
    /// What is kept of the sign-in provider that the user came by. Most came by none.
    provider: Option<Box<ProviderHalf>>,
}

impl Session {
    /// A session that starts now; `upstream` is InfluxDB's own session, if it made one.
    pub fn start(
        id: SessionId,
        user: Arc<User>,
        upstream: Option<UpstreamSession>,
        now: Moment,
    ) -> Self {
        let half = |session| Arc::new(UpstreamSessionState::new(session, now));
        Self {
            id,
            user_id: AtomicU64::new(user.id().bits()),
            user: ArcSwap::new(user),
            upstream: upstream.map(half),
            started: now,
            usage: AtomicU64::new(Usage::none(now).word()),
            tick: AtomicU32::new(0),
            client: Client::default(),
            origin: None,
            provider: None,
        }
    }

    /// The same, opened by this client.
    pub fn of_client(self, client: Client) -> Self {
        Self { client, ..self }
    }

    /// The same, for a user whom a sign-in provider has signed in.
    pub fn with_origin(self, origin: Origin) -> Self {
        Self { origin: Some(Box::new(origin)), ..self }
    }

    /// The same, with what is kept of that provider.
    pub fn with_provider(self, half: ProviderHalf) -> Self {
        Self { provider: Some(Box::new(half)), ..self }
    }

    /// What is kept of the sign-in provider that the user came by, if they came by one.
    pub fn provider(&self) -> Option<&ProviderHalf> {
        self.provider.as_deref()
    }

    /// What a sign-in provider calls its user and its own session, if one has signed the user in.
    pub fn named(&self) -> impl Iterator<Item = Named> {
        self.origin.iter().flat_map(|origin| origin.named())
    }

    /// What kind of client has opened it.
    pub fn kind(&self) -> ClientKind {
        self.client.kind
    }

    /// The client that has opened it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The digest of the session's token.
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Whose session it is, as far as is known now.
    pub fn user(&self) -> Arc<User> {
        self.user.load_full()
    }

    /// The same, for a short look: nobody else who looks at it is in the way.
    pub fn user_for_now(&self) -> impl Deref<Target = Arc<User>> {
        self.user.load()
    }

    /// The id under which the session is counted. Stays, whatever becomes of the user, unless it was
    /// provisional.
    pub fn user_id(&self) -> UserId {
        UserId::of_bits(self.user_id.load(Ordering::Relaxed))
    }

    /// Counts the session under another id from now on. The store's business, which counts.
    fn set_user_id(&self, id: UserId) {
        self.user_id.store(id.bits(), Ordering::Relaxed);
    }

    /// Has the session be of another user, or of what has become of the same. The store's business.
    fn set_user(&self, user: Arc<User>) {
        self.user.store(user);
    }

    /// Takes over what the provider has said since, of the same session in another process.
    fn follow(&self, other: &Self) {
        if let (Some(ours), Some(others)) = (self.provider(), other.provider())
            && others.refreshed() > ours.refreshed()
        {
            ours.confirm(others.granted(), others.kept(), others.refreshed());
            self.set_user(other.user());
        }
    }

    /// When it began.
    pub fn started(&self) -> Moment {
        self.started
    }

    /// InfluxDB's half of the session, if there is one.
    pub fn upstream(&self) -> Option<&UpstreamSessionState> {
        self.upstream.as_deref()
    }

    /// Whether the session still holds at `now`. Does not renew it.
    pub fn is_live(&self, now: Moment, lifetime: &Lifetime) -> bool {
        self.holds(self.usage(), now, lifetime)
    }

    /// Marks the session as used at `now`; false if it has ended, and nothing is renewed then.
    pub fn renew(&self, now: Moment, lifetime: &Lifetime) -> bool {
        let renew = |word| {
            let usage = Usage::from_word(word);
            self.holds(usage, now, lifetime).then(|| usage.again(now).word())
        };
        self.usage.fetch_update(Ordering::AcqRel, Ordering::Acquire, renew).is_ok()
    }

    /// Ends the session for good; false if it had been ended before.
    pub fn end(&self) -> bool {
        self.usage.swap(Usage::ENDED.word(), Ordering::AcqRel) != Usage::ENDED.word()
    }

    /// Ends the session if it does not hold at `now`; false if it does, or had been ended before.
    pub fn expire(&self, now: Moment, lifetime: &Lifetime) -> bool {
        let end = |word| {
            let usage = Usage::from_word(word);
            let is_over = usage != Usage::ENDED && !self.holds(usage, now, lifetime);
            is_over.then_some(Usage::ENDED.word())
        };
        self.usage.fetch_update(Ordering::AcqRel, Ordering::Acquire, end).is_ok()
    }

    /// When the session ends if it is not used any more; `None` once it has ended.
    pub fn deadline(&self, lifetime: &Lifetime) -> Option<Moment> {
        let usage = self.usage();
        let idle = usage.last().after(lifetime.idle);
        let absolute = lifetime.absolute.map(|absolute| self.started.after(absolute));
        (usage != Usage::ENDED).then(|| absolute.map_or(idle, |absolute| absolute.min(idle)))
    }

    /// When the session was last used; the latest of all moments once it has ended.
    pub fn last_used(&self) -> Moment {
        self.usage().last()
    }

    /// Whether it was used more than once or twice.
    pub fn is_in_steady_use(&self) -> bool {
        self.usage().count() == MANY
    }

    /// Whether it has ended, by whatever.
    pub fn has_ended(&self) -> bool {
        self.usage() == Usage::ENDED
    }

    fn usage(&self) -> Usage {
        Usage::from_word(self.usage.load(Ordering::Acquire))
    }

    fn holds(&self, usage: Usage, now: Moment, lifetime: &Lifetime) -> bool {
        usage != Usage::ENDED
            && now.since(usage.last()) < lifetime.idle
            && lifetime.absolute.is_none_or(|absolute| now.since(self.started) < absolute)
    }
}

/// What is done under the locks of sessions does not panic, so a poisoned one still guards something sound.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use token::SessionToken;

    const IDLE: Lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };

    fn at(minutes: u64, seconds: u64) -> Moment {
        Moment::START.after(Duration::from_secs(minutes * 60 + seconds))
    }

    fn session() -> Session {
        let user = Arc::new(crate::user::tests::user("ada"));
        Session::start(SessionToken::generate().id(), user, None, Moment::START)
    }

    #[test]
    fn s_05_alive_at_nine_fifty_nine_and_dead_at_ten_oh_one() {
        assert!(session().is_live(at(9, 59), &IDLE));
        assert!(!session().is_live(at(10, 1), &IDLE));
        assert!(session().renew(at(9, 59), &IDLE));
        assert!(!session().renew(at(10, 1), &IDLE));
    }

    #[test]
    fn s_06_use_extends_and_looking_does_not() {
        let used = session();
        assert!(used.renew(at(9, 59), &IDLE));
        assert!(used.is_live(at(19, 58), &IDLE));

        let looked_at = session();
        assert!(looked_at.is_live(at(9, 59), &IDLE));
        assert!(!looked_at.is_live(at(10, 1), &IDLE));
    }

    #[test]
    fn s_07_an_absolute_lifetime_ends_a_busy_session() {
        let lifetime = Lifetime { absolute: Some(Duration::from_secs(3600)), ..IDLE };
        let session = session();
        for minute in 0..60 {
            assert!(session.renew(at(minute, 0), &lifetime));
        }
        assert!(!session.renew(at(60, 0), &lifetime));
    }

    #[test]
    fn s_07_the_deadline_is_the_moment_from_which_on_it_does_not_hold() {
        let absolute = |minutes: u64| Some(Duration::from_secs(minutes * 60));
        for (lifetime, end) in [
            (IDLE, at(15, 0)),
            (Lifetime { absolute: absolute(60), ..IDLE }, at(15, 0)),
            (Lifetime { absolute: absolute(12), ..IDLE }, at(12, 0)),
        ] {
            let session = session();
            assert!(session.renew(at(5, 0), &lifetime));
            assert_eq!(session.deadline(&lifetime), Some(end));
            let before = Moment::from_millis(end.millis() - 1);
            assert!(!session.expire(before, &lifetime) && session.is_live(before, &lifetime));
            assert!(session.expire(end, &lifetime));
            assert!(!session.expire(end, &lifetime), "once");
            assert_eq!(session.deadline(&lifetime), None);
        }
    }

    #[test]
    fn s_08_an_ended_session_is_never_revived() {
        let session = session();
        assert!(session.end());
        assert!(!session.end());
        assert!(!session.renew(at(0, 1), &IDLE));
        assert!(!session.is_live(at(0, 1), &IDLE));
    }

    #[test]
    fn s_19_an_earlier_clock_reading_does_not_shorten_a_session() {
        let session = session();
        assert!(session.renew(at(5, 0), &IDLE));
        assert!(session.renew(at(4, 59), &IDLE));
        assert!(session.is_live(at(14, 59), &IDLE));
    }
}
