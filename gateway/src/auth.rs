//! Authentication: sign in, authenticate a request, sign out.

mod apart;
mod audited_ends;
mod changes;
pub mod credential;
pub mod errand;
mod failures;
mod federation;
pub mod gateway_tokens;
pub mod handover;
pub mod jwt;
pub mod oidc;
pub mod password;
mod rehash;
pub mod reload;
pub mod signin;
#[cfg(test)]
mod simulation;
pub mod throttle;
pub mod tokens;
pub mod upstream_sessions;

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;

use crate::audit::{Actor, Audit, Event, EventKind, Reason};
use crate::clock::Moment;
use crate::directory::Directory;
use crate::directory::users::UserChange;
use crate::request_meta::RequestMeta;
use crate::session::memory::Capacity;
use crate::session::store::{SessionStore, StoreError};
use crate::session::token::SessionToken;
use crate::session::{EndReason, Record, Session, Watch};
use crate::user::User;
pub use audited_ends::AuditedEnds;
use changes::Changes;
use errand::GuessesInFlight;
use jwt::Jwts;
use oidc::Oidc;
use oidc::logout::give_back;
pub use password::{ChangeError, InForce};
pub use signin::SignInError;
use throttle::bans::{Banned, Bans};
use throttle::{Throttle, ThrottleRules};
use tokens::{TokenError, Tokens};
use upstream_sessions::UpstreamSessions;

/// Users and their sessions.
pub struct Auth {
    directory: Directory,
    sessions: Arc<SessionStore>,
    tokens: Tokens,
    /// Judges JWTs, where any are taken.
    jwts: Option<Jwts>,
    /// Signs users in by providers, where there are any.
    oidc: Option<Arc<Oidc>>,
    /// Looks after InfluxDB's half of sessions, where there is one.
    upstream_sessions: Option<Arc<UpstreamSessions>>,
    throttle: Throttle,
    bans: Bans,
    under_way: Arc<GuessesInFlight>,
    changes: Changes,
    audit: Audit,
    /// Held while the users file is read anew and its changes are carried out, and while a new
    /// password is set: who changes a user, and whose sessions end for it, is one thing.
    reloading: Arc<Mutex<()>>,
    /// What has become of users that their sessions do not know yet, oldest first.
    untold: Mutex<VecDeque<UserChange>>,
    /// Whether sessions that are older than this process have been thought of.
    has_looked_back: AtomicBool,
}

impl Auth {
    /// Users of `directory`, their sessions in `sessions`.
    pub fn new(
        directory: Directory,
        sessions: Arc<SessionStore>,
        tokens: Tokens,
        upstream_sessions: Option<Arc<UpstreamSessions>>,
        rules: ThrottleRules,
        audit: Audit,
    ) -> Self {
        let (throttle, bans) = (Throttle::new(rules, &sessions), Bans::new(rules));
        let reloading = Arc::default();
        let (changes, under_way) = (Changes::default(), Arc::default());
        let untold = Mutex::default();
        Self {
            directory,
            sessions,
            tokens,
            jwts: None,
            oidc: None,
            upstream_sessions,
            throttle,
            bans,
            under_way,
            changes,
            audit,
            reloading,
            untold,
            has_looked_back: AtomicBool::new(false),
        }
    }

    /// Judges guesses by these `rules` from now on.
    pub fn set_rules(&self, rules: ThrottleRules) {
        self.throttle.set_rules(rules);
        self.bans.set_rules(rules);
    }

    /// Lets there be so many sessions from now on. Where there are more, nobody is signed out for it.
    pub fn set_capacity(&self, capacity: Capacity) {
        self.sessions.set_capacity(capacity);
    }

    /// The live session of `token`, renewed.
    pub async fn authenticate(
        &self,
        token: &SessionToken,
        now: Moment,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        self.sessions.touch(token, now).await
    }

