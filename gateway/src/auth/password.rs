//! New passwords, where they are kept here.

use super::{Auth, SignInError, event};
use crate::audit::Kind;
use crate::directory::Directory;
use crate::directory::file::SetError;
use crate::session::Session;
use crate::user::password::Password;
use crate::visit::Visit;

/// Why a password was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The directory keeps no passwords here.
    Elsewhere,
    /// The new password could not be stored; the log says why. The old one stays.
    NotStored,
    /// Too many are waiting to be hashed.
    Busy,
}

impl Auth {
    /// Whether passwords are changed here, and not upstream.
    pub fn keeps_passwords(&self) -> bool {
        matches!(self.directory, Directory::File(_))
    }

    /// Makes sure that `password` is that of the session's user. Slow by design, and a guess like
    /// any other at that user's name.
    pub async fn check_password_of(
        &self,
        session: &Session,
        password: Password,
        visit: &Visit<'_>,
    ) -> Result<(), SignInError> {
        let Directory::File(file) = &self.directory else { return Err(SignInError::Unavailable) };
        let name = &session.user().name;
        let guess = self.throttle.guess(visit.network(), &name.into());
        let verified = self.verify(file, Some(name), password, guess).await;
        verified.map(drop).inspect_err(|error| {
            let fingerprint = session.id().fingerprint();
            self.note_refused(error, |event| event.on(visit).to(name).within(fingerprint));
        })
    }

    /// Gives the session's user a new password and ends the user's other sessions.
    pub async fn change_password(
        &self,
        session: &Session,
        new: Password,
        visit: &Visit<'_>,
    ) -> Result<(), ChangeError> {
        let Directory::File(file) = &self.directory else { return Err(ChangeError::Elsewhere) };
        let user = session.user();
        file.set_password(&user.name, new).await.map_err(|error| match error {
            SetError::Busy => ChangeError::Busy,
            SetError::File(error) => {
                log::error!("the password of {} was not changed: {error}", user.name);
                ChangeError::NotStored
            }
        })?;
        self.audit.record(event(Kind::PasswordChanged, session).on(visit));
        self.end_others(session);
        Ok(())
    }
}
