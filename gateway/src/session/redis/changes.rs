//! What changes sessions in Redis: creation, end, and what becomes of their users.

use std::sync::Arc;

use super::fields::{self, Fields, Flat};
use super::seal::Seal;
use super::{RedisStore, halves, of_provider, scripts};
use crate::clock::Moment;
use crate::session::ended::{Ended, tell};
use crate::session::error::{CreateError, StoreError};
use crate::session::memory::Capacity;
use crate::session::origin::Named;
use crate::session::token::{SessionId, SessionToken};
use crate::session::{EndReason, Session};
use crate::user::password::PasswordMark;
use crate::user::{User, UserId};

/// Ids of sessions, as Redis has them.
type Ids = Vec<Vec<u8>>;

impl RedisStore {
    /// Lets there be so many sessions from now on. Where there are more, nobody is signed out for it.
    pub fn set_capacity(&self, capacity: Capacity) {
        self.capacity.store(Arc::new(capacity));
    }

    /// Creates `session`, that of `token`, opened with `password`; refuses when the store is full.
    pub async fn create(
        &self,
        token: &SessionToken,
        session: Session,
        password: Option<PasswordMark>,
        now: Moment,
    ) -> Result<Arc<Session>, CreateError> {
        let session = Arc::new(session);
        let answer = self.ask_to_create(token, &session, password, now).await;
        if let Ok((true, gone, flat)) = &answer {
            self.ended(gone, flat, EndReason::Evicted, now);
            return Ok(session);
        }
        // It ends before it began; whoever looks after its other half is told. If Redis has it nevertheless, nobody
        // has its token.
        session.end();
        tell(&self.listeners, session, EndReason::Refused);
        Err(answer.err().map_or(CreateError::Full, CreateError::Store))
    }

    async fn ask_to_create(
        &self,
        token: &SessionToken,
        session: &Session,
        password: Option<PasswordMark>,
        now: Moment,
    ) -> Result<(bool, Vec<u8>, Flat), StoreError> {
        let (user, hex) = (session.user(), token.id().hex());
        let mut run = self.script(&scripts::CREATE, self.shared.keys.record(&hex), Some(now));
        let Capacity { total, per_user } = **self.capacity.load();
        self.live_for(run.arg(hex)).arg(total).arg(per_user);
        run.arg(session.user_id().to_string()).arg(session.kind().bits());
        run.arg(halves::of_new(self, session).await?);
        let fields = fields::of_user(&user).into_iter().chain(fields::of_origin(session));
        for (field, value) in fields.chain(fields::of_client(session)) {
            run.arg(field).arg(value);
        }
        for (field, value) in of_provider::fields(session, token) {
            run.arg(field).arg(value);
        }
        if let Some(password) = password {
            run.arg("password").arg(password.to_string());
        }
        if let Some(half) = session.upstream() {
            run.arg("sealed").arg(Seal::of_token(token).seal(half.session().cookie().as_bytes()));
        }
        self.link.ask(&run).await
    }

    /// Ends the live session `id` for `reason`; `None` if there is none.
    pub async fn end(
        &self,
        id: &SessionId,
        reason: EndReason,
        now: Moment,
    ) -> Result<Option<Ended>, StoreError> {
        let hex = id.hex();
        let mut run = self.script(&scripts::END, self.shared.keys.record(&hex), Some(now));
        self.live_for(run.arg(&hex));
        let flat: Option<Flat> = self.link.ask(&run).await?;
        // Also what has idled out, but is still in use by a request: whoever signs out, means it.
        self.gone(id);
        let session = flat.and_then(|flat| self.ended(hex.as_bytes(), &flat, reason, now));
        Ok(session.map(|session| Ended { session, reason }))
    }

    /// Revokes all sessions of `user` but `keep`; returns how many.
    pub async fn revoke_user(
        &self,
        user: UserId,
        keep: Option<&SessionId>,
    ) -> Result<usize, StoreError> {
        let keep_hex = keep.map(SessionId::hex).unwrap_or_default();
        let found = self.end_of(user, "revoke", keep_hex).await?;
        self.shared.underway.revoke_all(user, |id| Some(id) == keep);
        Ok(found)
    }

    /// Revokes all sessions of `user` that were opened with another password than `password`; returns how many.
    pub async fn revoke_older(
        &self,
        user: UserId,
        password: PasswordMark,
    ) -> Result<usize, StoreError> {
        self.end_of(user, "password", password.to_string()).await
    }

