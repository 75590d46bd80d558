//! Sessions of another process, which has other eyes on who the users are.

use std::sync::Arc;

use super::Auth;
use crate::clock::Moment;
use crate::directory::Directory;
use crate::session::Session;
use crate::session::entry::Entry;
use crate::session::store::SessionStore;
use crate::user::User;

/// `session` for another process; `None` if it is over.
pub fn give(auth: &Auth, session: &Session) -> Option<Entry> {
    Entry::of(session, mark(auth, &session.user()))
}

/// Enters a session of another process; false if it does not hold here, or was known.
pub fn take(auth: &Auth, entry: Entry, now: Moment) -> bool {
    let SessionStore::Memory(store) = &*auth.sessions else { return false };
    let session = entry.session(|user, mark| known(auth, user, mark));
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

/// Who a user of another process is here: of a users file, whoever has the same password still.
fn known(auth: &Auth, user: User, marked: Option<&str>) -> Option<Arc<User>> {
    let Directory::File(file) = &auth.directory else {
        return marked.is_none().then(|| Arc::new(user));
    };
    let here = file.user(user.id)?;
    (marked.is_some() && mark(auth, &here).as_deref() == marked).then_some(here)
}
