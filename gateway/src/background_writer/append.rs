//! Opens files that lines are written to the end of.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::WholeLines;

/// The file at `path`, made with `mode` if it is not there, and how it ends: an earlier process may have torn its last
/// line.
pub fn open(path: &Path, mode: u32) -> io::Result<(File, WholeLines)> {
    let file = OpenOptions::new().append(true).create(true).mode(mode).open(path)?;
    Ok((file, WholeLines::after(last_byte(path))))
}

/// The last byte of the file at `path`. Whoever may write it need not be allowed to read it.
fn last_byte(path: &Path) -> Option<u8> {
    let metadata = std::fs::metadata(path).ok().filter(Metadata::is_file)?;
    let mut last = [0];
    File::open(path).ok()?.read_exact_at(&mut last, metadata.len().checked_sub(1)?).ok()?;
    Some(last[0])
}
