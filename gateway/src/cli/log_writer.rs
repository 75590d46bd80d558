//! The thread that writes the log, so that no request waits for whoever reads it.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// How many lines may wait. Those beyond are lost, and the log says how many.
const MOST_WAITING: usize = 65_536;

/// How many bytes are written at once, about.
const BATCH: usize = 64 * 1024;

/// How long the end of the process waits for the last line.
const FLUSH: Duration = Duration::from_secs(2);

/// The way to the thread, once there is one.
static MESSAGES: OnceLock<SyncSender<Message>> = OnceLock::new();
static LOST: AtomicUsize = AtomicUsize::new(0);

enum Message {
    Line(Vec<u8>),
    Flush(Sender<()>),
}

/// Standard error: at first written to at once, and by the thread as soon as it has been started.
pub(super) struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Some(messages) = MESSAGES.get() else { return io::stderr().write(line) };
        if let Err(TrySendError::Full(_)) = messages.try_send(Message::Line(line.to_vec())) {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the thread. Not before the process serves: threads do not survive its going to the
/// background.
pub(super) fn start() {
    let (sender, receiver) = sync_channel(MOST_WAITING);
    let thread = thread::Builder::new().name("log".to_owned()).spawn(move || run(&receiver));
    if thread.is_ok() {
        let _ = MESSAGES.set(sender);
    }
}

/// Waits, but not for long, until everything is written.
pub(super) fn flush() {
    let Some(messages) = MESSAGES.get() else { return };
    let (done, is_done) = channel();
    if messages.try_send(Message::Flush(done)).is_ok() {
        let _ = is_done.recv_timeout(FLUSH);
    }
}

/// Writes what is waiting already together, and then at once.
fn run(messages: &Receiver<Message>) {
    let mut lines = Vec::new();
    let mut next = messages.recv().ok();
    while let Some(message) = next {
        match message {
            Message::Line(line) => lines.extend_from_slice(&line),
            Message::Flush(done) => {
                write(&mut lines);
                let _ = done.send(());
            }
        }
        next = if lines.len() < BATCH { messages.try_recv().ok() } else { None };
        if next.is_none() {
            let lost = LOST.swap(0, Ordering::Relaxed);
            if lost > 0 {
                let _ = writeln!(lines, "the log lacks {lost} lines: they came too fast");
            }
            write(&mut lines);
            next = messages.recv().ok();
        }
    }
}

fn write(lines: &mut Vec<u8>) {
    // There is nobody to tell that nobody can be told.
    let _ = io::stderr().write_all(lines);
    lines.clear();
}
