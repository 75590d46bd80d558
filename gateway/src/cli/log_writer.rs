//! Standard error as the log writes to it, so that no request waits for whoever reads it.

use std::io::{self, Write};
use std::sync::OnceLock;

use crate::writer::{Sink, Writer};

/// The way to the thread that writes, once there is one.
static WRITER: OnceLock<Writer<Vec<u8>>> = OnceLock::new();

/// Writes a line: at first at once, and by the thread as soon as it has been started.
pub(super) fn write(line: Vec<u8>) {
    match WRITER.get() {
        Some(writer) => writer.send(line),
        // There is nobody to tell that nobody can be told.
        None => drop(io::stderr().write_all(&line)),
    }
}

/// Starts the thread, when the process serves.
pub(super) fn start() {
    if let Ok(writer) = Writer::start("log", StandardError) {
        let _ = WRITER.set(writer);
    }
}

/// Waits, but not for long, until everything is written.
pub(super) fn flush() {
    if let Some(writer) = WRITER.get() {
        writer.flush();
    }
}

/// What cannot be written there is lost: there is nobody to tell that nobody can be told.
struct StandardError;

impl Sink for StandardError {
    type Entry = Vec<u8>;

    fn take(&mut self, line: Vec<u8>, lines: &mut Vec<u8>) {
        lines.extend_from_slice(&line);
    }

    fn write(&mut self, lines: &mut Vec<u8>) {
        let _ = io::stderr().write_all(lines);
        lines.clear();
    }

    fn tell_lost(&mut self, count: usize) {
        let line = format!("the log lacks {count} lines: they came too fast\n");
        self.write(&mut line.into_bytes());
    }
}
