//! The process that serves: it waits for another one to take over.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::exchange::{self, Exchange};
use super::message::{Message, VERSION, receive, send, unexpected};
use super::{PATIENCE, check_folder};
use crate::auth::Auth;
use crate::clock;
use crate::net::acceptance::Acceptance;
use crate::net::handed::{Link, Sockets};
use crate::net::listener::{SocketFile, bind_unix};
use crate::session::memory::MemoryStore;

/// What a process gives to the one that takes over from it.
pub struct Handover {
    /// The listening sockets.
    pub sockets: Sockets,
    /// The users and their sessions.
    pub auth: Arc<Auth>,
    /// Told when the other process serves.
    pub acceptance: Arc<Acceptance>,
}

impl Handover {
    /// Waits, on a thread of its own, at `path` for a process of the same user to take over. If this one `has_taken_over`
    /// itself, it takes the place of the other there, too.
    pub fn listen(self, path: &Path, has_taken_over: bool) -> io::Result<()> {
        check_folder(path)?;
        let listener = if has_taken_over {
            let own = path.with_extension(format!("{}.new", std::process::id()));
            let listener = bind_unix(&own.display().to_string())?;
            fs::rename(&own, path)?;
            listener
        } else {
            bind_unix(&path.display().to_string())?
        };
        listener.set_nonblocking(false)?;
        thread::Builder::new().name("upgrade".to_owned()).spawn(move || self.serve(&listener))?;
        Ok(())
    }

    /// One at a time; none after one that has taken over.
    fn serve(&self, listener: &UnixListener) {
        for stream in listener.incoming() {
            match stream.and_then(|stream| self.hand_over(stream)) {
                Ok(()) => return,
                // Somebody has looked whether there is a process.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    log::debug!("no other process has taken over, and this one goes on: {error}");
                }
                Err(error) => {
                    log::error!("no other process has taken over, and this one goes on: {error}");
                }
            }
        }
    }

    fn hand_over(&self, stream: UnixStream) -> io::Result<()> {
        let link = Link::new(stream, PATIENCE)?;
        match receive(&link)? {
            Message::Hello { version: VERSION } => {}
            _ => return Err(unexpected()),
        }
        log::info!("another process begins to take over");
        let (addresses, sockets) = match self.sockets() {
            Ok(sockets) => sockets,
            Err(error) => {
                send(&link, &Message::Refused { why: error.to_string() })?;
                return Err(error);
            }
        };
        let origin = clock::origin();
        let origin = (origin.as_secs(), origin.subsec_nanos());
        send(&link, &Message::Sockets { addresses, origin })?;
        link.send_sockets(&sockets)?;
        // This one's own go on.
        drop(sockets);
        let ended = |error| io::Error::other(format!("it has ended: {error}"));
        match receive(&link).map_err(ended)? {
            Message::Table => {}
            _ => return Err(unexpected()),
        }
        // From here on the other process may serve, so a stop of this one must leave it the file.
        let file = self.sockets.lend_file()?;
        let done = self.exchange(&link);
        if self.acceptance.has_ended() {
            file.into_iter().for_each(SocketFile::keep);
            return Ok(());
        }
        self.sockets.return_file(file);
        done.map_err(ended)
    }

    fn exchange(&self, link: &Link) -> io::Result<()> {
        let mut exchange = Exchange::begin(&self.auth, link)?;
        let done = exchange.send_all().and_then(|()| {
            exchange.tell()?;
            exchange.listen(|| self.leave(link))
        });
        exchange.end();
        done
    }

    /// The listening sockets, unless it is too late for that, or too early.
    fn sockets(&self) -> io::Result<(Vec<String>, Vec<OwnedFd>)> {
        if exchange::store(&self.auth).is_some_and(MemoryStore::is_followed) {
            return Err(io::Error::other(
                "the process from which this one has taken over has not ended yet; try again when it has",
            ));
        }
        self.sockets.again()
    }

    /// The other process serves in place of this one.
    fn leave(&self, link: &Link) -> io::Result<()> {
        log::info!("another process has taken over; this one answers what it has and ends");
        if let Some(store) = exchange::store(&self.auth) {
            store.leave();
        }
        self.acceptance.end();
        self.sockets.close();
        link.be_patient()
    }
}
