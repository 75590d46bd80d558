//! `POST /api/v2/signin`: a name and a password for a session.

use std::sync::Arc;

use http::HeaderMap;
use http::header::{CONTENT_TYPE, SET_COOKIE};

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
) -> Result<(Response, Option<Arc<Session>>), Rejection> {
    let credentials = basic(headers).ok_or(Rejection::SignInOrOutRefused)?;
    match auth.sign_in(credentials).await {
        Ok((token, session)) => {
            let mut response = no_content();
            response.headers_mut().insert(SET_COOKIE, cookie.set(&token, over_tls));
            Ok((response, Some(session)))
        }
        Err(SignInError::Told(answer)) => Ok((told(*answer), None)),
        Err(SignInError::Refused) => Err(Rejection::SignInOrOutRefused),
        Err(SignInError::Unavailable) => Err(Rejection::DirectoryUnavailable),
        Err(SignInError::Full) => Err(Rejection::TooManySessions),
    }
}

/// The directory's own refusal: its status, its body, and the headers that describe the body.
fn told(answer: Response) -> Response {
    let (parts, body) = answer.into_parts();
    let mut response = Response::new(body);
    *response.status_mut() = parts.status;
    for name in [CONTENT_TYPE.as_str(), "x-platform-error-code"] {
        if let (Some(value), Ok(name)) = (parts.headers.get(name), name.parse()) {
            let name: http::HeaderName = name;
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}
