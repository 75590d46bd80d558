//! `[[oidc]]`: providers that sign users in.

use std::path::Path;
use std::time::Duration;

use http::Uri;

use super::duration;
use super::jwt::{KeySource, claims, issuer, keys, max_age, texts, types};
use crate::jwt::address;
use crate::jwt::rules::Rules;
use crate::toml_reader::{Named, Table};
use crate::user::secret::ApiToken;

/// One provider that signs users in.
#[derive(Clone)]
pub struct OidcProvider {
    /// What it is called in paths and in the audit trail.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// By which rules its ID tokens are judged. Their audience is the gateway's own `client_id`.
    pub rules: Rules,
    /// Where its keys are.
    pub keys: KeySource,
    /// Certificates that may have signed that of its server; `None`: those of the system.
    pub ca_file: Option<Named>,
    /// What it knows the gateway by.
    pub client_id: String,
    /// By which the gateway proves that it is that; `None` of a public client.
    pub client_secret: Option<ApiToken>,
    /// The file that it is in.
    pub secret_file: Option<Named>,
    /// Where it sends users back to.
    pub redirect: Uri,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// How long its sessions live, and how often it is asked about them.
    pub times: OidcTimes,
    /// Whether users sign out of it too.
    pub sign_out: bool,
    /// Whether the page goes straight to it.
    pub auto: bool,
}

/// How long sessions of a provider live, and how often it is asked about them.
#[derive(Clone, Copy, Debug)]
pub struct OidcTimes {
    /// It is asked about a session that is used, at most so often; `None`: never.
    pub refresh: Option<Duration>,
    /// How long a session lives on when it does not answer.
    pub grace: Duration,
    /// How long a session lives at most.
    pub lifetime: Duration,
}

impl OidcProvider {
    /// Whether it is known by the system's authorities.
    pub(super) fn needs_system_authorities(&self) -> bool {
        let of_keys = matches!(&self.keys, KeySource::At(uri) if address::is_over_tls(uri));
        self.ca_file.is_none() && (of_keys || self.rules.issuer.starts_with("https://"))
    }
}

/// What was seen in tables before, and how many there are.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) count: usize,
    pub(super) ids: Vec<String>,
    pub(super) issuers: Vec<String>,
    /// The files of certificates of all of them, and of `[[jwt]]`.
    pub(super) ca_files: Vec<Named>,
}

/// The longest name, in characters.
const LONGEST_NAME: usize = 60;

/// Reads one of the tables.
pub(super) fn read(mut table: Table<'_>, folder: &Path, seen: &mut Seen) -> Option<OidcProvider> {
    let id = table.required("id", |text| id_of(text, &mut seen.ids));
    let name = table.parsed("name", |text| {
        let is_fine = !text.trim().is_empty()
            && text.chars().count() <= LONGEST_NAME
            && !text.chars().any(char::is_control);
        let fault = || format!("expected 1 to {LONGEST_NAME} characters on one line");
        is_fine.then(|| text.to_owned()).ok_or_else(fault)
    });
    let issuer = issuer(&mut table, "[[oidc]]", &mut seen.issuers);
    let client_id = table.required("client_id", |text| {
        let is_fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        let fault = || "expected visible ASCII without blanks, as the provider has it".to_owned();
        is_fine.then(|| text.to_owned()).ok_or_else(fault)
    });
    let files = table.environment().file;
    let client_secret =
        table.parsed("client_secret_file", |path| ApiToken::of_file(&folder.join(path), files));
    let secret_file = table.file("client_secret_file", folder);
    let redirect = table.required("redirect", |text| redirect_of(text, id.as_deref()));
    let scopes = scopes(&mut table);
    let times = times(&mut table);
    let sign_out = table.choice("sign_out", &[("local", false), ("provider", true)]);
    let auto = table.boolean("auto").unwrap_or(false);
    if auto && seen.count > 1 {
        table.fault(
            "auto",
            "there are several [[oidc]], and the page can go straight to an only one",
        );
    }
    let ca_file = table.file("ca_file", folder);
    seen.ca_files.extend(ca_file.clone());
    let claims = claims(&mut table);
    let algorithms = claims.as_ref().map(|claims| &*claims.algorithms);
    let keys = keys(&mut table, folder, algorithms);
    let (types, max_age) = (id_token_types(&mut table), max_age(&mut table));
    table.close();
    let (id, client_id) = (id?, client_id?);
    Some(OidcProvider {
        name: name.unwrap_or_else(|| id.clone()),
        id,
        rules: claims?.rules(issuer?, vec![client_id.clone()], types, max_age),
        keys,
        ca_file,
        client_id,
        client_secret,
        secret_file,
        redirect: redirect?,
        scopes,
        times,
        sign_out: sign_out.unwrap_or(false),
        auto,
    })
}

fn id_of(text: &str, ids: &mut Vec<String>) -> Result<String, String> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=32).contains(&text.len()) || !text.bytes().all(is_plain) {
        return Err("expected 1 to 32 of a-z, 0-9 and -; write for example \"keycloak\"".to_owned());
    }
    if ids.iter().any(|other| other == text) {
        return Err("another [[oidc]] has this id".to_owned());
    }
    ids.push(text.to_owned());
    Ok(text.to_owned())
}

/// The path is the gateway's own; everything before it is where browsers find the gateway.
fn redirect_of(text: &str, id: Option<&str>) -> Result<Uri, String> {
    let path = format!("/gateway/oidc/{}/callback", id.unwrap_or("ID"));
    let uri = address::of_provider(text).ok().filter(|uri| id.is_none() || uri.path() == path);
    uri.ok_or_else(|| {
        format!(
            "expected where browsers find this gateway, with the path {path}; write for example \
             \"https://gateway.example.com{path}\"; http:// is for this machine alone"
        )
    })
}

/// Others than those of tokens that the provider signs with the same keys for other purposes.
fn id_token_types(table: &mut Table<'_>) -> Vec<String> {
    let types = types(table, &["JWT"]);
    let bare = |text: &String| text.to_ascii_lowercase().replacen("application/", "", 1);
    if let Some(other) = types.iter().find(|it| ["at+jwt", "logout+jwt"].contains(&&*bare(it))) {
        table.fault("types", &format!("{other:?} is that of other tokens than ID tokens"));
    }
    types
}

fn scopes(table: &mut Table<'_>) -> Vec<String> {
    let scopes = table.texts("scopes").unwrap_or_else(|| texts(&["openid", "profile", "email"]));
    // RFC 6749, section 3.3.
    let is_scope = |text: &String| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
    };
    if !scopes.iter().all(is_scope) {
        table.fault("scopes", "each is visible ASCII without blanks, \" and \\");
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        table.fault("scopes", "without \"openid\", a provider does not say who has signed in");
    }
    scopes
}

fn times(table: &mut Table<'_>) -> OidcTimes {
    let refresh = table.parsed("refresh", |text| match text {
        "off" => Ok(None),
        text => duration(text).map(Some),
    });
    let mut time =
        |key, seconds| table.parsed(key, duration).unwrap_or(Duration::from_secs(seconds));
    let (grace, lifetime) = (time("grace", 3600), time("lifetime", 12 * 3600));
    OidcTimes { refresh: refresh.unwrap_or(Some(Duration::from_secs(300))), grace, lifetime }
}
