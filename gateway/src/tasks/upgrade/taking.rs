//! The process that takes over from another one.

use std::io::{self, Error};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::message::{Message, VERSION, receive, send, unexpected};
use super::{PATIENCE, check_folder};
use crate::net::handed::{Link, Sockets};

/// What a process gets from the one that it takes over from.
pub struct Takeover {
    link: Link,
    sockets: Sockets,
}

impl Takeover {
    /// Gets the listening sockets of the process that waits at `path`.
    pub fn begin(path: &Path) -> io::Result<Self> {
        check_folder(path)?;
        let link = Link::new(UnixStream::connect(path)?, PATIENCE)?;
        send(&link, &Message::Hello { version: VERSION })?;
        let addresses = match receive(&link)? {
            Message::Sockets { addresses } => addresses,
            Message::Refused { why } => return Err(Error::other(why)),
            _ => return Err(unexpected()),
        };
        let sockets = link.receive_sockets()?;
        if sockets.len() != addresses.len() {
            return Err(Error::other(format!(
                "{} sockets came for {} addresses: raise the limit of open files (`ulimit -n`)",
                sockets.len(),
                addresses.len()
            )));
        }
        let sockets = Sockets::new(addresses.into_iter().zip(sockets).collect(), None);
        Ok(Self { link, sockets })
    }

    /// The socket that listens at `address`, if the other process has one.
    pub fn socket(&self, address: &str) -> Option<OwnedFd> {
        self.sockets.take(address)
    }

    /// Serves from now on: the other process is to stop.
    pub fn finish(self) -> io::Result<()> {
        send(&self.link, &Message::Ready)?;
        // Where this process does not listen any more.
        self.sockets.close();
        Ok(())
    }
}
