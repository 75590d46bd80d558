//! What providers say of those who have signed out there: done at once, or as soon as anybody can judge it.

use std::sync::Arc;

use super::Oidc;
use super::aside::Waiting;
use super::logout::{NotLoggedOut, log_out_by};
use super::provider::Provider;
use crate::auth::Auth;
use crate::auth::failures::Standing;
use crate::clock::Moment;
use crate::jwt::logout_token::MAX_AGE;
use crate::request_meta::{ClientKey, RequestMeta};
use crate::session::store::SessionStore;

/// Who sees to the tokens of a provider.
struct Clerk {
    sessions: Arc<SessionStore>,
    oidc: Arc<Oidc>,
    provider: Arc<Provider>,
}

/// Ends the sessions that a log-out token of `provider` names; returns how many. One whose key cannot be looked up yet is put
/// aside until it can.
pub async fn log_out(
    auth: &Auth,
    provider: &Arc<Provider>,
    token: &str,
    meta: &RequestMeta<'_>,
) -> Result<usize, NotLoggedOut> {
    let (sessions, client) = (auth.sessions(), meta.network());
    let oidc = auth.shared_oidc().ok_or(NotLoggedOut::Unavailable)?;
    if oidc.failures.standing(client) != Standing::Fine {
        return Err(NotLoggedOut::TooMany);
    }
    let ended = log_out_by(sessions, oidc, provider, token, client).await;
    if let Err(NotLoggedOut::NoKey) = ended {
        let (sessions, oidc) = (Arc::clone(sessions), Arc::clone(oidc));
        let provider = Arc::clone(provider);
        Clerk { sessions, oidc, provider }.put_aside(client, token);
    }
    ended
}

impl Clerk {
    /// Puts the token aside that `client` has sent.
    fn put_aside(self, client: ClientKey, token: &str) {
        if self.provider.aside.put(client, token, Moment::now()) {
            tokio::spawn(self.see_to_them());
        }
    }

    async fn see_to_them(self) {
        let aside = &self.provider.aside;
        let mut answers = self.provider.keys.answers();
        loop {
            let mut left = Vec::new();
            for waiting in aside.take() {
                let is_judged = self.judge(&waiting).await;
                if !is_judged && Moment::now().since(waiting.since) < MAX_AGE {
                    left.push(waiting);
                }
            }
            if !aside.put_back(left) || answers.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether it could be judged.
    async fn judge(&self, Waiting { client, token, .. }: &Waiting) -> bool {
        let Self { sessions, oidc, provider } = self;
        match log_out_by(sessions, oidc, provider, token, *client).await {
            Err(NotLoggedOut::NoKey) => return false,
            Err(NotLoggedOut::Unavailable) => {
                log::warn!(
                    "oidc: {} has signed somebody out, and the sessions could not be ended",
                    provider.id
                );
            }
            Ok(_) | Err(NotLoggedOut::Refused | NotLoggedOut::TooMany) => {}
        }
        true
    }
}
