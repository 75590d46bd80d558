//! A thread that writes lines, so that no request waits for a disk or a reader.

pub mod append;
mod lines;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

pub use lines::WholeLines;

/// How many bytes of entries may wait to be written. Those beyond are lost, and the sink tells how
/// many.
const MOST_WAITING: usize = 16 * 1024 * 1024;

/// What an entry takes besides its own bytes: its place in the queue, and what its memory is rounded
/// up to.
const PLACE: usize = 64;

/// How many bytes are written at once, about.
const BATCH: usize = 64 * 1024;

/// How long the end of the process waits for the last line.
const FLUSH: Duration = Duration::from_secs(2);

/// The destination of lines. Its methods run on the writing thread.
pub trait Sink: Send + 'static {
    /// What the thread is sent.
    type Entry: Entry;

    /// Adds what there is to write of `entry` to `lines`.
    fn take(&mut self, entry: Self::Entry, lines: &mut Vec<u8>);

    /// Writes whole lines, if there are any, and has none left then.
    fn write(&mut self, lines: &mut Vec<u8>);

    /// Tells whoever reads that so many entries are lost.
    fn tell_lost(&mut self, count: usize);
}

/// What waits to be written.
pub trait Entry: Send + 'static {
    /// How many bytes of memory it takes.
    fn bytes(&self) -> usize;
}

impl Entry for Vec<u8> {
    fn bytes(&self) -> usize {
        self.capacity()
    }
}

/// A handle to the writing thread.
pub struct Writer<E> {
    messages: Sender<Message<E>>,
    queue: Arc<Queue>,
}

/// What waits, and what found no room.
#[derive(Default)]
struct Queue {
    bytes: AtomicUsize,
    lost: AtomicUsize,
}

enum Message<E> {
    Entry(E),
    Flush(Sender<()>),
}

impl<E: Entry> Writer<E> {
    /// Starts the thread. Not before the process serves: threads do not survive its going to the
    /// background.
    pub fn start(name: &str, sink: impl Sink<Entry = E>) -> io::Result<Self> {
        let (messages, receiver) = channel();
        let queue = Arc::default();
        let writer = Self { messages, queue: Arc::clone(&queue) };
        let thread = thread::Builder::new().name(name.to_owned());
        thread.spawn(move || run(sink, &receiver, &queue)).map(|_| writer)
    }

    /// Queues `entry` to be written. Never waits.
    pub fn send(&self, entry: E) {
        if self.queue.bytes.load(Ordering::Relaxed) > MOST_WAITING {
            self.queue.lost.fetch_add(1, Ordering::Relaxed);
        } else {
            self.send_surely(entry);
        }
    }

    /// Queues `entry` to be written, even if the queue is full.
    pub fn send_surely(&self, entry: E) {
        self.queue.bytes.fetch_add(entry.bytes() + PLACE, Ordering::Relaxed);
        // The thread never ends.
        let _ = self.messages.send(Message::Entry(entry));
    }

    /// Waits until everything is written, up to a limit.
    pub fn flush(&self) {
        let (done, is_done) = channel();
        if self.messages.send(Message::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(FLUSH);
        }
    }
}

/// Writes until nobody can send any more: what is waiting already together, and then at once.
fn run<S: Sink>(sink: S, messages: &Receiver<Message<S::Entry>>, queue: &Queue) {
    let mut batch = Batch { sink, lines: Vec::new() };
    let mut next = messages.recv().ok();
    while let Some(message) = next {
        match message {
            Message::Entry(entry) => {
                queue.bytes.fetch_sub(entry.bytes() + PLACE, Ordering::Relaxed);
                if !batch.survives(|sink, lines| sink.take(entry, lines)) {
                    queue.lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Message::Flush(done) => {
                batch.write(queue);
                let _ = done.send(());
            }
        }
        next = if batch.lines.len() < BATCH { messages.try_recv().ok() } else { None };
        if next.is_none() {
            batch.write(queue);
            next = messages.recv().ok();
        }
    }
}

/// What the thread has taken and not written yet.
struct Batch<S> {
    sink: S,
    lines: Vec<u8>,
}

impl<S: Sink> Batch<S> {
    fn write(&mut self, queue: &Queue) {
        if !self.survives(S::write) {
            self.lines.clear();
        }
        let count = queue.lost.swap(0, Ordering::Relaxed);
        if count > 0 {
            self.survives(|sink, _lines| sink.tell_lost(count));
        }
    }

    /// Does `work`; false if it panics, which costs an entry and not the thread.
    fn survives(&mut self, work: impl FnOnce(&mut S, &mut Vec<u8>)) -> bool {
        let length = self.lines.len();
        let done = catch_unwind(AssertUnwindSafe(|| work(&mut self.sink, &mut self.lines)));
        done.inspect_err(|_said_by_the_hook| self.lines.truncate(length)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    /// Writes to a test, stops at an entry without text until the test goes on, and panics at one
    /// that says so.
    struct Pipe(Sender<String>, Arc<Barrier>);

    impl Entry for &'static str {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    impl Sink for Pipe {
        type Entry = &'static str;

        fn take(&mut self, entry: &'static str, lines: &mut Vec<u8>) {
            lines.extend_from_slice(entry.as_bytes());
            assert_ne!(entry, "panic");
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

    fn start() -> (Writer<&'static str>, Receiver<String>, Arc<Barrier>) {
        let (pipe, written) = channel();
        let stop = Arc::new(Barrier::new(2));
        let writer = Writer::start("test", Pipe(pipe, Arc::clone(&stop))).unwrap();
        (writer, written, stop)
    }

    #[test]
    fn f_23_what_waits_is_written_together_and_what_finds_no_room_is_counted() {
        let long: &'static str = "b".repeat(BATCH - PLACE).leak();
        let (writer, written, stop) = start();
        writer.send("");
        stop.wait();
        let room = MOST_WAITING / BATCH + 1;
        (0..room + 3).for_each(|_| writer.send(long));
        stop.wait();
        let mut bytes = 0;
        while bytes < room * long.len() {
            bytes += written.recv().unwrap().replace("3 lost", "").len();
        }
        assert_eq!(bytes, room * long.len());
        assert_eq!(writer.queue.lost.load(Ordering::Relaxed), 0);
        // There is room again.
        writer.send("last");
        writer.flush();
        assert!(written.try_iter().any(|text| text == "last"));
    }

    #[test]
    fn f_24_a_panic_costs_one_entry_and_not_the_thread() {
        let (writer, written, stop) = start();
        writer.send("");
        stop.wait();
        for entry in ["a", "panic", "b"] {
            writer.send(entry);
        }
        stop.wait();
        assert_eq!(written.recv().unwrap(), "ab");
        assert_eq!(written.recv().unwrap(), "1 lost");
    }
}
