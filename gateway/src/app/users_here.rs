//! Who the users are whose sessions are kept elsewhere: those of this gateway's users file.

use std::sync::Arc;

use crate::directory::file::FileDirectory;
use crate::session::redis::Users;
use crate::user::{User, UserId};

/// The users of the file. What may be sent upstream for them, comes from there and nowhere else.
pub(super) struct UsersHere(pub(super) Arc<FileDirectory>);

impl Users for UsersHere {
    fn user(&self, id: UserId) -> Option<Arc<User>> {
        self.0.user(id)
    }

    fn digest(&self) -> String {
        self.0.digest()
    }
}
