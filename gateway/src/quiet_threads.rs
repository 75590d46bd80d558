//! Threads that matter less than those which serve requests.

use std::sync::{Mutex, OnceLock, PoisonError};

use crossbeam_channel::Sender;
use rustix::process::setpriority_process;

/// How much less, as their `nice`.
const NICE: i32 = 10;

/// The way to such threads. They are started with their first job: threads do not survive a process going to the
/// background.
pub struct WayIn<J> {
    jobs: OnceLock<Sender<J>>,
    opening: Mutex<()>,
}

impl<J> WayIn<J> {
    /// There are no threads yet.
    pub const fn new() -> Self {
        Self { jobs: OnceLock::new(), opening: Mutex::new(()) }
    }

    /// The way in, which `start` makes if there is none. Where it cannot, whoever comes next tries again.
    pub fn open<E>(&self, start: impl FnOnce() -> Result<Sender<J>, E>) -> Result<&Sender<J>, E> {
        if let Some(jobs) = self.jobs.get() {
            return Ok(jobs);
        }
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jobs) = self.jobs.get() {
            return Ok(jobs);
        }
        let jobs = start()?;
        Ok(self.jobs.get_or_init(|| jobs))
    }
}

/// Has this thread be one of them, and no other of the process, on Linux. Where it is not allowed, all goes on as before.
pub fn matter_less() {
    if let Err(error) = setpriority_process(None, NICE) {
        let thread = std::thread::current();
        log::debug!("{}: at the usual priority: {error}", thread.name().unwrap_or("a thread"));
    }
}
