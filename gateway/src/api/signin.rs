//! `POST /api/v2/signin`: a name and a password for a session.

use std::sync::Arc;

use http::HeaderMap;
use http::header::SET_COOKIE;

use super::authorization::basic;
use super::cookie::CookieRules;
use super::rejection::Rejection;
use super::{Response, no_content};
use crate::auth::{Auth, SignInError};
use crate::session::Session;

/// Signs in by `Authorization: Basic`. Body, query and any cookie sent along are ignored: every
/// sign-in makes a new session, and a presented cookie is never adopted.
pub async fn post(
    auth: &Auth,
    cookie: &CookieRules,
    headers: &HeaderMap,
    over_tls: bool,
) -> Result<(Response, Arc<Session>), Rejection> {
    let credentials = basic(headers).ok_or(Rejection::SignInOrOutRefused)?;
    let signed_in = auth.sign_in(credentials.name.as_ref(), credentials.password).await;
    let (token, session) = signed_in.map_err(|error| match error {
        SignInError::Refused => Rejection::SignInOrOutRefused,
        SignInError::Full => Rejection::TooManySessions,
    })?;
    let mut response = no_content();
    response.headers_mut().insert(SET_COOKIE, cookie.set(&token, over_tls));
    Ok((response, session))
}
