//! Whether a request that was let in by its head may still go on.

use super::gateway::Gateway;
use crate::api::rejection::Rejection;
use crate::clock::Moment;
use crate::session::Session;
use crate::user::Status;

impl Gateway {
    /// Whether `session` still holds and its user is still allowed in, when more of a request has
    /// come than its head. Renews nothing.
    pub(super) fn look_again(&self, session: &Session) -> Result<(), Rejection> {
        if !self.auth.holds(session, Moment::now()) {
            return Err(Rejection::Unauthorized);
        }
        match session.user().status {
            Status::Active => Ok(()),
            Status::Inactive => Err(Rejection::UserInactive),
        }
    }
}
