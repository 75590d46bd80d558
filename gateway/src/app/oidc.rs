//! Providers that sign users in, as the configuration has them.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

use crate::auth::jwt::admission::Admission;
use crate::auth::jwt::keys::Keys;
use crate::auth::oidc::Oidc;
use crate::auth::oidc::provider::Provider;
use crate::config::{Config, OidcProvider, Store};
use crate::seal::Seal;
use crate::tasks::jwt_keys::{FetchKeys, Place};
use crate::tasks::oidc::Line;
use crate::user::secret::ApiToken;

/// What the key is for that seals what sign-ins were begun with.
const PURPOSE: &[u8] = b"influx-gateway oidc state 1";

/// A secret with fewer characters may have been thought up by somebody, and be guessed.
const LONG: usize = 32;

/// Makes them; `fetch` asks each for its keys and endpoints. `None` if there are none.
pub(super) fn of(
    config: &Config,
    admission: &Arc<Admission>,
    fetch: &mut FetchKeys,
) -> Option<Oidc> {
    let configured = &config.providers.oidc;
    let make = |provider: &OidcProvider| {
        let keys = Arc::new(Keys::of_provider());
        fetch.add(place(provider), Arc::clone(&keys));
        make(config, provider, keys)
    };
    let providers: Vec<_> = configured.iter().map(make).collect();
    (!providers.is_empty()).then(|| Oidc::new(providers, Arc::clone(admission)))
}

fn make(config: &Config, configured: &OidcProvider, keys: Arc<Keys>) -> Provider {
    let ca_file = configured.ca_file.as_ref().map(|file| file.path.clone());
    Provider {
        id: configured.id.as_str().into(),
        name: configured.name.clone(),
        rules: configured.rules.clone(),
        keys,
        client: Arc::new(Line::new(ca_file)),
        client_id: configured.client_id.clone(),
        client_secret: configured.client_secret.clone(),
        redirect: configured.redirect.clone(),
        scopes: configured.scopes.join(" "),
        refresh: configured.times.refresh,
        grace: configured.times.grace,
        lifetime: configured.times.lifetime,
        sign_out: configured.sign_out,
        seal: seal(config, configured),
        is_told: AtomicBool::new(false),
        has_failed: AtomicBool::new(false),
        rest: Mutex::default(),
    }
}

/// By what the sign-ins of a provider are sealed: by something that other gateways, and the process that takes over, have
/// too, if there is such a thing.
fn seal(config: &Config, configured: &OidcProvider) -> Seal {
    let about = Sha256::new()
        .chain_update(&configured.rules.issuer)
        .chain_update([0])
        .chain_update(&configured.client_id)
        .chain_update([0])
        .chain_update(configured.redirect.to_string());
    let about = about.finalize().into();
    let secret = configured.client_secret.as_ref().filter(|secret| secret.length() >= LONG);
    match (&config.store, secret.map(ApiToken::secret)) {
        (Store::Redis { key: Some(key), .. }, _) => key.seal(PURPOSE, about),
        (_, Some(secret)) => Seal::new(secret.as_bytes(), PURPOSE, about),
        (_, None) => Seal::random(PURPOSE, about),
    }
}

/// Where a provider is asked.
pub(super) fn place(provider: &OidcProvider) -> Place {
    let ca_file = provider.ca_file.as_ref().map(|file| file.path.clone());
    let (issuer, keys) = (provider.rules.issuer.clone(), provider.keys.clone());
    Place { issuer, keys, ca_file, signs_in: true }
}
