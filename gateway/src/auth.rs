//! The three verbs: sign in, authenticate, sign out.

pub mod credential;
pub mod tokens;
pub mod upkeep;

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;

use crate::clock::Moment;
use crate::directory::Directory;
use crate::directory::influxdb::{Refusal, SignedIn};
use crate::session::Session;
use crate::session::memory::MemoryStore;
use crate::session::token::SessionToken;
use crate::user::User;
use crate::user::credentials::Credentials;
use crate::user::password::Password;
use crate::user::secret::UpstreamSession;
use tokens::{TokenError, Tokens};
use upkeep::Upkeep;

/// Users and their sessions.
pub struct Auth {
    directory: Directory,
    sessions: Arc<MemoryStore>,
    tokens: Tokens,
    /// Looks after InfluxDB's half of sessions, where there is one.
    upkeep: Option<Arc<Upkeep>>,
}

/// Why nobody was signed in.
pub enum SignInError {
    /// There is no such user, or that is not the password: never told which.
    Refused,
    /// The directory's own answer.
    Told(Box<http::Response<Bytes>>),
    /// The directory could not be asked.
    Unavailable,
    /// There are as many sessions as there may be.
    Full,
}

/// Why a password was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeError {
    /// The directory keeps no passwords here.
    Elsewhere,
    /// The new password could not be stored; the log says why. The old one stays.
    NotStored,
}

impl Auth {
    /// Users of `directory`, their sessions in `sessions`.
    pub fn new(
        directory: Directory,
        sessions: Arc<MemoryStore>,
        tokens: Tokens,
        upkeep: Option<Arc<Upkeep>>,
    ) -> Self {
        Self { directory, sessions, tokens, upkeep }
    }

    /// Checks the password and opens a session.
    ///
    /// An inactive user signs in too, as with InfluxDB, and is refused whatever comes next.
    pub async fn sign_in(
        &self,
        credentials: Credentials,
    ) -> Result<(SessionToken, Arc<Session>), SignInError> {
        let (user, upstream) = self.verify(credentials).await?;
        let token = SessionToken::generate();
        // Not the moment of the request: the verification may have waited for its turn.
        let now = Moment::now();
        let session = Session::start(token.id(), user, upstream, now);
        match self.sessions.open(session, now) {
            Ok(session) => {
                if let Some(upkeep) = &self.upkeep {
                    upkeep.begin(&session, now);
                }
                Ok((token, session))
            }
            Err(_full) => Err(SignInError::Full),
        }
    }

    async fn verify(
        &self,
        credentials: Credentials,
    ) -> Result<(Arc<User>, Option<UpstreamSession>), SignInError> {
        match &self.directory {
            Directory::File(file) => {
                let user = file.verify(credentials.name.as_ref(), credentials.password).await;
                Ok((user.ok_or(SignInError::Refused)?, None))
            }
            Directory::Influxdb(influxdb) => match influxdb.sign_in(&credentials).await {
                Ok(SignedIn { user, session }) => Ok((user, Some(session))),
                Err(Refusal::Wrong) => Err(SignInError::Refused),
                Err(Refusal::Told(answer)) => Err(SignInError::Told(answer)),
                Err(Refusal::Unavailable) => Err(SignInError::Unavailable),
            },
        }
    }

    /// The live session of `token`, renewed.
    pub fn authenticate(&self, token: &SessionToken, now: Moment) -> Option<Arc<Session>> {
        self.sessions.touch(&token.id(), now)
    }

    /// Whose API token is in this `Authorization`, as far as that is asked.
    pub async fn resolve(
        &self,
        authorization: &HeaderValue,
    ) -> Result<Option<Arc<User>>, TokenError> {
        self.tokens.resolve(authorization).await
    }

    /// Ends the session of `token` at once and returns it; `None` if there was none.
    pub fn sign_out(&self, token: &SessionToken, now: Moment) -> Option<Arc<Session>> {
        self.sessions.close(&token.id(), now)
    }

    /// The user of `session`. Whether that is still so, InfluxDB is asked in the background.
    pub fn user_of(&self, session: &Arc<Session>, now: Moment) -> Arc<User> {
        if let Some(upkeep) = &self.upkeep {
            upkeep.refresh(session, now);
        }
        session.user()
    }

    /// Asks InfluxDB in the background whether it still knows `session`, which it has answered
    /// with 401: that may also have been for want of a permission. If it does not, the session
    /// ends.
    pub fn doubt(&self, session: &Arc<Session>) {
        if let Some(upkeep) = &self.upkeep {
            upkeep.ask(session);
        }
    }

    /// Whether passwords are changed here, and not upstream.
    pub fn keeps_passwords(&self) -> bool {
        matches!(self.directory, Directory::File(_))
    }

    /// Whether `password` is that of the session's user. Slow by design.
    pub async fn is_password_of(&self, session: &Session, password: Password) -> bool {
        match &self.directory {
            Directory::File(file) => {
                file.verify(Some(&session.user().name), password).await.is_some()
            }
            Directory::Influxdb(_) => false,
        }
    }

    /// Gives the session's user a new password and ends the user's other sessions.
    pub async fn change_password(
        &self,
        session: &Session,
        new: Password,
    ) -> Result<(), ChangeError> {
        let Directory::File(file) = &self.directory else { return Err(ChangeError::Elsewhere) };
        let user = session.user();
        file.set_password(&user.name, new).await.map_err(|error| {
            log::error!("the password of {} was not changed: {error}", user.name);
            ChangeError::NotStored
        })?;
        self.end_others(session);
        Ok(())
    }

    /// Ends the other sessions of the session's user.
    pub fn end_others(&self, session: &Session) {
        self.sessions.close_others(session.user_id(), session.id());
    }
}
