//! The process that takes over from another one.

use std::io::{self, Error};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::exchange::Exchange;
use super::message::{Message, VERSION, receive, send, unexpected};
use super::{PATIENCE, check_folder};
use crate::auth::Auth;
use crate::clock;
use crate::net::handed::{Link, Sockets};

/// What a process gets from the one that it takes over from.
pub struct Takeover {
    link: Link,
    sockets: Sockets,
}

impl Takeover {
    /// Gets the listening sockets of the process that waits at `path`. Nobody has asked for the time before.
    pub fn begin(path: &Path) -> io::Result<Self> {
        check_folder(path)?;
        let link = Link::new(UnixStream::connect(path)?, PATIENCE)?;
        send(&link, &Message::Hello { version: VERSION })?;
        let (addresses, (seconds, nanos)) = match receive(&link)? {
            Message::Sockets { addresses, origin } => (addresses, origin),
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
        if !clock::continue_from(Duration::new(seconds, nanos)) {
            return Err(Error::other("the clock runs already"));
        }
        let sockets = Sockets::new(addresses.into_iter().zip(sockets).collect(), None);
        Ok(Self { link, sockets })
    }

    /// The socket that listens at `address`, if the other process has one.
    pub fn socket(&self, address: &str) -> Option<OwnedFd> {
        self.sockets.take(address)
    }

    /// Gets the sessions, lets connections be accepted by `accept`, and has the other process stop. Returns how many
    /// sessions there were. An error comes before the other process is to stop.
    pub fn finish(self, auth: &Arc<Auth>, accept: impl FnOnce()) -> io::Result<usize> {
        send(&self.link, &Message::Table)?;
        let mut exchange = Exchange::begin(auth, &self.link)?;
        let count = exchange.receive_all()?;
        self.link.be_patient()?;
        exchange.tell()?;
        let ready = exchange.ready();
        let listen = move || {
            if let Err(error) = exchange.listen(|| Err(unexpected())) {
                log::debug!("the process that was taken over from has ended: {error}");
            }
            exchange.end();
        };
        thread::Builder::new().name("upgrade: listen".to_owned()).spawn(listen)?;
        accept();
        ready();
        // Where this process does not listen any more.
        self.sockets.close();
        Ok(count)
    }
}
