//! The three verbs: sign in, authenticate, sign out.

pub mod credential;

use std::sync::Arc;

use crate::clock::Moment;
use crate::directory::Directory;
use crate::session::Session;
use crate::session::memory::MemoryStore;
use crate::session::token::SessionToken;
use crate::user::name::Username;
use crate::user::password::Password;

/// Users and their sessions.
pub struct Auth {
    directory: Directory,
    sessions: Arc<MemoryStore>,
}

/// Why nobody was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInError {
    /// There is no such user, or that is not the password: never told which.
    Refused,
    /// There are as many sessions as there may be.
    Full,
}

/// The new password could not be stored; the log says why. The old one stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeError;

impl Auth {
    /// Users of `directory`, their sessions in `sessions`.
    pub fn new(directory: Directory, sessions: Arc<MemoryStore>) -> Self {
        Self { directory, sessions }
    }

    /// Checks the password and opens a session.
    ///
    /// An inactive user signs in too, as with InfluxDB, and is refused whatever comes next.
    pub async fn sign_in(
        &self,
        name: Option<&Username>,
        password: Password,
    ) -> Result<(SessionToken, Arc<Session>), SignInError> {
        let user = self.directory.verify(name, password).await.ok_or(SignInError::Refused)?;
        let token = SessionToken::generate();
        // Not the moment of the request: the verification may have waited for its turn.
        let now = Moment::now();
        let session =
            self.sessions.open(token.id(), user, now).map_err(|_full| SignInError::Full)?;
        Ok((token, session))
    }

    /// Whether `password` is that of the session's user. Slow by design.
    pub async fn is_password_of(&self, session: &Session, password: Password) -> bool {
        self.directory.verify(Some(&session.user().name), password).await.is_some()
    }

    /// Gives the session's user a new password and ends the user's other sessions.
    pub async fn change_password(
        &self,
        session: &Session,
        new: Password,
    ) -> Result<(), ChangeError> {
        let user = session.user();
        self.directory.set_password(&user.name, new).await.map_err(|error| {
            log::error!("the password of {} was not changed: {error}", user.name);
            ChangeError
        })?;
        self.sessions.close_others(user.id(), session.id());
        Ok(())
    }

    /// The live session of `token`, renewed.
    pub fn authenticate(&self, token: &SessionToken, now: Moment) -> Option<Arc<Session>> {
        self.sessions.touch(&token.id(), now)
    }

    /// Ends the session of `token` at once and returns it; `None` if there was none.
    pub fn sign_out(&self, token: &SessionToken, now: Moment) -> Option<Arc<Session>> {
        self.sessions.close(&token.id(), now)
    }
}
