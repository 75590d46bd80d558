//! The destination of the audit trail: a file or the log.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{Event, EventKind, line};
use crate::background_writer::{self, Sink, WholeLines, append};
use crate::process_log;

/// Where events are written to.
pub(super) enum Trail {
    Log,
    File(PathBuf, File, WholeLines),
}

/// What the trail is sent.
pub(super) enum Entry {
    Event(Event),
    Reopen,
}

impl background_writer::Entry for Entry {
    fn bytes(&self) -> usize {
        let more = match self {
            Self::Event(event) => event.bytes(),
            Self::Reopen => 0,
        };
        size_of::<Self>() + more
    }
}

impl Trail {
    /// The file at `path`, to write at its end; made if it is not there, with mode 0600.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (file, lines) = open(path)?;
        Ok(Self::File(path.to_owned(), file, lines))
    }
}

impl Sink for Trail {
    type Entry = Entry;

    fn take(&mut self, entry: Entry, lines: &mut Vec<u8>) {
        match entry {
            Entry::Event(event) => line::write(&event, lines),
            Entry::Reopen => {
                self.write(lines);
                let Self::File(path, file, lines) = self else { return };
                match open(path) {
                    Ok((new, fresh)) => {
                        *file = new;
                        lines.go_on(fresh);
                    }
                    Err(error) => {
                        let path = path.display();
                        log::error!(
                            "{path}: cannot be opened again, the old file stays in use: {error}"
                        );
                    }
                }
            }
        }
    }

    fn write(&mut self, lines: &mut Vec<u8>) {
        match self {
            Self::Log => {
                for line in String::from_utf8_lossy(lines).lines() {
                    process_log::say_object("audit", line);
                }
            }
            Self::File(path, file, whole) => {
                if let Err((count, error)) = whole.write(file, lines, tell) {
                    log::error!("{}: {count} events were not written: {error}", path.display());
                }
            }
        }
        lines.clear();
    }

    fn tell_lost(&mut self, count: usize) {
        log::error!(
            "{count} events are missing from the audit trail: they came faster than they could be written"
        );
        if let Self::File(_, _, lines) = self {
            lines.note_lost(count);
            self.write(&mut Vec::new());
        }
    }
}

fn tell(count: usize, lines: &mut Vec<u8>) {
    line::write(&Event::now(EventKind::Lost(count)), lines);
}

/// The file at `path`, and how it ends.
fn open(path: &Path) -> io::Result<(File, WholeLines)> {
    append::open(path, 0o600)
}
