//! What may come once: remembered until it would be too late for it anyway.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// So many things are remembered. Beyond them, the one that came first is forgotten.
const MOST: usize = 100_000;

/// Things that have come, by their digests.
#[derive(Default)]
pub(super) struct Once(Mutex<Come>);

#[derive(Default)]
struct Come {
    all: HashSet<[u8; 32]>,
    in_order: VecDeque<([u8; 32], u64)>,
}

impl Once {
    /// Whether `what` comes for the first time at `now`; after `until` it cannot come. Both in seconds since 1970.
    pub(super) fn is_first(&self, what: [u8; 32], until: u64, now: u64) -> bool {
        let mut come = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while come.in_order.front().is_some_and(|(_, until)| *until < now)
            || come.in_order.len() >= MOST
        {
            if let Some((old, _)) = come.in_order.pop_front() {
                come.all.remove(&old);
            }
        }
        let is_first = come.all.insert(what);
        if is_first {
            come.in_order.push_back((what, until));
        }
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_come_is_remembered_until_it_cannot_come_any_more() {
        let once = Once::default();
        assert!(once.is_first([1; 32], 100, 0));
        assert!(!once.is_first([1; 32], 100, 100));
        assert!(once.is_first([2; 32], 200, 101));
        assert_eq!(once.0.lock().unwrap().all.len(), 1);
    }

    #[test]
    fn a_flood_does_not_fill_the_memory() {
        let once = Once::default();
        for number in 0..MOST + 10 {
            let mut what = [0; 32];
            what[..8].copy_from_slice(&number.to_be_bytes());
            assert!(once.is_first(what, 1000, 0));
        }
        let come = once.0.lock().unwrap();
        assert_eq!((come.all.len(), come.in_order.len()), (MOST, MOST));
    }
}
