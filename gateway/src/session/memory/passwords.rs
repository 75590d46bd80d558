//! What two processes say to each other of passwords, while one takes over from the other.
//!
//! Both read the users file, and either may write it. Whoever does, says before what it means: so the other one tells a
//! password that was hashed anew from another one, and sessions that are good with the new one from those that are not.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};

use crate::session::lock;
use crate::session::token::SessionId;
use crate::user::UserId;
use crate::user::password::PasswordMark;

/// So many hashes are known to be of the password of another one. Beyond it, all are forgotten.
const MOST: usize = 100_000;

/// What one process says to the other. Marks are written as their bits.
#[derive(Clone, Serialize, Deserialize)]
pub enum Said {
    /// The second password is the first, hashed anew.
    Same(u64, u64),
    /// The session of this digest stays, though its user, who is this one, is about to have this password.
    Kept(String, u64, u64),
}

impl Said {
    pub(super) fn same(before: PasswordMark, after: PasswordMark) -> Self {
        Self::Same(before.0, after.0)
    }

    pub(super) fn kept(session: &SessionId, user: UserId, mark: PasswordMark) -> Self {
        Self::Kept(session.hex(), user.bits(), mark.0)
    }
}

/// What is known of them.
#[derive(Default)]
pub struct Passwords(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Of each hash that has replaced another one of the same password: the first of these.
    firsts: HashMap<PasswordMark, PasswordMark>,
    /// The password that the other process sets for a user, until the users file has been read.
    coming: HashMap<UserId, PasswordMark>,
    /// The password with which a session of the other process is good.
    opened: HashMap<SessionId, PasswordMark>,
}

impl Known {
    fn first(&self, mark: PasswordMark) -> PasswordMark {
        self.firsts.get(&mark).copied().unwrap_or(mark)
    }

    fn are_same(&self, one: PasswordMark, other: PasswordMark) -> bool {
        self.first(one) == self.first(other)
    }
}

impl Passwords {
    /// The hash `after` is of the same password as `before`.
    pub(super) fn note_same(&self, before: PasswordMark, after: PasswordMark) {
        let mut known = lock(&self.0);
        if known.firsts.len() >= MOST {
            known.firsts.clear();
        }
        let first = known.first(before);
        known.firsts.insert(after, first);
    }

    /// All that are the same, for another process.
    pub fn all_same(&self) -> Vec<Said> {
        lock(&self.0).firsts.iter().map(|(after, first)| Said::same(*first, *after)).collect()
    }

    /// Takes note of what the other process says.
    pub(super) fn hear(&self, said: Said) {
        match said {
            Said::Same(before, after) => {
                self.note_same(PasswordMark(before), PasswordMark(after));
            }
            Said::Kept(session, user, mark) => {
                if let Some(session) = SessionId::of_hex(session.as_bytes()) {
                    self.is_coming(UserId::of_bits(user), session, PasswordMark(mark));
                }
            }
        }
    }

    /// The first hash of that password: by it, every process finds it.
    pub fn first(&self, mark: PasswordMark) -> PasswordMark {
        lock(&self.0).first(mark)
    }

    /// The other process is about to set the password `mark` for `user`, and `session` stays.
    fn is_coming(&self, user: UserId, session: SessionId, mark: PasswordMark) {
        let mut known = lock(&self.0);
        known.coming.insert(user, mark);
        known.opened.insert(session, mark);
    }

    /// `session`, which is another process's, was opened with `mark`.
    pub(super) fn opened(&self, session: SessionId, mark: PasswordMark) {
        lock(&self.0).opened.insert(session, mark);
    }

    /// Whether `mark`, which another process says is the password of `user`, is `here` too, or is about to be.
    pub fn agrees(&self, user: UserId, mark: PasswordMark, here: PasswordMark) -> bool {
        let known = lock(&self.0);
        let coming = known.coming.get(&user);
        known.are_same(mark, here) || coming.is_some_and(|coming| known.are_same(mark, *coming))
    }

    /// The users file says that `user` has the password `after` instead of `before`: which sessions of the other process
    /// are good with it; `None` if all are, for it is the same.
    pub(super) fn changed(
        &self,
        user: UserId,
        before: Option<PasswordMark>,
        after: PasswordMark,
    ) -> Option<HashSet<SessionId>> {
        let mut known = lock(&self.0);
        known.coming.remove(&user);
        if before.is_some_and(|before| known.are_same(before, after)) {
            return None;
        }
        let good = known.opened.iter().filter(|(_, mark)| known.are_same(**mark, after));
        Some(good.map(|(session, _)| *session).collect())
    }

    /// Another process begins to take over.
    pub(super) fn begin(&self) {
        let mut known = lock(&self.0);
        (known.coming, known.opened) = Default::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::token::SessionToken;

    #[test]
    fn the_same_password_ends_nothing_and_another_one_spares_whom_it_is_of() {
        let passwords = Passwords::default();
        let [b, a, a2, other, x] = [1, 2, 3, 4, 5].map(PasswordMark);
        let user = UserId::of_bits(7);
        let [stays, old] = [(); 2].map(|()| SessionToken::generate().id());
        passwords.note_same(b, a);
        passwords.note_same(a, a2);
        assert!(passwords.agrees(user, a2, b) && passwords.agrees(user, b, a2));
        assert!(!passwords.agrees(user, other, b));
        assert!(passwords.changed(user, Some(a), a2).is_none());
        passwords.opened(old, a);
        passwords.is_coming(user, stays, other);
        assert!(
            passwords.agrees(user, other, b) && !passwords.agrees(UserId::of_bits(8), other, b)
        );
        // One that nobody has spoken of comes first: what was announced is an old one then.
        assert_eq!(passwords.changed(user, Some(b), x), Some(HashSet::new()));
        assert!(!passwords.agrees(user, other, x));
        assert_eq!(passwords.changed(user, Some(x), other), Some(HashSet::from([stays])));
        assert_eq!(passwords.changed(user, Some(other), b), Some(HashSet::from([old])));
    }
}
