//! What a caller may have forwarded.

use std::sync::Arc;

use http::request::Parts;

use super::policy::Policy;
use crate::api::rejection::Rejection;
use crate::auth::credential::Caller;
use crate::user::access::{Access, Right};

/// Rejects what a user of the users file may not do, before anything is forwarded.
///
/// A user of InfluxDB, or with an API token of their own or of a grant, is bounded by InfluxDB as well; the
/// shared token bounds nobody.
pub fn check(policy: &Policy, caller: &Caller, request: &Parts) -> Result<(), Rejection> {
    let (user, is_bounded) = match caller {
        Caller::Session(session) => {
            let user = session.user();
            let is_granted = || session.provider().is_some_and(|half| half.granted().is_some());
            let is_bounded = user.token.is_some() || session.upstream().is_some() || is_granted();
            (user, is_bounded)
        }
        Caller::Jwt(jwt) => (Arc::clone(&jwt.user), jwt.grant.token.is_some()),
        Caller::Holder(holder) => (Arc::clone(&holder.user), holder.user.token.is_some()),
        Caller::Token(_) => return Ok(()),
    };
    let (method, path) = (&request.method, request.uri.path());
    let trusted = policy.forwarding.credentials || is_bounded;
    if user.access == Access::Full {
        // Nothing else needs to be known of nearly all requests.
        let is_closed = !trusted && Right::is_credentials(method, path);
        return if is_closed { Err(Rejection::CredentialsClosed) } else { Ok(()) };
    }
    let is_allowed = user.access.allows(Right::of(method, path), trusted);
    if is_allowed { Ok(()) } else { Err(Rejection::AccessDenied) }
}
