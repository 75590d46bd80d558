//! The thread that writes events down, so that nobody waits for a disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::{Event, line};

/// How many events may wait to be written. Those beyond are lost, and the log says how many.
const MOST_WAITING: usize = 65_536;

/// How many bytes are written at once, about.
const BATCH: usize = 64 * 1024;

/// How long the end of the process waits for the last line.
const FLUSH: Duration = Duration::from_secs(2);

/// Writes events down.
pub(super) struct Writer {
    /// Where to, until the thread has it.
    sink: Mutex<Option<Sink>>,
    /// The way to the thread. It is started at the first event: threads do not survive a process
    /// going to the background.
    messages: OnceLock<SyncSender<Message>>,
    lost: Arc<AtomicUsize>,
}

enum Message {
    Event(Event),
    Reopen,
    Flush(mpsc::Sender<()>),
}

enum Sink {
    Log,
    File(PathBuf, File),
}

impl Writer {
    pub(super) fn to_log() -> Self {
        Self::new(Sink::Log)
    }

    pub(super) fn to_file(path: &Path) -> io::Result<Self> {
        open(path).map(|file| Self::new(Sink::File(path.to_owned(), file)))
    }

    fn new(sink: Sink) -> Self {
        Self { sink: Mutex::new(Some(sink)), messages: OnceLock::new(), lost: Arc::default() }
    }

    pub(super) fn record(&self, event: Event) {
        if let Err(TrySendError::Full(_)) = self.thread().try_send(Message::Event(event)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn reopen(&self) {
        // Waits if it has to: a signal is not a request.
        let _ = self.thread().send(Message::Reopen);
    }

    pub(super) fn flush(&self) {
        let (done, is_done) = channel();
        if self.thread().try_send(Message::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(FLUSH);
        }
    }

    fn thread(&self) -> &SyncSender<Message> {
        self.messages.get_or_init(|| {
            let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (sender, receiver) = sync_channel(MOST_WAITING);
            let (sink, lost) = (sink.unwrap_or(Sink::Log), Arc::clone(&self.lost));
            let thread = thread::Builder::new().name("audit".to_owned());
            thread.spawn(move || run(sink, &receiver, &lost)).expect("the system has a thread");
            sender
        })
    }
}

/// Writes until nobody can send any more: what is waiting already together, and then at once.
fn run(mut sink: Sink, messages: &Receiver<Message>, lost: &AtomicUsize) {
    let mut lines = Vec::new();
    let mut next = messages.recv().ok();
    while let Some(message) = next {
        match message {
            Message::Event(event) => line::write(&event, &mut lines),
            Message::Reopen => {
                sink.write(&mut lines);
                sink.reopen();
            }
            Message::Flush(done) => {
                sink.write(&mut lines);
                let _ = done.send(());
            }
        }
        next = if lines.len() < BATCH { messages.try_recv().ok() } else { None };
        if next.is_none() {
            sink.write(&mut lines);
            tell_lost(lost);
            next = messages.recv().ok();
        }
    }
}

fn tell_lost(lost: &AtomicUsize) {
    match lost.swap(0, Ordering::Relaxed) {
        0 => {}
        count => log::error!("the audit trail lacks {count} events: they came too fast"),
    }
}

impl Sink {
    /// Writes whole lines, and has none left then.
    fn write(&mut self, lines: &mut Vec<u8>) {
        if lines.is_empty() {
            return;
        }
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

    fn reopen(&mut self) {
        let Self::File(path, file) = self else { return };
        match open(path) {
            Ok(new) => *file = new,
            Err(error) => {
                log::error!("{}: not opened anew, the old file goes on: {error}", path.display());
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
