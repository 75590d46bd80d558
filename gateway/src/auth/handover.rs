//! Sessions of another process, which has other eyes on who the users are.

use std::sync::{Arc, MutexGuard};

use super::{Auth, in_turn};
use crate::clock::Moment;
use crate::directory::Directory;
use crate::session::Session;
use crate::session::entry::{Entry, KnownHere};
use crate::session::memory::MemoryStore;
use crate::session::provider::Granting;
use crate::session::store::SessionStore;
use crate::user::User;
use crate::user::password::PasswordMark;

/// `session` for another process; `None` if it is over.
pub fn give(auth: &Auth, session: &Session) -> Option<Entry> {
    let SessionStore::Memory(store) = &*auth.sessions else { return None };
    Entry::of(session, mark(auth, &session.user()).map(|mark| store.passwords().first(mark)))
}

/// While this is held, nothing becomes of the users file that was read anew.
pub fn hold_users(auth: &Auth) -> MutexGuard<'_, ()> {
    in_turn(&auth.reloading)
}

/// Enters a session of another process, which `began_now` or was there before; false if it does not hold here, or was
/// known.
pub fn take(auth: &Auth, entry: Entry, began_now: bool, now: Moment) -> bool {
    let SessionStore::Memory(store) = &*auth.sessions else { return false };
    let mark = entry.mark().filter(|_| began_now);
    let session = entry.session(|entry, user| known(auth, store, entry, user));
    let Some(session) = session.and_then(|session| store.take_over(session, mark, now)) else {
        return false;
    };
    if let Some(upstream_sessions) =
        auth.upstream_sessions.as_ref().filter(|_| session.upstream().is_some())
    {
        upstream_sessions.adopt(&session, now);
    }
    true
}

/// The password of `user`, by its mark; none where InfluxDB knows the passwords.
fn mark(auth: &Auth, user: &User) -> Option<PasswordMark> {
    let Directory::File(file) = &auth.directory else { return None };
    Some(file.account(user)?.mark())
}

/// Who a user of another process is here: of a users file, whoever has the same password still; of a provider, whoever has
/// a grant.
fn known(auth: &Auth, store: &MemoryStore, entry: &Entry, user: User) -> Option<KnownHere> {
    let file = match &auth.directory {
        Directory::File(file) => Some(file),
        Directory::Influxdb(_) => None,
    };
    let here = file.and_then(|file| file.user(user.id));
    let of_user = |user| KnownHere { user, token: None };
    if let Some((provider, _)) = entry.came_by()
        && !auth.still_is((user.id, &user.name), provider, || entry.subject())
    {
        return None;
    }
    match (entry.came_by(), here) {
        (Some((provider, groups)), None) if !entry.is_linked() => {
            let granted = auth.oidc()?.granted(provider, &user.name, groups)?;
            let user = Arc::new(User { access: granted.access, ..user });
            Some(KnownHere { user, token: granted.token })
        }
        (_, Some(here)) => {
            let agrees = store.passwords().agrees(here.id, entry.mark()?, mark(auth, &here)?);
            agrees.then(|| of_user(here))
        }
        (Some(_), None) => None,
        (None, None) => {
            let is_of_influxdb = file.is_none() && entry.mark().is_none();
            is_of_influxdb.then(|| of_user(Arc::new(user)))
        }
    }
}
