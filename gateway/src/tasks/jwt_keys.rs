//! Asks identity providers for their keys, and how they sign users in, again and again.

use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::ACCEPT;
use http::{Method, Uri};
use pingora::http::RequestHeader;
use pingora::server::ShutdownWatch;
use pingora::services::background::BackgroundService;
use tokio::task::JoinSet;

use super::remote::{NoAnswer, Remote, Silence};
use crate::auth::jwt::keys::Keys;
use crate::clock;
use crate::jwt::discovery::{self, Endpoints, Found};
use crate::jwt::keys::{KeySet, MOST_BYTES};
use crate::jwt::rules::Algorithm;
use crate::metrics::label::ProviderFault;

/// How often a provider is asked.
const REFRESH: Duration = Duration::from_secs(15 * 60);

/// After how long it is asked again when it has failed: at first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How long it may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the keys of an issuer are.
#[derive(Clone)]
pub struct Place {
    /// The issuer.
    pub issuer: String,
    /// Where its keys are.
    pub keys: KeyPlace,
    /// How its tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// Certificates that may have signed that of its server; `None`: those of the system.
    pub ca_file: Option<std::path::PathBuf>,
    /// Whether it is to sign users in.
    pub signs_in: bool,
}

/// Where the keys of a provider are.
#[derive(Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// Where it says itself.
    Discovered,
    /// There.
    At(Uri),
    /// Somewhere else: it is not asked for them.
    Elsewhere,
}

/// What a provider has answered.
pub struct Answer {
    /// Its keys, if it was asked for them.
    pub keys: Option<KeySet>,
    /// How it signs users in, if it is to.
    pub endpoints: Option<Endpoints>,
}

impl Place {
    /// Whether the keys there are those of `other`, read in the same way.
    fn has_keys_of(&self, other: &Self) -> bool {
        let Self { issuer, keys, algorithms, ca_file, signs_in: _ } = self;
        (issuer, keys, algorithms, ca_file)
            == (&other.issuer, &other.keys, &other.algorithms, &other.ca_file)
    }

    /// The keys as they are there now, and how the provider signs users in; or what is wrong.
    pub async fn read(&self) -> Result<Answer, Trouble> {
        let (place, endpoints) = match &self.keys {
            KeyPlace::At(place) if !self.signs_in => (place.clone(), None),
            KeyPlace::At(place) => (place.clone(), self.discover().await?.1),
            KeyPlace::Discovered => self.discover().await?,
            KeyPlace::Elsewhere => {
                return Ok(Answer { keys: None, endpoints: self.discover().await?.1 });
            }
        };
        let document = self.get(&place).await?;
        let keys = KeySet::parse(&document).and_then(|keys| keys.for_some_of(&self.algorithms));
        let keys = keys.map_err(|what| Trouble::at(&place, ProviderFault::Keys, what))?;
        Ok(Answer { keys: Some(keys), endpoints })
    }

    /// Where the keys are, and how the provider signs users in if it is to.
    async fn discover(&self) -> Result<(Uri, Option<Endpoints>), Trouble> {
        let place = discovery::place(&self.issuer);
        let wrong = |what: String| Trouble::at(&place, ProviderFault::Discovery, what);
        let uri = place.parse().map_err(|_| wrong("not a URL".to_owned()))?;
        let document = self.get(&uri).await?;
        let Found { keys, endpoints } = discovery::read(&self.issuer, &document).map_err(wrong)?;
        let endpoints = self.signs_in.then_some(endpoints).transpose().map_err(wrong)?;
        Ok((keys, endpoints))
    }

    async fn get(&self, place: &Uri) -> Result<Bytes, Trouble> {
        let remote = Remote::new(place.clone(), TIMEOUT, self.ca_file.clone());
        let head = RequestHeader::build(Method::GET, remote.path().as_bytes(), Some(4));
        let head = head.and_then(|mut head| {
            head.insert_header(ACCEPT, "application/json")?;
            Ok(head)
        });
        let no_answer = |it: NoAnswer| Trouble::at(place, fault(it.kind), it.what);
        let head = head.map_err(|error| no_answer(error.into()))?;
        let answer = remote.ask(head, Bytes::new(), MOST_BYTES).await.map_err(no_answer)?;
        let what = match answer {
            (status, answer) if status.is_success() => return Ok(answer),
            (status, _) if status.is_redirection() => {
                format!("it answers {status}, and redirections are not followed")
            }
            (status, _) => format!("it answers {status}"),
        };
        Err(Trouble::at(place, ProviderFault::Status, what))
    }
}

/// Why a provider's keys cannot be read.
pub struct Trouble {
    /// In one word.
    pub why: ProviderFault,
    /// For people to read.
    pub what: String,
}

