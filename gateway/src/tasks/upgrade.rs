//! One process takes over from another of the same user: the listening sockets, the sessions in memory, and, until the old
//! one has ended, what changes there.
//!
//! They speak through a Unix socket of the old process. The new one says `Hello` and gets the sockets. When it could
//! serve, it says `Table` and gets all sessions, the changes meanwhile, and `End`. From then on each tells the other which
//! sessions begin and end, and lets nobody know before the other has heard of it: at no moment do both serve, and know
//! different sessions. It accepts connections, and says `Ready`. Only then does the old one begin to stop: if the new one
//! fails before, the old one goes on as if nothing had happened.

mod exchange;
mod giving;
mod message;
mod taking;

use std::fs;
use std::io::{self, Error};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use giving::Handover;
pub use taking::Takeover;

/// How long each side waits for the other before the new process is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Only this user, or root, may put something into the folder of `path`: whoever can is given all sockets.
fn check_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.map_or_else(|| PathBuf::from("."), Path::to_owned);
    let found = fs::metadata(&folder)?;
    let (own, mode) = (rustix::process::geteuid().as_raw(), found.mode() & 0o7777);
    if ![0, own].contains(&found.uid()) || mode & 0o022 != 0 {
        return Err(Error::other(format!(
            "the folder is of user {}, with mode {mode:04o}: only user {own} may write to it (`chmod 700`)",
            found.uid()
        )));
    }
    Ok(())
}
