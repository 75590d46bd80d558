//! Limits how many password changes of one user run at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::user::UserId;

/// How many of one user may run at once. More are an accident or an attack, and a hash is expensive.
const MOST: usize = 4;

/// Counts password changes of each user.
#[derive(Clone, Default)]
pub(super) struct Changes(Arc<Mutex<HashMap<UserId, usize>>>);

/// A password change in progress. It is counted until this is dropped.
pub struct Change {
    changes: Changes,
    user: UserId,
}

impl Changes {
    /// Another one of `user`'s, unless there are [`MOST`].
    pub(super) fn begin(&self, user: UserId) -> Option<Change> {
        let mut counts = self.lock();
        let count = counts.entry(user).or_default();
        (*count < MOST).then(|| {
            *count += 1;
            Change { changes: self.clone(), user }
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let mut counts = self.changes.lock();
        if let Some(count) = counts.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_21_one_user_has_so_many_changes_under_way_and_another_too() {
        let changes = Changes::default();
        let [ada, bob] = ["0000000000000001", "0000000000000002"].map(|id| id.parse().unwrap());
        let mut of_ada: Vec<_> = (0..MOST).map(|_| changes.begin(ada).unwrap()).collect();
        assert!(changes.begin(ada).is_none() && changes.begin(bob).is_some());
        of_ada.pop();
        of_ada.extend(changes.begin(ada));
        assert_eq!(of_ada.len(), MOST);
        of_ada.clear();
        assert!(changes.lock().is_empty());
    }
}
