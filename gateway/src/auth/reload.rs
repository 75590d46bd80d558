//! The users file read anew, and what that means for those who are signed in.

use std::sync::Arc;

use super::{Auth, in_turn};
use crate::audit::{Event, Kind};
use crate::directory::Directory;
use crate::directory::file::{FileDirectory, Reloaded};
use crate::directory::users::Fate;
use crate::user::User;

impl Auth {
    /// Reads the users file anew, if there is one. Slow: it reads a file.
    pub fn reload(&self) {
        if let Directory::File(file) = &self.directory {
            // It is known now; nobody has to look at it again.
            file.has_changed();
            self.take(file, |_| true);
        }
    }

    /// Reads the users file anew if it has changed.
    pub fn reload_if_changed(&self) {
        if let Directory::File(file) = &self.directory
            && file.has_changed()
        {
            // What the gateway has written there itself brings nothing new.
            self.take(file, |reloaded| !reloaded.fates.is_empty() || reloaded.added > 0);
        }
    }

    fn take(&self, file: &FileDirectory, is_told: impl FnOnce(&Reloaded) -> bool) {
        // One after the other, or what an older file meant could be done after a newer one's.
        let _turn = in_turn(&self.reloading);
        match file.reload() {
            None => {}
            Some(Ok(reloaded)) => {
                let is_told = is_told(&reloaded);
                let Reloaded { fates, added, count } = reloaded;
                let (mut ended, mut changed) = (0, 0);
                for fate in fates {
                    match fate {
                        Fate::Ended(user) => ended += self.sessions.revoke(user, None),
                        Fate::Changed(user) => changed += self.change(&user),
                    }
                }
                if is_told {
                    log::info!(
                        "the users file was read anew: {count} users, {added} new; \
                         {ended} sessions ended, {changed} changed"
                    );
                    self.audit.record(Event::now(Kind::Reloaded(count)));
                }
            }
            Some(Err(faults)) => {
                for fault in &faults {
                    log::error!("{fault}");
                }
                log::error!("the users file is at fault: the old users stay");
                self.audit.record(Event::now(Kind::ReloadRefused(faults.len())));
            }
        }
    }
    /// Tells the sessions of `user` what has become of them; returns how many.
    pub(super) fn change(&self, user: &Arc<User>) -> usize {
        let sessions = self.sessions.of(user.id());
        for session in &sessions {
            session.set_user(Arc::clone(user));
        }
        sessions.len()
    }
}
