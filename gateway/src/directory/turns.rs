//! Admission to expensive work: a few at once, a short and fair queue, and a bounded wait.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::fair::{Claim, FairLine, Ticket};

/// The limits: how many turns at once, how long the queue may be, and how long one may wait.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Turns at once.
    pub at_once: usize,
    /// How many may wait for one.
    pub waiting: usize,
    /// How long each of them waits at most.
    pub patience: Duration,
}

/// The queue is full, or the wait was too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Hands out turns.
pub(super) struct Turns {
    hall: Arc<Hall>,
    patience: Duration,
}

/// Where it is known who has a turn and who waits for one.
struct Hall(Mutex<State>);

struct State {
    /// Turns that nobody has. While there are any, nobody waits.
    free: usize,
    line: FairLine<oneshot::Sender<Turn>>,
}

/// A turn. It belongs to the work: when the work is done, not when a client leaves, the next one
/// may begin.
pub struct Turn(Arc<Hall>);

/// A place in the line, given up when it is not wanted any more.
struct Place<'a> {
    hall: &'a Hall,
    ticket: Ticket,
}

impl Turns {
    pub(super) fn new(line: Line) -> Self {
        let state = State { free: line.at_once, line: FairLine::new(line.waiting) };
        Self { hall: Arc::new(Hall(Mutex::new(state))), patience: line.patience }
    }

    /// Waits for a turn, if there is room to wait.
    pub(super) async fn take(&self, claim: Claim) -> Result<Turn, Busy> {
        let (called, call) = oneshot::channel();
        let ticket = {
            let mut state = self.hall.lock();
            if state.free > 0 {
                state.free -= 1;
                return Ok(Turn(Arc::clone(&self.hall)));
            }
            state.line.join(claim, called)?
        };
        let _place = Place { hall: &self.hall, ticket };
        // Not called, if the place is given to somebody else.
        let call = tokio::time::timeout(self.patience, call);
        call.await.map_err(|_elapsed| Busy)?.map_err(|_given_away| Busy)
    }
}

impl Hall {
    /// What is done under the lock does not panic.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        let next = state.line.next();
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

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.hall.lock().line.leave(self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: Claim = Claim { client: 1, name: 1 };

    fn turns(waiting: usize, patience: u64) -> Turns {
        Turns::new(Line { at_once: 1, waiting, patience: Duration::from_millis(patience) })
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn b_10_beyond_the_line_is_busy_at_once_and_the_wait_has_an_end() {
        run(async {
            let turns = turns(1, 20);
            let first = turns.take(CLAIM).await.unwrap();
            let (second, third) = tokio::join!(turns.take(CLAIM), turns.take(CLAIM));
            assert_eq!((second.err(), third.err()), (Some(Busy), Some(Busy)));
            drop(first);
            assert!(turns.take(CLAIM).await.is_ok());
        });
    }

    #[test]
    fn d_07_whoever_leaves_the_line_leaves_room_in_it() {
        run(async {
            let turns = turns(1, 10_000);
            let first = turns.take(CLAIM).await.unwrap();
            for _ in 0..100 {
                let left = tokio::time::timeout(Duration::from_millis(1), turns.take(CLAIM)).await;
                assert!(left.is_err());
            }
            let (second, ()) = tokio::join!(turns.take(CLAIM), async { drop(first) });
            assert!(second.is_ok());
        });
    }
}
