//! The files that are read at start and again when they change: users, tokens and certificates; and the
//! configuration, which is read once.

use std::path::Path;
use std::sync::Arc;

use super::output::missing_folders;
use super::outside::{environment, folder_of, read_file};
use super::policy;
use super::users_file::UsersFile;
use crate::api::page::Logo;
use crate::config::{Config, NamedFiles, Refused, Relying, Store};
use crate::file_identity::Files;
use crate::metrics::Expiry;
use crate::net::tls::{self, Certificate, Pair, pem};
use crate::proxy::upstream::tls::{UpstreamFiles, UpstreamTls, look_for_system_authorities};
use crate::toml_reader::{Diagnostic, Document, Named, Written};

/// All that is read at the start.
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The users file, where there is one.
    pub users: Option<UsersFile>,
    /// Certificates.
    pub tls: Tls,
}

/// What was read of certificates.
pub struct Tls {
    /// Those of listeners.
    pub certificates: Vec<Arc<Certificate>>,
    /// By what an `https` upstream is known.
    pub upstream: Known,
    /// The same of the server of InfluxDB's pages, if that is another.
    pub ui: Known,
}

/// By what a server is known; `None` if it is not spoken to over TLS.
pub type Known = Option<(UpstreamFiles, UpstreamTls)>;

/// Reads the configuration at `path` and all files that it names; all faults of all of them at once.
///
/// A file without users is most likely not what was meant, and a fault.
pub fn load(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    load_all(path, &Files::default(), &Files::default(), Occasion::Look)
}

/// The same for a gateway that is to serve: there are folders for what it makes.
pub fn load_to_serve(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    load_all(path, &Files::default(), &Files::default(), Occasion::Start)
}

/// The same of a gateway that serves, which is to read them again: there may be no users.
pub fn load_for_reload(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    load_again(path, &Files::default())
}

/// The same by that gateway: the configuration by `files`.
pub(super) fn load_again(path: &Path, files: &Files) -> Result<Loaded, Vec<Diagnostic>> {
    load_all(path, files, &Files::anew(), Occasion::Reload)
}

/// What all is read for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Occasion {
    /// To know it, without a gateway.
    Look,
    /// A gateway is to serve.
    Start,
    /// It serves, and reads again. What it makes is there.
    Reload,
}

fn load_all(
    path: &Path,
    own: &Files,
    others: &Files,
    occasion: Occasion,
) -> Result<Loaded, Vec<Diagnostic>> {
    let (config, named, mut faults) = match read_config(path, own, others) {
        Ok(config) => {
            let named = config.files.clone();
            (Some(config), named, Vec::new())
        }
        Err(Refused { faults, files }) => (None, *files, faults),
    };
    let is_https = config.as_ref().is_some_and(|config| config.upstream.tls);
    let is_ui_https =
        config.as_ref().and_then(|config| config.ui.as_ref()).is_some_and(|ui| ui.tls);
    let tls = load_tls(&named, [is_https, is_ui_https], others).unwrap_or_else(|more| {
        faults.extend(more);
        None
    });
    faults.extend(missing_authorities(&named.relying, path));
    if occasion == Occasion::Start {
        faults.extend(missing_folders(&named.made));
    }
    let of_providers = named.providers_ca.iter().map(|file| load_authorities(file, others));
    faults.extend(of_providers.filter_map(Result::err));
    let authorities = named.store_ca.as_ref().map(|file| load_authorities(file, others));
    let authorities = authorities.transpose().unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    let logo = load_logo(&named, others).unwrap_or_else(|fault| {
        faults.push(fault);
        None
    });
    let least_users = usize::from(occasion != Occasion::Reload);
    let users = named
        .users
        .map(|file| UsersFile::load(file, named.token_prefix.clone(), others, least_users));
    let users = users.transpose().unwrap_or_else(|more| {
        faults.extend(more);
        None
    });
    match (config, tls) {
        (Some(mut config), Some(tls)) if faults.is_empty() => {
            if let (Store::Redis { settings, .. }, Some(authorities)) =
                (&mut config.store, authorities)
            {
                settings.address.trust(authorities);
            }
            if let Some(page) = &mut config.page {
                page.logo = logo;
            }
            Ok(Loaded { config, users, tls })
        }
        _ => {
            // Those of the configuration itself first, in the order of its lines.
            let own = path.display().to_string();
            faults.sort_by_key(|fault| if fault.file == own { (0, fault.line) } else { (1, None) });
            Err(faults)
        }
    }
}

