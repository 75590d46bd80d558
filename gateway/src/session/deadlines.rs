//! When to look at which session again, so that those that have idled out are forgotten.
//!
//! moka forgets by itself, but all that has expired at once, and on the thread of a request: a million
//! sessions that idle out together held one up for most of a second. Here they come a few at
//! a time, and a session that is used costs nothing but one more look when it would have ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use super::Session;
use crate::clock::Moment;

/// In how many milliseconds deadlines are taken for the same.
const TICK: u64 = 100;

/// Sessions by the tick in which they will have ended, unless they are used in the meantime.
#[derive(Default)]
pub(super) struct Deadlines(BTreeMap<u64, Vec<Weak<Session>>>);

impl Deadlines {
    /// Has `session` looked at when `end` is over.
    pub(super) fn enter(&mut self, session: &Arc<Session>, end: Moment) {
        self.0.entry(end.millis().div_ceil(TICK)).or_default().push(Arc::downgrade(session));
    }

    /// Takes out sessions whose deadline is over, `most` of them.
    pub(super) fn take_due(&mut self, now: Moment, most: usize) -> Vec<Weak<Session>> {
        let mut due = Vec::new();
        while due.len() < most
            && let Some(mut first) = self.0.first_entry()
            && *first.key() <= now.millis() / TICK
        {
            let sessions = first.get_mut();
            due.extend(sessions.drain(sessions.len().saturating_sub(most - due.len())..));
            if sessions.is_empty() {
                first.remove();
            }
        }
        due
    }
}
