//! What may be changed in a users file.

use crate::user::UserId;
use crate::user::gateway_token::{ClientToken, TokenDigest};
use crate::user::password::PasswordHash;

/// A change to a users file.
pub enum Change<'a> {
    /// Adds a user.
    Add(NewUser<'a>),
    /// Replaces the password by this PHC string.
    SetPassword(&'a str),
    /// Replaces this hash of the password, if it is still there and still this user's.
    Replace {
        /// Whose it has to be.
        id: UserId,
        /// What has to be there.
        old: &'a PasswordHash,
        /// The new PHC string.
        new: &'a str,
    },
    /// Removes the user.
    Remove,
    /// Adds a gateway token to the user's.
    AddToken(&'a ClientToken),
    /// Removes the user's gateway token of this digest.
    RemoveToken(TokenDigest),
}

/// What a new user has besides a name.
pub struct NewUser<'a> {
    /// The password's PHC string.
    pub hash: &'a str,
    /// Further keys and their values, as they are to be read again.
    pub more: &'a [(&'static str, &'a str)],
}
