//! The name and password of a sign-in.

use http::HeaderValue;

use super::login_name::LoginName;
use super::name::Username;
use super::password::Password;

/// The name and password of a sign-in, as they were typed.
pub struct Credentials {
    /// The name; `None` if it is not one that a user of the users file could have.
    pub name: Option<Username>,
    /// The name as it was typed, for counting and for the audit trail.
    pub typed: LoginName,
    /// The password.
    pub password: Password,
    /// The header they came in, for a directory that has to be asked with it.
    pub header: HeaderValue,
}
