//! While one process takes over from another: each has the sessions, and tells the other what changes.
//!
//! A change is answered to a client when the other process has heard of it. So a session that was signed out of at one is
//! over at both, whichever is asked next, and one that has begun is known to both.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::MemoryStore;
use super::passwords::{Passwords, Said};
use crate::clock::Moment;
use crate::session::ended::{EndListener, Ended};
use crate::session::entry::Entry;
use crate::session::token::SessionId;
use crate::session::{EndReason, Session, lock};
use crate::user::UserId;
use crate::user::password::PasswordMark;

/// What has become of a session.
pub enum Change {
    /// It was created, or what is kept of its provider has changed.
    Created(Arc<Session>),
    /// It has ended.
    Ended(SessionId),
    /// It was used, at that moment.
    Used(SessionId, Moment),
    /// This is to be known of a password before the users file says something else.
    Password(Said),
}

/// A change as it is written for the other process.
#[derive(Serialize, Deserialize)]
pub enum Written {
    /// A session was created, or what is kept of its provider has changed.
    Created(Box<Entry>),
    /// The session of this digest has ended.
    Ended(String),
    /// It was used, so many milliseconds after the origin of the clock.
    Used(String, u64),
    /// This is to be known of a password before the users file says something else.
    Password(Said),
}

impl Change {
    /// The change in a form for the other process, where `give` writes sessions. A session that is over by now ends there.
    pub fn write(&self, give: impl FnOnce(&Session) -> Option<Entry>) -> Written {
        match self {
            Self::Created(session) => match give(session) {
                Some(entry) => Written::Created(Box::new(entry)),
                None => Written::Ended(session.id().hex()),
            },
            Self::Ended(id) => Written::Ended(id.hex()),
            Self::Used(id, at) => Written::Used(id.hex(), at.millis()),
            Self::Password(said) => Written::Password(said.clone()),
        }
    }
}

/// What the other process is told, in this order.
pub enum News {
    /// This change, the so-manyth.
    Changed(u64, Change),
    /// So many of its own changes have been made here.
    Heard(u64),
    /// This process serves.
    Ready,
}

/// Whoever is told of changes, while there is somebody.
#[derive(Default)]
pub(super) struct Follower {
    other: Mutex<Option<Other>>,
    /// Whether there is another: so that nobody takes the lock for nothing.
    is_there: AtomicBool,
    /// Whether sessions that expire here may live on at the other.
    has_left: AtomicBool,
    /// What they say to each other of passwords.
    passwords: Passwords,
}

/// The other process.
struct Other {
    news: Sender<News>,
    told: u64,
    heard: watch::Sender<u64>,
    /// Whether clients may be there already.
    serves: bool,
}

/// How long a client waits for the other process to hear of a change.
const PATIENCE: Duration = Duration::from_secs(1);

/// A use is told this long after the one before.
const USED_BEFORE: Duration = Duration::from_secs(1);

impl Follower {
    pub(super) fn created(&self, session: &Arc<Session>) {
        self.tell(|| Change::Created(Arc::clone(session)));
    }

    /// Notes a use at `now`, after one at `before`.
    pub(super) fn used(&self, id: &SessionId, before: Moment, now: Moment) {
        if now.since(before) >= USED_BEFORE {
            self.tell(|| Change::Used(*id, now));
        }
    }

    /// Whether nobody is to be told of an end for `reason`: the other process finds it out by itself, and knows better.
    pub(super) fn keeps(&self, reason: EndReason) -> bool {
        reason == EndReason::Expired && self.has_left.load(Ordering::Relaxed)
    }

    fn tell(&self, change: impl FnOnce() -> Change) {
        if !self.is_there.load(Ordering::Acquire) {
            return;
        }
        if let Some(other) = &mut *lock(&self.other) {
            other.told += 1;
            // Whoever receives sees to it that nobody tells any more.
            let _ = other.news.send(News::Changed(other.told, change()));
        }
    }
}

impl EndListener for Follower {
    fn ended(&self, Ended { session, reason }: &Ended) {
        if !matches!(reason, EndReason::Refused | EndReason::Expired) {
            self.tell(|| Change::Ended(*session.id()));
        }
    }
}

impl MemoryStore {
    /// All changes from now on, for another process, and what else it is to be told; up to [`MemoryStore::unfollow`].
    pub fn follow(&self) -> (Sender<News>, Receiver<News>) {
        self.follower.passwords.begin();
        let (news, receiver) = channel();
        let heard = watch::Sender::new(0);
        let other = Other { news: news.clone(), told: 0, heard, serves: false };
        *lock(&self.follower.other) = Some(other);
        self.follower.is_there.store(true, Ordering::Release);
        (news, receiver)
    }

    /// Whether there is another process that is told.
    pub fn is_followed(&self) -> bool {
        self.follower.is_there.load(Ordering::Acquire)
    }

