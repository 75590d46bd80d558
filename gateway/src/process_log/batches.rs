//! Lines of many threads, gathered and written by one: no thread waits, and few lines wake the writer.
//!
//! Each thread appends to a buffer of its own. The writer collects from all of them after [`PERIOD`],
//! or at once if it has had nothing to do, if a buffer is full, or if a line is urgent.

use std::mem;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

/// How long a line waits for others, unless it comes after a pause.
const PERIOD: Duration = Duration::from_millis(100);

/// How many bytes a thread gathers before it hands them over, and how many are written at once, about.
const BATCH: usize = 64 * 1024;

/// How many full batches may wait to be written, of all threads together: 16 MiB. A thread whose
/// buffer is full by then loses its lines.
const MOST_WAITING: usize = 256;

/// How long the end of the process waits for the last line.
const FLUSH: Duration = Duration::from_secs(2);

/// Where the lines go. Its methods are called on the writing thread.
pub trait Destination {
    /// Writes whole lines, of which there may be none, and tells that so many others are lost.
    fn write(&mut self, lines: &[u8], lost: usize);

    /// Everything that was there has been written.
    fn pause(&mut self);
}

/// All threads that write lines.
pub struct Threads {
    all: Mutex<Vec<Arc<Mutex<Gathered>>>>,
    writer: OnceLock<Thread>,
    /// Whether the writer waits until it is woken, and not just for a while.
    sleeps: AtomicBool,
    /// Full batches that are not collected yet.
    full: AtomicUsize,
    lost: AtomicUsize,
    flushes: Mutex<Vec<Sender<()>>>,
}

/// What one thread has gathered.
#[derive(Default)]
pub struct Gathered {
    full: Vec<Vec<u8>>,
    open: Vec<u8>,
}

impl Threads {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            all: Mutex::new(Vec::new()),
            writer: OnceLock::new(),
            sleeps: AtomicBool::new(false),
            full: AtomicUsize::new(0),
            lost: AtomicUsize::new(0),
            flushes: Mutex::new(Vec::new()),
        }
    }

    /// A buffer for one more thread.
    pub fn join(&self) -> Arc<Mutex<Gathered>> {
        let own = Arc::default();
        lock(&self.all).push(Arc::clone(&own));
        own
    }

    /// Adds whole lines to a thread's `own`. Never waits for the destination.
    pub fn append(&self, own: &Mutex<Gathered>, lines: &[u8]) {
        let mut gathered = lock(own);
        if gathered.open.len() >= BATCH && !self.hand_over(&mut gathered) {
            self.lost.fetch_add(memchr::memchr_iter(b'\n', lines).count(), Ordering::Relaxed);
            return;
        }
        gathered.open.extend_from_slice(lines);
        if gathered.open.len() >= BATCH && self.hand_over(&mut gathered) {
            self.wake();
        }
        drop(gathered);
        // Before the writer sleeps it says so, and then looks into every buffer, by its lock. If it has not seen these
        // lines, it held the lock earlier, so that what it said is seen here.
        if self.sleeps.load(Ordering::Relaxed) && self.sleeps.swap(false, Ordering::Relaxed) {
            self.wake();
        }
    }

    /// Puts the open batch to the full ones, if there may be one more.
    fn hand_over(&self, gathered: &mut Gathered) -> bool {
        if self.full.load(Ordering::Relaxed) >= MOST_WAITING {
            return false;
        }
        self.full.fetch_add(1, Ordering::Relaxed);
        let fresh = Vec::with_capacity(BATCH + BATCH / 16);
        gathered.full.push(mem::replace(&mut gathered.open, fresh));
        true
    }

    /// Has everything that is there written at once.
    pub fn wake(&self) {
        if let Some(writer) = self.writer.get() {
            writer.unpark();
        }
    }

    /// Waits until everything that is there is written, up to a limit.
    pub fn flush(&self) {
        let (done, is_done) = channel();
        lock(&self.flushes).push(done);
        self.wake();
        if self.writer.get().is_some() {
            let _ = is_done.recv_timeout(FLUSH);
        }
    }

    /// Starts the thread that writes. Not before the process serves: threads do not survive its going
    /// to the background.
    pub fn start(
        &'static self,
        name: &str,
        destination: impl Destination + Send + 'static,
    ) -> std::io::Result<()> {
        let builder = thread::Builder::new().name(name.to_owned());
        let started = builder.spawn(move || self.run(destination))?;
        let _ = self.writer.set(started.thread().clone());
        Ok(())
    }

    /// Whether there is a thread that writes.
    pub fn have_writer(&self) -> bool {
        self.writer.get().is_some()
    }

    fn run(&self, mut destination: impl Destination) {
        let mut lines = Vec::new();
        loop {
            if self.collect(&mut lines, &mut destination) {
                // More are on their way, if this was not a single one.
                thread::park_timeout(PERIOD);
                continue;
            }
            self.sleeps.store(true, Ordering::Relaxed);
            if !self.collect(&mut lines, &mut destination) {
                thread::park();
            }
            self.sleeps.store(false, Ordering::Relaxed);
        }
    }

    /// Writes everything that is there; false if that is nothing.
    fn collect(&self, lines: &mut Vec<u8>, destination: &mut impl Destination) -> bool {
        let flushes = mem::take(&mut *lock(&self.flushes));
        let mut is_any = false;
        let mut write = |lines: &mut Vec<u8>| {
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 || !lines.is_empty() {
                is_any = true;
                destination.write(lines, lost);
                lines.clear();
            }
        };
        for own in self.living() {
            let mut gathered = lock(&own);
            let full = mem::take(&mut gathered.full);
            let mut open = Vec::new();
            if full.is_empty() {
                // Its memory stays with the thread.
                lines.extend_from_slice(&gathered.open);
                gathered.open.clear();
            } else {
                open = mem::take(&mut gathered.open);
            }
            drop(gathered);
            for batch in &full {
                lines.extend_from_slice(batch);
                self.full.fetch_sub(1, Ordering::Relaxed);
                if lines.len() >= BATCH {
                    write(lines);
                }
            }
            lines.extend_from_slice(&open);
        }
        write(lines);
        destination.pause();
        for done in flushes {
            let _ = done.send(());
        }
        is_any
    }

    /// The buffers of all threads; those of threads that have ended go when they are empty.
    fn living(&self) -> Vec<Arc<Mutex<Gathered>>> {
        let mut all = lock(&self.all);
        all.retain(|own| Arc::strong_count(own) > 1 || !lock(own).is_empty());
        all.clone()
    }
}

