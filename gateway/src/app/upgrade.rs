//! Taking over from another process, and being taken over from.

use std::path::{Path, PathBuf};
use std::process;

use crate::config::{Config, UPGRADE_SOCKET};
use crate::tasks::upgrade::{Handover, Takeover};

/// Where the process waits that serves by this configuration, and whether that is a place of somebody's choice.
pub(super) struct Place {
    path: PathBuf,
    is_wanted: bool,
}

impl Place {
    /// The place of `config`, which was read from `path`.
    pub(super) fn of(path: &Path, config: &Config) -> Self {
        let folder = path.parent().unwrap_or(Path::new(""));
        let path = folder.join(&config.stop.upgrade_socket);
        let is_wanted = path != Path::new(UPGRADE_SOCKET);
        Self { path, is_wanted }
    }
}

/// Gets the sockets of the process that serves by `config`, which was read from `path`.
pub fn begin(path: &Path, config: &Config) -> Result<Takeover, String> {
    let Place { path, .. } = Place::of(path, config);
    Takeover::begin(&path).map_err(|error| {
        format!(
            "{}: no process can be taken over from: {error} (server.upgrade_socket); \
             nothing has changed; without --upgrade, this one serves if there is no other",
            path.display()
        )
    })
}

/// Serves in place of the other process, if there is one to take over from, up to the next.
pub(super) fn succeed(takeover: Option<Takeover>, handover: Handover, place: &Place) {
    let has_taken_over = takeover.is_some();
    if let Some(takeover) = takeover {
        let accept = || handover.acceptance.begin();
        let count = takeover.finish(&handover.auth, accept).unwrap_or_else(|error| fail(&error));
        log::info!("took over from another process, with {count} sessions");
    }
    let Place { path, is_wanted } = place;
    match handover.listen(path, has_taken_over) {
        Ok(()) => log::debug!("another process can take over at {}", path.display()),
        Err(error) if *is_wanted => {
            log::warn!(
                "no other process can take over: {}: {error} (server.upgrade_socket)",
                path.display()
            );
        }
        Err(error) => log::debug!("no other process can take over: {}: {error}", path.display()),
    }
}

/// Ends this process, for it is not known whether the other one goes on.
fn fail(error: &std::io::Error) -> ! {
    log::error!(
        "the process that was to be taken over from does not answer any more: {error}; this one ends: \
         start it without --upgrade"
    );
    log::logger().flush();
    process::exit(69);
}
