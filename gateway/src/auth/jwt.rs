//! Requests with a JWT: verified by the keys of its issuer, and remembered for a while.

pub mod admission;
pub mod error;
pub mod keys;
mod names;

use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::apart::{Busy, apart};
use super::credential::JwtCaller;
use super::failures::{Failures, Standing, WINDOW};
use crate::clock::{self, Moment};
use crate::jwt::form::{self, Unverified};
use crate::jwt::refusal::Refusal;
use crate::jwt::rules::Rules;
use crate::jwt::verify::{Identity, judge};
use crate::metrics::METRICS;
use crate::metrics::label::JwtOutcome;
use crate::request_meta::ClientKey;
use crate::user::name::Username;
use crate::user::{Status, User};
use admission::{Admission, Denied};
use error::{JwtError, Refused};
use keys::{Bringer, Keys};

/// An identity provider whose tokens are taken.
pub struct Provider {
    /// By which rules they are judged.
    pub rules: Rules,
    /// Its keys.
    pub keys: Arc<Keys>,
}

/// Judges JWTs.
pub struct Jwts {
    providers: Vec<Provider>,
    admission: Arc<Admission>,
    known: Cache<Key, Known>,
    refused: Cache<Key, JwtError>,
    /// Clients whose tokens nobody has signed.
    failures: Failures,
}

/// The digest of a token, so that no tokens are kept.
type Key = [u8; 32];

#[derive(Clone)]
struct Known {
    caller: Arc<JwtCaller>,
    verified: Moment,
}

/// Who comes with a token that is not remembered as good.
struct Asking {
    client: ClientKey,
    /// Whether the token was good a while ago.
    was_good: bool,
}

/// What a JWT would be worth.
pub struct Supposed {
    /// To whom, or why it is worth nothing.
    pub caller: Result<Arc<JwtCaller>, JwtError>,
    /// Whether its signature was looked at.
    pub is_verified: bool,
}

/// How many tokens are remembered.
const MOST: u64 = 10_000;

/// How long a good one is, at most, before it is verified again.
const GOOD_FOR: Duration = Duration::from_secs(60);

/// How long it is known that a token was good: a client that brings one is not turned away for others' failures.
const WAS_GOOD_FOR: Duration = Duration::from_secs(3600);

/// How long a bad one is.
const BAD_FOR: Duration = Duration::from_secs(5);

/// How long a name is the issuer's that somebody comes by with a JWT, after the last one that was verified.
const NAME_FOR: Duration = Duration::from_secs(3600);

/// How many with a wrong signature a client may bring in ten seconds: far more than anybody has, and little to verify.
const FORGED: u32 = 500;

impl Jwts {
    /// Judges tokens of `providers`, whose users `admission` lets in.
    pub fn new(providers: Vec<Provider>, admission: Arc<Admission>) -> Self {
        let (known, refused) = (cache(WAS_GOOD_FOR), cache(BAD_FOR));
        Self { providers, admission, known, refused, failures: Failures::up_to(FORGED) }
    }

    /// Whether there is a JWT of one of the providers in `authorization`, good or bad, whether it counts there or not.
    pub fn is_for_us(&self, authorization: &HeaderValue) -> bool {
        form::within(authorization.as_bytes()).is_some_and(|token| {
            let unverified = Unverified::parse(&token);
            unverified.is_some_and(|token| self.provider_of(&token).is_some())
        })
    }

    /// What the JWT in `authorization` is worth if its signature is right, which is looked at only if keys are at hand.
    /// It is remembered then as if it had been verified: for explanations, never where clients are served.
    pub fn suppose(
        &self,
        authorization: &HeaderValue,
        is_taken: impl Fn(&Username) -> bool,
    ) -> Option<Supposed> {
        let bytes = form::in_authorization(authorization.as_bytes())?;
        let token = Unverified::parse(&bytes)?;
        let (provider, now) = (self.provider_of(&token)?, clock::unix_seconds());
        let keys = provider.keys.get();
        let judged = judge(&token, &provider.rules, now).and_then(|unsigned| match &keys {
            Some(keys) => unsigned.verify(keys),
            None => Ok(unsigned.suppose()),
        });
        let judged = judged.map_err(JwtError::Refused);
        let admitted = judged.and_then(|identity| self.admit(identity, provider, is_taken));
        let caller = admitted.map(|known| {
            self.known.insert(Sha256::digest(&bytes).into(), known.clone());
            known.caller
        });
        Some(Supposed { caller, is_verified: keys.is_some() })
    }

