//! `influx-gateway run`: serves.

use std::path::Path;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{ConfigFile, Failure, say};
use crate::app::pid_file::PidFile;
use crate::app::{self, warnings};
use crate::config::PID_FILE;
use crate::limits::Limits;
use crate::process_log;
use crate::service_manager::{self, State};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    file: ConfigFile,
    /// Take over from the process that serves by this configuration
    #[arg(
        long,
        long_help = "Take over from the process that serves by this configuration: its listening sockets, and the sessions in memory. It answers \
                     what it has and ends once this one serves; if this one fails before, it goes on."
    )]
    upgrade: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.file.config;
    start_log();
    raise_open_files();
    // In the background the working folder is another one, and files are read and opened again.
    let path = &std::path::absolute(path).map_err(|error| Failure::File(error.to_string()))?;
    let loaded = app::load_to_serve(path)?;
    let config = &loaded.config;
    let audit = app::open_log_and_audit(config)?;
    warn_of_few_open_files(&config.limits);
    if let Some(users) = &loaded.users {
        warn_of_readable(&users.reader.file.path);
    }
    for warning in warnings::of(config, loaded.users.as_ref().map(|file| &file.users)) {
        log::warn!("{warning}");
    }
    let takeover = arguments.upgrade.then(|| app::upgrade::begin(path, config));
    let takeover = takeover.transpose().map_err(Failure::Unavailable)?;
    let pid_file = config.server.pid_file.clone();
    let is_wanted = pid_file != PID_FILE;
    let ready = move |urls: &[String]| {
        announce(urls);
        write_pid_file(pid_file.as_ref(), is_wanted);
        service_manager::tell(State::Ready);
    };
    app::serve(path, loaded, audit, takeover, ready)
        .map_err(|error| Failure::Bind(error.to_string()))
}

/// Starts the log.
pub(super) fn start_log() {
    let environment = std::env::var_os("RUST_LOG");
    process_log::start(environment.map(|text| text.to_string_lossy().into_owned()));
}

/// One line a listener: the address as it turned out, which port 0 leaves to the system.
pub(super) fn announce(urls: &[String]) {
    process_log::start_thread();
    for url in urls {
        // Where the log goes, so that one place has everything; and on standard output, for programs.
        log::info!("listening on {url}");
        say::mention(&format!("listening on {url}"));
    }
}

/// Writes the process id where `reload` looks for it. Where it is by default, there need not be such a folder.
fn write_pid_file(path: &Path, is_wanted: bool) {
    /// Held up to the end of the process.
    static FILE: OnceLock<PidFile> = OnceLock::new();
    match PidFile::write(path) {
        Ok(file) => {
            drop(FILE.set(file));
            // What Pingora leaves of the process before, in the background.
            let _ = std::fs::remove_file(format!("{}.old", path.display()));
        }
        Err(error) if is_wanted => log::warn!("{}: {error} (server.pid_file)", path.display()),
        Err(error) => log::debug!("{}: {error} (server.pid_file)", path.display()),
    }
}

/// Lets the process have as many open files as it may: each connection is one. The soft limit is
/// 1024 by habit, for programs that cannot handle more, and would end long before
/// `limits.connections` what a client can open.
fn raise_open_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => log::debug!("open files: {maximum:?} instead of {current:?}"),
        Err(error) => log::warn!("open files: no more than {current:?}: {error}"),
    }
}

/// Warns if the process may open fewer files than `limits` need. At that point no connection is accepted, and files
/// cannot be read again.
fn warn_of_few_open_files(limits: &Limits) {
    let needed = limits.open_files();
    let Some(may_have) = getrlimit(Resource::Nofile).current else { return };
    if u64::try_from(needed).is_ok_and(|needed| needed <= may_have) {
        return;
    }
    log::warn!(
        "open files: the limit of this process is {may_have}, but {} connections of clients and {} to the \
         upstream (`limits`) need {needed}: raise the limit (`ulimit -Hn`, `LimitNOFILE=` of systemd, \
         `--ulimit nofile=` of Docker), or lower limits.connections",
        limits.connections,
        limits.upstream_connections,
    );
}

/// Warns if others can read the users file, since it holds password hashes.
fn warn_of_readable(users: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(users).map_or(0, |metadata| metadata.permissions().mode());
    if mode & 0o044 != 0 {
        log::warn!(
            "{}: readable by others; `chmod 600` protects the password hashes",
            users.display()
        );
    }
}
