//! Listening sockets in the file system.

use std::fs::{self, File, Permissions};
use std::io::{Error, ErrorKind, Result};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};

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