impl Trouble {
    fn at(place: &impl Display, why: ProviderFault, what: String) -> Self {
        Self { why, what: format!("{place}: {what}") }
    }
}

fn fault(silence: Silence) -> ProviderFault {
    match silence {
        Silence::Unreachable => ProviderFault::Unreachable,
        Silence::Tls => ProviderFault::Tls,
        Silence::Timeout => ProviderFault::Timeout,
        Silence::Unreadable => ProviderFault::Answer,
    }
}

/// The task.
#[derive(Default)]
pub struct FetchKeys(Vec<Source>);

#[derive(Clone)]
struct Source {
    place: Place,
    keys: Arc<Keys>,
    has_failed: Arc<AtomicBool>,
}

impl FetchKeys {
    /// Reads the keys at `place` too; returns where they will be. Whoever has the same place has the same keys, and has the
    /// provider asked together with the others.
    pub fn add(&mut self, place: Place) -> Arc<Keys> {
        let same = self.0.iter_mut().find(|source| source.place.has_keys_of(&place));
        if let Some(source) = same {
            source.place.signs_in |= place.signs_in;
            return Arc::clone(&source.keys);
        }
        self.add_beside(place, Arc::new(Keys::of_provider()))
    }

    /// Has the provider at `place` asked how it signs users in, and nothing of its `keys`, which are elsewhere.
    pub fn add_beside(&mut self, place: Place, keys: Arc<Keys>) -> Arc<Keys> {
        let has_failed = Arc::new(AtomicBool::new(false));
        self.0.push(Source { place, keys: Arc::clone(&keys), has_failed });
        keys
    }

    /// Whether there is nobody to ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Somebody who asks a provider.
trait Asking {
    /// Whether the provider has answered with all that it is asked for.
    fn ask(&self) -> impl Future<Output = bool> + Send;
}

/// Asks again and again: in a while if there was an answer, soon if there was none, at once if keys are wanted.
async fn follow(keys: &Keys, asking: &impl Asking) {
    let (mut pause, most) = RETRY;
    loop {
        let next = if asking.ask().await {
            pause = RETRY.0;
            REFRESH
        } else {
            let next = pause;
            pause = (2 * pause).min(most);
            next
        };
        tokio::select! {
            () = keys.wanted() => {}
            () = tokio::time::sleep(next) => {}
        }
    }
}

impl Asking for Source {
    async fn ask(&self) -> bool {
        let (issuer, signs_in) = (&self.place.issuer, self.place.signs_in);
        let is_first = self.keys.get().is_none() || (signs_in && self.keys.endpoints().is_none());
        let (kind, now) = (if signs_in { "oidc" } else { "jwt" }, clock::unix_seconds);
        match self.place.read().await {
            Ok(Answer { keys, endpoints }) => {
                let in_file = || self.keys.get().map_or(0, |keys| keys.count());
                let count = keys.as_ref().map_or_else(in_file, KeySet::count);
                if let Some(endpoints) = endpoints {
                    self.keys.sign_in_by(endpoints);
                }
                self.keys.state().has_read(count, now());
                if keys.is_some() {
                    self.keys.answered(keys);
                }
                if self.has_failed.swap(false, Ordering::Relaxed) || is_first {
                    log::info!("{kind}: {count} keys of {issuer} are in use");
                }
                true
            }
            Err(Trouble { why, what }) => {
                self.keys.state().has_failed(why, now());
                if self.place.keys != KeyPlace::Elsewhere {
                    self.keys.answered(None);
                }
                // Said once, not with every attempt.
                if !self.has_failed.swap(true, Ordering::Relaxed) {
                    let effect = self.effect(is_first);
                    log::warn!("{kind}: the keys of {issuer} cannot be read: {what}; {effect}");
                }
                false
            }
        }
    }
}

impl Source {
    /// What it means that the provider has not answered.
    fn effect(&self, is_first: bool) -> &'static str {
        match (is_first, self.place.signs_in) {
            (true, false) => "its tokens are answered with 503 until they can",
            (true, true) => {
                "nobody can sign in by it until they can, and its tokens are answered with 503"
            }
            (false, _) => "the old ones stay in use",
        }
    }
}

#[async_trait]
impl BackgroundService for FetchKeys {
    /// Goes on after the signal to stop: a request that is still read may bring a token that is signed with a new key.
    async fn start(&self, _shutdown: ShutdownWatch) {
        let mut following = JoinSet::new();
        for source in &self.0 {
            let source = source.clone();
            following.spawn(async move { follow(&source.keys, &source).await });
        }
        if let Some(Err(error)) = following.join_next().await
            && let Ok(panic) = error.try_into_panic()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

#[cfg(test)]
mod tests;
