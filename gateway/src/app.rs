//! Composition: makes a running server of a configuration.

mod files;
mod names;
mod token_file;
pub mod warnings;

pub use files::{Loaded, Tls, UsersFile, load, load_config, load_users};

use std::net::SocketAddr;
use std::sync::Arc;

use http::HeaderValue;

use crate::api::csrf::AllowedOrigins;
use crate::api::hosts::AnsweredHosts;
use crate::audit::Audit;
use crate::auth::credential::Shared;
use crate::auth::tokens::{Resolver, Tokens};
use crate::auth::upstream_sessions::{self, UpstreamSessions};
use crate::auth::{AuditedEnds, Auth};
use crate::config::{Config, TokenPolicy, UpstreamKind};
use crate::directory::Directory;
use crate::directory::file::{FileDirectory, Kept};
use crate::directory::hash_pool::{HashPool, QueueLimits};
use crate::directory::influxdb::{self, InfluxdbDirectory, UpstreamClient};
use crate::directory::users::Users;
use crate::edge;
use crate::edge::client::Client;
use crate::edge::gateway::{Gateway, Settings};
use crate::edge::listener::Listener;
use crate::edge::origin::TrustedProxies;
use crate::edge::server::Server;
use crate::edge::tls::{UpstreamFiles, UpstreamTls};
use crate::edge::upstream::Upstream;
use crate::file_identity::Files;
use crate::session::memory::MemoryStore;
use crate::session::store::{EndListener, SessionStore};
use crate::toml_reader::Diagnostic;
use crate::user::secret::Scheme;

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
pub fn open_audit(config: &Config) -> Result<Audit, Vec<Diagnostic>> {
    let Some(path) = &config.audit else { return Ok(Audit::to_log()) };
    Audit::to_file(path).map_err(|error| {
        let what = format!("cannot be written to: {error} (audit.file)");
        vec![Diagnostic::of_file(&path.display().to_string(), what)]
    })
}

/// Serves until the process is told to stop, then returns. Calls `ready` with the URLs of its
/// listeners when it serves.
///
/// Without a users file, InfluxDB is asked who may sign in.
pub fn serve(
    Loaded { config, users, tls }: Loaded,
    audit: Audit,
    ready: impl FnOnce(&[String]) + Send + 'static,
) -> Result<(), BindError> {
    let prefix = config.identity.token_prefix.clone();
    let users = users.map(|UsersFile { file, users }| {
        let path = file.path.clone();
        let read = move |files: &Files| {
            names::apart(load_users(&file, files)?, prefix.as_ref(), &file.path)
        };
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
    upstream_tls: Option<(UpstreamFiles, UpstreamTls)>,
    audit: Audit,
    listeners: Vec<Listener>,
) -> Server {
    let at = &config.upstream;
    let sources = config.server.client_bind_to_ipv4.iter().filter_map(|text| text.parse().ok());
    let (tls_files, tls) = upstream_tls.unzip();
    let upstream = Upstream::new(&at.authority, tls, config.limits, sources.collect());
    let client = Arc::new(Client::new(Arc::clone(&upstream)));
    let ask = Arc::clone(&client) as Arc<dyn UpstreamClient>;
    let signin = config.signin;
    let line = QueueLimits { at_once: influxdb::AT_ONCE, ..signin.line };
    let scheme = match at.kind {
        UpstreamKind::Influxdb2 => Scheme::Token,
        UpstreamKind::Influxdb3 => Scheme::Bearer,
    };
    let shared = Arc::new(Shared::new(config.upstream.token, scheme));
    let influxdb = Arc::new(InfluxdbDirectory::new(Arc::clone(&ask), line, Arc::clone(&shared)));

    let (hand_over, ended) = upstream_sessions::line();
    let told: [Arc<dyn EndListener>; 2] =
        [Arc::new(AuditedEnds(audit.clone())), Arc::new(hand_over)];
    let memory = MemoryStore::new(config.lifetime, config.capacity, told);
    let sessions = Arc::new(SessionStore::Memory(memory));
    let tokens = match config.users.tokens {
        TokenPolicy::Pass => Tokens::Pass,
        TokenPolicy::Resolve => Tokens::Resolve(Box::new(Resolver::new(
            Arc::clone(&influxdb),
            config.identity.token_prefix,
        ))),
        TokenPolicy::Deny => Tokens::Deny,
    };
    let (directory, upstream_sessions) = if let Some((users, kept)) = users {
        let pool = HashPool::new(signin.line, signin.cost);
        (Directory::File(Arc::new(FileDirectory::new(users, kept, pool))), None)
    } else {
        let pace = config.users.pace;
        let upstream_sessions =
            UpstreamSessions::new(Arc::clone(&influxdb), Arc::clone(&sessions), ended, pace);
        (Directory::Influxdb(influxdb), Some(Arc::new(upstream_sessions)))
    };
    let store = Arc::clone(&sessions);
    let auth = Auth::new(directory, store, tokens, upstream_sessions.clone(), signin.rules, audit);
    let token_file = config.upstream.token_file;
    let token_file = token_file.map(|file| token_file::watched(file, Arc::clone(&shared)));
    let tls_files = tls_files.map(|files| files.watched(Arc::clone(&upstream)));
    let watched = token_file.into_iter().chain(tls_files).collect();
    let gateway = Gateway::new(Settings {
        auth: Arc::new(auth),
        cookie: config.cookie,
        forwarding: config.forwarding,
        identity: config.identity.headers,
        shared,
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
    Server::new(gateway, listeners, upstream, (sessions, upstream_sessions), watched, config.server)
}
