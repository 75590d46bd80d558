//! Identity providers, as the configuration has them: who judges JWTs, who asks for keys, and the files that belong to it.

use std::collections::HashSet;
use std::sync::Arc;

use super::outside::read_file;
use super::{oidc, token_file};
use crate::admin::providers::ProviderInUse;
use crate::auth::jwt::admission::Admission;
use crate::auth::jwt::keys::Keys;
use crate::auth::jwt::{Jwts, Provider};
use crate::auth::oidc::Oidc;
use crate::clock;
use crate::config::{Config, JwtProvider, KeySource};
use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::jwt::keys::KeySet;
use crate::jwt::rules::Algorithm;
use crate::metrics::label::ProviderFault;
use crate::tasks::jwt_keys::{FetchKeys, Place};
use crate::toml_reader::Named;

/// What is to be made of `[[jwt]]`, `[[oidc]]` and `[[grant]]`.
#[derive(Default)]
pub(super) struct Made {
    pub(super) jwts: Option<Jwts>,
    pub(super) oidc: Option<Oidc>,
    pub(super) fetch: FetchKeys,
    pub(super) watched: Vec<Watched>,
    /// What operators see.
    pub(super) noted: Vec<ProviderInUse>,
}

/// Where the keys of a provider are, if somebody has to be asked for them.
fn place(provider: &JwtProvider) -> Option<Place> {
    let keys = match &provider.keys {
        KeySource::Discover => None,
        KeySource::At(uri) => Some(uri.clone()),
        KeySource::File(_) => return None,
    };
    let ca_file = provider.ca_file.as_ref().map(|file| file.path.clone());
    let (issuer, algorithms) = (provider.rules.issuer.clone(), provider.rules.algorithms.clone());
    Some(Place { issuer, keys, algorithms, ca_file, signs_in: false })
}

/// How many keys each identity provider has, by its issuer, which is asked now; or what is wrong, for people to read.
///
/// # Panics
/// If the process can have neither sockets nor a timer.
pub fn ask_providers(config: &Config) -> Vec<(String, Result<usize, String>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime is had");
    let of_jwt = config.providers.jwt.iter().filter_map(place);
    let places = of_jwt.chain(config.providers.oidc.iter().map(oidc::place));
    let ask = |place: Place| {
        let answer = runtime.block_on(place.read());
        let answer = answer.map(|it| it.keys.count()).map_err(|trouble| trouble.what);
        (place.issuer, answer)
    };
    places.map(ask).collect()
}

/// Makes it.
pub(super) fn of(config: &Config) -> Made {
    let configured = &config.providers;
    if configured.are_none() {
        return Made::default();
    }
    let prefix = config.identity.token_prefix.clone();
    let admission = Admission::new(configured.grants.clone(), prefix, are_several(config));
    let admission = Arc::new(admission);
    let mut made = Made::default();
    let mut providers = Vec::new();
    for provider in &configured.jwt {
        let keys = match place(provider) {
            Some(place) => made.fetch.add(place),
            None => of_file(provider, &mut made.watched),
        };
        made.noted.push(ProviderInUse::noted("jwt", None, &provider.rules.issuer, &keys));
        providers.push(Provider { rules: provider.rules.clone(), keys });
    }
    if !providers.is_empty() {
        made.jwts = Some(Jwts::new(providers, Arc::clone(&admission)));
    }
    made.oidc = {
        let Made { fetch, watched, noted, .. } = &mut made;
        oidc::of(config, &admission, (fetch, watched, noted))
    };
    let tokens = configured.token_files.iter();
    made.watched
        .extend(tokens.filter_map(|(file, token)| token_file::watched(Some(file.clone()), token)));
    made
}

/// Those of a provider whose keys are in a file.
fn of_file(provider: &JwtProvider, watched: &mut Vec<Watched>) -> Arc<Keys> {
    let KeySource::File(file) = &provider.keys else { return Arc::new(Keys::of_provider()) };
    // It was good when the configuration was read.
    let algorithms = provider.rules.algorithms.clone();
    let keys = read(file, &algorithms, &Files::default());
    let count = keys.as_ref().map_or(0, KeySet::count);
    let keys = Arc::new(keys.map_or_else(|_| Keys::of_provider(), Keys::of_file));
    keys.state().has_read(count, clock::unix_seconds());
    let source = KeyFile { file: file.clone(), algorithms, keys: Arc::clone(&keys) };
    watched.push(Watched::new(Box::new(source), [file.path.clone()]));
    keys
}

/// Whether there are several issuers.
fn are_several(config: &Config) -> bool {
    let of_jwt = config.providers.jwt.iter().map(|provider| &provider.rules.issuer);
    let of_oidc = config.providers.oidc.iter().map(|provider| &provider.rules.issuer);
    of_jwt.chain(of_oidc).collect::<HashSet<_>>().len() > 1
}

/// A file of keys, read again when it changes.
struct KeyFile {
    file: Named,
    algorithms: Vec<Algorithm>,
    keys: Arc<Keys>,
}

fn read(file: &Named, algorithms: &[Algorithm], files: &Files) -> Result<KeySet, String> {
    KeySet::parse(read_file(&file.path, files)?.as_bytes())?.for_some_of(algorithms)
}

impl Source for KeyFile {
    fn take(&self, files: &Files, _occasion: Occasion) -> Result<(), Vec<String>> {
        let set = read(&self.file, &self.algorithms, files);
        let set = set.map_err(|what| vec![self.file.fault(what).to_string()])?;
        self.keys.state().has_read(set.count(), clock::unix_seconds());
        self.keys.replace(set);
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        self.keys.state().has_failed(ProviderFault::File, clock::unix_seconds());
        log::error!("{}; the old keys stay in use", faults.join("; "));
    }
}
