//! Composition: a configuration in, a running server out.

mod names;
pub mod warnings;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderValue;

use crate::api::crosssite::AllowedOrigins;
use crate::api::hosts::AnsweredHosts;
use crate::audit::Audit;
use crate::auth::credential::Shared;
use crate::auth::tokens::{Resolver, Tokens};
use crate::auth::upkeep::{self, Upkeep};
use crate::auth::{self, Auth};
use crate::config::{Config, Kind, Refused, TokenPolicy};
use crate::directory::file::{FileDirectory, Kept};
use crate::directory::hashing::{HashingRoom, Line};
use crate::directory::influxdb::{self, Ask, InfluxdbDirectory};
use crate::directory::users::Users;
use crate::directory::{Directory, parse};
use crate::document::{Fault, Surroundings};
use crate::edge;
use crate::edge::client::Client;
use crate::edge::gateway::{Gateway, Settings};
use crate::edge::listener::Listener;
use crate::edge::origin::TrustedProxies;
use crate::edge::server::Server;
use crate::edge::tls::{Certificate, UpstreamTls};
use crate::edge::upstream::Upstream;
use crate::session::memory::MemoryStore;
use crate::stamp::Files;
use crate::user::secret::Scheme;

/// The users file, where there is one: its path and its users.
pub struct UsersFile {
    /// Where it is.
    pub path: PathBuf,
    /// Who is in it.
    pub users: Users,
}

/// Reads the configuration at `path` and the users file, if it names one; all faults of both at
/// once.
pub fn load(path: &Path) -> Result<(Config, Option<UsersFile>), Vec<Fault>> {
    match read_config(path) {
        Ok(config) => {
            let Some(file) = users_path(path, &config) else { return Ok((config, None)) };
            let users = load_users_at_start(&file)?;
            let users = names::apart(users, config.identity.token_prefix.as_ref(), &file)?;
            Ok((config, Some(UsersFile { path: file, users })))
        }
        Err(mut refused) => {
            let file = refused.users_file.map(|file| folder_of(path).join(file));
            let users = file.map(|file| load_users_at_start(&file));
            refused.faults.extend(users.and_then(Result::err).unwrap_or_default());
            Err(refused.faults)
        }
    }
}

/// Reads the configuration at `path` alone, for commands that edit the users file it names.
pub fn load_config(path: &Path) -> Result<Config, Vec<Fault>> {
    read_config(path).map_err(|refused| refused.faults)
}

fn read_config(path: &Path) -> Result<Config, Refused> {
    let name = path.display().to_string();
    let read = |path: &Path| read_file(path, &Files::default());
    match read(path) {
        Ok(text) => Config::parse(&name, &text, folder_of(path), surroundings(&read)),
        Err(what) => {
            let faults = vec![Fault::of_file(&name, what)];
            Err(Refused { faults, users_file: None })
        }
    }
}

/// Reads the users file at `path`, and the tokens it names, by `files`.
pub fn load_users(path: &Path, files: &Files) -> Result<Users, Vec<Fault>> {
    let name = path.display().to_string();
    let read = |path: &Path| read_file(path, files);
    let text = read(path).map_err(|what| vec![Fault::of_file(&name, what)])?;
    parse::parse(&name, &text, folder_of(path), surroundings(&read))
}

/// The same at the start, where a file without users is most likely not what was meant.
fn load_users_at_start(path: &Path) -> Result<Users, Vec<Fault>> {
    let users = load_users(path, &Files::default())?;
    if users.count() > 0 {
        return Ok(users);
    }
    let what = "no [[user]] in it, so nobody could sign in; add one with `influx-gateway user add`";
    Err(vec![Fault::of_file(&path.display().to_string(), what)])
}