/// The configuration that is `written` at `path`, but with `keys` as they were at the start; all its faults.
pub(super) fn load_mixed(
    path: &Path,
    written: &Written,
    (at_start, keys): (&Written, &[String]),
) -> Result<Config, Vec<Diagnostic>> {
    let (name, files) = (path.display().to_string(), Files::anew());
    let read = |path: &Path| read_file(path, &files);
    let document = Document::parse(&name, written.text(), environment(&read));
    let document = document.keeping(keys, at_start.text(), &policy::needs_restart);
    let mut config = Config::of(document, folder_of(path)).map_err(|refused| refused.faults)?;
    let logo = load_logo(&config.files, &files).map_err(|fault| vec![fault])?;
    if let Some(page) = &mut config.page {
        page.logo = logo;
    }
    Ok(config)
}

fn load_logo(named: &NamedFiles, files: &Files) -> Result<Option<Logo>, Diagnostic> {
    named.logo.as_ref().map(|file| tls::read(file, files, Logo::of)).transpose()
}

/// Reads the configuration at `path` alone, for commands that edit the users file it names.
pub fn load_config(path: &Path) -> Result<Config, Vec<Diagnostic>> {
    let files = Files::default();
    read_config(path, &files, &files).map_err(|refused| refused.faults)
}

fn read_config(path: &Path, own: &Files, others: &Files) -> Result<Config, Refused> {
    let name = path.display().to_string();
    let read = |path: &Path| read_file(path, others);
    match read_file(path, own) {
        Ok(text) => Config::parse(&name, &text, folder_of(path), environment(&read)),
        Err(what) => {
            let faults = vec![Diagnostic::of_file(&name, what)];
            Err(Refused { faults, files: Box::default() })
        }
    }
}

/// Reads the certificates among `named`.
fn load_tls(
    named: &NamedFiles,
    [is_https, is_ui_https]: [bool; 2],
    files: &Files,
) -> Result<Option<Tls>, Vec<Diagnostic>> {
    let (mut certificates, mut faults) = (Vec::new(), Vec::new());
    let pair = |(certificate, key): &(Named, Named)| Pair {
        certificate: certificate.clone(),
        key: key.clone(),
    };
    for named in &named.https {
        match Certificate::load(pair(named), files) {
            Ok(certificate) => certificates.push(Arc::new(certificate)),
            Err(more) => faults.extend(more),
        }
    }
    let client = named.client.as_ref().map(pair);
    let upstream =
        UpstreamFiles { authorities: named.ca.clone(), client, expiry: Expiry::default() };
    let ui = UpstreamFiles { authorities: named.ui_ca.clone(), ..UpstreamFiles::default() };
    let mut known = |it: UpstreamFiles, is_https: bool| match it.read(files) {
        Ok(tls) => is_https.then_some((it, tls)),
        Err(more) => {
            faults.extend(more);
            None
        }
    };
    let (upstream, ui) = (known(upstream, is_https), known(ui, is_ui_https));
    if faults.is_empty() { Ok(Some(Tls { certificates, upstream, ui })) } else { Err(faults) }
}

/// The faults of a configuration that relies on the system's authorities where there are none.
fn missing_authorities(relying: &[Relying], path: &Path) -> Vec<Diagnostic> {
    if relying.is_empty() {
        return Vec::new();
    }
    let Err(found) = look_for_system_authorities() else { return Vec::new() };
    let fault = |Relying { key, whose, remedy }: &Relying| {
        let what = format!(
            "{whose} is checked against the system's authorities, which cannot be read: {found}; \
             {remedy}, or install ca-certificates"
        );
        let key = (*key).to_owned();
        Diagnostic { key, ..Diagnostic::of_file(&path.display().to_string(), what) }
    };
    relying.iter().map(fault).collect()
}

/// Reads the certificates that may have signed the session store's or a provider's, in PEM.
pub(super) fn load_authorities(file: &Named, files: &Files) -> Result<Vec<u8>, Diagnostic> {
    let is_pem = |content: &[u8]| pem::authorities(content).map(|_| content.to_vec());
    tls::read(file, files, is_pem)
}
