//! `[[jwt]]` and `[[grant]]`: whose JWTs are taken, and what their users may do.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;

use super::UpstreamKind;
use super::duration::duration;
use crate::jwt::address;
use crate::jwt::claims::ClaimPath;
use crate::jwt::grants::{Grant, Grants, Who};
use crate::jwt::keys::KeySet;
use crate::jwt::rules::{Rules, algorithm};
use crate::toml_reader::{Named, Table};
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::secret::{ApiToken, Shared};

/// Whose JWTs are taken, and what their users may do.
pub struct Jwt {
    /// The identity providers.
    pub providers: Vec<Provider>,
    /// What their users may do.
    pub grants: Grants,
    /// Files of tokens that go upstream, each with the token.
    pub token_files: Vec<(Named, Arc<Shared>)>,
}

/// One identity provider.
#[derive(Clone)]
pub struct Provider {
    /// By which rules its tokens are judged.
    pub rules: Rules,
    /// Where its keys are.
    pub keys: KeySource,
    /// Certificates that may have signed that of its server; `None`: those of the system.
    pub ca_file: Option<Named>,
}

/// Where the keys of a provider are.
#[derive(Clone)]
pub enum KeySource {
    /// Where it says itself.
    Discover,
    /// There.
    At(Uri),
    /// In a file.
    File(Named),
}

impl Jwt {
    /// Certificates that may have signed those of providers.
    pub(super) fn ca_files(&self) -> Vec<Named> {
        self.providers.iter().filter_map(|provider| provider.ca_file.clone()).collect()
    }

    /// Whether a provider is known by the system's authorities.
    pub fn needs_system_authorities(&self) -> bool {
        let is_over_tls = |it: &Provider| it.keys.is_over_tls(&it.rules.issuer);
        self.providers.iter().any(|it| it.ca_file.is_none() && is_over_tls(it))
    }
}

impl KeySource {
    /// Whether somebody has to be asked over TLS for keys of `issuer`.
    fn is_over_tls(&self, issuer: &str) -> bool {
        match self {
            Self::Discover => issuer.starts_with("https://"),
            Self::At(uri) => address::is_over_tls(uri),
            Self::File(_) => false,
        }
    }
}

/// Reads the tables. `None` if there are none.
pub(super) fn read(root: &mut Table<'_>, folder: &Path, upstream: UpstreamKind) -> Option<Jwt> {
    let (jwt, grant) = (root.tables("jwt"), root.tables("grant"));
    if jwt.is_empty() {
        if !grant.is_empty() {
            root.fault("grant", "there is no [[jwt]] whose users it could be for");
        }
        for table in grant {
            drop(read_grant(table, folder, upstream, &[]));
        }
        return None;
    }
    let mut providers: Vec<Provider> = Vec::new();
    let mut issuers: Vec<String> = Vec::new();
    for table in jwt {
        if let Some(provider) = read_provider(table, folder, &mut issuers) {
            providers.push(provider);
        }
    }
    if grant.is_empty() {
        root.fault("jwt", "without a [[grant]], nobody who comes with a JWT may do anything");
    }
    let (mut grants, mut token_files) = (Vec::new(), Vec::new());
    for table in grant {
        let (grant, file) = read_grant(table, folder, upstream, &issuers);
        let of_file = file.zip(grant.token.clone());
        token_files.extend(of_file);
        grants.push(grant);
    }
    Some(Jwt { providers, grants: Grants::new(grants), token_files })
}

