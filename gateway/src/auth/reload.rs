//! Reloading the users file, and what it changes for sessions.

use std::sync::Arc;

use super::{Auth, in_turn};
use crate::audit::{Event, Kind};
use crate::directory::Directory;
use crate::directory::file::{FileDirectory, Reloaded};
use crate::directory::users::Fate;
use crate::stamp::Files;
use crate::stamp::watched::{Occasion, Source, Watched};

/// The users file, with what its changes mean for sessions.
struct UsersFile {
    auth: Arc<Auth>,
    file: Arc<FileDirectory>,
}

impl Auth {
    /// The users file as something to be looked at; `None` if there is none.
    pub fn users_file(self: &Arc<Self>) -> Option<Watched> {
        let Directory::File(file) = &self.directory else { return None };
        let path = file.path()?.to_owned();
        let source = UsersFile { auth: Arc::clone(self), file: Arc::clone(file) };
        Some(Watched::new(Box::new(source), [path]))
    }

    /// Carries out what a users file that was read anew has brought.
    fn carry_out(&self, reloaded: Reloaded, occasion: Occasion) {
        let Reloaded { fates, added, count } = reloaded;
        // What the gateway has written there itself brings nothing new.
        let is_told = occasion == Occasion::Told || !fates.is_empty() || added > 0;
        let (mut ended, mut changed) = (0, 0);
        for fate in fates {
            match fate {
                Fate::Ended(user) => ended += self.sessions.revoke(user, None),
                Fate::Changed(user) => changed += self.sessions.change(&user),
            }
        }
        if is_told {
            log::info!(
                "the users file was read again: {count} users, {added} new; \
                 {ended} sessions ended, {changed} changed"
            );
            self.audit.record(Event::now(Kind::Reloaded(count)));
        }
        if is_told && count == 0 {
            log::warn!("the users file has no [[user]] any more: nobody can sign in");
        }
    }
}

impl Source for UsersFile {
    fn take(&self, files: &Files, occasion: Occasion) -> Result<(), Vec<String>> {
        // One after the other, or what an older file meant could be done after a newer one's.
        let _turn = in_turn(&self.auth.reloading);
        match self.file.reload(files) {
            None => {}
            Some(Ok(reloaded)) => self.auth.carry_out(reloaded, occasion),
            Some(Err(faults)) => return Err(faults.iter().map(ToString::to_string).collect()),
        }
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        for fault in faults {
            log::error!("{fault}");
        }
        log::error!("the users file has faults: the old users stay");
        self.auth.audit.record(Event::now(Kind::ReloadRefused(faults.len())));
    }
}
