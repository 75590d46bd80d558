//! Warns, once for each user, that the upstream refuses a user who has no token.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;

use crate::auth::credential::{Shared, missing_token};
use crate::session::Session;
use crate::user::UserId;

/// How many users are remembered. There is no warning for more of them.
const MOST: usize = 1000;

/// The users who were warned of.
#[derive(Default)]
pub struct MissingTokens(Mutex<HashSet<UserId>>);

impl MissingTokens {
    /// Tells of a session's user whose request went upstream without a token and was answered with 401,
    /// if nobody has yet.
    #[cold]
    pub fn note(&self, status: StatusCode, session: &Session, shared: &Shared) {
        let user = session.user();
        let had_none = session.upstream().is_none()
            && user.token.is_none()
            && session.provider().is_none_or(|half| half.granted().is_none())
            && shared.authorization().is_none();
        if !had_none || status != StatusCode::UNAUTHORIZED {
            return;
        }
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST && told.insert(user.id) {
            log::warn!("{}; the upstream answers 401", missing_token(&user.name));
        }
    }
}