/// Where the users file of the configuration at `path` is; `None` if InfluxDB knows the users.
pub fn users_path(path: &Path, config: &Config) -> Option<PathBuf> {
    config.users.file().map(|file| folder_of(path).join(file))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn read_file(path: &Path, files: &Files) -> Result<String, String> {
    files.read_text(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here and in main only")]
fn surroundings(file: &dyn Fn(&Path) -> Result<String, String>) -> Surroundings<'_> {
    Surroundings { variable: &|name| std::env::var(name).ok(), file }
}

/// A listening address that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Opens a listening socket. Done before anything is started, so that an address in use is a
/// clear error and not a process that lives without a listener.
pub fn bind(address: SocketAddr) -> Result<Listener, BindError> {
    bind_beside(address, false)
}

fn bind_beside(address: SocketAddr, ipv6_only: bool) -> Result<Listener, BindError> {
    let socket = edge::listener::bind(address, ipv6_only);
    let socket = socket.map_err(|source| BindError { address, source })?;
    Ok(Listener { socket, certificate: None })
}

/// Opens all listening sockets of the configuration.
pub fn bind_all(config: &Config, tls: Tls) -> Result<Vec<Listener>, BindError> {
    let listen = &config.listen;
    let bind = |address| bind_beside(address, listen.is_ipv6_only(address));
    let plain = listen.http.iter().map(|&address| bind(address));
    let mut listeners = plain.collect::<Result<Vec<_>, _>>()?;
    for (https, certificate) in listen.https.iter().zip(tls.certificates) {
        let listener = bind(https.address)?;
        listeners.push(Listener { certificate: Some(certificate), ..listener });
    }
    Ok(listeners)
}

/// Opens the audit trail where the configuration says.
pub fn open_audit(config: &Config) -> Result<Audit, Vec<Fault>> {
    let Some(path) = &config.audit else { return Ok(Audit::to_log()) };
    Audit::to_file(path).map_err(|error| {
        let what = format!("cannot be written to: {error} (audit.file)");
        vec![Fault::of_file(&path.display().to_string(), what)]
    })
}

/// What was read of certificates.
pub struct Tls {
    certificates: Vec<Arc<Certificate>>,
    upstream: Option<UpstreamTls>,
}

/// Reads the certificates that the configuration names; all faults at once.
pub fn load_tls(config: &Config) -> Result<Tls, Vec<Fault>> {
    let (mut certificates, mut faults) = (Vec::new(), Vec::new());
    for https in &config.listen.https {
        match Certificate::load(&https.certificate, &https.key) {
            Ok(certificate) => certificates.push(Arc::new(certificate)),
            Err(what) => faults.push(Fault::of_file("listen.https", what)),
        }
    }
    let at = &config.upstream;
    let client = at.client.as_ref().map(|(certificate, key)| (&**certificate, &**key));
    let upstream = at.tls.then(|| UpstreamTls::load(at.ca_file.as_deref(), client)).transpose();
    match upstream {
        Ok(upstream) if faults.is_empty() => Ok(Tls { certificates, upstream }),
        Ok(_) => Err(faults),
        Err(what) => {
            faults.push(Fault::of_file("upstream", what));
            Err(faults)
        }
    }
}

/// Serves until the process is told to stop, then returns. Calls `ready` with the URLs of its
/// listeners when it serves.
///
/// Without a users file, InfluxDB is asked who may sign in.
pub fn serve(
    config: Config,
    users: Option<UsersFile>,
    tls: Tls,
    audit: Audit,
    ready: impl FnOnce(&[String]) + Send + 'static,
) -> Result<(), BindError> {
    let prefix = config.identity.token_prefix.clone();
    let users = users.map(|UsersFile { path, users }| {
        let file = path.clone();
        let read =
            move |files: &Files| names::apart(load_users(&file, files)?, prefix.as_ref(), &file);
        (users, Some(Kept::new(path, Box::new(read))))
    });
    let upstream_tls = tls.upstream.clone();
    let listeners = bind_all(&config, tls)?;
    let urls: Vec<_> = listeners.iter().map(Listener::url).collect();
    build(config, users, upstream_tls, audit, listeners).run(move || ready(&urls));
    Ok(())
}

/// The same with users that are kept nowhere, and beside it the upstream that answers with what it
/// saw, on `upstream`.
pub fn serve_with_whoami(
    config: Config,
    users: Users,
    listeners: Vec<Listener>,
    upstream: Vec<Listener>,
    ready: impl FnOnce() + Send + 'static,
) {
    let users = Some((users, None));
    let mut server = build(config, users, None, Audit::to_log(), listeners);
    server.add_whoami(upstream);
    server.run(ready);
}

fn build(
    config: Config,
    users: Option<(Users, Option<Kept>)>,
    upstream_tls: Option<UpstreamTls>,
    audit: Audit,
    listeners: Vec<Listener>,
) -> Server {
    let at = &config.upstream;
    let sources = config.server.client_bind_to_ipv4.iter().filter_map(|text| text.parse().ok());
    let upstream = Upstream::new(&at.authority, upstream_tls, config.limits, sources.collect());
    let client = Arc::new(Client::new(Arc::clone(&upstream)));
    let ask = Arc::clone(&client) as Arc<dyn Ask>;
    let signin = config.signin;
    let line = Line { at_once: influxdb::AT_ONCE, ..signin.line };
    let scheme = match at.kind {
        Kind::Influxdb2 => Scheme::Token,
        Kind::Influxdb3 => Scheme::Bearer,
    };
    let own = at.token.as_ref().map(|token| token.authorization(scheme));
    let influxdb = Arc::new(InfluxdbDirectory::new(Arc::clone(&ask), line, own));

    let (on_end, ended) = upkeep::line();
    let on_end = auth::audited(audit.clone(), on_end);
    let sessions = Arc::new(MemoryStore::new(config.lifetime, config.capacity, on_end));
    let tokens = match config.users.tokens {
        TokenPolicy::Pass => Tokens::Pass,
        TokenPolicy::Resolve => Tokens::Resolve(Box::new(Resolver::new(
            Arc::clone(&influxdb),
            config.identity.token_prefix,
        ))),
        TokenPolicy::Deny => Tokens::Deny,
    };
    let (directory, upkeep) = if let Some((users, kept)) = users {
        let room = HashingRoom::new(signin.line, signin.cost);
        (Directory::File(Arc::new(FileDirectory::new(users, kept, room))), None)
    } else {
        let pace = config.users.pace;
        let upkeep = Upkeep::new(Arc::clone(&influxdb), Arc::clone(&sessions), ended, pace);
        (Directory::Influxdb(influxdb), Some(Arc::new(upkeep)))
    };
    let store = Arc::clone(&sessions);
    let auth = Auth::new(directory, store, tokens, upkeep.clone(), signin.rules, audit);
    let gateway = Gateway::new(Settings {
        auth: Arc::new(auth),
        cookie: config.cookie,
        forwarding: config.forwarding,
        identity: config.identity.headers,
        shared: Shared { token: config.upstream.token, scheme },
        upstream: Arc::clone(&upstream),
        client,
        limits: config.limits,
        trusted: TrustedProxies::new(config.listen.trusted_proxies),
        hosts: AnsweredHosts::new(config.listen.hosts),
        origins: AllowedOrigins::new(config.listen.allowed_origins),
        password_by_session: config.users.password_by_session,
        hsts: config
            .listen
            .hsts
            .and_then(|time| HeaderValue::from_str(&format!("max-age={}", time.as_secs())).ok()),
    });
    Server::new(gateway, listeners, upstream, (sessions, upkeep), Vec::new(), config.server)
}
