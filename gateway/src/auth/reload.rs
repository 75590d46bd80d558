//! Reloading the users file, and what it changes for sessions.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::{Auth, gateway_tokens, in_turn};
use crate::audit::{Event, EventKind};
use crate::directory::Directory;
use crate::directory::file::{FileDirectory, Reloaded};
use crate::directory::users::UserChange;
use crate::file_identity::Files;
use crate::file_identity::watched::{Occasion, Source, Watched};
use crate::metrics::{METRICS, label};
use crate::session::store::{self, StoreError};
use crate::toml_reader::Diagnostic;

/// The users file, with what its changes mean for sessions.
struct WatchedUsers {
    auth: Arc<Auth>,
    file: Arc<FileDirectory>,
}

/// The users file as something to be looked at; `None` if there is none.
pub fn users_file(auth: &Arc<Auth>) -> Option<Watched> {
    let Directory::File(file) = &auth.directory else { return None };
    let path = file.path()?.to_owned();
    let source = WatchedUsers { auth: Arc::clone(auth), file: Arc::clone(file) };
    Some(Watched::new(Box::new(source), [path]))
}

/// What is wrong with the users file in force, as it is now.
pub fn faults_of_users(auth: &Auth) -> Vec<Diagnostic> {
    match &auth.directory {
        Directory::File(file) => file.faults(),
        Directory::Influxdb(_) => Vec::new(),
    }
}

/// Carries out what a users file that was read anew has brought.
fn carry_out(auth: &Auth, reloaded: Reloaded, occasion: Occasion) {
    let Reloaded { fates, added, tokens, count } = reloaded;
    // What the gateway has written there itself brings nothing new.
    let is_told = occasion == Occasion::Told || !fates.is_empty() || added > 0;
    let (ended, changed) = tell_sessions(auth, fates);
    gateway_tokens::note_changes(auth, &tokens);
    if is_told {
        log::info!(
            "the users file was read again: {count} users, {added} new; \
             {ended} sessions ended, {changed} changed"
        );
        auth.audit.record(Event::now(EventKind::Reloaded(count)));
        METRICS.users_reloads.count(label::Reload::Taken);
    }
    if is_told && count == 0 {
        log::warn!("the users file has no [[user]] any more: nobody can sign in");
    }
}

/// Has the sessions of users know what has become of them; returns how many were ended, and how
/// many changed. What the session store cannot be told now waits for [`catch_up`].
fn tell_sessions(auth: &Auth, fates: Vec<UserChange>) -> (usize, usize) {
    let mut untold = auth.untold.lock().unwrap_or_else(PoisonError::into_inner);
    let is_news = !fates.is_empty();
    untold.extend(fates);
    let (mut ended, mut changed) = (0, 0);
    let mut tell = |fate: &UserChange| {
        match fate {
            UserChange::Gone(user) => {
                ended += store::wait(auth.sessions.revoke_user(*user, None))?;
            }
            UserChange::Password(account, before) => {
                let user = &account.user;
                ended +=
                    store::wait(auth.sessions.revoke_older(user.id(), (*before, account.mark())))?;
                changed += store::wait(auth.sessions.replace_user(user))?;
            }
            UserChange::Changed(user) => {
                changed += store::wait(auth.sessions.replace_user(user))?;
            }
        }
        Ok::<_, StoreError>(())
    };
    while let Some(fate) = untold.front() {
        if let Err(error) = tell(fate) {
            // Not with every attempt.
            if is_news {
                let count = untold.len();
                log::error!(
                    "{count} users have changed and their sessions go on as they were: {error}"
                );
            }
            break;
        }
        untold.pop_front();
    }
    (ended, changed)
}

/// Tells the session store what it could not be told before, if there is anything. For a thread
/// that serves no requests.
pub fn catch_up(auth: &Auth) {
    let _turn = in_turn(&auth.reloading);
    look_back(auth);
    if !auth.untold.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        let (ended, changed) = tell_sessions(auth, Vec::new());
        if ended + changed > 0 {
            log::info!(
                "told the session store of users: {ended} sessions ended, {changed} changed"
            );
        }
    }
}

/// Once, in a store that outlives the process: the users file may have changed while no gateway ran, so all
/// sessions have to be told what their users are.
fn look_back(auth: &Auth) {
    let Directory::File(file) = &auth.directory else { return };
    if auth.sessions.outlives_process() && !auth.has_looked_back.swap(true, Ordering::Relaxed) {
        let mut untold = auth.untold.lock().unwrap_or_else(PoisonError::into_inner);
        untold.extend(file.as_changes());
    }
}

impl Source for WatchedUsers {
    fn take(&self, files: &Files, occasion: Occasion) -> Result<(), Vec<String>> {
        // One after the other, or what an older file meant could be done after a newer one's.
        let _turn = in_turn(&self.auth.reloading);
        match self.file.reload(files) {
            None => {}
            Some(Ok(reloaded)) => carry_out(&self.auth, reloaded, occasion),
            Some(Err(faults)) => return Err(faults.iter().map(ToString::to_string).collect()),
        }
        Ok(())
    }

    fn refused(&self, faults: &[String]) {
        for fault in faults {
            log::error!("{fault}");
        }
        log::error!("the users file has faults: the old users stay");
        self.auth.audit.record(Event::now(EventKind::ReloadRefused(faults.len())));
        METRICS.users_reloads.count(label::Reload::Refused);
    }
}
