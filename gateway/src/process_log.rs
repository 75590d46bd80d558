//! The log of the process: whatever is said by any thread, written by one.

mod batches;
mod file;
pub mod line;
mod logger;

pub use logger::{is_access_wanted, say_object, set_level, start};

use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use batches::{Destination, Gathered, Threads};
use file::LogFile;
use line::Format;

/// What the threads have to say.
static THREADS: Threads = Threads::new();

/// Where it is written.
static FILE: LazyLock<Mutex<LogFile>> = LazyLock::new(Mutex::default);

/// Whether the file is to be opened again.
static REOPEN: AtomicBool = AtomicBool::new(false);

static FORMAT: AtomicU8 = AtomicU8::new(Format::Text as u8);

thread_local! {
    static OWN: Arc<Mutex<Gathered>> = THREADS.join();
}

/// How lines are written.
pub fn format() -> Format {
    Format::of(FORMAT.load(Ordering::Relaxed))
}

/// From now on lines have this format, and go to the file at `path`, or to standard error.
pub fn write_to(path: Option<&Path>, format: Format) -> io::Result<()> {
    let is_terminal = path.is_none() && io::stderr().is_terminal();
    let format = if is_terminal && format == Format::Text { Format::Coloured } else { format };
    let new = path.map_or_else(|| Ok(LogFile::default()), LogFile::open)?;
    *file() = new;
    FORMAT.store(format as u8, Ordering::Relaxed);
    Ok(())
}

/// Writes whole lines soon: within a fifth of a second, with those of others.
pub fn append(lines: &[u8]) {
    if THREADS.have_writer() {
        // A thread that ends has no buffer left.
        if OWN.try_with(|own| THREADS.append(own, lines)).is_err() {
            THREADS.append(&THREADS.join(), lines);
        }
    } else {
        file().write(format(), lines, 0);
    }
}

/// Writes whole lines at once, though not by this thread.
pub fn append_now(lines: &[u8]) {
    append(lines);
    THREADS.wake();
}

/// Starts the thread that writes, when the process serves. Without one, whoever says something writes it.
pub fn start_thread() {
    if let Err(error) = THREADS.start("log", ToFile) {
        log::error!("no thread could be started for the log: {error}");
    }
}

/// Waits, but not for long, until everything is written.
pub fn flush() {
    THREADS.flush();
}

/// Opens the file again, after it was rotated. What has been said by now goes into the old one.
pub fn reopen() {
    if THREADS.have_writer() {
        REOPEN.store(true, Ordering::Relaxed);
        THREADS.wake();
    } else {
        file().reopen();
    }
}

/// Lines are written whole or counted, so what a panic has left behind is sound.
fn file() -> MutexGuard<'static, LogFile> {
    FILE.lock().unwrap_or_else(PoisonError::into_inner)
}

struct ToFile;

impl Destination for ToFile {
    fn write(&mut self, lines: &[u8], lost: usize) {
        file().write(format(), lines, lost);
    }

    fn pause(&mut self) {
        if REOPEN.swap(false, Ordering::Relaxed) {
            file().reopen();
        }
    }
}
