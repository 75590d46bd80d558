//! JWTs, as the configuration has them: who judges them, who asks for keys, and the files that belong to it.

use std::sync::Arc;

use super::files::read_file;
use super::token_file;
use crate::auth::jwt::keys::Keys;
use crate::auth::jwt::{Jwts, Provider};
use crate::config::{Config, KeySource, Provider as Configured};
use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::jwt::keys::KeySet;
use crate::tasks::jwt_keys::{FetchKeys, Place};
use crate::toml_reader::Named;

/// What is to be made of `[[jwt]]` and `[[grant]]`.
#[derive(Default)]
pub(super) struct Jwt {
    pub(super) jwts: Option<Jwts>,
    pub(super) fetch: FetchKeys,
    pub(super) watched: Vec<Watched>,
}

/// Where the keys of a provider are, if somebody has to be asked for them.
pub(super) fn place(provider: &Configured) -> Option<Place> {
    let keys = match &provider.keys {
        KeySource::Discover => None,
        KeySource::At(uri) => Some(uri.clone()),
        KeySource::File(_) => return None,
    };
    let ca_file = provider.ca_file.as_ref().map(|file| file.path.clone());
    Some(Place { issuer: provider.rules.issuer.clone(), keys, ca_file })
}

/// How many keys each identity provider has, by its issuer, which is asked now; or what is wrong, for people to read.
///
/// # Panics
/// If the process can have neither sockets nor a timer.
pub fn ask_providers(config: &Config) -> Vec<(String, Result<usize, String>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime is had");
    let providers = config.jwt.iter().flat_map(|jwt| &jwt.providers);
    let places = providers.filter_map(place);
    let ask = |place: Place| {
        let answer = runtime.block_on(place.read()).map(|keys| keys.count());
        (place.issuer, answer)
    };
    places.map(ask).collect()
}

/// Makes it.
pub(super) fn of(config: &Config) -> Jwt {
    let Some(configured) = &config.jwt else { return Jwt::default() };
    let mut made = Jwt::default();
    let mut providers = Vec::new();
    for provider in &configured.providers {
        let keys = match &provider.keys {
            KeySource::File(file) => {
                // It was good when the configuration was read.
                let keys = read(file, &Files::default());
                let keys = keys.map_or_else(|_| Keys::of_provider(), Keys::of_file);
                let keys = Arc::new(keys);
                let source = KeyFile { file: file.clone(), keys: Arc::clone(&keys) };
                made.watched.push(Watched::new(Box::new(source), [file.path.clone()]));
                keys
            }
            KeySource::Discover | KeySource::At(_) => Arc::new(Keys::of_provider()),
        };
        if let Some(place) = place(provider) {
            made.fetch.add(place, Arc::clone(&keys));
        }
        providers.push(Provider { rules: provider.rules.clone(), keys });
    }
    let prefix = config.identity.token_prefix.clone();
    made.jwts = Some(Jwts::new(providers, configured.grants.clone(), prefix));
    let tokens = configured.token_files.iter();
    made.watched
        .extend(tokens.filter_map(|(file, token)| token_file::watched(Some(file.clone()), token)));
    made
}

/// A file of keys, read again when it changes.
struct KeyFile {
    file: Named,
    keys: Arc<Keys>,
}

fn read(file: &Named, files: &Files) -> Result<KeySet, String> {
    KeySet::parse(read_file(&file.path, files)?.as_bytes())
}

impl Source for KeyFile {
    fn take(&self, files: &Files, _occasion: Occasion) -> Result<(), Vec<String>> {
        let set =
            read(&self.file, files).map_err(|what| vec![self.file.fault(what).to_string()])?;
        self.keys.replace(set);
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        log::error!("{}; the old keys stay in use", faults.join("; "));
    }
}