    /// From now on the other process may have clients: changes wait for it.
    pub fn wait_for_other(&self) {
        if let Some(other) = &mut *lock(&self.follower.other) {
            other.serves = true;
        }
    }

    /// The other process has heard of so many changes.
    pub fn heard(&self, count: u64) {
        if let Some(other) = &*lock(&self.follower.other) {
            other.heard.send_replace(count);
        }
    }

    /// There is nobody to be told any more.
    pub fn unfollow(&self) {
        self.follower.is_there.store(false, Ordering::Release);
        *lock(&self.follower.other) = None;
    }

    /// The other process decides from now on what has expired.
    pub fn leave(&self) {
        self.follower.has_left.store(true, Ordering::Relaxed);
    }

    /// Waits until the other process, if there is one, has heard of all that has changed; not for long.
    pub async fn settled(&self) {
        if !self.is_followed() {
            return;
        }
        let waiting = lock(&self.follower.other)
            .as_ref()
            .and_then(|other| other.serves.then(|| (other.told, other.heard.subscribe())));
        if let Some((told, mut heard)) = waiting {
            let all_is_heard = heard.wait_for(|heard| *heard >= told);
            if tokio::time::timeout(PATIENCE, all_is_heard).await.is_err() {
                log::warn!("the other process has not heard of a change within a second");
            }
        }
    }

    /// All sessions.
    pub fn all(&self) -> Vec<Arc<Session>> {
        self.cache.iter().map(|(_, session)| session).collect()
    }

    /// Tells the other process, if there is one, what has become of `session`.
    pub fn has_changed(&self, session: &Arc<Session>) {
        self.follower.created(session);
    }

    /// Enters a session of the other process, if it holds at `now` and is not known here. The limits do not count: it was
    /// let in before. Of one that is known, it may be news what its provider has said.
    /// If it was opened just now, the users file may say a moment later that its user has the password `mark`.
    pub fn take_over(
        &self,
        session: Session,
        mark: Option<PasswordMark>,
        now: Moment,
    ) -> Option<Arc<Session>> {
        if let Some(known) = self.cache.get(session.id()) {
            known.follow(&session);
            return None;
        }
        if !session.is_live(now, &self.lifetime) {
            return None;
        }
        if let Some(mark) = mark {
            self.follower.passwords.opened(*session.id(), mark);
        }
        let session = Arc::new(session);
        lock(&self.index).insert(Arc::clone(&session));
        self.enter(&session);
        Some(session)
    }

    /// What is known of passwords that another process knows too.
    pub fn passwords(&self) -> &Passwords {
        &self.follower.passwords
    }

    /// The password `after` is the same as `before`, hashed anew. The other process hears of it.
    pub fn note_same(&self, (before, after): (PasswordMark, PasswordMark)) {
        self.follower.passwords.note_same(before, after);
        self.follower.tell(|| Change::Password(Said::same(before, after)));
    }

    /// The other process hears that `user` is about to have the password `mark`, and that the session `id` stays.
    pub fn keep(&self, id: &SessionId, user: UserId, mark: PasswordMark) {
        self.follower.tell(|| Change::Password(Said::kept(id, user, mark)));
    }

    /// Revokes the sessions of `user`, who has the password `after` and had `before`, unless it is the same, hashed anew;
    /// but those of another process that are good with it. Returns how many.
    pub fn revoke_older(
        &self,
        user: UserId,
        (before, after): (Option<PasswordMark>, PasswordMark),
    ) -> usize {
        let good = self.follower.passwords.changed(user, before, after);
        good.map_or(0, |good| self.revoke_but(user, |id| good.contains(id)))
    }

    /// Revokes all sessions of `user` but those to `keep`; returns how many.
    pub(super) fn revoke_but(&self, user: UserId, keep: impl Fn(&SessionId) -> bool) -> usize {
        let sessions = self.of(user).into_iter().filter(|session| !keep(session.id()));
        let count = sessions.filter(|session| self.end_this(session, EndReason::Revoked)).count();
        self.underway.revoke_all(user, keep);
        count
    }

    /// Has the session, which is counted, be found.
    pub(super) fn enter(&self, session: &Arc<Session>) {
        self.cache.insert(*session.id(), Arc::clone(session));
        self.look_again(session);
    }

    /// Makes a change of the other process, but of a session that was created: returns that, to be taken over. Nobody is
    /// told of an end: it was told there.
    pub fn follow_up(&self, change: Written) -> Option<Entry> {
        let find = |hex: &str| self.cache.get(&SessionId::of_hex(hex.as_bytes())?);
        match change {
            Written::Created(entry) => return Some(*entry),
            Written::Ended(id) => {
                if let Some(session) = find(&id) {
                    session.end();
                    self.forget(&session);
                    self.underway.revoke(session.id());
                }
            }
            Written::Used(id, at) => {
                if let Some(session) = find(&id) {
                    session.renew(Moment::from_millis(at), &self.lifetime);
                }
            }
            Written::Password(said) => self.follower.passwords.hear(said),
        }
        None
    }
}