impl Gathered {
    fn is_empty(&self) -> bool {
        self.open.is_empty() && self.full.is_empty()
    }
}

/// Nothing is left half-done when somebody panics: lines are appended in one go.
fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc::Receiver;

    /// Writes to a test. At a line that says so it stops until the test goes on.
    struct Pipe(Sender<(String, usize)>, Arc<Barrier>);

    impl Destination for Pipe {
        fn write(&mut self, lines: &[u8], lost: usize) {
            let text = String::from_utf8(lines.to_vec()).unwrap();
            let stops = text.contains("stop");
            self.0.send((text, lost)).unwrap();
            if stops {
                self.1.wait();
                self.1.wait();
            }
        }

        fn pause(&mut self) {}
    }

    fn start() -> (&'static Threads, Receiver<(String, usize)>, Arc<Barrier>) {
        let threads: &'static Threads = Box::leak(Box::new(Threads::new()));
        let (written, seen) = channel();
        let stop = Arc::new(Barrier::new(2));
        threads.start("test", Pipe(written, Arc::clone(&stop))).unwrap();
        (threads, seen, stop)
    }

    #[test]
    fn what_comes_after_a_pause_is_written_at_once_and_what_follows_together() {
        let (threads, written, stop) = start();
        let own = threads.join();
        threads.append(&own, b"stop\n");
        assert_eq!(written.recv().unwrap(), ("stop\n".to_owned(), 0));
        stop.wait();
        (0..100).for_each(|_| threads.append(&own, b"line\n"));
        stop.wait();
        assert_eq!(written.recv().unwrap(), ("line\n".repeat(100), 0));
    }

    #[test]
    fn what_finds_no_room_is_counted_and_the_rest_is_in_order() {
        let (threads, written, stop) = start();
        let own = threads.join();
        threads.append(&own, b"stop\n");
        stop.wait();
        let _stopped = written.recv().unwrap();
        let line = |number: usize| format!("{number:>width$}\n", width = BATCH - 1);
        let room = MOST_WAITING + 1;
        (0..room + 3).for_each(|number| threads.append(&own, line(number).as_bytes()));
        stop.wait();
        threads.flush();
        let seen: Vec<_> = written.try_iter().collect();
        let lost: usize = seen.iter().map(|(_, lost)| lost).sum();
        assert_eq!(lost, 3);
        let text: String = seen.into_iter().map(|(text, _)| text).collect();
        let numbers: Vec<usize> = text.lines().map(|line| line.trim().parse().unwrap()).collect();
        assert_eq!(numbers, (0..room).collect::<Vec<_>>());
        // There is room again.
        threads.append(&own, b"last\n");
        threads.flush();
        assert_eq!(written.try_iter().last().unwrap(), ("last\n".to_owned(), 0));
    }

    #[test]
    fn what_a_thread_leaves_behind_is_written() {
        let (threads, written, stop) = start();
        threads.append(&threads.join(), b"stop\n");
        stop.wait();
        let _stopped = written.recv().unwrap();
        let other = thread::spawn(|| threads.append(&threads.join(), b"left\n"));
        other.join().unwrap();
        stop.wait();
        threads.flush();
        assert_eq!(written.recv().unwrap(), ("left\n".to_owned(), 0));
        threads.flush();
        assert!(lock(&threads.all).is_empty(), "and then forgotten");
    }

    #[test]
    fn nothing_is_lost_between_many_threads_that_write_at_once() {
        let (threads, written, _stop) = start();
        thread::scope(|scope| {
            for name in 0..4 {
                scope.spawn(move || {
                    let own = threads.join();
                    for number in 0..5000 {
                        threads.append(&own, format!("{name} {number}\n").as_bytes());
                    }
                });
            }
        });
        threads.flush();
        let text: String = written
            .try_iter()
            .map(|(text, lost)| if lost == 0 { text } else { String::new() })
            .collect();
        for name in 0..4 {
            let own = text.lines().filter_map(|line| line.strip_prefix(&format!("{name} ")));
            let numbers: Vec<usize> = own.map(|number| number.parse().unwrap()).collect();
            assert_eq!(numbers, (0..5000).collect::<Vec<_>>());
        }
    }
}