    /// Who comes with the JWT in `authorization`, by a client that is told by `client`. `None` if there is no JWT of one of
    /// the providers. `is_taken` says whether somebody else has a name.
    pub async fn caller(
        &self,
        authorization: &HeaderValue,
        client: impl FnOnce() -> ClientKey,
        is_taken: impl Fn(&Username) -> bool,
    ) -> Option<Result<Arc<JwtCaller>, Refused>> {
        let token = form::in_authorization(authorization.as_bytes())?;
        let (key, now): (Key, _) = (Sha256::digest(&token).into(), clock::unix_seconds());
        let known = self.known.get(&key);
        let was_good = known.is_some();
        if let Some(known) = known.filter(|known| known.is_still(now, Moment::now())) {
            METRICS.jwts.count(JwtOutcome::Remembered);
            return Some(Ok(known.caller));
        }
        let client = Asking { client: client(), was_good };
        let judged = Box::pin(self.judge(&token, (key, client), now, is_taken)).await?;
        METRICS.jwts.count(error::outcome(&judged));
        Some(judged)
    }

    async fn judge(
        &self,
        token: &[u8],
        (key, Asking { client, was_good }): (Key, Asking),
        now: u64,
        is_taken: impl Fn(&Username) -> bool,
    ) -> Option<Result<Arc<JwtCaller>, Refused>> {
        let token = Unverified::parse(token)?;
        let provider = self.provider_of(&token)?;
        if let Some(error) = self.refused.get(&key) {
            return Some(Err(Refused { error, is_new: false }));
        }
        if !was_good && let Standing::TooMany { is_new } = self.failures.standing(client) {
            return Some(Err(Refused { error: JwtError::Throttled(WINDOW), is_new }));
        }
        let admitted = match provider.verify(&token, was_good, now).await {
            Ok(identity) => self.admit(identity, provider, is_taken),
            Err(error) => Err(error),
        };
        Some(match admitted {
            Ok(known) => {
                self.known.insert(key, known.clone());
                Ok(known.caller)
            }
            Err(error) => {
                log::debug!("jwt: a token of {} is refused: {error:?}", provider.rules.issuer);
                if let JwtError::Refused(Refusal::Signature(_)) = error {
                    self.failures.note(client);
                }
                // A key may come at any moment.
                if !matches!(error, JwtError::Unavailable | JwtError::Refused(Refusal::UnknownKey))
                {
                    self.refused.insert(key, error.clone());
                }
                Err(Refused { error, is_new: true })
            }
        })
    }

    fn provider_of(&self, token: &Unverified<'_>) -> Option<&Provider> {
        let issuer = token.issuer()?;
        self.providers.iter().find(|provider| provider.rules.issuer == issuer)
    }

    /// Lets the user in whose token has been verified, as far as there is a grant.
    fn admit(
        &self,
        identity: Identity,
        provider: &Provider,
        is_taken: impl Fn(&Username) -> bool,
    ) -> Result<Known, JwtError> {
        let Identity { name, id, groups, until, jti } = identity;
        let issuer = &provider.rules.issuer;
        let admitted = self.admission.admit(issuer, &name, &groups, is_taken).and_then(|grant| {
            self.admission.hold(issuer, &name, NAME_FOR)?;
            Ok(grant)
        });
        let grant = admitted.map_err(|denied| match denied {
            Denied::NameTaken => JwtError::NameTaken(name.clone()),
            Denied::NoGrant => JwtError::NoGrant(name.clone()),
        })?;
        let (status, access) = (Status::Active, grant.access);
        let user = Arc::new(User { name, id, status, access, token: None });
        let caller = Arc::new(JwtCaller { user, grant, jti, until });
        Ok(Known { caller, verified: Moment::now() })
    }
}

/// Remembers so many tokens, those that were used last, for so long.
fn cache<V: Clone + Send + Sync + 'static>(time: Duration) -> Cache<Key, V> {
    let cache = Cache::builder().max_capacity(MOST).eviction_policy(EvictionPolicy::lru());
    cache.time_to_live(time).build()
}

impl Known {
    /// Whether it need not be verified again.
    fn is_still(&self, now: u64, moment: Moment) -> bool {
        now < self.caller.until && moment.since(self.verified) < GOOD_FOR
    }
}

impl Provider {
    /// Verifies `token`; the provider is asked for its keys if it is signed with one that is not known. That of one that
    /// `was_good` is verified here and now: nobody forges it.
    async fn verify(
        &self,
        token: &Unverified<'_>,
        was_good: bool,
        now: u64,
    ) -> Result<Identity, JwtError> {
        let mut keys = self.keys.get().ok_or(JwtError::Unavailable)?;
        let unsigned = judge(token, &self.rules, now).map_err(JwtError::Refused)?;
        if !unsigned.has_key(&keys) {
            self.keys.ask(Bringer::Anybody, Moment::now()).await;
            keys = self.keys.get().ok_or(JwtError::Unavailable)?;
        }
        let verified = if was_good {
            unsigned.verify(&keys)
        } else {
            let verified = apart(move || unsigned.verify(&keys)).await;
            verified.map_err(|Busy| JwtError::Unavailable)?
        };
        verified.map_err(JwtError::Refused)
    }
}

#[cfg(test)]
mod tests;
