//! Providers that sign users in, as the configuration has them.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};

use super::files::load_authorities;
use super::key_file;
use super::outside::read_file;
use crate::admin::providers::ProviderInUse;
use crate::auth::jwt::admission::Admission;
use crate::auth::jwt::keys::Keys;
use crate::auth::oidc::Oidc;
use crate::auth::oidc::aside::Aside;
use crate::auth::oidc::provider::{Provider, Settings};
use crate::auth::oidc::secrets::Secrets;
use crate::clock;
use crate::config::{Config, KeySource, OidcProvider, OidcTimes, Store};
use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::seal::Seal;
use crate::session::redis::StoreKey;
use crate::tasks::jwt_keys::{FetchKeys, Place};
use crate::tasks::oidc::Line;
use crate::toml_reader::Named;
use crate::user::secret::ApiToken;

/// What the key is for that seals what sign-ins were begun with.
const PURPOSE: &[u8] = b"influx-gateway oidc state 1";

/// A secret with fewer characters may have been thought up by somebody, and be guessed.
const LONG: usize = 32;

/// Makes them; `fetch` asks each for its keys and endpoints, their files are `watched`, and operators see what is `noted`. `None` if there are none.
pub(super) fn of(
    config: &Config,
    admission: &Arc<Admission>,
    (fetch, watched, noted): (&mut FetchKeys, &mut Vec<Watched>, &mut Vec<ProviderInUse>),
) -> Option<Oidc> {
    let configured = &config.providers.oidc;
    let make = |configured: &OidcProvider| {
        let keys = match &configured.keys {
            KeySource::File(file) => {
                let keys = key_file::watch(file, &configured.rules.algorithms, watched);
                fetch.add_beside(place(configured), keys)
            }
            KeySource::Discover | KeySource::At(_) => fetch.add(place(configured)),
        };
        let (id, issuer) = (Some(configured.id.clone()), &configured.rules.issuer);
        noted.push(ProviderInUse::noted("oidc", id, issuer, &keys));
        let line = Arc::new(Line::new(configured.ca_file.as_ref().map(|file| file.path.clone())));
        let sealing = Sealing::of(config, configured);
        let provider = Arc::new(make(configured, keys, Arc::clone(&line), &sealing));
        let secret = configured.secret_file.clone();
        watched.extend(secret.map(|file| seen_to(file, Secret(Arc::clone(&provider), sealing))));
        watched.extend(configured.ca_file.clone().map(|file| seen_to(file, Authorities(line))));
        provider
    };
    let providers: Vec<_> = configured.iter().map(make).collect();
    (!providers.is_empty()).then(|| Oidc::new(providers, Arc::clone(admission)))
}

fn make(
    configured: &OidcProvider,
    keys: Arc<Keys>,
    line: Arc<Line>,
    sealing: &Sealing,
) -> Provider {
    let client_secret = configured.client_secret.clone();
    let seal = sealing.seal(client_secret.as_ref());
    let seal = seal.unwrap_or_else(|| Seal::random(PURPOSE, sealing.about));
    Provider {
        id: configured.id.as_str().into(),
        rules: configured.rules.clone(),
        keys,
        client: line,
        client_id: configured.client_id.clone(),
        secrets: Secrets::new(client_secret, seal),
        redirect: configured.redirect.clone(),
        settings: ArcSwap::from_pointee(settings(configured)),
        is_told: AtomicBool::new(false),
        has_failed: AtomicBool::new(false),
        rest: Mutex::default(),
        unjudged: Mutex::default(),
        aside: Aside::default(),
    }
}

fn settings(configured: &OidcProvider) -> Settings {
    let OidcTimes { refresh, grace, lifetime } = configured.times;
    let (name, scopes) = (configured.name.clone(), configured.scopes.join(" "));
    Settings { name, scopes, refresh, grace, lifetime, sign_out: configured.sign_out }
}

