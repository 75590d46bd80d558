//! One process takes over from another of the same user: the listening sockets.
//!
//! They speak through a Unix socket of the old process. The new one says [`Message::Hello`] and gets the sockets; it says
//! [`Message::Ready`] when it serves. Only then does the old one begin to stop: if the other fails before, it goes on
//! as if nothing had happened.

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
