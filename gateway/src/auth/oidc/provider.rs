//! One provider that signs users in.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::Uri;
use zeroize::Zeroizing;

use super::aside::Aside;
use super::client::ProviderClient;
use super::secrets::Secrets;
use super::state::State;
use crate::auth::jwt::keys::{Bringer, Keys};
use crate::clock::{self, Moment};
use crate::jwt::form::Unverified;
use crate::jwt::id_token::{self, Expected, SignedIn, StillSignedIn};
use crate::jwt::keys::KeySet;
use crate::jwt::parameters::Parameters;
use crate::jwt::refusal::Refusal;
use crate::jwt::rules::Rules;

/// One provider.
pub struct Provider {
    /// What it is called here.
    pub id: Arc<str>,
    /// By which rules its ID tokens are judged. Their audience is what it knows the gateway by.
    pub rules: Rules,
    /// Its keys, and how it signs users in.
    pub keys: Arc<Keys>,
    /// By which it is asked.
    pub client: Arc<dyn ProviderClient>,
    /// What it knows the gateway by.
    pub client_id: String,
    /// By which the gateway proves that it is that, and seals what sign-ins by it are begun with.
    pub secrets: Secrets,
    /// Where it sends users back to.
    pub redirect: Uri,
    /// What of it may change while the gateway serves.
    pub settings: ArcSwap<Settings>,
    /// Whether the log says that it gives no refresh tokens.
    pub is_told: AtomicBool,
    /// Whether the log says that it does not answer.
    pub has_failed: AtomicBool,
    /// When it is asked again about sessions, and how long it rests after that; it has not answered.
    pub rest: Mutex<Rest>,
    /// Since when nobody can say what its ID tokens are worth.
    pub unjudged: Mutex<Option<Moment>>,
    /// Log-out tokens of it whose keys are not known yet.
    pub aside: Aside,
}

/// What of a provider may change while the gateway serves.
pub struct Settings {
    /// What people call it.
    pub name: String,
    /// What is asked for, with blanks between.
    pub scopes: String,
    /// How often it is asked about a session in use, at most; `None`: never.
    pub refresh: Option<Duration>,
    /// How long a session lives on while it does not answer.
    pub grace: Duration,
    /// How long a session lives at most.
    pub lifetime: Duration,
    /// Whether users sign out of it too.
    pub sign_out: bool,
}

/// For how long a provider is not asked about sessions that has not answered.
#[derive(Clone, Copy, Default)]
pub struct Rest {
    until: Option<(Moment, Duration)>,
    silence: Silence,
}

/// Since when a provider has not answered about sessions, as far as this process knows.
#[derive(Clone, Copy, Default)]
enum Silence {
    /// It has not answered yet.
    #[default]
    Unknown,
    /// It has answered.
    Over,
    /// Since then, after it had answered.
    Since(Moment),
}

/// The first rest, and the longest.
const REST: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// A sign-in that has begun.
pub struct Begun {
    /// Where the browser is sent.
    pub location: Zeroizing<String>,
    /// What stands there as `state`.
    pub state: State,
}

impl Provider {
    /// Begins a sign-in of somebody who wants to be sent on to `return_to`; `None` while it is not known where users sign in.
    pub fn begin(&self, return_to: &str) -> Option<Begun> {
        let endpoints = self.keys.endpoints()?;
        let state = State::begin(return_to, clock::unix_seconds());
        let location = Parameters::default()
            .with("response_type", "code")
            .with("client_id", &self.client_id)
            .with("redirect_uri", &self.redirect.to_string())
            .with("scope", &self.settings.load().scopes)
            .with("state", state.state())
            .with("nonce", state.nonce())
            .with("code_challenge", &state.challenge())
            .with("code_challenge_method", "S256")
            .behind(&endpoints.authorization);
        Some(Begun { location, state })
    }

    /// Whether it is not to be asked about sessions at `now`: it has not answered a moment ago.
    pub(super) fn rests(&self, now: Moment) -> bool {
        self.lock_rest().until.is_some_and(|(until, _)| now < until)
    }

    /// It has not answered at `now`.
    pub(super) fn rest(&self, now: Moment) {
        let mut rest = self.lock_rest();
        let (until, pause) = rest.until.unwrap_or((now, REST.0));
        // Of many that have asked at the same time, the first tells.
        if now >= until {
            rest.until = Some((now.after(pause), (2 * pause).min(REST.1)));
        }
    }

    /// It has answered, or is to be asked by another secret.
    pub fn go_on(&self) {
        self.lock_rest().until = None;
    }

    /// It has answered about a session.
    pub(super) fn end_silence(&self) {
        self.lock_rest().silence = Silence::Over;
    }

    /// It has not answered about a session at `now`; returns since when that is so, for whichever session: what was before it
    /// has answered another is over. `None` if it has answered about none in this process.
    pub(super) fn fall_silent(&self, now: Moment) -> Option<Moment> {
        let mut rest = self.lock_rest();
        if let Silence::Over = rest.silence {
            rest.silence = Silence::Since(now);
        }
        if let Silence::Since(since) = rest.silence { Some(since) } else { None }
    }

    fn lock_rest(&self) -> MutexGuard<'_, Rest> {
        self.rest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the browser comes back over TLS.
    pub fn is_over_tls(&self) -> bool {
        self.redirect.scheme_str() == Some("https")
    }

    /// Judges an ID token of somebody who signs in. `None` if nobody can say what it is worth now.
    pub(super) async fn verify(
        &self,
        token: &str,
        expected: Expected<'_>,
    ) -> Option<Result<SignedIn, Refusal>> {
        let now = clock::unix_seconds();
        self.judge(token, |token, keys| id_token::verify(token, &self.rules, keys, expected, now))
            .await
    }

    /// The same of one that came for a refresh token, beside this access token.
    pub(super) async fn verify_refreshed(
        &self,
        token: &str,
        access_token: Option<&str>,
    ) -> Option<Result<StillSignedIn, Refusal>> {
        self.judge(token, |token, keys| {
            id_token::verify_refreshed(token, &self.rules, keys, access_token)
        })
        .await
    }

    /// The provider is asked for its keys if the token is signed with one that is not known. `None` if there are no keys to
    /// judge it by, or it does not say which it has by now.
    async fn judge<T>(
        &self,
        token: &str,
        judge: impl Fn(&Unverified<'_>, &KeySet) -> Result<T, Refusal>,
    ) -> Option<Result<T, Refusal>> {
        let unreadable =
            Refusal::Claims("it has not the form of a JWT, or its claims cannot be read");
        let Some(token) = Unverified::parse(token.as_bytes()) else { return Some(Err(unreadable)) };
        let mut judged = judge(&token, &*self.keys.get()?);
        if matches!(judged, Err(Refusal::UnknownKey)) {
            self.keys.ask(Bringer::Provider, Moment::now()).await;
            judged = judge(&token, &*self.keys.get()?);
        }
        let is_unknown = matches!(judged, Err(Refusal::UnknownKey)) && !self.keys.are_of_now();
        (!is_unknown).then_some(judged)
    }

    /// Whether the tokens of sessions could be judged at `now`; returns for how long they could not.
    pub(super) fn note_judged(&self, is_judged: bool, now: Moment) -> Duration {
        let mut since = self.unjudged.lock().unwrap_or_else(PoisonError::into_inner);
        *since = (!is_judged).then(|| since.unwrap_or(now));
        since.map_or(Duration::ZERO, |since| now.since(since))
    }
}
