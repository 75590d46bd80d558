//! Whether a file is still the one that was read.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What differs when a file was written to, or another one was moved to its place: also when the
/// clock of the file system did not move in between.
#[derive(PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// When it was written to, in seconds and nanoseconds.
    written: (i64, i64),
}

impl Stamp {
    /// The stamp of the file at `path`, symbolic links followed.
    pub fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|file| Self::from(&file))
    }
}

impl From<&Metadata> for Stamp {
    fn from(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            bytes: file.len(),
            written: (file.mtime(), file.mtime_nsec()),
        }
    }
}
