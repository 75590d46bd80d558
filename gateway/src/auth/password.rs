//! Changes of passwords that are kept in the users file.

use std::sync::Arc;

use super::changes::Change;
use super::signin;
use super::throttle::Guess;
use super::{Auth, SignInError, event, in_turn};
use crate::audit::EventKind;
use crate::clock::Moment;
use crate::directory::edit::EditError;
use crate::directory::file::SetError;
use crate::directory::users::Account;
use crate::directory::{Directory, Overloaded};
use crate::request_meta::RequestMeta;
use crate::session::{Session, store};
use crate::user::password::Password;

/// The password of a session's user that was in force when it was to be changed. If it is another
/// one when the new one is to be set, that stays.
pub struct InForce {
    session: Arc<Session>,
    account: Account,
}

impl InForce {
    /// By which session it is to be changed.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// Why a password was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The directory keeps no passwords here.
    Elsewhere,
    /// The session has ended, or is about to: the users file says something else of its user.
    Ended,
    /// Another password was set in the meantime, by the session itself.
    Changed,
    /// The new password could not be stored; the log says why. The old one stays.
    NotStored,
    /// Somebody else has the file for now; the log says so. The old one stays.
    Locked,
    /// The session store cannot be asked. The old one stays.
    Store,
    /// Too many are waiting to be hashed.
    Overloaded,
    /// The new password is in force, but the session store cannot be asked to end the user's other
    /// sessions.
    OthersStay,
}

impl From<Overloaded> for ChangeError {
    fn from(Overloaded: Overloaded) -> Self {
        Self::Overloaded
    }
}

/// The password of the session's user; `None` if it is not kept here, or the user is gone.
pub fn password_of(auth: &Auth, session: &Arc<Session>) -> Option<InForce> {
    let Directory::File(file) = &auth.directory else { return None };
    let account = file.account(&session.user())?;
    Some(InForce { session: Arc::clone(session), account })
}

/// Lets the session's user change the password, if not too many such changes of theirs are under
/// way.
pub fn begin_change(auth: &Auth, session: &Session) -> Result<Change, ChangeError> {
    auth.changes.begin(session.user_id()).ok_or(ChangeError::Overloaded)
}

/// Makes sure that `password` is that of the session's user. Slow by design, and a guess like
/// any other at that user's name.
pub async fn check_password_of(
    auth: &Auth,
    session: &Session,
    password: Password,
    meta: &RequestMeta<'_>,
) -> Result<(), SignInError> {
    let Directory::File(file) = &auth.directory else { return Err(SignInError::Unavailable) };
    let name = &session.user().name;
    let guess = Guess::new(meta.network(), &name.into());
    let verified = signin::verify(auth, file, Some(name), password, guess).await;
    verified.map(drop).inspect_err(|error| {
        signin::note_refused(auth, error, meta, &name.into(), Some(session.id()));
    })
}

/// Replaces the password `old` by a new one and ends the user's other sessions.
///
/// Both or neither, whether the client waits for it or not; and never between an edit of the
/// users file and the end of the sessions that it ends.
pub async fn change_password(
    auth: &Auth,
    old: &InForce,
    new: Password,
    meta: &RequestMeta<'_>,
) -> Result<(), ChangeError> {
    let Directory::File(file) = &auth.directory else { return Err(ChangeError::Elsewhere) };
    let name = &old.account.user.name;
    let claim = Guess::new(meta.network(), &name.into()).claim_of_known();
    let new = file.hash(new, claim).await?;
    let (file, sessions) = (Arc::clone(file), Arc::clone(&auth.sessions));
    let (session, account) = (Arc::clone(&old.session), old.account.clone());
    let (reloading, audit) = (Arc::clone(&auth.reloading), auth.audit.clone());
    let changed = event(EventKind::PasswordChanged, &session).on(meta);
    // Not in turn: whoever has locked the file holds up nobody who reads it.
    let lock = file.lock().await.map_err(|error| why(&account, &error.into()))?;
    let set = move || {
        let _turn = in_turn(&reloading);
        if !sessions.is_live(&session, Moment::now()) {
            return Err(ChangeError::Ended);
        }
        // Another gateway that reads the file ends what was opened with another password: not this.
        let marks = (account.mark(), new.mark());
        let carry_over = |(before, after)| {
            store::wait(sessions.carry_over(session.user_id(), (before, after), Some(session.id())))
        };
        carry_over(marks).map_err(|_| ChangeError::Store)?;
        if let Err(error) = file.set_password(&account, &new, lock) {
            // If that fails too, the session ends when a users file is read.
            let _ = carry_over((marks.1, marks.0));
            return Err(why(&account, &error));
        }
        audit.record(changed);
        let others = sessions.revoke_user(session.user_id(), Some(session.id()));
        store::wait(others).map(drop).map_err(|error| {
            let name = &account.user.name;
            log::error!("{name} has a new password, and other sessions that go on: {error}");
            ChangeError::OthersStay
        })
    };
    // It writes a file, which is nothing for a thread that serves requests.
    tokio::task::spawn_blocking(set).await.unwrap_or(Err(ChangeError::NotStored))
}

fn why(account: &Account, error: &SetError) -> ChangeError {
    match error {
        SetError::Changed => ChangeError::Changed,
        SetError::File(EditError::Changed(_) | EditError::Missing(_)) => ChangeError::Ended,
        SetError::File(error) => {
            log::error!("the password of {} was not changed: {error}", account.user.name);
            match error {
                EditError::Locked { .. } => ChangeError::Locked,
                _ => ChangeError::NotStored,
            }
        }
    }
}
