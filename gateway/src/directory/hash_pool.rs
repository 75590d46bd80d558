//! The pool of threads that hash passwords, with a bounded queue.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use tokio::sync::oneshot;

use super::Claim;
use super::admission::Admission;
pub use super::admission::{Overloaded, QueueLimits};
use crate::quiet_threads::{self, WayIn};
use crate::user::password::{Cost, Memory};

type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// The threads that hash passwords.
///
/// A hash takes a processor and some 19 MiB for some 20 milliseconds. That is why there are as many
/// threads as configured and not more, why each has one working memory that it keeps, and why they
/// have a lower priority than those that forward requests.
pub struct HashPool {
    admission: Admission,
    workers: usize,
    cost: Cost,
    way_in: WayIn<Job>,
}

/// How long a thread waits for the next hash before it wipes what the last one has left. Whoever is next in the queue is there
/// sooner.
const SOON: Duration = Duration::from_millis(10);

impl HashPool {
    /// A pool with a thread for each permit of `line`; new hashes are made at `cost`.
    pub fn new(line: QueueLimits, cost: Cost) -> Self {
        let (admission, workers) = (Admission::new(line), line.at_once);
        Self { admission, workers, cost, way_in: WayIn::new() }
    }

    /// What a new hash costs.
    pub(super) fn cost(&self) -> Cost {
        self.cost
    }

    /// Does `work` once there is a permit for whoever has this `claim`.
    ///
    /// # Panics
    /// If the work did.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        claim: Claim,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let permit = self.admission.take(claim).await?;
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |memory| {
            let done = work(memory);
            // Before the answer, so that whoever has it finds a thread free.
            drop(permit);
            // A client that has left does not want it.
            let _ = answer.send(done);
        });
        self.jobs()?.send(job).expect("the threads live as long as the pool");
        Ok(answered.await.expect("hashing does not panic"))
    }

    fn jobs(&self) -> Result<&Sender<Job>, Overloaded> {
        self.way_in.open(|| start(self.workers, self.cost)).map_err(|error| {
            log::error!("no thread could be started to hash passwords: {error}");
            Overloaded
        })
    }
}

/// Starts the threads, as many as can be had. They end when the way in is gone.
fn start(workers: usize, cost: Cost) -> io::Result<Sender<Job>> {
    // Bounded by the permits.
    let (jobs, queue) = unbounded();
    for number in 0..workers {
        let queue = queue.clone();
        let thread = thread::Builder::new().name(format!("hash-{number}"));
        match thread.spawn(move || serve(&queue, cost)) {
            Ok(_thread) => {}
            Err(error) if number == 0 => return Err(error),
            Err(error) => {
                log::warn!("{number} threads to hash passwords on instead of {workers}: {error}");
                break;
            }
        }
    }
    Ok(jobs)
}

fn serve(queue: &Receiver<Job>, cost: Cost) {
    quiet_threads::matter_less();
    let mut memory = Memory::new(cost);
    while let Some(job) = next(queue, &mut memory) {
        if catch_unwind(AssertUnwindSafe(|| job(&mut memory))).is_err() {
            // Whoever waits for it is told by the answer that never comes.
            log::error!("a password could not be hashed: its thread panicked");
            memory = Memory::new(cost);
        }
    }
}

/// The next job, `None` if there will be none. While there is none, the memory is wiped.
fn next(queue: &Receiver<Job>, memory: &mut Memory) -> Option<Job> {
    queue.recv_timeout(SOON).ok().or_else(|| {
        memory.wipe();
        queue.recv().ok()
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::user::password::{Password, PasswordHash};
    use std::sync::Arc;

    pub(crate) const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

    const CLAIM: Claim = Claim { client: 1, name: 1 };

    /// A pool with one thread, for cheap hashes.
    pub(crate) fn room() -> HashPool {
        let patience = Duration::from_secs(10);
        HashPool::new(QueueLimits { at_once: 1, waiting: 100, patience }, CHEAP)
    }

    #[test]
    fn memory_is_wiped_once_nobody_waits_for_a_hash() {
        let (jobs, queue) = unbounded::<Job>();
        let mut memory = Memory::new(CHEAP);
        PasswordHash::create(&Password::new(b"x".to_vec()), CHEAP, &mut memory);
        jobs.send(Box::new(|_| ())).unwrap();
        assert!(next(&queue, &mut memory).is_some() && !memory.is_wiped());
        drop(jobs);
        assert!(next(&queue, &mut memory).is_none() && memory.is_wiped());
    }

    #[test]
    fn a_panic_costs_one_answer() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let room = Arc::new(room());
            let broken = Arc::clone(&room);
            let broken = tokio::spawn(async move {
                broken.work(CLAIM, |_| -> u8 { panic!("on purpose") }).await
            });
            assert!(broken.await.is_err());
            assert_eq!(room.work(CLAIM, |_| 7).await, Ok(7));
        });
    }
}
