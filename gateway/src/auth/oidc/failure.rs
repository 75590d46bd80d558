//! Why nobody was signed in by a provider.

use std::time::Duration;

use crate::audit::Reason;
use crate::auth::SignInError;
use crate::user::name::Username;

/// Why nobody was signed in.
#[derive(Debug)]
pub enum Failure {
    /// The browser has not begun this sign-in, has come back before, or too late.
    State,
    /// The answer is of another provider.
    Issuer,
    /// The user, or the provider on their behalf, does not want to.
    Denied,
    /// The provider says that something is wrong with what the gateway asks for.
    Provider,
    /// The provider does not take the code: it was used before, or somebody else has begun the sign-in.
    Code,
    /// What the provider says of the user cannot be believed.
    Token,
    /// Nothing is granted to this user.
    NoGrant(Username),
    /// This name is somebody else's here.
    NameTaken(Username),
    /// There were too many failures: nothing was looked at. Come back after so long.
    Throttled(Duration),
    /// There are as many sessions as there may be.
    Full,
    /// The provider cannot be asked, or the session store.
    Unavailable,
}

impl Failure {
    /// What it is called in answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::State => "oidc_state",
            Self::Issuer => "oidc_issuer",
            Self::Denied => "oidc_denied",
            Self::Provider => "oidc_provider",
            Self::Code => "oidc_code",
            Self::Token => "oidc_token",
            Self::NoGrant(_) => "no_grant",
            Self::NameTaken(_) => "name_taken",
            Self::Throttled(_) => "throttled",
            Self::Full => "full",
            Self::Unavailable => "unavailable",
        }
    }

    /// What the audit trail is told, and of whom if that has been verified.
    pub(super) fn reason(&self) -> (Reason, Option<&Username>) {
        match self {
            Self::State => (Reason::OidcState, None),
            Self::Issuer => (Reason::OidcIssuer, None),
            Self::Denied => (Reason::OidcDenied, None),
            Self::Provider => (Reason::OidcProvider, None),
            Self::Code => (Reason::OidcCode, None),
            Self::Token => (Reason::OidcToken, None),
            Self::NoGrant(name) => (Reason::NoGrant, Some(name)),
            Self::NameTaken(name) => (Reason::NameTaken, Some(name)),
            Self::Throttled(_) => (Reason::Throttled, None),
            Self::Full => (Reason::Full, None),
            Self::Unavailable => (Reason::Unavailable, None),
        }
    }

    /// Whether it counts as a failed guess of the client's.
    pub(super) fn counts(&self) -> bool {
        matches!(
            self,
            Self::Issuer | Self::Code | Self::Token | Self::NoGrant(_) | Self::NameTaken(_)
        )
    }
}

impl From<SignInError> for Failure {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::Throttled(wait) => Self::Throttled(wait),
            SignInError::Full => Self::Full,
            SignInError::Refused(..) => Self::Code,
            _ => Self::Unavailable,
        }
    }
}
