//! `POST /api/v2/signout`: the end of a session.

use std::sync::Arc;

use http::HeaderMap;

use super::cookie::CookieRules;
use super::rejection::Rejection;
use super::session_cookies::take_back;
use super::{Response, no_content};
use crate::auth::Auth;
use crate::clock::Moment;
use crate::request_meta::RequestMeta;
use crate::session::Session;

/// Ends the session of the cookie; `Authorization` is not looked at. Refused when there is no
/// session, the second time included.
pub async fn post(
    auth: &Auth,
    cookie: &CookieRules,
    headers: &HeaderMap,
    meta: &RequestMeta<'_>,
    now: Moment,
) -> Result<(Response, Arc<Session>), Rejection> {
    let token = cookie.token(headers).ok_or(Rejection::SignInOrOutRefused)?;
    // The store says in the log what is wrong with it, and not with every request.
    let session = auth.sign_out(&token, now, meta).await;
    let session = session.map_err(|_error| Rejection::SessionsUnavailable)?;
    let session = session.ok_or(Rejection::SignInOrOutRefused)?;
    let mut response = no_content();
    take_back(cookie, (headers, meta.over_tls), response.headers_mut());
    Ok((response, session))
}
