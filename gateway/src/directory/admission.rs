//! Admission to expensive work: a few at once, a short and fair queue, and a bounded wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::fair_queue::{Claim, FairQueue, Ticket};
use crate::metrics::METRICS;

/// The limits: how many permits at once, how long the queue may be, and how long one may wait.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Permits at once.
    pub at_once: usize,
    /// How many may wait for one.
    pub waiting: usize,
    /// How long each of them waits at most.
    pub patience: Duration,
}

/// The queue is full, or the wait was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

/// Hands out permits.
pub(super) struct Admission {
    waiters: Arc<Waiters>,
    patience: Duration,
}

/// Where it is known who has a permit and who waits for one.
struct Waiters(Mutex<State>);

struct State {
    /// Permits that nobody has. While there are any, nobody waits.
    free: usize,
    queue: FairQueue<oneshot::Sender<Permit>>,
}

/// A permit. It belongs to the work: when the work is done, not when a client leaves, the next one
/// may begin.
pub struct Permit(Arc<Waiters>);

/// A slot in the queue, given up when it is not wanted any more.
struct Slot<'a> {
    waiters: &'a Waiters,
    ticket: Ticket,
}

impl Admission {
    pub(super) fn new(limits: QueueLimits) -> Self {
        let state = State { free: limits.at_once, queue: FairQueue::new(limits.waiting) };
        Self { waiters: Arc::new(Waiters(Mutex::new(state))), patience: limits.patience }
    }

    /// Waits for a permit, if there is room to wait.
    pub(super) async fn take(&self, claim: Claim) -> Result<Permit, Overloaded> {
        let (called, call) = oneshot::channel();
        let ticket = {
            let mut state = self.waiters.lock();
            if state.free > 0 {
                state.free -= 1;
                METRICS.sign_in_wait.note(Duration::ZERO);
                return Ok(Permit(Arc::clone(&self.waiters)));
            }
            state.queue.join(claim, called)?
        };
        let slot = Slot { waiters: &self.waiters, ticket };
        let (_waits, begun) = (METRICS.sign_ins_waiting.hold(), Instant::now());
        // Not called, if the slot is given to somebody else.
        let call = tokio::time::timeout(self.patience, call);
        let called = call.await;
        drop(slot);
        METRICS.sign_in_wait.note(begun.elapsed());
        called.map_err(|_elapsed| Overloaded)?.map_err(|_given_away| Overloaded)
    }
}

impl Waiters {
    /// What is done under the lock does not panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let next = state.queue.next();
        if next.is_none() {
            state.free += 1;
        }
        drop(state);
        if let Some(next) = next {
            // Whoever has left in this moment hands it on.
            let _ = next.send(Self(Arc::clone(&self.0)));
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.waiters.lock().queue.leave(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim = Claim { client: 1, name: 1 };

    fn permits(waiting: usize, patience: u64) -> Admission {
        Admission::new(QueueLimits {
            at_once: 1,
            waiting,
            patience: Duration::from_millis(patience),
        })
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn b_10_beyond_the_line_is_busy_at_once_and_the_wait_has_an_end() {
        run(async {
            let permits = permits(1, 20);
            let first = permits.take(CLAIM).await.unwrap();
            let (second, third) = tokio::join!(permits.take(CLAIM), permits.take(CLAIM));
            assert_eq!((second.err(), third.err()), (Some(Overloaded), Some(Overloaded)));
            drop(first);
            assert!(permits.take(CLAIM).await.is_ok());
        });
    }

    #[test]
    fn d_07_whoever_leaves_the_line_leaves_room_in_it() {
        run(async {
            let permits = permits(1, 10_000);
            let first = permits.take(CLAIM).await.unwrap();
            for _ in 0..100 {
                let left =
                    tokio::time::timeout(Duration::from_millis(1), permits.take(CLAIM)).await;
                assert!(left.is_err());
            }
            let (second, ()) = tokio::join!(permits.take(CLAIM), async { drop(first) });
            assert!(second.is_ok());
        });
    }
}
