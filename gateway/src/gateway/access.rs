//! What a caller may have forwarded.

use http::request::Parts;

use super::policy::Policy;
use crate::api::rejection::Rejection;
use crate::auth::credential::Caller;
use crate::user::access::{Access, Right};

/// Rejects what a user of the users file may not do, before anything is forwarded.
///
/// A user of InfluxDB, or with an API token of their own, is bounded by InfluxDB as well; the
/// shared token bounds nobody.
pub fn check(policy: &Policy, caller: &Caller, request: &Parts) -> Result<(), Rejection> {
    let Some(session) = caller.session() else { return Ok(()) };
    let (user, method, path) = (session.user(), &request.method, request.uri.path());
    let trusted =
        policy.forwarding.credentials || user.token.is_some() || session.upstream().is_some();
    if user.access == Access::Full {
        // Nothing else needs to be known of nearly all requests.
        let is_closed = !trusted && Right::is_credentials(method, path);
        return if is_closed { Err(Rejection::CredentialsClosed) } else { Ok(()) };
    }
    let is_allowed = user.access.allows(Right::of(method, path), trusted);
    if is_allowed { Ok(()) } else { Err(Rejection::AccessDenied) }
}
