//! `PUT /api/v2/me/password`, `POST` and `PUT /api/v2/users/{id}/password`: a new password.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::rejection::Rejection;
use super::route::{PasswordOwner, PasswordProof};
use super::signin::not_looked_at;
use super::{Response, no_content};
use crate::auth::password::{begin_change, change_password, check_password_of};
use crate::auth::{Auth, ChangeError, InForce, SignInError};
use crate::request_meta::RequestMeta;
use crate::session::Session;
use crate::user::credentials::Credentials;
use crate::user::password::Password;

/// InfluxDB's bounds of a new password, in bytes.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=72;

/// Whether the user of `session` may change the password of `account`: their own only.
pub fn check_account(session: &Session, account: PasswordOwner<'_>) -> Result<(), Rejection> {
    match account {
        PasswordOwner::Of(id) if id != session.user().id.to_string() => {
            Err(Rejection::NotYourPassword)
        }
        PasswordOwner::Of(_) | PasswordOwner::Own => Ok(()),
    }
}

/// Changes `password`, that of a session's user, and ends the user's other sessions.
///
/// `old` are the credentials in `Authorization: Basic`, whose name does not matter. The old
/// password is checked before the new one, so nobody learns more without it.
pub async fn change(
    auth: &Auth,
    password: &InForce,
    proof: PasswordProof,
    old: Option<Credentials>,
    body: &[u8],
    meta: &RequestMeta<'_>,
) -> Result<Response, Rejection> {
    let new = new_password(body)?;
    // Each takes a hash or two, and a line of them shuts out those who sign in.
    let _change = begin_change(auth, password.session()).map_err(|_| Rejection::TooManySignIns)?;
    if proof == PasswordProof::OldPassword {
        let old = old.ok_or(Rejection::BadPasswordRequest(
            "error decoding password reset request: the old password is required as Basic",
        ))?;
        check_password_of(auth, password.session(), old.password, meta).await.map_err(|error| {
            match error {
                SignInError::Refused(..) => Rejection::WrongPassword,
                other => not_looked_at(&other),
            }
        })?;
    }
    if !LENGTH.contains(&new.len()) {
        return Err(Rejection::PasswordLength);
    }
    change_password(auth, password, new, meta).await.map_err(|error| match error {
        ChangeError::Overloaded => Rejection::TooManySignIns,
        ChangeError::Locked => Rejection::DirectoryUnavailable,
        ChangeError::OthersStay | ChangeError::Store => Rejection::SessionsUnavailable,
        ChangeError::Ended => Rejection::Unauthorized,
        ChangeError::Changed => Rejection::PasswordChanged,
        ChangeError::Elsewhere | ChangeError::NotStored => Rejection::Internal,
    })?;
    Ok(no_content())
}

fn new_password(body: &[u8]) -> Result<Password, Rejection> {
    #[derive(Deserialize)]
    struct Body {
        password: Zeroizing<String>,
    }
    serde_json::from_slice::<Body>(body)
        .map(|body| Password::new(body.password.as_bytes().to_vec()))
        .map_err(|_| {
            Rejection::BadPasswordRequest(
                "error decoding password reset request: expected a JSON object with a password",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_password_is_read_from_json() {
        let length = |body: &str| new_password(body.as_bytes()).ok().map(|new| new.len());
        assert_eq!(length(r#"{"password":"new one","more":1}"#), Some(7));
        assert_eq!(length(r#"{"password":"é"}"#), Some(2));
        for wrong in ["", "{}", "[]", "null", r#"{"password":7}"#, r#"{"password":"x"}{}"#, "\u{0}"]
        {
            assert_eq!(length(wrong), None, "{wrong:?}");
        }
    }
}
