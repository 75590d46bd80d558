//! Deadlines at which sessions are checked again, so that idle ones are removed.
//!
//! moka forgets by itself, but all that has expired at once, and on the thread of a request: a million
//! sessions that idle out together held one up for most of a second. Here they come a few at
//! a time, and a session that is used costs nothing but one more look when it would have ended.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::{Place, Session};
use crate::clock::Moment;

/// The length of a tick in milliseconds. Deadlines in one tick count as the same.
const TICK: u64 = 100;

/// The tick of a session that is not in here.
const NONE: u32 = 0;

/// Sessions by the tick in which they will have ended, unless they are used in the meantime. Each knows
/// its own.
#[derive(Default)]
pub(super) struct Deadlines(BTreeMap<u32, Vec<Weak<Session>>>);

impl Deadlines {
    /// Has `session` looked at when `end` is over.
    pub(super) fn insert(&mut self, session: &Arc<Session>, end: Moment) {
        // In thirteen years at the latest.
        let tick = u32::try_from(end.millis().div_ceil(TICK)).unwrap_or(u32::MAX).max(NONE + 1);
        session.tick.store(tick, Ordering::Relaxed);
        self.0.entry(tick).or_default().push(Arc::downgrade(session));
    }

    /// Forgets `session`, which has ended: or the little that is kept of it here would be kept until it
    /// would have idled out.
    pub(super) fn remove(&mut self, session: &Session) {
        let tick = session.tick.swap(NONE, Ordering::Relaxed);
        let Entry::Occupied(mut entry) = self.0.entry(tick) else { return };
        let sessions = entry.get_mut();
        if let Some(place) = sessions.iter().position(|other| ptr::eq(other.as_ptr(), session)) {
            sessions.swap_remove(place);
        }
        if sessions.is_empty() {
            entry.remove();
        } else if sessions.len() < sessions.capacity() / 4 {
            sessions.shrink_to(sessions.len() * 2);
        }
    }

    /// Takes out sessions whose deadline is over, `most` of them.
    pub(super) fn take_due(&mut self, now: Moment, most: usize) -> Vec<Weak<Session>> {
        let mut due: Vec<Weak<Session>> = Vec::new();
        while due.len() < most
            && let Some(mut first) = self.0.first_entry()
            && u64::from(*first.key()) <= now.millis() / TICK
        {
            let sessions = first.get_mut();
            due.extend(sessions.drain(sessions.len().saturating_sub(most - due.len())..));
            if sessions.is_empty() {
                first.remove();
            }
        }
        for session in due.iter().filter_map(Weak::upgrade) {
            session.tick.store(NONE, Ordering::Relaxed);
        }
        due
    }

    /// Up to `most` sessions from the place `from` on, and where the list goes on.
    ///
    /// One that is put off meanwhile comes again, later. Within a tick the list runs from the end, as the last takes the
    /// place of one that is removed.
    pub(super) fn page(&self, from: Place, most: usize) -> (Vec<Weak<Session>>, Option<Place>) {
        let mut found = Vec::new();
        let first = u32::try_from(from.time).unwrap_or(u32::MAX);
        for (tick, sessions) in self.0.range(first..) {
            let is_begun = *tick == first && from.which > 0;
            let left = if is_begun { sessions.len().min(from.which) } else { sessions.len() };
            let rest = left.saturating_sub(most - found.len());
            found.extend(sessions[rest..left].iter().rev().cloned());
            if found.len() == most {
                let time = u64::from(*tick) + u64::from(rest == 0);
                return (found, Some(Place { time, which: rest }));
            }
        }
        (found, None)
    }

    /// How many sessions are in here.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}
