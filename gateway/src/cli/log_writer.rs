//! A thread that writes the log to standard error, so that no request waits for a slow reader.

use std::io::{self, Write};
use std::sync::OnceLock;

use crate::background_writer::{Sink, WholeLines, Writer};

/// The way to the thread that writes, once there is one.
static WRITER: OnceLock<Writer<Vec<u8>>> = OnceLock::new();

/// Writes a line: at first at once, and by the thread as soon as it has been started.
pub(super) fn write(line: Vec<u8>) {
    match WRITER.get() {
        Some(writer) => writer.send(line),
        // If standard error cannot be written to, there is nowhere left to report it.
        None => drop(io::stderr().write_all(&line)),
    }
}

/// Starts the thread, when the process serves. Without one, whoever says something writes it.
pub(super) fn start() {
    match Writer::start("log", StandardError::default()) {
        Ok(writer) => drop(WRITER.set(writer)),
        Err(error) => log::error!("no thread could be started for the log: {error}"),
    }
}

/// Waits, but not for long, until everything is written.
pub(super) fn flush() {
    if let Some(writer) = WRITER.get() {
        writer.flush();
    }
}

/// What cannot be written there is lost, and said when something can be written again.
#[derive(Default)]
struct StandardError(WholeLines);

impl Sink for StandardError {
    type Entry = Vec<u8>;

    fn take(&mut self, line: Vec<u8>, lines: &mut Vec<u8>) {
        lines.extend_from_slice(&line);
    }

    fn write(&mut self, lines: &mut Vec<u8>) {
        // If standard error cannot be written to, there is nowhere left to report it.
        let _ = self.0.write(&mut io::stderr(), lines, tell);
        lines.clear();
    }

    fn tell_lost(&mut self, count: usize) {
        self.0.note_lost(count);
        self.write(&mut Vec::new());
    }
}

fn tell(count: usize, lines: &mut Vec<u8>) {
    let line = format!(
        "{count} lines are missing from the log: they came too fast, or could not be written\n"
    );
    lines.extend_from_slice(line.as_bytes());
}
