//! What the two processes say to each other.

use std::io::{self, Error};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::net::handed::Link;
use crate::session::entry::Entry;
use crate::session::memory::follower::Written;

/// The version of this conversation. Programs that have another one do not understand each other.
pub(super) const VERSION: u32 = 2;

/// What is said.
#[derive(Serialize, Deserialize)]
pub(super) enum Message {
    /// The new process: it has read its configuration.
    Hello { version: u32 },
    /// The old one: these are the addresses of the sockets that come next, and the origin of its clock, in seconds and
    /// nanoseconds.
    Sockets { addresses: Vec<String>, origin: (u64, u32) },
    /// The old one: this is why it cannot be taken over from.
    Refused { why: String },
    /// The new one: it wants the sessions.
    Table,
    /// The old one: some of its sessions.
    Sessions(Vec<Entry>),
    /// The old one: that was all.
    End,
    /// Either: this has changed there, the so-manyth.
    Changed(u64, Written),
    /// Either: it has made so many of the other's changes.
    Heard(u64),
    /// The new one: it serves.
    Ready,
}

/// Sends `message`.
pub(super) fn send(link: &Link, message: &Message) -> io::Result<()> {
    // Of a size that no message has, or what was in the smaller place would stay in memory.
    let room = if let Message::Sessions(_) = message { 1 << 19 } else { 1 << 13 };
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *text, message)?;
    link.send(&text)
}

/// Receives a message.
pub(super) fn receive(link: &Link) -> io::Result<Message> {
    let text = link.receive()?;
    serde_json::from_slice(&text).map_err(|_| unexpected())
}

/// It is not what comes at this point.
pub(super) fn unexpected() -> Error {
    Error::other(
        "the other process says what this one does not understand: it may be of another version; stop it, and start this one",
    )
}
