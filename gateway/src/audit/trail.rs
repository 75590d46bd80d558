//! Where the audit trail goes: into the log or into a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::{Event, line};
use crate::writer::Sink;

/// Where events are written to.
pub(super) enum Trail {
    Log,
    File(PathBuf, File),
}

/// What the trail is sent.
pub(super) enum Entry {
    Event(Event),
    Reopen,
}

impl Sink for Trail {
    type Entry = Entry;

    fn take(&mut self, entry: Entry, lines: &mut Vec<u8>) {
        match entry {
            Entry::Event(event) => line::write(&event, lines),
            Entry::Reopen => {
                self.write(lines);
                let Self::File(path, file) = self else { return };
                match open(path) {
                    Ok(new) => *file = new,
                    Err(error) => {
                        let path = path.display();
                        log::error!("{path}: not opened anew, the old file goes on: {error}");
                    }
                }
            }
        }
    }

    fn write(&mut self, lines: &mut Vec<u8>) {
        match self {
            Self::Log => {
                for line in String::from_utf8_lossy(lines).lines() {
                    log::info!(target: "audit", "{line}");
                }
            }
            Self::File(path, file) => {
                if let Err(error) = file.write_all(lines) {
                    let count = String::from_utf8_lossy(lines).lines().count();
                    log::error!("{}: {count} events were not written: {error}", path.display());
                }
            }
        }
        lines.clear();
    }

    fn tell_lost(&mut self, count: usize) {
        log::error!("the audit trail lacks {count} events: they came too fast");
    }
}

/// The file at `path`, to write at its end; made if it is not there.
pub(super) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
