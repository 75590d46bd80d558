//! `POST /api/v2/signin`: a name and a password for a session.

use std::sync::Arc;

use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue};

use super::authorization::basic;
use super::cookie::CookieRules;
use super::rejection::Rejection;
use super::session_cookies::hand_out;
use super::{Response, no_content};
use crate::auth::signin::sign_in;
use crate::auth::{Auth, SignInError};
use crate::request_meta::{ClientKind, RequestMeta};
use crate::session::Session;
use crate::user::credentials::Credentials;

/// Signs in by `Authorization: Basic`. Body and query are ignored: every sign-in makes a new
/// session, and a cookie that is sent along is never adopted.
pub async fn post(
    auth: &Auth,
    cookie: &CookieRules,
    headers: &HeaderMap,
    meta: &RequestMeta<'_>,
) -> Result<(Response, Option<Arc<Session>>), Rejection> {
    with(auth, cookie, headers, basic(headers), meta).await
}

/// The same by whatever `credentials` the request has brought.
pub async fn with(
    auth: &Auth,
    cookie: &CookieRules,
    headers: &HeaderMap,
    credentials: Option<Credentials>,
    meta: &RequestMeta<'_>,
) -> Result<(Response, Option<Arc<Session>>), Rejection> {
    let Some(credentials) = credentials else {
        auth.note_malformed(meta);
        return Err(Rejection::SignInOrOutRefused);
    };
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let meta = &RequestMeta { kind: ClientKind::of(agent), ..*meta };
    match sign_in(auth, credentials, meta).await {
        Ok((token, session)) => {
            let mut response = no_content();
            hand_out(cookie, &token, (headers, meta.over_tls), response.headers_mut());
            Ok((response, Some(session)))
        }
        Err(SignInError::PasswordChangeRequired(answer)) => Ok((told(*answer), None)),
        Err(SignInError::Refused(..)) => Err(Rejection::SignInOrOutRefused),
        Err(error) => Err(not_looked_at(&error)),
    }
}

/// The refusal of credentials that nothing was said about.
pub fn not_looked_at(error: &SignInError) -> Rejection {
    match error {
        SignInError::Throttled(wait) => Rejection::TooManyFailures(*wait),
        SignInError::Overloaded => Rejection::TooManySignIns,
        SignInError::Full => Rejection::TooManySessions,
        SignInError::NameTooLong => Rejection::NameTooLong,
        // The store says in the log what is wrong with it, and not with every request.
        SignInError::Store => Rejection::SessionsUnavailable,
        SignInError::Unavailable
        | SignInError::PasswordChangeRequired(_)
        | SignInError::Refused(..) => Rejection::DirectoryUnavailable,
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
