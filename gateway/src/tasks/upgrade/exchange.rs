//! What the two processes tell each other of sessions: all there are, and then what changes, up to the end of one.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::message::{Message, receive, send, unexpected};
use crate::auth::{Auth, handover};
use crate::clock::Moment;
use crate::net::handed::Link;
use crate::session::memory::MemoryStore;
use crate::session::memory::follower::{News, Written};
use crate::session::store::SessionStore;

/// How many sessions are in one message.
const AT_ONCE: usize = 128;

/// One end of the conversation.
pub(super) struct Exchange {
    auth: Arc<Auth>,
    link: Link,
    news: Sender<News>,
    told: Option<Receiver<News>>,
}

/// The sessions in memory, if that is where they are.
pub(super) fn store(auth: &Auth) -> Option<&MemoryStore> {
    if let SessionStore::Memory(store) = &**auth.sessions() { Some(store) } else { None }
}

impl Exchange {
    /// With the process at the other end of `link`, which is to be told of what changes from now on.
    pub(super) fn begin(auth: &Arc<Auth>, link: &Link) -> io::Result<Self> {
        let (news, told) = store(auth).map_or_else(channel, MemoryStore::follow);
        Ok(Self { auth: Arc::clone(auth), link: link.again()?, news, told: Some(told) })
    }

    /// Sends which passwords are the same, all sessions, then what has changed meanwhile. Any later change waits for the other process.
    pub(super) fn send_all(&self) -> io::Result<()> {
        if let Some(store) = store(&self.auth) {
            for same in store.passwords().all_same() {
                send(&self.link, &Message::Changed(0, Written::Password(same)))?;
            }
            for some in store.all().chunks(AT_ONCE) {
                let give = |session| handover::give(&self.auth, session);
                let entries = some.iter().filter_map(|session| give(session)).collect();
                send(&self.link, &Message::Sessions(entries))?;
            }
            // Before the changes up to now are sent, so that none is left out.
            store.wait_for_other();
        }
        for news in self.told.iter().flat_map(Receiver::try_iter) {
            send(&self.link, &self.message(news))?;
        }
        send(&self.link, &Message::End)
    }

    /// Receives all sessions, and what has changed meanwhile; returns how many sessions there were. No users file that was
    /// read anew changes any before the end: the other process may have written it, and say so.
    pub(super) fn receive_all(&self) -> io::Result<usize> {
        if let Some(store) = store(&self.auth) {
            store.wait_for_other();
        }
        let _held = handover::hold_users(&self.auth);
        let mut count = 0;
        loop {
            match receive(&self.link)? {
                Message::Sessions(entries) => {
                    let now = Moment::now();
                    for entry in entries {
                        count += usize::from(handover::take(&self.auth, entry, false, now));
                    }
                }
                Message::Changed(number, change) => self.hear(number, change),
                Message::End => return Ok(count),
                _ => return Err(unexpected()),
            }
        }
    }

    /// To be called when this process serves: tells the other one.
    pub(super) fn ready(&self) -> impl FnOnce() + use<> {
        let news = self.news.clone();
        move || drop(news.send(News::Ready))
    }

    /// Tells the other process, on a thread of its own, what changes.
    pub(super) fn tell(&mut self) -> io::Result<()> {
        let Some(told) = self.told.take() else { return Ok(()) };
        let (news, _) = channel();
        let other =
            Self { auth: Arc::clone(&self.auth), link: self.link.again()?, news, told: None };
        let tell = move || {
            for news in told {
                if let Err(error) = send(&other.link, &other.message(news)) {
                    log::debug!("the other process is told no more: {error}");
                    break;
                }
            }
            // Whoever listens to the other process does so no more, either.
            other.link.close();
        };
        thread::Builder::new().name("upgrade: tell".to_owned()).spawn(tell).map(drop)
    }

    /// Listens to the other process up to its end, which comes as an error; calls `ready` when that serves.
    pub(super) fn listen(&self, mut ready: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        loop {
            match receive(&self.link)? {
                Message::Changed(number, change) => self.hear(number, change),
                Message::Heard(count) => {
                    if let Some(store) = store(&self.auth) {
                        store.heard(count);
                    }
                }
                Message::Ready => ready()?,
                _ => return Err(unexpected()),
            }
        }
    }

    /// Makes a change of the other process here, and says so.
    fn hear(&self, number: u64, change: Written) {
        let created = store(&self.auth).and_then(|store| store.follow_up(change));
        if let Some(entry) = created {
            handover::take(&self.auth, entry, true, Moment::now());
        }
        // If nobody reads it, the other process is not there any more.
        let _ = self.news.send(News::Heard(number));
    }

    fn message(&self, news: News) -> Message {
        match news {
            News::Changed(number, change) => Message::Changed(
                number,
                change.write(|session| handover::give(&self.auth, session)),
            ),
            News::Heard(count) => Message::Heard(count),
            News::Ready => Message::Ready,
        }
    }

    /// Nobody waits for the other process any more.
    pub(super) fn end(self) {
        if let Some(store) = store(&self.auth) {
            store.unfollow();
        }
        self.link.close();
    }
}
