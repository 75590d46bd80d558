//! The destination of the log: standard error, or a file that is opened again when it was rotated.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use log::Level;

use super::line::{self, Format};
use crate::background_writer::{WholeLines, append};
use crate::clock;

/// Where lines are written. What cannot be written there is lost, and said when something can be written again.
#[derive(Default)]
pub(super) struct LogFile {
    /// `None`: standard error.
    file: Option<(PathBuf, File)>,
    lines: WholeLines,
    /// Whether it was said that the file cannot be written to.
    has_complained: bool,
}

/// Who reads logs is in a group for that, as a rule.
const MODE: u32 = 0o640;

impl LogFile {
    /// The file at `path`, to write at its end; made if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (file, lines) = append::open(path, MODE)?;
        Ok(Self { file: Some((path.to_owned(), file)), lines, has_complained: false })
    }

    /// Opens the file again, which may be another one by now.
    pub(super) fn reopen(&mut self) {
        let Some((path, file)) = &mut self.file else { return };
        match append::open(path, MODE) {
            Ok((new, fresh)) => {
                *file = new;
                self.lines.go_on(fresh);
            }
            Err(error) => {
                complain(path, "cannot be opened again, the old file stays in use", &error);
            }
        }
    }

    /// Writes `lines`, and before them how many are missing: those that are `lost`, and those that could not be written
    /// before.
    pub(super) fn write(&mut self, format: Format, lines: &[u8], lost: usize) {
        self.lines.note_lost(lost);
        let tell = |count: usize, out: &mut Vec<u8>| tell(format, count, out);
        let Some((path, file)) = &mut self.file else {
            // If standard error cannot be written to, there is nowhere left to report it.
            let _ = self.lines.write(&mut io::stderr(), lines, tell);
            return;
        };
        match self.lines.write(file, lines, tell) {
            Ok(()) => self.has_complained = false,
            Err((_count, error)) => {
                if !self.has_complained {
                    complain(
                        path,
                        "cannot be written to, the lines are counted until it can",
                        &error,
                    );
                }
                self.has_complained = true;
            }
        }
    }
}

/// On standard error, which is not the log.
fn complain(path: &Path, what: &str, error: &io::Error) {
    let line =
        format!("influx-gateway: the log file {}: {what}: {error} (log.file)\n", path.display());
    let _ = io::stderr().write_all(line.as_bytes());
}

fn tell(format: Format, count: usize, out: &mut Vec<u8>) {
    let said = format!(
        "{count} lines are missing from the log: they came too fast, or could not be written"
    );
    match format {
        // The number comes first.
        Format::Text | Format::Coloured => {
            out.extend_from_slice(said.as_bytes());
            out.push(b'\n');
        }
        Format::Json => line::record(out, format, clock::wall(), (Level::Warn, "log"), &said),
    }
}
