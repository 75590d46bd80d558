//! What is asked of a store about sessions of users who came by a sign-in provider.

use std::sync::Arc;
use std::time::Duration;

use super::{SessionStore, StoreError};
use crate::clock::{self, Moment};
use crate::session::Session;
use crate::session::once::Single;
use crate::session::provider::{Confirmed, Granting, Kept, Right};
use crate::session::redis::{come, provider_asked};
use crate::session::token::SessionToken;

impl SessionStore {
    /// Asks `granting` what users of sign-in providers may do, where that does not last as long as the sessions.
    pub fn grant_by(&self, granting: Arc<dyn Granting>) {
        if let Self::Redis(redis) = self {
            redis.grant_by(granting);
        }
    }

    /// Whether something that may come once has come before, to any of the gateways that share the store.
    pub async fn has_come(&self, what: &Single) -> Result<bool, StoreError> {
        let now = clock::unix_seconds();
        ask!(self, memory => memory.once.has_come(what, now), redis => come::has_come(redis, what, Moment::now()))
    }

    /// Something that may come once has come; false if it had before, to any of the gateways that share the store. While the
    /// store cannot be asked, nobody knows, and it must not count.
    pub async fn note_come(&self, what: &Single) -> Result<bool, StoreError> {
        let now = clock::unix_seconds();
        ask!(self, memory => memory.once.note(what, now), redis => come::note(redis, what, Moment::now()))
    }

    /// Whether another process has the sessions too, and may be about to serve them.
    pub fn is_handed_over(&self) -> bool {
        matches!(self, Self::Memory(memory) if memory.is_followed())
    }

    /// The right to ask the provider of `session`, that of `token`, at `now`, which is done `every` so often.
    pub async fn begin_refresh(
        &self,
        session: &Session,
        token: &SessionToken,
        every: Duration,
        now: Moment,
    ) -> Result<Right, StoreError> {
        if let Self::Redis(redis) = self {
            return Box::pin(provider_asked::begin(redis, token, every, now)).await;
        }
        Ok(session.provider().map_or(Right::Over, |half| Right::Mine(half.kept())))
    }

    /// The provider of `session`, that of `token`, has confirmed it at `now`.
    pub async fn confirm(
        &self,
        session: &Arc<Session>,
        token: &SessionToken,
        confirmed: Confirmed,
        now: Moment,
    ) -> Result<(), StoreError> {
        if let Self::Redis(redis) = self {
            Box::pin(provider_asked::confirm(redis, token, &confirmed, now)).await?;
        }
        let Confirmed { user, token, kept } = confirmed;
        if let Some(half) = session.provider() {
            half.confirm(token, kept, now);
        }
        session.set_user(user);
        if let Self::Memory(memory) = self {
            memory.has_changed(session);
        }
        self.settled().await;
        Ok(())
    }

    /// The provider of `session` does not answer at `now`; returns since when that is so.
    pub async fn fall_silent(&self, session: &Session, now: Moment) -> Result<Moment, StoreError> {
        if let Self::Redis(redis) = self {
            return Box::pin(provider_asked::fall_silent(redis, session, now)).await;
        }
        Ok(session.provider().map_or(now, |half| half.fall_silent(now)))
    }

    /// What is kept of the provider of `session`, that of `token`.
    pub async fn kept(
        &self,
        session: &Session,
        token: &SessionToken,
    ) -> Result<Option<Kept>, StoreError> {
        let Some(half) = session.provider() else { return Ok(None) };
        if let Self::Redis(redis) = self {
            return Box::pin(provider_asked::kept(redis, token)).await;
        }
        Ok(Some(half.kept()))
    }
}
