//! Requests whose body is still arriving, and the sessions that they depend on.
//!
//! A session that idles out is forgotten, while a request that was begun with it may go on: it is kept here
//! for as long as that takes, so that even then it can be revoked.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::Notify;

use super::token::{DigestHasher, SessionId};
use super::{Session, lock};
use crate::clock::Moment;
use crate::user::{Status, User, UserId};

/// The present state of a request's session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Nothing that matters: that it has idled out, at most.
    Nothing,
    /// Its user is not the same any more.
    Changed,
    /// It was ended by somebody.
    Revoked,
}

/// All such requests, by their sessions.
#[derive(Default)]
pub(super) struct InFlight(Mutex<Requests>);

type Requests = HashMap<SessionId, Vec<Arc<Request>>, BuildHasherDefault<DigestHasher>>;

struct Request {
    session: Arc<Session>,
    /// A [`Notice`], as a number.
    notice: AtomicU8,
    /// Rings when the request must not go on.
    bell: Arc<Notify>,
    /// Until when the session lives at least if nobody ends it, as far as a store elsewhere has said.
    ends: AtomicU64,
}

/// Watches the session of one request until it is dropped.
pub struct Watch {
    request: Arc<Request>,
    underway: Arc<InFlight>,
    /// When the session ends, however busy it is.
    last: Option<Moment>,
}

impl Watch {
    /// Watches over `session`, from now on: what has become of it before, is to be looked at.
    pub(super) fn over(session: &Arc<Session>, underway: &Arc<InFlight>) -> Self {
        let request = Arc::new(Request {
            session: Arc::clone(session),
            notice: AtomicU8::new(Notice::Nothing as u8),
            bell: Arc::default(),
            ends: AtomicU64::new(0),
        });
        underway.lock().entry(*session.id()).or_default().push(Arc::clone(&request));
        Self { request, underway: Arc::clone(underway), last: None }
    }

    /// The same; the session lives for so long at most, if that is bounded.
    pub fn within(mut self, life: Option<Duration>) -> Self {
        if let Some(life) = life {
            let last = self.request.session.started().after(life);
            self.last = Some(self.last.map_or(last, |other| other.min(last)));
        }
        self
    }

    /// What has become of it.
    pub fn notice(&self) -> Notice {
        match self.request.notice.load(Ordering::Acquire) {
            nothing if nothing == Notice::Nothing as u8 => Notice::Nothing,
            changed if changed == Notice::Changed as u8 => Notice::Changed,
            _ => Notice::Revoked,
        }
    }

    /// Whether the session has lived its time by now. Reads the clock if that is bounded.
    pub fn has_outlived(&self) -> bool {
        self.last.is_some_and(|last| last <= Moment::now())
    }

    /// Whether somebody else has the session, too.
    pub(super) fn is_needed(&self) -> bool {
        Arc::strong_count(&self.request.session) > 1
    }

    /// Rings, once, when the session is revoked or its user may do nothing any more.
    pub fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.request.bell)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut requests = self.underway.lock();
        let id = self.request.session.id();
        let Some(of_session) = requests.get_mut(id) else { return };
        of_session.retain(|request| !Arc::ptr_eq(request, &self.request));
        if of_session.is_empty() {
            requests.remove(id);
        }
    }
}

impl InFlight {
    /// The session `id` was ended by somebody.
    pub(super) fn revoke(&self, id: &SessionId) {
        for request in self.lock().get(id).into_iter().flatten() {
            request.revoke();
        }
    }

    /// The same, in a store elsewhere: of the session, each request may have what it once was.
    pub(super) fn end(&self, id: &SessionId) {
        for request in self.lock().get(id).into_iter().flatten() {
            request.end();
        }
    }

    /// So were all of `user`, but those to `keep`.
    pub(super) fn revoke_all(&self, user: UserId, keep: impl Fn(&SessionId) -> bool) {
        self.each_of(user, |request| {
            if !keep(request.session.id()) {
                request.revoke();
            }
        });
    }

    /// This is what has become of a user.
    pub(super) fn change(&self, user: &Arc<User>) {
        self.each_of(user.id(), |request| request.change(user));
    }

    /// Whether there are requests with the session `id`.
    pub(super) fn has(&self, id: &SessionId) -> bool {
        self.lock().contains_key(id)
    }

    /// The sessions of all requests.
    pub(super) fn ids(&self) -> Vec<SessionId> {
        self.lock().keys().copied().collect()
    }

    /// A store elsewhere says that the session `id` lives up to this moment at least.
    pub(super) fn lives(&self, id: &SessionId, ends: Moment) {
        for request in self.lock().get(id).into_iter().flatten() {
            request.ends.store(ends.millis(), Ordering::Release);
        }
    }

    /// A store elsewhere says that the session `id` is of this user.
    pub(super) fn is_of(&self, id: &SessionId, user: &Arc<User>) {
        for request in self.lock().get(id).into_iter().flatten() {
            if *request.session.user() != **user {
                request.change(user);
            }
        }
    }

    /// A store elsewhere has no session `id` at `now`: it was ended by somebody, or has idled out.
    pub(super) fn is_gone(&self, id: &SessionId, now: Moment) {
        let requests = self.lock();
        let of_session = || requests.get(id).into_iter().flatten();
        let ends = of_session().map(|request| request.ends.load(Ordering::Acquire)).max();
        if ends.is_some_and(|ends| now.millis() < ends) {
            for request in of_session() {
                request.end();
            }
        }
    }

    fn each_of(&self, user: UserId, tell: impl Fn(&Request)) {
        let requests = self.lock();
        requests
            .values()
            .flatten()
            .filter(|it| it.session.user_id() == user)
            .for_each(|it| tell(it));
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        lock(&self.0)
    }
}

impl Request {
    fn change(&self, user: &Arc<User>) {
        self.session.set_user(Arc::clone(user));
        self.notice.fetch_max(Notice::Changed as u8, Ordering::AcqRel);
        if user.status == Status::Inactive {
            self.bell.notify_one();
        }
    }

    /// Not this request alone: the session itself is over.
    fn end(&self) {
        self.session.end();
        self.revoke();
    }

    fn revoke(&self) {
        self.notice.store(Notice::Revoked as u8, Ordering::Release);
        self.bell.notify_one();
    }
}
