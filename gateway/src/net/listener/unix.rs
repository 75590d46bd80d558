//! Listening sockets in the file system.

use std::fs::{self, File, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// Who may connect: whoever may write to the file.
pub(super) const OWNER_ONLY: u32 = 0o600;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 64;

/// Opens a listening socket at `path`, with mode 0600. One that a dead process has left there is replaced; whatever else
/// is there is not.
pub fn bind(path: &str) -> Result<UnixListener> {
    remove_left(path)?;
    let socket = File::from(OwnedFd::from(Socket::new(Domain::UNIX, Type::STREAM, None)?));
    // On Linux the file gets the mode that its socket has, so that there is no moment at which others may connect.
    socket.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    let socket = Socket::from(OwnedFd::from(socket));
    socket.bind(&SockAddr::unix(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(OWNER_ONLY))?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    Ok(OwnedFd::from(socket).into())
}

/// The file of a listening socket, which is removed when this is dropped, unless another file is there by then. Whoever
/// hands the socket to another process [keeps](Self::keep) the file.
#[must_use]
pub struct SocketFile {
    path: PathBuf,
    /// By what it is told from another one at the same place.
    known: Option<Known>,
}

/// Device, number and time of a file: numbers are used again.
type Known = (u64, u64, i64, i64);

impl SocketFile {
    /// The one at `path`, which this process has just made.
    pub fn new(path: &str) -> Self {
        let path = PathBuf::from(path);
        let known = known(&path);
        Self { path, known }
    }

    /// Leaves the file there.
    pub fn keep(mut self) {
        self.known = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.known.is_none() || known(&self.path) != self.known {
            return;
        }
        if let Err(error) = fs::remove_file(&self.path) {
            log::warn!("{}: the socket's file cannot be removed: {error}", self.path.display());
        }
    }
}

fn known(path: &Path) -> Option<Known> {
    let there = fs::symlink_metadata(path).ok()?;
    Some((there.dev(), there.ino(), there.mtime(), there.mtime_nsec()))
}

fn remove_left(path: &str) -> Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !there.file_type().is_socket() {
        return Err(Error::new(ErrorKind::AlreadyExists, "a file that is no socket is there"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(Error::new(ErrorKind::AddrInUse, "another process listens there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_its_owners_and_only_a_left_one_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin.sock");
        let text = path.to_str().unwrap();
        let listener = bind(text).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(bind(text).err().unwrap().kind(), ErrorKind::AddrInUse);
        drop(listener);
        let again = bind(text).unwrap();
        drop(again);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "somebody's").unwrap();
        assert_eq!(bind(text).err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's");
    }
}
