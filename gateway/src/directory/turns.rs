//! Turns at something that is dear: a few at once, a short line before it, no endless waiting.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many may have a turn at once, and how long the line may be.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Turns at once.
    pub at_once: usize,
    /// How many may wait for one.
    pub waiting: usize,
    /// How long each of them waits at most.
    pub patience: Duration,
}

/// The line is full, or the wait was too long: come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// Hands out turns.
pub(super) struct Turns {
    places: Arc<Semaphore>,
    free: Arc<Semaphore>,
    patience: Duration,
}

/// A turn. It belongs to the work: when the work is done, not when a client leaves, the next one
/// may begin.
pub struct Turn {
    _place: OwnedSemaphorePermit,
    _turn: OwnedSemaphorePermit,
}

impl Turns {
    pub(super) fn new(line: Line) -> Self {
        let places = line.at_once.saturating_add(line.waiting).min(Semaphore::MAX_PERMITS);
        Self {
            places: Arc::new(Semaphore::new(places)),
            free: Arc::new(Semaphore::new(line.at_once)),
            patience: line.patience,
        }
    }

    /// Waits for a turn, if there is room to wait.
    pub(super) async fn take(&self) -> Result<Turn, Busy> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Busy)?;
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.free).acquire_owned());
        let turn = turn.await.map_err(|_elapsed| Busy)?.map_err(|_closed| Busy)?;
        Ok(Turn { _place: place, _turn: turn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let first = turns.take().await.unwrap();
            let (second, third) = tokio::join!(turns.take(), turns.take());
            assert_eq!((second.err(), third.err()), (Some(Busy), Some(Busy)));
            drop(first);
            assert!(turns.take().await.is_ok());
        });
    }

    #[test]
    fn d_07_whoever_leaves_the_line_leaves_room_in_it() {
        run(async {
            let turns = turns(1, 10_000);
            let first = turns.take().await.unwrap();
            for _ in 0..100 {
                let left = tokio::time::timeout(Duration::from_millis(1), turns.take()).await;
                assert!(left.is_err());
            }
            let (second, ()) = tokio::join!(turns.take(), async { drop(first) });
            assert!(second.is_ok());
        });
    }
}
