//! What is asked of a store about sessions of users who came by a sign-in provider.

use std::sync::Arc;
use std::time::Duration;

use super::{SessionStore, StoreError};
use crate::clock::{self, Moment};
use crate::session::Session;
use crate::session::logged_out::Whose;
use crate::session::once::Single;
use crate::session::origin::Origin;
use crate::session::provider::{Confirmed, Granting, Kept, Lease, Right};
use crate::session::redis::come::logged_out;
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

    /// A provider has logged these out at `now`. To be said before their sessions are ended.
    pub async fn note_logged_out(&self, whose: &[Whose], now: Moment) -> Result<(), StoreError> {
        ask!(self, memory => memory.once.logged_out.note(whose, now), redis => logged_out::note(redis, whose, now))
    }

    /// Whether a provider has logged somebody from `origin` out between `since` and `now`. To be asked when there is a
    /// session: what comes later ends it.
    pub async fn was_logged_out(
        &self,
        origin: &Origin,
        since: Moment,
        now: Moment,
    ) -> Result<bool, StoreError> {
        ask!(self, memory => memory.once.logged_out.was(origin, since), redis => logged_out::was(redis, origin, since, now))
    }

    /// Whether another process has the sessions too, and may be about to serve them.
    pub fn is_handed_over(&self) -> bool {
        matches!(self, Self::Memory(memory) if memory.is_followed())
    }

    /// The right to ask the provider of `session`, that of `token`, at `now`, which is done `every` so often; with this
    /// `lease`, if others could ask as well.
    pub async fn begin_refresh(
        &self,
        session: &Session,
        token: &SessionToken,
        (every, lease): (Duration, Lease),
        now: Moment,
    ) -> Result<Right, StoreError> {
        if let Self::Redis(redis) = self {
            return Box::pin(provider_asked::begin(redis, token, (every, lease), now)).await;
        }
        Ok(session.provider().map_or(Right::Over, |half| Right::Mine(half.kept())))
    }

    /// The provider of `session`, that of `token`, has confirmed it at `now`; false if the session has ended meanwhile.
    pub async fn confirm(
        &self,
        session: &Arc<Session>,
        token: &SessionToken,
        confirmed: &Confirmed,
        now: Moment,
    ) -> Result<bool, StoreError> {
        if let Self::Redis(redis) = self
            && !Box::pin(provider_asked::confirm(redis, token, confirmed, now)).await?
        {
            session.end();
            return Ok(false);
        }
        let Confirmed { user, token, kept, .. } = confirmed.clone();
        if let Some(half) = session.provider() {
            half.confirm(token, kept, now);
        }
        session.set_user(user);
        if let Self::Memory(memory) = self {
            memory.has_changed(session);
        }
        self.settled().await;
        Ok(!session.has_ended())
    }

    /// The provider of `session` does not answer at `now`: whoever has asked by this `lease`, or nobody if somebody else has a
    /// moment ago. Returns since when that is so; `None` if the session has ended meanwhile.
    pub async fn fall_silent(
        &self,
        session: &Session,
        lease: Option<Lease>,
        now: Moment,
    ) -> Result<Option<Moment>, StoreError> {
        if let Self::Redis(redis) = self {
            return Box::pin(provider_asked::fall_silent(redis, session, lease, now)).await;
        }
        let half = session.provider().filter(|_| !session.has_ended());
        Ok(half.map(|half| half.fall_silent(now)))
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
