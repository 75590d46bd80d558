//! What one process hands to another of the same user through a Unix socket: messages, and open sockets.

use std::io::{self, Error, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use rustix::process::geteuid;
use zeroize::Zeroizing;

use super::listener::SocketFile;

/// How many sockets there may be.
const MOST: usize = 128;

/// How long a message may be, in bytes.
const LONGEST: usize = 1 << 20;

/// Listening sockets, each with its address, to be given to another process.
#[derive(Clone)]
pub struct Sockets(Arc<Mutex<Named>>);

/// Each with its address, and the file of the one that has one; `None` once they are closed.
type Named = Option<(Vec<(String, OwnedFd)>, Option<SocketFile>)>;

impl Sockets {
    /// These, one of which may have a `file` to be removed when they are closed.
    pub fn new(sockets: Vec<(String, OwnedFd)>, file: Option<SocketFile>) -> Self {
        Self(Arc::new(Mutex::new(Some((sockets, file)))))
    }

    /// All of them once more, and their addresses.
    pub fn again(&self) -> io::Result<(Vec<String>, Vec<OwnedFd>)> {
        let sockets = self.lock();
        let (sockets, _) = sockets.as_ref().ok_or_else(closed)?;
        let again = sockets.iter().map(|(address, it)| Ok((address.clone(), it.try_clone()?)));
        Ok(again.collect::<io::Result<Vec<_>>>()?.into_iter().unzip())
    }

    /// Takes out the one at `address`.
    pub fn take(&self, address: &str) -> Option<OwnedFd> {
        let mut sockets = self.lock();
        let (sockets, _) = sockets.as_mut()?;
        let place = sockets.iter().position(|(other, _)| other == address)?;
        Some(sockets.swap_remove(place).1)
    }

    /// Closes them, or nobody would be refused for as long as this process lives.
    pub fn close(&self) {
        *self.lock() = None;
    }

    /// The file, which stays when they are closed, for another process may go on with them. An error if they are closed.
    pub fn lend_file(&self) -> io::Result<Option<SocketFile>> {
        let mut sockets = self.lock();
        Ok(sockets.as_mut().ok_or_else(closed)?.1.take())
    }

    /// Gets the file back, since no other process goes on with them. It goes at once if they are closed by now.
    pub fn return_file(&self, file: Option<SocketFile>) {
        if let Some((_, place)) = self.lock().as_mut() {
            *place = file;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Named> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn closed() -> Error {
    Error::other("this process ends")
}

/// The way to another process of the same user. What goes through it is wiped from memory.
pub struct Link(UnixStream);

impl Link {
    /// Through `stream`, whose other end must be of the same user. Each side waits for the other for `patience` at most.
    pub fn new(stream: UnixStream, patience: Duration) -> io::Result<Self> {
        let (peer, own) = (socket_peercred(&stream)?.uid, geteuid());
        if peer != own {
            let (peer, own) = (peer.as_raw(), own.as_raw());
            return Err(Error::other(format!(
                "the other process is of user {peer}, and this one of user {own}: both must be the same"
            )));
        }
        stream.set_read_timeout(Some(patience))?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self(stream))
    }

    /// The same once more, for another thread.
    pub fn again(&self) -> io::Result<Self> {
        self.0.try_clone().map(Self)
    }

    /// Waits for messages for as long as it takes, from now on.
    pub fn be_patient(&self) -> io::Result<()> {
        self.0.set_read_timeout(None)
    }

    /// Tells all threads that there is nothing more to come.
    pub fn close(&self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }

    /// Sends a message.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        let length = u32::try_from(message.len()).map_err(Error::other)?;
        (&self.0).write_all(&length.to_be_bytes())?;
        (&self.0).write_all(message)
    }

    /// Receives a message.
    pub fn receive(&self) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut length = [0; 4];
        (&self.0).read_exact(&mut length)?;
        let length = usize::try_from(u32::from_be_bytes(length)).map_err(Error::other)?;
        if length > LONGEST {
            return Err(Error::other(format!("a message of {length} bytes, more than {LONGEST}")));
        }
        let mut message = Zeroizing::new(vec![0; length]);
        (&self.0).read_exact(&mut message)?;
        Ok(message)
    }

    /// Sends `sockets`.
    pub fn send_sockets(&self, sockets: &[OwnedFd]) -> io::Result<()> {
        let borrowed: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
            return Err(Error::other(format!("there are more than {MOST} listening sockets")));
        }
        // They go with a byte, whatever it is.
        sendmsg(&self.0, &[IoSlice::new(&[0])], &mut control, SendFlags::empty())?;
        Ok(())
    }

    /// Receives sockets.
    pub fn receive_sockets(&self) -> io::Result<Vec<OwnedFd>> {
        let mut byte = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut slices = [IoSliceMut::new(&mut byte)];
        recvmsg(&self.0, &mut slices, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let mut sockets = Vec::new();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                sockets.extend(rights);
            }
        }
        Ok(sockets)
    }
}
