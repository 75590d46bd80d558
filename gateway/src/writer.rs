//! A thread that writes lines, so that nobody waits for a disk or for whoever reads them.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// How many entries may wait to be written. Those beyond are lost, and the sink tells how many.
const MOST_WAITING: usize = 65_536;

/// How many bytes are written at once, about.
const BATCH: usize = 64 * 1024;

/// How long the end of the process waits for the last line.
const FLUSH: Duration = Duration::from_secs(2);

/// Where lines go. All of this happens on the thread.
pub trait Sink: Send + 'static {
    /// What the thread is sent.
    type Entry: Send + 'static;

    /// Adds what there is to write of `entry` to `lines`.
    fn take(&mut self, entry: Self::Entry, lines: &mut Vec<u8>);

    /// Writes whole lines, if there are any, and has none left then.
    fn write(&mut self, lines: &mut Vec<u8>);

    /// Tells whoever reads that so many entries are lost.
    fn tell_lost(&mut self, count: usize);
}

/// The way to the thread.
pub struct Writer<Entry> {
    messages: SyncSender<Message<Entry>>,
    lost: Arc<AtomicUsize>,
}

enum Message<Entry> {
    Entry(Entry),
    Flush(Sender<()>),
}

impl<Entry: Send + 'static> Writer<Entry> {
    /// Starts the thread. Not before the process serves: threads do not survive its going to the
    /// background.
    pub fn start(name: &str, sink: impl Sink<Entry = Entry>) -> io::Result<Self> {
        let (messages, receiver) = sync_channel(MOST_WAITING);
        let lost = Arc::default();
        let writer = Self { messages, lost: Arc::clone(&lost) };
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(move || run(sink, &receiver, &lost)).map(|_| writer)
    }

    /// Has `entry` written, soon. Never waits.
    pub fn send(&self, entry: Entry) {
        if let Err(TrySendError::Full(_)) = self.messages.try_send(Message::Entry(entry)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Has `entry` written, soon. Waits if it has to, rather than lose it.
    pub fn send_surely(&self, entry: Entry) {
        let _ = self.messages.send(Message::Entry(entry));
    }

    /// Waits, but not for long, until everything is written.
    pub fn flush(&self) {
        let (done, is_done) = channel();
        if self.messages.try_send(Message::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(FLUSH);
        }
    }
}

/// Writes until nobody can send any more: what is waiting already together, and then at once.
fn run<S: Sink>(mut sink: S, messages: &Receiver<Message<S::Entry>>, lost: &AtomicUsize) {
    let mut lines = Vec::new();
    let mut next = messages.recv().ok();
    while let Some(message) = next {
        match message {
            Message::Entry(entry) => sink.take(entry, &mut lines),
            Message::Flush(done) => {
                sink.write(&mut lines);
                let _ = done.send(());
            }
        }
        next = if lines.len() < BATCH { messages.try_recv().ok() } else { None };
        if next.is_none() {
            sink.write(&mut lines);
            let count = lost.swap(0, Ordering::Relaxed);
            if count > 0 {
                sink.tell_lost(count);
            }
            next = messages.recv().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    /// Writes to a test, and stops at an entry without text until the test goes on.
    struct Pipe(Sender<String>, Arc<Barrier>);

    impl Sink for Pipe {
        type Entry = &'static str;

        fn take(&mut self, entry: &'static str, lines: &mut Vec<u8>) {
            lines.extend_from_slice(entry.as_bytes());
            if entry.is_empty() {
                self.1.wait();
                self.1.wait();
            }
        }

        fn write(&mut self, lines: &mut Vec<u8>) {
            self.0.send(String::from_utf8(std::mem::take(lines)).unwrap()).unwrap();
        }

        fn tell_lost(&mut self, count: usize) {
            self.0.send(format!("{count} lost")).unwrap();
        }
    }

    #[test]
    fn what_waits_is_written_together_and_what_finds_no_room_is_counted() {
        let (pipe, written) = channel();
        let stop = Arc::new(Barrier::new(2));
        let writer = Writer::start("test", Pipe(pipe, Arc::clone(&stop))).unwrap();
        writer.send("");
        stop.wait();
        (0..MOST_WAITING + 3).for_each(|_| writer.send("b"));
        stop.wait();
        assert_eq!(written.recv().unwrap(), "b".repeat(BATCH));
        assert_eq!(written.recv().unwrap(), "3 lost");
    }
}
