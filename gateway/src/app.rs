//! Composition: a configuration in, a running server out.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::auth::Auth;
use crate::config::{Config, Refused};
use crate::directory::file;
use crate::directory::{Directory, Users};
use crate::document::{Fault, Surroundings};
use crate::edge;
use crate::edge::gateway::{Gateway, Settings};
use crate::edge::server::Server;
use crate::edge::upstream::Upstream;
use crate::session::memory::MemoryStore;

/// Reads the configuration at `path` and the users file it names; all faults of both at once.
pub fn load(path: &Path) -> Result<(Config, Users), Vec<Fault>> {
    match read_config(path) {
        Ok(config) => {
            let users = load_users(&users_path(path, &config))?;
            Ok((config, users))
        }
        Err(mut refused) => {
            let users = folder_of(path).join(&refused.users_file);
            if refused.users_file.as_os_str().is_empty() {
                return Err(refused.faults);
            }
            refused.faults.extend(load_users(&users).err().unwrap_or_default());
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
    match read_file(path) {
        Ok(text) => Config::parse(&name, &text, folder_of(path), surroundings()),
        Err(what) => {
            let faults = vec![Fault::of_file(&name, what)];
            Err(Refused { faults, users_file: PathBuf::new() })
        }
    }
}

/// Reads the users file at `path`.
pub fn load_users(path: &Path) -> Result<Users, Vec<Fault>> {
    let name = path.display().to_string();
    let text = read_file(path).map_err(|what| vec![Fault::of_file(&name, what)])?;
    file::parse(&name, &text, folder_of(path), surroundings())
}

/// Where the users file of the configuration at `path` is.
pub fn users_path(path: &Path, config: &Config) -> PathBuf {
    folder_of(path).join(&config.users_file)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn read_file(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

#[expect(clippy::disallowed_methods, reason = "the environment is read here and in main only")]
fn surroundings() -> Surroundings<'static> {
    Surroundings { variable: &|name| std::env::var(name).ok(), file: &read_file }
}

/// A listening address that could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    address: SocketAddr,
    source: std::io::Error,
}

/// Opens the listening sockets. Done before anything is started, so that an address in use is a
/// clear error and not a process that lives without a listener.
pub fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let bind = |&address: &SocketAddr| {
        edge::listener::bind(address).map_err(|source| BindError { address, source })
    };
    addresses.iter().map(bind).collect()
}

/// Serves until the process is told to stop, then returns. Calls `ready` when it serves.
pub fn serve(
    config: Config,
    users: Users,
    users_file: PathBuf,
    listeners: Vec<TcpListener>,
    ready: impl FnOnce() + Send + 'static,
) {
    build(config, users, Some(users_file), listeners).run(ready);
}

/// The same, and beside it the upstream that answers with what it saw, on `upstream`.
pub fn serve_with_whoami(
    config: Config,
    users: Users,
    listeners: Vec<TcpListener>,
    upstream: Vec<TcpListener>,
    ready: impl FnOnce() + Send + 'static,
) {
    let mut server = build(config, users, None, listeners);
    server.add_whoami(upstream);
    server.run(ready);
}

fn build(
    config: Config,
    users: Users,
    users_file: Option<PathBuf>,
    listeners: Vec<TcpListener>,
) -> Server {
    let sessions = Arc::new(MemoryStore::new(config.lifetime, config.capacity));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let directory = Directory::new(users, users_file, cores - 1);
    let at = &config.upstream;
    let upstream = Arc::new(Upstream::new(&at.authority, at.tls, config.limits));
    let gateway = Gateway::new(Settings {
        auth: Auth::new(directory, Arc::clone(&sessions)),
        cookie: config.cookie,
        forwarding: config.forwarding,
        identity: config.identity,
        shared_token: config.upstream.token,
        upstream: Arc::clone(&upstream),
        limits: config.limits,
    });
    Server::new(gateway, listeners, upstream, sessions, config.server)
}
