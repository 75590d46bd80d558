//! The name and password of a sign-in.

use http::HeaderValue;

use super::name::Username;
use super::password::Password;
use super::typed::TypedName;

/// The name and password of a sign-in, as they were typed.
pub struct Credentials {
    /// The name; `None` if it is not one that a user of the users file could have.
    pub name: Option<Username>,
    /// The name as it was typed, for counting and for the audit trail.
    pub typed: TypedName,
    /// The password.
    pub password: Password,
    /// The header they came in, for a directory that has to be asked with it.
    pub header: HeaderValue,
}
