//! `/api/v2/me` and what is below: a user's own account.

use http::Method;

use super::{Forwarding, OwnSessions, PasswordOwner, PasswordProof, Route, only, other_than};

/// The route of `method` and `endpoint`; `None` if it is none of these.
pub(super) fn of<'a>(
    method: &Method,
    endpoint: &'a str,
    forwarding: &Forwarding,
) -> Option<Route<'a>> {
    Some(match endpoint.strip_prefix("/me")? {
        "" => only("GET", method, Route::Me),
        "/provider" => only("GET", method, Route::MyProvider),
        "/password" => {
            only("PUT", method, Route::Password(PasswordOwner::Own, PasswordProof::OldPassword))
        }
        "/page" if forwarding.page.is_some() => match method.as_str() {
            "GET" | "POST" => Route::SessionsPage,
            _ => other_than("GET, POST", method),
        },
        "/sessions" => match method.as_str() {
            "GET" => Route::Sessions(OwnSessions::List),
            "DELETE" => Route::Sessions(OwnSessions::EndOthers),
            _ => other_than("GET, DELETE", method),
        },
        below => {
            let fingerprint = below.strip_prefix("/sessions/")?;
            let is_one = !fingerprint.is_empty() && !fingerprint.contains('/');
            let fingerprint = is_one.then_some(fingerprint)?;
            only("DELETE", method, Route::Sessions(OwnSessions::EndOne(fingerprint)))
        }
    })
}
