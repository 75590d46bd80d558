//! Identity providers, as the configuration has them: who judges JWTs, who asks for keys, and the files that belong to it.

use std::collections::HashSet;
use std::sync::Arc;

use super::{key_file, oidc, token_file};
use crate::admin::providers::ProviderInUse;
use crate::auth::jwt::admission::Admission;
use crate::auth::jwt::{Jwts, Provider};
use crate::auth::oidc::Oidc;
use crate::config::{Config, JwtProvider, KeySource};
use crate::file_identity::watched::Watched;
use crate::tasks::jwt_keys::{FetchKeys, Place};

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

/// Where a provider is asked for its keys.
fn place(provider: &JwtProvider) -> Place {
    let ca_file = provider.ca_file.as_ref().map(|file| file.path.clone());
    let (issuer, algorithms) = (provider.rules.issuer.clone(), provider.rules.algorithms.clone());
    Place { issuer, keys: key_file::place_of(&provider.keys), algorithms, ca_file, signs_in: false }
}

/// How many keys each identity provider has, by its issuer, which is asked now; or what is wrong, for people to read.
///
/// # Panics
/// If the process can have neither sockets nor a timer.
pub fn ask_providers(config: &Config) -> Vec<(String, Result<usize, String>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime is had");
    let is_asked = |it: &&JwtProvider| !matches!(it.keys, KeySource::File(_));
    let of_jwt = config.providers.jwt.iter().filter(is_asked).map(|it| (place(it), 0));
    let of_oidc = config.providers.oidc.iter();
    let of_oidc = of_oidc.map(|provider| (oidc::place(provider), oidc::count_in_file(provider)));
    let ask = |(place, in_file): (Place, usize)| {
        let answer = runtime.block_on(place.read());
        let count = answer.map(|it| it.keys.map_or(in_file, |keys| keys.count()));
        (place.issuer, count.map_err(|trouble| trouble.what))
    };
    of_jwt.chain(of_oidc).map(ask).collect()
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
        let keys = match &provider.keys {
            KeySource::File(file) => {
                key_file::watch(file, &provider.rules.algorithms, &mut made.watched)
            }
            KeySource::Discover | KeySource::At(_) => made.fetch.add(place(provider)),
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

/// Whether there are several issuers.
fn are_several(config: &Config) -> bool {
    let of_jwt = config.providers.jwt.iter().map(|provider| &provider.rules.issuer);
    let of_oidc = config.providers.oidc.iter().map(|provider| &provider.rules.issuer);
    of_jwt.chain(of_oidc).collect::<HashSet<_>>().len() > 1
}