    /// The live session of `token`, which is not renewed.
    pub async fn peek(
        &self,
        token: &SessionToken,
        now: Moment,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        self.sessions.peek(token, now).await
    }

    /// Watches over `session` while the rest of a request on its behalf is still coming.
    pub fn watch(&self, session: &Arc<Session>) -> Watch {
        self.sessions.watch(session).within(self.life_by_provider(session))
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
    pub async fn sign_out(
        &self,
        token: &SessionToken,
        now: Moment,
        meta: &RequestMeta<'_>,
    ) -> Result<Option<Arc<Session>>, StoreError> {
        let provider = self.provider_of(token, now).await?;
        let ended = self.sessions.end(&token.id(), EndReason::SignedOut, now).await?;
        if let (Some(_), Some((provider, refresh))) = (&ended, provider) {
            give_back(provider, refresh);
        }
        Ok(ended.map(|ended| {
            self.audit.record(event(EventKind::SignedOut, &ended.session).on(meta));
            ended.session
        }))
    }

    /// Ends the live sessions of `records` on behalf of `actor`; returns how many have ended by it. InfluxDB's half of each
    /// is signed out of, as at a sign-out.
    pub async fn revoke(
        &self,
        records: &[Record],
        actor: Actor,
        meta: &RequestMeta<'_>,
    ) -> Result<usize, StoreError> {
        let mut count = 0;
        for record in records {
            let ended = self.sessions.end(&record.id, EndReason::OnRequest, Moment::now()).await?;
            if let Some(ended) = ended {
                let event = event(EventKind::Revoked, &ended.session);
                self.audit.record(event.on(meta).by(actor));
                count += 1;
            }
        }
        Ok(count)
    }

    /// Who has to wait, as far as it has begun at this gateway.
    pub fn banned(&self, now: Moment) -> Vec<Banned> {
        self.bans.list(now)
    }

    /// Lifts `ban` on behalf of an administrator.
    pub async fn lift(&self, ban: &Banned, meta: &RequestMeta<'_>) -> Result<(), StoreError> {
        self.throttle.lift(ban.scope, &ban.guess).await?;
        self.bans.forget(&ban.id);
        let event = Event::now(EventKind::Lifted(ban.scope.word())).on(meta).by(Actor::Admin);
        self.audit.record(match &ban.user {
            Some(user) => event.for_typed(user),
            None => event,
        });
        Ok(())
    }

    /// Where sessions are kept.
    pub fn sessions(&self) -> &Arc<SessionStore> {
        &self.sessions
    }

    /// Whether passwords are changed here, and not upstream.
    pub fn keeps_passwords(&self) -> bool {
        matches!(self.directory, Directory::File(_))
    }

    /// What happens to sessions is written down here.
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Notes in the audit trail that a sign-in was refused before there was anything to check.
    pub fn note_malformed(&self, meta: &RequestMeta<'_>) {
        self.audit.record(Event::now(EventKind::Refused(Reason::Malformed)).on(meta));
    }

    /// The user of `session`. Whether that is still so, InfluxDB is asked in the background.
    pub fn user_of(&self, session: &Arc<Session>, now: Moment) -> Arc<User> {
        if let Some(upstream_sessions) = &self.upstream_sessions {
            upstream_sessions.refresh(session, now);
        }
        session.user()
    }

    /// Asks InfluxDB in the background what has become of `session` and its user, which it has
    /// answered with 401 or 403: that may also have been for want of a permission. If InfluxDB does
    /// not know the session, it ends.
    pub fn doubt(&self, session: &Arc<Session>) {
        if let Some(upstream_sessions) = &self.upstream_sessions {
            upstream_sessions.doubt(session);
        }
    }
}

/// One after the other.
fn in_turn(mutex: &Mutex<()>) -> MutexGuard<'_, ()> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn event(kind: EventKind, session: &Session) -> Event {
    Event::now(kind).to(&session.user().name).within(session.id().fingerprint())
}
