//! Keys of identity providers that are in files, read again when these change.

use std::sync::Arc;

use super::outside::read_file;
use crate::auth::jwt::keys::Keys;
use crate::clock;
use crate::config::KeySource;
use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::jwt::keys::KeySet;
use crate::jwt::rules::Algorithm;
use crate::metrics::label::ProviderFault;
use crate::tasks::jwt_keys::KeyPlace;
use crate::toml_reader::Named;

/// Those in `file`, which is `watched`, of a provider that signs by some of `algorithms`.
pub(super) fn watch(
    file: &Named,
    algorithms: &[Algorithm],
    watched: &mut Vec<Watched>,
) -> Arc<Keys> {
    // It was good when the configuration was read.
    let keys = read(file, algorithms, &Files::default());
    let count = keys.as_ref().map_or(0, KeySet::count);
    let keys = Arc::new(keys.map_or_else(|_| Keys::of_provider(), Keys::of_file));
    keys.state().has_read_file(count, clock::unix_seconds());
    let algorithms = algorithms.to_vec();
    let source = KeyFile { file: file.clone(), algorithms, keys: Arc::clone(&keys) };
    watched.push(Watched::new(Box::new(source), [file.path.clone()]));
    keys
}

/// The keys in `file`, of which one at least is for some of `algorithms`.
pub(super) fn read(
    file: &Named,
    algorithms: &[Algorithm],
    files: &Files,
) -> Result<KeySet, String> {
    KeySet::parse(read_file(&file.path, files)?.as_bytes())?.for_some_of(algorithms)
}

/// Where a provider is asked for its keys, if it is.
pub(super) fn place_of(keys: &KeySource) -> KeyPlace {
    match keys {
        KeySource::Discover => KeyPlace::Discovered,
        KeySource::At(uri) => KeyPlace::At(uri.clone()),
        KeySource::File(_) => KeyPlace::Elsewhere,
    }
}

/// A file of keys.
struct KeyFile {
    file: Named,
    algorithms: Vec<Algorithm>,
    keys: Arc<Keys>,
}

impl Source for KeyFile {
    fn take(&self, files: &Files, _occasion: Occasion) -> Result<(), Vec<String>> {
        let set = read(&self.file, &self.algorithms, files);
        let set = set.map_err(|what| vec![self.file.fault(what).to_string()])?;
        self.keys.state().has_read_file(set.count(), clock::unix_seconds());
        self.keys.replace(set);
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        self.keys.state().has_failed(ProviderFault::File, clock::unix_seconds());
        log::error!("{}; the old keys stay in use", faults.join("; "));
    }
}