/// Puts in force what of the providers of `config` needs no restart. They are those that there were at the start.
pub(super) fn put(config: &Config, oidc: Option<&Oidc>) {
    for configured in &config.providers.oidc {
        if let Some(provider) = oidc.and_then(|oidc| oidc.find(&configured.id)) {
            provider.settings.store(Arc::new(settings(configured)));
        }
    }
}

/// What the sign-ins of a provider are sealed by: something that other gateways, and the process that takes over, have too,
/// if there is such a thing.
struct Sealing {
    /// That of the session store, which does not change while the gateway serves.
    key: Option<StoreKey>,
    about: [u8; 32],
}

impl Sealing {
    fn of(config: &Config, configured: &OidcProvider) -> Self {
        let about = Sha256::new()
            .chain_update(&configured.rules.issuer)
            .chain_update([0])
            .chain_update(&configured.client_id)
            .chain_update([0])
            .chain_update(configured.redirect.to_string());
        let key = match &config.store {
            Store::Redis { key, .. } => key.clone(),
            Store::Memory => None,
        };
        Self { key, about: about.finalize().into() }
    }

    /// What follows from this secret of the client; `None` if nothing does.
    fn seal(&self, secret: Option<&ApiToken>) -> Option<Seal> {
        let secret = secret.filter(|secret| secret.length() >= LONG);
        match (&self.key, secret) {
            (Some(key), _) => Some(key.seal(PURPOSE, self.about)),
            (None, Some(secret)) => {
                Some(Seal::new(secret.secret().as_bytes(), PURPOSE, self.about))
            }
            (None, None) => None,
        }
    }
}

/// The secret of a client, which is in a file.
struct Secret(Arc<Provider>, Sealing);

/// Certificates that may have signed a provider's, which are in a file.
struct Authorities(Arc<Line>);

/// What is done when a file has changed.
trait Content: Send + Sync + 'static {
    /// Takes what is in `file` now, and says so.
    fn take(&self, file: &Named, files: &Files) -> Result<(), String>;
}

impl Content for Secret {
    fn take(&self, file: &Named, files: &Files) -> Result<(), String> {
        let Self(provider, sealing) = self;
        let read = ApiToken::of_file(&file.path, |path| read_file(path, files));
        let secret = read.map_err(|what| file.place.fault(what).to_string())?;
        let seal = sealing.seal(Some(&secret));
        if provider.secrets.replace(secret, seal, clock::unix_seconds()) {
            // It may have been left alone because of the old one.
            provider.go_on();
            log::info!("{}: the new secret of oidc {} is in use", file.path.display(), provider.id);
        }
        Ok(())
    }
}

impl Content for Authorities {
    fn take(&self, file: &Named, files: &Files) -> Result<(), String> {
        load_authorities(file, files).map_err(|fault| fault.to_string())?;
        self.0.reconnect();
        Ok(())
    }
}

/// A file, read again when it changes.
struct Changing<C> {
    file: Named,
    content: C,
}

fn seen_to(file: Named, content: impl Content) -> Watched {
    let path = file.path.clone();
    Watched::new(Box::new(Changing { file, content }), [path])
}

impl<C: Content> Source for Changing<C> {
    fn take(&self, files: &Files, _occasion: Occasion) -> Result<(), Vec<String>> {
        self.content.take(&self.file, files).map_err(|fault| vec![fault])
    }

    fn refused(&self, faults: &[String]) {
        log::error!("{}; what was there before stays in use", faults.join("; "));
    }
}

/// Where a provider is asked.
pub(super) fn place(provider: &OidcProvider) -> Place {
    let ca_file = provider.ca_file.as_ref().map(|file| file.path.clone());
    let issuer = provider.rules.issuer.clone();
    let keys = key_file::place_of(&provider.keys);
    let algorithms = provider.rules.algorithms.clone();
    Place { issuer, keys, algorithms, ca_file, signs_in: true }
}

/// How many keys of a provider are in a file.
pub(super) fn count_in_file(provider: &OidcProvider) -> usize {
    let KeySource::File(file) = &provider.keys else { return 0 };
    let keys = key_file::read(file, &provider.rules.algorithms, &Files::default());
    keys.map_or(0, |keys| keys.count())
}
