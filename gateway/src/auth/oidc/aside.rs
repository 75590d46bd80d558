//! Log-out tokens that nobody can judge yet: their key is not known, and the provider cannot be asked for it again so soon.
//! They are put aside, and judged once it has been.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::clock::Moment;
use crate::request_meta::ClientKey;

/// So many are kept of a provider, and of them so many that one client has sent. Anybody can send some, so that those of the
/// provider must have room beside them.
const MOST: usize = 1024;
const MOST_OF_ONE: usize = 256;

/// A token.
#[derive(PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) client: ClientKey,
    pub(super) token: String,
    pub(super) since: Moment,
}

/// Those of one provider.
#[derive(Default)]
pub struct Aside(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    waiting: Vec<Waiting>,
    /// Whether somebody sees to them.
    is_seen_to: bool,
}

impl Aside {
    /// Keeps `token` of `client`, if there is room; returns whether somebody has to come and see to it.
    pub(super) fn put(&self, client: ClientKey, token: &str, now: Moment) -> bool {
        let mut inside = self.lock();
        let waiting = &mut inside.waiting;
        let of_client = waiting.iter().filter(|it| it.client == client).count();
        let is_there = waiting.iter().any(|it| it.token == token);
        if is_there || waiting.len() >= MOST || of_client >= MOST_OF_ONE {
            return false;
        }
        waiting.push(Waiting { client, token: token.to_owned(), since: now });
        !std::mem::replace(&mut inside.is_seen_to, true)
    }

    /// All of them.
    pub(super) fn take(&self) -> Vec<Waiting> {
        std::mem::take(&mut self.lock().waiting)
    }

    /// Puts those back that nobody can judge yet. Whether there are any is for whoever sees to them to know.
    pub(super) fn put_back(&self, left: Vec<Waiting>) -> bool {
        let mut inside = self.lock();
        inside.waiting.extend(left);
        inside.waiting.truncate(MOST);
        inside.is_seen_to = !inside.waiting.is_empty();
        inside.is_seen_to
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_leaves_room_for_others_and_a_token_is_kept_once() {
        let aside = Aside::default();
        let client = |last: u8| ClientKey::of(Some([192, 0, 2, last].into()));
        let now = Moment::START;
        assert!(aside.put(client(1), "token", now));
        assert!(!aside.put(client(2), "token", now));
        assert_eq!(aside.lock().waiting.len(), 1);
        for number in 0..2 * MOST_OF_ONE {
            aside.put(client(1), &number.to_string(), now);
        }
        assert_eq!(aside.lock().waiting.len(), MOST_OF_ONE);
        for last in 2..=255 {
            for number in 0..10 {
                aside.put(client(last), &format!("{last} {number}"), now);
            }
        }
        assert_eq!(aside.lock().waiting.len(), MOST);
        // It is seen to until nothing is left.
        let left = aside.take();
        assert!(!aside.put(client(1), "new", now));
        assert!(aside.put_back(left));
        assert_eq!(aside.lock().waiting.len(), MOST);
        aside.take();
        assert!(!aside.put_back(Vec::new()));
        assert!(aside.put(client(1), "new", now));
    }
}
