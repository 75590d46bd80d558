//! Warnings about settings that are allowed but probably not intended.

use std::sync::Arc;

use crate::auth::credential::missing_token;
use crate::config::Config;
use crate::directory::users::Users;
use crate::jwt::grants::Grant;
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::{Status, User};

/// How many users without a token are named. A file of thousands is meant that way, or mended in one place.
const MOST_NAMED: usize = 20;

/// One line for each warning. `users` are those of the file, if there is one.
pub fn of(config: &Config, users: Option<&Users>) -> Vec<String> {
    let mut warnings = users.map(|users| of_users(config, users)).unwrap_or_default();
    warnings.extend(tokenless_grants(config));
    warnings
}

fn of_users(config: &Config, users: &Users) -> Vec<String> {
    let mut warnings = Vec::new();
    for user in users.sorted() {
        if user.access == Access::Full {
            continue;
        }
        let word = user.access.word();
        if config.upstream.token.is_some() && user.token.is_none() {
            warnings.push(format!(
                "user {}: access = \"{word}\" with the shared upstream token: the gateway does not \
                 read Flux, so a query can write, make requests and read secrets as far as that token allows; \
                 give the user a {} API token of InfluxDB by token_file",
                user.name,
                if user.access == Access::Read { "read-only" } else { "narrow" },
            ));
        }
    }
    warnings.extend(tokenless(config, users));
    warnings.extend(unlinked(config, users));
    warnings
}

/// Warnings about users whose sign-in provider is none.
fn unlinked(config: &Config, users: &Users) -> Vec<String> {
    let known = |id: &str| config.providers.oidc.iter().any(|provider| provider.id == id);
    let lost = users.linked_to().into_iter().filter(|(_, provider)| !known(provider));
    let warning = |(name, provider): (&Username, &str)| {
        format!(
            "user {name}: oidc = \"{provider}:…\" names no [[oidc]] of the configuration, so nobody comes by it"
        )
    };
    lost.map(warning).collect()
}

/// Warnings about users without any API token.
fn tokenless(config: &Config, users: &Users) -> Vec<String> {
    if config.upstream.token.is_some() {
        return Vec::new();
    }
    let lacks = |user: &&User| user.status == Status::Active && user.token.is_none();
    let sorted = users.sorted();
    let lacking: Vec<_> = sorted.iter().map(|user| &***user).filter(lacks).collect();
    let (named, others) = lacking.split_at(lacking.len().min(MOST_NAMED));
    let mut warnings: Vec<_> = named.iter().map(|user| missing_token(&user.name)).collect();
    if !others.is_empty() {
        warnings.push(format!("no upstream token for {} others", others.len()));
    }
    warnings
}

/// Warnings about grants by which nobody gets anything.
fn tokenless_grants(config: &Config) -> Vec<String> {
    let grants = config.providers.grants.tokenless().into_iter();
    let useless = grants.filter(|_| config.upstream.token.is_none());
    let warning = |grant: &Arc<Grant>| {
        format!(
            "line {}: this [[grant]] has no API token of InfluxDB to go upstream, so that those whom it fits get 403: \
             set its token_file, or upstream.token_file",
            grant.line
        )
    };
    useless.map(warning).collect()
}
