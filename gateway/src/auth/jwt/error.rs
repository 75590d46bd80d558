//! Why a JWT is refused, for all who are to be told.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::Reason;
use crate::auth::credential::JwtCaller;
use crate::jwt::refusal::Refusal;
use crate::metrics::label::JwtOutcome;
use crate::user::name::Username;

/// Why a JWT is refused.
#[derive(Clone, Debug)]
pub enum JwtError {
    /// It is no good.
    Refused(Refusal),
    /// It is good, and there is no grant for its user.
    NoGrant(Username),
    /// It is good, and the name of its user is somebody else's here.
    NameTaken(Username),
    /// Nobody can say now: there are no keys to verify it with, or too many wait to be verified.
    Unavailable,
    /// Too many of its client's had not the right signature: it was not looked at. Come back after so long.
    Throttled(Duration),
}

/// A JWT that is refused.
pub struct Refused {
    /// Why.
    pub error: JwtError,
    /// False if the same token was refused just now: that need not be said again.
    pub is_new: bool,
}

impl JwtError {
    /// What the audit trail is told, and whose the token was if that has been verified. Nothing of one that nobody could
    /// judge.
    pub fn reason(&self) -> Option<(Reason, Option<&Username>)> {
        Some(match self {
            Self::Refused(Refusal::Expired) => (Reason::JwtExpired, None),
            Self::Refused(Refusal::Signature(_)) => (Reason::JwtSignature, None),
            Self::Refused(Refusal::Audience) => (Reason::JwtAudience, None),
            Self::Refused(Refusal::UnknownKey) => (Reason::JwtUnknownKey, None),
            Self::Refused(Refusal::Claims(_) | Refusal::Early(_)) => (Reason::JwtClaims, None),
            Self::NoGrant(name) => (Reason::NoGrant, Some(name)),
            Self::NameTaken(name) => (Reason::NameTaken, Some(name)),
            Self::Throttled(_) => (Reason::JwtThrottled, None),
            Self::Unavailable => return None,
        })
    }
}

/// What is counted.
pub(super) fn outcome(judged: &Result<Arc<JwtCaller>, Refused>) -> JwtOutcome {
    match judged.as_ref().map_err(|refused| &refused.error) {
        Ok(_) => JwtOutcome::Verified,
        Err(JwtError::Refused(Refusal::Expired)) => JwtOutcome::Expired,
        Err(JwtError::Refused(Refusal::Signature(_))) => JwtOutcome::Signature,
        Err(JwtError::Refused(Refusal::Audience)) => JwtOutcome::Audience,
        Err(JwtError::Refused(Refusal::UnknownKey)) => JwtOutcome::UnknownKey,
        Err(JwtError::Refused(Refusal::Claims(_) | Refusal::Early(_))) => JwtOutcome::Claims,
        Err(JwtError::NoGrant(_)) => JwtOutcome::NoGrant,
        Err(JwtError::NameTaken(_)) => JwtOutcome::NameTaken,
        Err(JwtError::Throttled(_)) => JwtOutcome::Throttled,
        Err(JwtError::Unavailable) => JwtOutcome::Unavailable,
    }
}
