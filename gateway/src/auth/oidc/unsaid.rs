//! Sessions of which a provider has said something that the session store could not be told yet.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Oidc;
use super::logout::give_back;
use super::provider::Provider;
use crate::clock::Moment;
use crate::session::Session;
use crate::session::provider::Confirmed;
use crate::session::store::SessionStore;
use crate::session::token::{SessionId, SessionToken};

/// How long it is tried to tell the store, and how often. The new refresh token is in memory for that long.
const TRIES: (u32, Duration) = (1200, Duration::from_millis(250));

/// Those sessions.
#[derive(Default)]
pub(super) struct Unsaid(Mutex<HashSet<SessionId>>);

impl Unsaid {
    /// Whether the session `id` is among them: it must not be asked about by what the store has of it, which was used.
    pub(super) fn has(&self, id: &SessionId) -> bool {
        self.lock().contains(id)
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<SessionId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the store in the background what the provider has `confirmed`, as soon as the store can be asked again. Another
/// gateway may be faster if that takes longer than the lease; then nothing is written.
pub(super) fn say_later(
    (oidc, provider): (Arc<Oidc>, Arc<Provider>),
    sessions: Arc<SessionStore>,
    (session, token): (Arc<Session>, SessionToken),
    confirmed: Confirmed,
) {
    let id = *session.id();
    oidc.unsaid.lock().insert(id);
    tokio::spawn(async move {
        for _ in 0..TRIES.0 {
            tokio::time::sleep(TRIES.1).await;
            let now = Moment::now();
            let goes_on = sessions.confirm(&session, &token, &confirmed, now).await;
            let Ok(goes_on) = goes_on else { continue };
            if let (false, Some(refresh)) = (goes_on, confirmed.kept.refresh) {
                give_back(provider, refresh);
            }
            oidc.unsaid.lock().remove(&id);
            return;
        }
        oidc.unsaid.lock().remove(&id);
        log::warn!(
            "oidc: the session store was away for too long to be told of a new refresh token of {}; the session {} ends \
             when it is asked about",
            provider.id,
            id.fingerprint()
        );
    });
}
