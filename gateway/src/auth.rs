//! Authentication: sign in, authenticate a request, sign out.

mod changes;
pub mod credential;
pub mod errand;
mod password;
mod reload;
mod signin;
#[cfg(test)]
mod simulation;
pub mod throttle;
pub mod tokens;
pub mod upkeep;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;

use crate::audit::{Audit, Event, Kind, Reason};
use crate::clock::Moment;
use crate::directory::Directory;
use crate::session::memory::{MemoryStore, OnEnd};
use crate::session::token::SessionToken;
use crate::session::{End, Session, Watch};
use crate::user::User;
use crate::visit::Visit;
use changes::Changes;
use errand::UnderWay;
pub use password::{ChangeError, InForce};
pub use signin::SignInError;
use throttle::{Rules, Throttle};
use tokens::{TokenError, Tokens};
use upkeep::Upkeep;

/// Users and their sessions.
pub struct Auth {
    directory: Directory,
    sessions: Arc<MemoryStore>,
    tokens: Tokens,
    /// Looks after InfluxDB's half of sessions, where there is one.
    upkeep: Option<Arc<Upkeep>>,
    throttle: Arc<Throttle>,
    under_way: Arc<UnderWay>,
    changes: Changes,
    audit: Audit,
    /// Held while the users file is read anew and its changes are carried out, and while a new
    /// password is set: who changes a user, and whose sessions end for it, is one thing.
    reloading: Arc<Mutex<()>>,
}

impl Auth {
    /// Users of `directory`, their sessions in `sessions`.
    pub fn new(
        directory: Directory,
        sessions: Arc<MemoryStore>,
        tokens: Tokens,
        upkeep: Option<Arc<Upkeep>>,
        rules: Rules,
        audit: Audit,
    ) -> Self {
        let throttle = Arc::new(Throttle::new(rules));
        let reloading = Arc::default();
        let (changes, under_way) = (Changes::default(), Arc::default());
        Self { directory, sessions, tokens, upkeep, throttle, under_way, changes, audit, reloading }
    }

    /// The live session of `token`, renewed.
    pub fn authenticate(&self, token: &SessionToken, now: Moment) -> Option<Arc<Session>> {
        self.sessions.touch(&token.id(), now)
    }

    /// Whether `session` still holds. Does not renew it.
    pub fn holds(&self, session: &Session, now: Moment) -> bool {
        self.sessions.is_live(session, now)
    }

    /// The live session of `token`, which is not renewed.
    pub fn peek(&self, token: &SessionToken, now: Moment) -> Option<Arc<Session>> {
        self.sessions.peek(&token.id(), now)
    }

    /// Watches over `session` while the rest of a request on its behalf is still coming.
    pub fn watch(&self, session: &Arc<Session>) -> Watch {
        self.sessions.watch(session)
    }

    /// Whose API token is in this `Authorization`, as far as that is asked.
    pub async fn resolve(
        &self,
        authorization: &HeaderValue,
    ) -> Result<Option<Arc<User>>, TokenError> {
        self.tokens.resolve(authorization).await
    }

    /// What becomes of clients that bring their own API token.
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Ends the session of `token` at once and returns it; `None` if there was none.
    pub fn sign_out(
        &self,
        token: &SessionToken,
        now: Moment,
        visit: &Visit<'_>,
    ) -> Option<Arc<Session>> {
        let session = self.sessions.close(&token.id(), now)?;
        self.audit.record(event(Kind::SignedOut, &session).on(visit));
        Some(session)
    }

    /// What happens to sessions is written down here.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Notes in the audit trail that a sign-in was refused before there was anything to check.
    pub fn note_malformed(&self, visit: &Visit<'_>) {
        self.audit.record(Event::now(Kind::Refused(Reason::Malformed)).on(visit));
    }

    /// The user of `session`. Whether that is still so, InfluxDB is asked in the background.
    pub fn user_of(&self, session: &Arc<Session>, now: Moment) -> Arc<User> {
        if let Some(upkeep) = &self.upkeep {
            upkeep.refresh(session, now);
        }
        session.user()
    }

    /// Asks InfluxDB in the background what has become of `session` and its user, which it has
    /// answered with 401 or 403: that may also have been for want of a permission. If InfluxDB does
    /// not know the session, it ends.
    pub fn doubt(&self, session: &Arc<Session>) {
        if let Some(upkeep) = &self.upkeep {
            upkeep.doubt(session);
        }
    }
}

/// What a store tells of ends to: the audit trail, and `next`. A session that is signed out of
/// ends on somebody's request, and is written down with that.
pub fn audited(audit: Audit, next: OnEnd) -> OnEnd {
    Arc::new(move |session, why| {
        let kind = match why {
            End::Expired => Some(Kind::Expired),
            End::Evicted => Some(Kind::Evicted),
            End::Revoked => Some(Kind::Revoked),
            End::SignedOut | End::Refused => None,
        };
        if let Some(kind) = kind {
            audit.record(event(kind, session));
        }
        next(session, why);
    })
}

/// One after the other.
fn in_turn(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn event(kind: Kind, session: &Session) -> Event {
    Event::now(kind).to(&session.user().name).within(session.id().fingerprint())
}
