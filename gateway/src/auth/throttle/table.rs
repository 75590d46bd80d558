//! Counters in a table of fixed size: it does not grow, however many names are tried.

use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use super::ThrottleRules;
use crate::clock::Moment;

/// Counters in one row. A key belongs to one row, and can have any place in it.
const ROW: usize = 8;

/// How many rows there are.
const ROWS: usize = 8192;

/// How many counters there are.
pub(super) const PLACES: usize = ROW * ROWS;

/// Counters by key.
///
/// If a row is full, a new key gets the place that was unused for longest, but never one of a key that is banned. If
/// all of them are banned, so is the new key. Rows and marks are chosen by hashes
/// with a secret of this process, so that nobody can aim at a row.
pub(super) struct Counters {
    rows: Vec<[Slot; ROW]>,
    choice: RandomState,
    mark: RandomState,
}

/// The place of a counter: a row, and a mark in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    row: usize,
    mark: u64,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// The key's mark; 0: the place is free.
    mark: u64,
    /// Since when failures are counted, in milliseconds of [`Moment`]; for a key that has to wait, when
    /// the wait ends.
    since: u64,
    /// When failures are forgotten.
    until: u64,
    failures: u32,
    /// Whether `since` is the end of a wait. By itself it may be in the future too: of requests at the same
    /// time, the one that read the clock first may be the last to ask.
    waits: bool,
}

impl Slot {
    fn is_waiting(&self, now: Moment) -> bool {
        self.waits && self.since > now.millis()
    }

    fn is_forgotten(&self, now: Moment) -> bool {
        self.mark == 0 || self.until <= now.millis()
    }
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            rows: vec![[Slot::default(); ROW]; ROWS],
            choice: RandomState::new(),
            mark: RandomState::new(),
        }
    }

    /// The key of `whom`.
    pub(super) fn key(&self, whom: &impl Hash) -> Key {
        let row = self.choice.hash_one(whom) % ROWS as u64;
        let row = usize::try_from(row).expect("there are not that many rows");
        Key { row, mark: self.mark.hash_one(whom).max(1) }
    }

    /// How long `key` has to wait, if it has to.
    pub(super) fn wait(&self, key: Key, now: Moment) -> Option<Duration> {
        let row = &self.rows[key.row];
        let place = row.iter().find(|place| place.mark == key.mark);
        let place = place.or_else(|| {
            let all_wait = row.iter().all(|place| place.is_waiting(now));
            all_wait.then(|| row.iter().min_by_key(|place| place.since)).flatten()
        });
        let place = place.filter(|place| place.is_waiting(now))?;
        Some(Moment::from_millis(place.since).since(now))
    }

    /// Counts a failure of `key`, of which `allowed` are let pass; returns the wait that begins
    /// with it.
    pub(super) fn fail(
        &mut self,
        key: Key,
        now: Moment,
        allowed: usize,
        rules: &ThrottleRules,
    ) -> Option<Duration> {
        let place = self.place(key, now)?;
        if place.is_forgotten(now) {
            let (since, until) = (now.millis(), now.after(rules.window).millis());
            *place = Slot { mark: key.mark, since, until, ..Slot::default() };
        }
        place.failures = place.failures.saturating_add(1);
        let allowed = u32::try_from(allowed).unwrap_or(u32::MAX);
        let wait = rules.wait(place.failures.checked_sub(allowed)?);
        let end = now.after(wait);
        (place.since, place.until) = (end.millis(), end.after(rules.window).millis());
        place.waits = true;
        Some(wait)
    }

    /// Forgets the failures of `key`.
    pub(super) fn forget(&mut self, key: Key) {
        let row = &mut self.rows[key.row];
        if let Some(place) = row.iter_mut().find(|place| place.mark == key.mark) {
            *place = Slot::default();
        }
    }

    /// Notes `key`, for `time`.
    pub(super) fn note(&mut self, key: Key, now: Moment, time: Duration) {
        if let Some(place) = self.place(key, now) {
            let (since, until) = (now.millis(), now.after(time).millis());
            *place = Slot { mark: key.mark, since, until, ..Slot::default() };
        }
    }

    /// Whether `key` was noted, and its time is not over.
    pub(super) fn holds(&self, key: Key, now: Moment) -> bool {
        let place = self.rows[key.row].iter().find(|place| place.mark == key.mark);
        place.is_some_and(|place| !place.is_forgotten(now))
    }

    /// The place of `key`, or one that it may have; `None` if all others in the row have to wait.
    fn place(&mut self, key: Key, now: Moment) -> Option<&mut Slot> {
        let row = &mut self.rows[key.row];
        let of_key = row.iter().position(|place| place.mark == key.mark);
        let free = || row.iter().position(|place| place.is_forgotten(now));
        let untouched = || {
            let may_go = row.iter().enumerate().filter(|(_, place)| !place.is_waiting(now));
            may_go.min_by_key(|(_, place)| place.since).map(|(index, _)| index)
        };
        if let Some(index) = of_key {
            return Some(&mut row[index]);
        }
        let index = free().or_else(untouched)?;
        row[index] = Slot { mark: key.mark, ..Slot::default() };
        Some(&mut row[index])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::throttle::tests::{RULES, at};

    #[test]
    fn b_06_a_spray_of_a_million_names_lifts_no_ban_and_takes_no_more_memory() {
        let mut table = Counters::new();
        let banned: Vec<_> = (0..100).map(|n| table.key(&("banned", n))).collect();
        for key in &banned {
            assert!(table.fail(*key, at(0), 1, &RULES).is_some());
        }
        for name in 0..1_000_000 {
            let key = table.key(&name);
            table.fail(key, at(1), 5, &RULES);
        }
        assert!(banned.iter().all(|key| table.wait(*key, at(30)).is_some()));
        assert!(banned.iter().all(|key| table.wait(*key, at(61)).is_none()));
        assert_eq!(table.rows.len() * ROW * size_of::<Slot>(), 8192 * 8 * 32);
    }

    #[test]
    fn b_06_a_row_full_of_bans_lets_nobody_in_by_pushing_one_out() {
        let mut table = Counters::new();
        let keys: Vec<_> = (1..=9).map(|mark| Key { row: 0, mark }).collect();
        for (second, key) in keys[..8].iter().enumerate() {
            assert!(table.fail(*key, at(second as u64), 1, &RULES).is_some());
        }
        assert_eq!(table.fail(keys[8], at(8), 1, &RULES), None, "there is no place to count");
        assert_eq!(table.wait(keys[8], at(8)), Some(Duration::from_secs(52)), "so it waits, too");
        assert!(keys[..8].iter().all(|key| table.wait(*key, at(8)).is_some()));
        assert_eq!(table.wait(keys[8], at(60)), None);
    }

    #[test]
    fn the_place_untouched_for_longest_is_given_away() {
        let mut table = Counters::new();
        let keys: Vec<_> = (1..=9).map(|mark| Key { row: 0, mark }).collect();
        for (second, key) in keys.iter().enumerate() {
            table.fail(*key, at(second as u64), 2, &RULES);
        }
        assert!(table.fail(keys[1], at(10), 2, &RULES).is_some(), "was counted before");
        assert!(table.fail(keys[0], at(10), 2, &RULES).is_none(), "was forgotten");
    }
}
