//! Identity providers: `[[jwt]]`, `[[oidc]]` and `[[grant]]` together.

use std::path::Path;
use std::sync::Arc;

use super::jwt::{self, JwtProvider};
use super::oidc::{self, OidcProvider, Seen};
use super::{UpstreamKind, grant};
use crate::jwt::grants::Grants;
use crate::toml_reader::{Named, Table};
use crate::user::secret::Shared;

/// Identity providers, and what their users may do.
#[derive(Default)]
pub struct Providers {
    /// How many tables there are, those included that have faults.
    tables: usize,
    /// Those whose JWTs are taken.
    pub jwt: Vec<JwtProvider>,
    /// Those that sign users in.
    pub oidc: Vec<OidcProvider>,
    /// What their users may do.
    pub grants: Grants,
    /// Certificates that may have signed those of providers, also of one with a fault.
    pub(super) ca_files: Vec<Named>,
    /// Files of tokens that go upstream, each with the token.
    pub token_files: Vec<(Named, Arc<Shared>)>,
}

impl Providers {
    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        self.tables == 0
    }

    /// Whether one whose JWTs are taken is known by the system's authorities.
    pub fn needs_system_authorities(&self) -> bool {
        self.jwt.iter().any(JwtProvider::needs_system_authorities)
    }

    /// Whether one that signs users in is known by the system's authorities.
    pub fn needs_system_authorities_to_sign_in(&self) -> bool {
        self.oidc.iter().any(OidcProvider::needs_system_authorities)
    }
}

/// Reads the tables.
pub(super) fn read(root: &mut Table<'_>, folder: &Path, upstream: UpstreamKind) -> Providers {
    let (jwt, oidc, grant) = (root.tables("jwt"), root.tables("oidc"), root.tables("grant"));
    if jwt.is_empty() && oidc.is_empty() && !grant.is_empty() {
        root.fault("grant", "there is no [[jwt]] and no [[oidc]] whose users it could be for");
    }
    if !jwt.is_empty() && grant.is_empty() {
        root.fault("jwt", "without a [[grant]], nobody who comes with a JWT may do anything");
    }
    let mut providers = Providers { tables: jwt.len() + oidc.len(), ..Providers::default() };
    let mut seen = Seen { count: oidc.len(), ..Seen::default() };
    for table in oidc {
        providers.oidc.extend(oidc::read(table, folder, &mut seen));
    }
    let mut issuers = Vec::new();
    for table in jwt {
        let is_sign_in = |issuer: &str, audience: &str| {
            let is_it = |it: &OidcProvider| it.rules.issuer == issuer && it.client_id == audience;
            providers.oidc.iter().any(is_it)
        };
        let seen = (&mut issuers, &mut seen.ca_files);
        let provider = jwt::read(table, folder, seen, is_sign_in);
        providers.jwt.extend(provider);
    }
    providers.ca_files = seen.ca_files;
    issuers.extend(seen.issuers);
    let mut grants = Vec::new();
    for table in grant {
        let (grant, file) = grant::read(table, folder, upstream, &issuers);
        providers.token_files.extend(file.zip(grant.token.clone()));
        grants.push(grant);
    }
    providers.grants = Grants::new(grants);
    providers
}
