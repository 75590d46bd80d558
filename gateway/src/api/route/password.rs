//! Whose password is to be another, and what is asked for besides the session.

/// Whose password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordOwner<'a> {
    /// That of whoever asks.
    Own,
    /// That of the user with this id.
    Of(&'a str),
}

/// What is asked for besides the session when a password is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordProof {
    /// The old password: `PUT`.
    OldPassword,
    /// Nothing: `POST`.
    Session,
}