fn read_provider(
    mut table: Table<'_>,
    folder: &Path,
    issuers: &mut Vec<String>,
) -> Option<Provider> {
    let issuer = table.required("issuer", |text| {
        address::of_provider(text)?;
        if issuers.iter().any(|other| other == text) {
            return Err("another [[jwt]] has this issuer".to_owned());
        }
        issuers.push(text.to_owned());
        Ok(text.to_owned())
    });
    let audience = table.texts("audience").unwrap_or_default();
    if audience.is_empty() {
        table.fault("audience", "at least one: what tokens for this gateway have in `aud`");
    }
    let keys = keys(&mut table, folder);
    let ca_file = table.file("ca_file", folder);
    let names = table.texts("algorithms").unwrap_or_else(|| texts(&["RS256", "ES256"]));
    let mut algorithms = Vec::new();
    for name in &names {
        match algorithm(name) {
            Ok(algorithm) => algorithms.push(algorithm),
            Err(what) => table.fault("algorithms", &what),
        }
    }
    if names.is_empty() {
        table.fault("algorithms", "at least one");
    }
    let mut path = |key, default| {
        let path = table.parsed(key, ClaimPath::parse);
        path.or_else(|| ClaimPath::parse(default).ok())
    };
    let (user, groups) = (path("user", "preferred_username"), path("groups", "groups"));
    let mut require = Vec::new();
    for (name, value) in table.pairs("require") {
        match ClaimPath::parse(&name) {
            Ok(path) => require.push((path, value)),
            Err(what) => table.fault("require", &format!("{name:?} is {what}")),
        }
    }
    let types = table.texts("types").unwrap_or_else(|| texts(&["JWT", "at+jwt"]));
    if types.is_empty() {
        table.fault("types", "at least one");
    }
    let mut time =
        |key, seconds| table.parsed(key, duration).unwrap_or(Duration::from_secs(seconds));
    let (leeway, max_age) = (time("leeway", 30), time("max_age", 24 * 3600));
    if leeway > MOST_LEEWAY {
        table.fault("leeway", "at most 10m: so far no clock is off that is kept");
    }
    if let (Some(_), KeySource::File(_)) = (&ca_file, &keys) {
        table.fault("ca_file", "keys are in a file, so that nobody is asked for them");
    }
    table.close();
    let (issuer, user, groups) = (issuer?, user?, groups?);
    let rules =
        Rules { issuer, audience, algorithms, user, groups, require, types, leeway, max_age };
    Some(Provider { rules, keys, ca_file })
}

/// A provider whose clock is off by more has other worries.
const MOST_LEEWAY: Duration = Duration::from_secs(600);

/// A URL has a scheme, and no file has one. The file is read, so that its faults are told with the others.
fn keys(table: &mut Table<'_>, folder: &Path) -> KeySource {
    let is_url = |text: &String| text.contains("://");
    match table.text("keys") {
        None => KeySource::Discover,
        Some(text) if text == "discover" => KeySource::Discover,
        Some(text) if is_url(&text) => {
            let uri = table.parsed("keys", address::of_provider);
            uri.map_or(KeySource::Discover, KeySource::At)
        }
        Some(path) => {
            let files = table.environment().file;
            table.parsed("keys", |_| KeySet::parse(files(&folder.join(&path))?.as_bytes()));
            KeySource::File(Named { path: folder.join(path), place: table.place("keys") })
        }
    }
}

/// A grant, and the file of its token.
fn read_grant(
    mut table: Table<'_>,
    folder: &Path,
    upstream: UpstreamKind,
    issuers: &[String],
) -> (Grant, Option<Named>) {
    let line = table.line();
    let issuer = table.text("issuer");
    if let Some(issuer) = &issuer
        && !issuers.contains(issuer)
    {
        table.fault("issuer", "no [[jwt]] has this issuer");
    }
    let group = table.text("group");
    let user = table.parsed("user", str::parse::<Username>);
    if group.is_some() && table.has("user") {
        table.fault("user", "a grant is for a group or for a user, not for both");
    }
    let who = match (group, user) {
        (Some(group), _) => Who::Group(group),
        (None, Some(user)) => Who::User(user),
        (None, None) => Who::Everybody,
    };
    let words = Access::ALL.map(|access| (access.word(), access));
    let access = table.choice("access", &words).unwrap_or(Access::Read);
    let files = table.environment().file;
    let token = table.parsed("token_file", |path| ApiToken::of_file(&folder.join(path), files));
    let file = table.file("token_file", folder);
    table.close();
    let token = token.map(|token| Arc::new(Shared::new(Some(token), upstream.scheme())));
    (Grant { issuer, who, access, token, line }, file)
}

fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}