    async fn end_of(&self, user: UserId, how: &str, keep: String) -> Result<usize, StoreError> {
        let hex = user.to_string();
        let mut run = self.script(&scripts::USER, self.shared.keys.user(&hex), None);
        run.arg(hex).arg(how).arg(keep);
        let (found, written): (Vec<(Vec<u8>, Flat)>, Ids) = self.link.ask(&run).await?;
        self.have_written(written);
        Ok(self.revoked(&found))
    }

    /// This gateway has written into the records of sessions of these ids.
    fn have_written(&self, ids: Ids) {
        for id in ids.iter().filter_map(|id| SessionId::of_hex(id)) {
            self.shared.doubt(id);
        }
    }

    /// Revokes sessions that a sign-in provider calls so: `all`, or those without a session there; returns how many.
    pub async fn revoke_named(&self, named: &Named, all: bool) -> Result<usize, StoreError> {
        let mut run = self.script(&scripts::PROVIDER, self.shared.keys.named(named), None);
        run.arg(if all { "all" } else { "without" });
        let found: Vec<(Vec<u8>, Flat)> = self.link.ask(&run).await?;
        Ok(self.revoked(&found))
    }

    /// This gateway has revoked sessions; returns how many.
    fn revoked(&self, found: &[(Vec<u8>, Flat)]) -> usize {
        let now = Moment::now();
        for (id, flat) in found {
            self.ended(id, flat, EndReason::Revoked, now);
        }
        found.len()
    }

    /// Says that the password `after` is the same as `before`, hashed anew.
    pub async fn note_same(
        &self,
        (before, after): (PasswordMark, PasswordMark),
    ) -> Result<(), StoreError> {
        let mut run = self.script(&scripts::SAME, self.shared.keys.same_as(after), None);
        run.arg(before.to_string());
        self.link.ask(&run).await
    }

    /// Has sessions of `user` be as good with the password `after` as they were with `before`: `only` one, or all.
    pub async fn carry_over(
        &self,
        user: UserId,
        (before, after): (PasswordMark, PasswordMark),
        only: Option<&SessionId>,
    ) -> Result<(), StoreError> {
        let key = self.shared.keys.user(&user.to_string());
        let mut run = self.script(&scripts::PASSWORD, key, None);
        run.arg(before.to_string()).arg(after.to_string());
        run.arg(only.map(SessionId::hex).unwrap_or_default());
        self.have_written(self.link.ask(&run).await?);
        Ok(())
    }

    /// Has all sessions of the user `with.id()` be of `with`; returns how many.
    pub async fn replace_user(&self, with: &Arc<User>) -> Result<usize, StoreError> {
        let hex = with.id().to_string();
        let mut run = self.script(&scripts::USER, self.shared.keys.user(&hex), None);
        run.arg(hex).arg("replace").arg("");
        for (_, value) in fields::of_user(with) {
            run.arg(value);
        }
        let (found, _written): (Vec<(Vec<u8>, Flat)>, Ids) = self.link.ask(&run).await?;
        for (id, _) in &found {
            let entry = SessionId::of_hex(id).and_then(|id| self.shared.doubt(id));
            if let Some(entry) = entry {
                entry.session.set_user(Arc::clone(with));
            }
        }
        self.shared.underway.change(with);
        Ok(found.len())
    }

    /// Has `session` be of `user`, and counted under that id.
    pub async fn assign(&self, session: &Arc<Session>, user: &Arc<User>) -> Result<(), StoreError> {
        if session.user_id() != user.id() || *session.user() != **user {
            let hex = session.id().hex();
            let mut run = self.script(&scripts::ASSIGN, self.shared.keys.record(&hex), None);
            self.live_for(run.arg(hex).arg(user.id().to_string()));
            for (_, value) in fields::of_user(user) {
                run.arg(value);
            }
            let _was_there: bool = self.link.ask(&run).await?;
            self.shared.near.changed(session.id());
            session.set_user_id(user.id());
        }
        session.set_user(Arc::clone(user));
        Ok(())
    }

    /// The session `id` is not there any more, also for requests that have it and wait for something.
    pub(super) fn gone(&self, id: &SessionId) {
        if let Some(entry) = self.shared.near.changed(id) {
            entry.session.end();
        }
        self.shared.underway.end(id);
    }

    /// This gateway has ended the session `id`, whose record was `flat`: nobody else tells of it.
    fn ended(
        &self,
        id: &[u8],
        flat: &Flat,
        reason: EndReason,
        now: Moment,
    ) -> Option<Arc<Session>> {
        let id = SessionId::of_hex(id)?;
        self.gone(&id);
        let fields = Fields::read(flat).ok()?;
        let session = Session::start(id, fields.as_recorded(), None, now).of_client(fields.client);
        session.end();
        let session = Arc::new(session);
        tell(&self.listeners, Arc::clone(&session), reason);
        Some(session)
    }
}
