//! Sessions of another process, which has other eyes on who the users are.

use std::sync::Arc;

use super::Auth;
use crate::clock::Moment;
use crate::directory::Directory;
use crate::session::Session;
use crate::session::entry::{Entry, KnownHere};
use crate::session::provider::Granting;
use crate::session::store::SessionStore;
use crate::user::User;

/// `session` for another process; `None` if it is over.
pub fn give(auth: &Auth, session: &Session) -> Option<Entry> {
    Entry::of(session, mark(auth, &session.user()))
}

/// Enters a session of another process; false if it does not hold here, or was known.
pub fn take(auth: &Auth, entry: Entry, now: Moment) -> bool {
    let SessionStore::Memory(store) = &*auth.sessions else { return false };
    let session = entry.session(|entry, user| known(auth, entry, user));
    let Some(session) = session.and_then(|session| store.take_over(session, now)) else {
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
fn mark(auth: &Auth, user: &User) -> Option<String> {
    let Directory::File(file) = &auth.directory else { return None };
    Some(file.account(user)?.mark().to_string())
}

/// Who a user of another process is here: of a users file, whoever has the same password still; of a provider, whoever has
/// a grant.
fn known(auth: &Auth, entry: &Entry, user: User) -> Option<KnownHere> {
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
            let marked = entry.mark();
            let is_same = marked.is_some() && mark(auth, &here).as_deref() == marked;
            is_same.then(|| of_user(here))
        }
        (Some(_), None) => None,
        (None, None) => {
            let is_of_influxdb = file.is_none() && entry.mark().is_none();
            is_of_influxdb.then(|| of_user(Arc::new(user)))
        }
    }
}
