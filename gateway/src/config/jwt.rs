//! `[[jwt]]`: whose JWTs are taken; and what an `[[oidc]]` says in the same words.

use std::path::Path;
use std::time::Duration;

use http::Uri;

use super::duration::duration;
use crate::jwt::address;
use crate::jwt::claims::ClaimPath;
use crate::jwt::keys::KeySet;
use crate::jwt::rules::{Algorithm, Rules, algorithm};
use crate::toml_reader::{Named, Table};

/// One identity provider whose JWTs are taken.
#[derive(Clone)]
pub struct JwtProvider {
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

impl JwtProvider {
    /// Whether it is known by the system's authorities.
    pub(super) fn needs_system_authorities(&self) -> bool {
        let is_over_tls = match &self.keys {
            KeySource::Discover => self.rules.issuer.starts_with("https://"),
            KeySource::At(uri) => address::is_over_tls(uri),
            KeySource::File(_) => false,
        };
        self.ca_file.is_none() && is_over_tls
    }
}

/// Reads one of the tables; its issuer is none of `issuers`, and is added to them as its file is to `ca_files`. `is_sign_in` says whether an audience
/// of an issuer is that of its sign-ins.
pub(super) fn read(
    mut table: Table<'_>,
    folder: &Path,
    (issuers, ca_files): (&mut Vec<String>, &mut Vec<Named>),
    is_sign_in: impl Fn(&str, &str) -> bool,
) -> Option<JwtProvider> {
    let issuer = issuer(&mut table, "[[jwt]]", issuers);
    let audience = table.texts("audience").unwrap_or_default();
    if audience.is_empty() {
        table.fault("audience", "at least one: what tokens for this gateway have in `aud`");
    }
    let of_sign_in = |it: &&String| issuer.as_ref().is_some_and(|issuer| is_sign_in(issuer, it));
    if let Some(client) = audience.iter().find(of_sign_in) {
        let what = format!(
            "{client:?} is the client_id of an [[oidc]] of this issuer: what is for its sign-ins is not for \
             the API; have the provider make tokens for an audience of their own, such as \"influx-api\""
        );
        table.fault("audience", &what);
    }
    let claims = claims(&mut table);
    let algorithms = claims.as_ref().map(|claims| &*claims.algorithms);
    let keys = keys(&mut table, folder, algorithms);
    let ca_file = table.file("ca_file", folder);
    ca_files.extend(ca_file.clone());
    let (types, max_age) = (types(&mut table, &["JWT", "at+jwt"]), max_age(&mut table));
    if let (Some(_), KeySource::File(_)) = (&ca_file, &keys) {
        table.fault("ca_file", "keys are in a file, so that nobody is asked for them");
    }
    table.close();
    let rules = claims?.rules(issuer?, audience, types, max_age);
    Some(JwtProvider { rules, keys, ca_file })
}

/// How long ago a token may have been issued, unless it is configured.
const MAX_AGE: Duration = Duration::from_secs(24 * 3600);

/// A provider whose clock is off by more has other worries.
const MOST_LEEWAY: Duration = Duration::from_secs(600);

/// The issuer of a table of this `kind`, which no other of them has.
pub(super) fn issuer(
    table: &mut Table<'_>,
    kind: &str,
    issuers: &mut Vec<String>,
) -> Option<String> {
    table.required("issuer", |text| {
        address::of_provider(text)?;
        if issuers.iter().any(|other| other == text) {
            return Err(format!("another {kind} has this issuer"));
        }
        issuers.push(text.to_owned());
        Ok(text.to_owned())
    })
}

/// What tokens have to claim, and how they are signed.
pub(super) struct Claims {
    pub(super) algorithms: Vec<Algorithm>,
    user: ClaimPath,
    groups: ClaimPath,
    require: Vec<(ClaimPath, String)>,
    leeway: Duration,
}

impl Claims {
    /// The rules for tokens of `issuer` of which more is known.
    pub(super) fn rules(
        self,
        issuer: String,
        audience: Vec<String>,
        types: Vec<String>,
        max_age: Duration,
    ) -> Rules {
        let Self { algorithms, user, groups, require, leeway } = self;
        Rules { issuer, audience, algorithms, user, groups, require, types, leeway, max_age }
    }
}

/// Reads them.
pub(super) fn claims(table: &mut Table<'_>) -> Option<Claims> {
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
    let leeway = table.parsed("leeway", duration).unwrap_or(Duration::from_secs(30));
    if leeway > MOST_LEEWAY {
        table.fault("leeway", "at most 10m: so far no clock is off that is kept");
    }
    Some(Claims { algorithms, user: user?, groups: groups?, require, leeway })
}

/// What `typ` of the header may be.
pub(super) fn types(table: &mut Table<'_>, default: &[&str]) -> Vec<String> {
    let types = table.texts("types").unwrap_or_else(|| texts(default));
    if types.is_empty() {
        table.fault("types", "at least one");
    }
    types
}

/// How long ago a token may have been issued.
pub(super) fn max_age(table: &mut Table<'_>) -> Duration {
    table.parsed("max_age", duration).unwrap_or(MAX_AGE)
}

/// A URL has a scheme, and no file has one. The file is read, so that its faults are told with the others; it has a key for
/// one of `algorithms`, if it is known what those are.
pub(super) fn keys(
    table: &mut Table<'_>,
    folder: &Path,
    algorithms: Option<&[Algorithm]>,
) -> KeySource {
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
            table.parsed("keys", |_| {
                let keys = KeySet::parse(files(&folder.join(&path))?.as_bytes())?;
                algorithms.map_or(Ok(()), |it| keys.for_some_of(it).map(drop))
            });
            KeySource::File(Named { path: folder.join(path), place: table.place("keys") })
        }
    }
}

/// These texts.
pub(super) fn texts(of: &[&str]) -> Vec<String> {
    of.iter().map(|text| (*text).to_owned()).collect()
}
