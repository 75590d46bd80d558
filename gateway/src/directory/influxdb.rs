//! InfluxDB as the directory: sign-ins are sent to it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use serde::Deserialize;

use super::Claim;
use super::admission::{Admission, Overloaded, Permit, QueueLimits};
use crate::user::access::Access;
use crate::user::credentials::Credentials;
use crate::user::login_name::LoginName;
use crate::user::name::Username;
use crate::user::secret::{Shared, UpstreamSession};
use crate::user::{Status, User, UserId};

/// Sends the gateway's own requests to the upstream. The network is above this floor.
#[async_trait]
pub trait UpstreamClient: Send + Sync {
    /// The whole answer to a request without a body.
    async fn ask(&self, request: Request<()>) -> Result<http::Response<Bytes>, Unreachable>;
}

/// The upstream gave no answer, or none in time. This says nothing about users or sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreachable;

/// Who signed in, and InfluxDB's session of theirs.
pub struct SignedIn {
    /// The user.
    pub user: Arc<User>,
    /// InfluxDB's session.
    pub session: UpstreamSession,
}

/// Why nobody signed in.
pub enum SignInFailure {
    /// Not a user, or not the password.
    Wrong,
    /// InfluxDB has more to say, and says it itself: a new password is required.
    PasswordChangeRequired(Box<http::Response<Bytes>>),
    /// It is a user whose name is too long to be told upstream.
    Unnamable,
    /// InfluxDB could not be asked.
    Unavailable,
}

/// InfluxDB's answer about a credential.
pub enum Owner {
    /// It is this user's.
    User(Box<User>),
    /// It is that of somebody who is not allowed in.
    Inactive,
    /// It is nobody's, or a token that is inactive.
    Nobody,
    /// It is somebody's, but does not allow to say whose.
    Undisclosed,
    /// It is that of a user whose name is too long to be told upstream, or empty.
    Unnamable,
}

/// How many sign-ins InfluxDB is asked for at once. Each costs it a password hash.
pub const AT_ONCE: usize = 32;

/// The users of an InfluxDB 2.
pub struct InfluxdbDirectory {
    upstream: Arc<dyn UpstreamClient>,
    admission: Admission,
    /// The gateway's own token, if it has one.
    shared: Arc<Shared>,
}

impl InfluxdbDirectory {
    /// The users that `upstream` knows. Sign-ins wait for a permit under `line`. What users may not ask
    /// themselves is asked with the `shared` token.
    pub fn new(upstream: Arc<dyn UpstreamClient>, line: QueueLimits, shared: Arc<Shared>) -> Self {
        Self { upstream, admission: Admission::new(line), shared }
    }

    /// A permit to sign in, if there is room to wait for one.
    pub async fn permit(&self, claim: Claim) -> Result<Permit, Overloaded> {
        self.admission.take(claim).await
    }

    /// Signs in at InfluxDB with the very credentials that the client sent.
    pub async fn sign_in(
        &self,
        _permit: Permit,
        credentials: &Credentials,
    ) -> Result<SignedIn, SignInFailure> {
        let header = (AUTHORIZATION, credentials.header.clone());
        let answer = self.ask(Method::POST, "/api/v2/signin", header).await;
        let answer = answer.map_err(|Unreachable| SignInFailure::Unavailable)?;
        match answer.status() {
            StatusCode::NO_CONTENT => {}
            StatusCode::UNAUTHORIZED => return Err(SignInFailure::Wrong),
            StatusCode::FORBIDDEN => {
                return Err(SignInFailure::PasswordChangeRequired(Box::new(answer)));
            }
            _ => return Err(SignInFailure::Unavailable),
        }
        let cookies = answer.headers().get_all(SET_COOKIE).iter().map(HeaderValue::as_bytes);
        let Some(session) = UpstreamSession::find(&cookies.collect::<Vec<_>>()) else {
            log::warn!("InfluxDB has signed a user in and set no cookie of its own for it");
            return Err(SignInFailure::Unavailable);
        };
        let user = match self.owner_of_session(&session).await {
            Ok(Owner::User(user)) => Ok(*user),
            // InfluxDB signs such a user in too, and then refuses everything.
            Ok(Owner::Inactive) => unknown(&credentials.typed).ok_or(SignInFailure::Unnamable),
            Ok(Owner::Unnamable) => Err(SignInFailure::Unnamable),
            Ok(Owner::Nobody | Owner::Undisclosed) | Err(Unreachable) => {
                Err(SignInFailure::Unavailable)
            }
        };
        match user {
            Ok(user) => Ok(SignedIn { user: Arc::new(user), session }),
            Err(refusal) => {
                self.sign_out(&session).await;
                Err(refusal)
            }
        }
    }

    /// The user of InfluxDB's session. Asking also renews it.
    pub async fn owner_of_session(&self, session: &UpstreamSession) -> Result<Owner, Unreachable> {
        self.owner((COOKIE, session.cookie())).await
    }

    /// Whether `user`, whom InfluxDB refuses everything, is no more. It refuses a deleted user in the
    /// words it has for an inactive one, so only the gateway's own token can tell; without one, false.
    pub async fn has_deleted(&self, user: &User) -> bool {
        let Some(authorization) = self.shared.authorization() else { return false };
        if user.id == UserId::provisional(&user.name) {
            return false;
        }
        let path = format!("/api/v2/users/{}", user.id);
        let answer = self.ask(Method::GET, &path, (AUTHORIZATION, authorization)).await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::NOT_FOUND)
    }

    /// The owner of the token in this `Authorization`.
    pub async fn owner_of_token(&self, authorization: HeaderValue) -> Result<Owner, Unreachable> {
        self.owner((AUTHORIZATION, authorization)).await
    }

    /// Signs out of InfluxDB's session; whether InfluxDB has none any more. If that fails, it ends there by
    /// itself.
    pub async fn sign_out(&self, session: &UpstreamSession) -> bool {
        let header = (COOKIE, session.cookie());
        let answer = self.ask(Method::POST, "/api/v2/signout", header).await;
        let is_out = answer.is_ok_and(|answer| !answer.status().is_server_error());
        if !is_out {
            log::debug!("a session could not be signed out of upstream");
        }
        is_out
    }

    async fn owner(&self, header: (HeaderName, HeaderValue)) -> Result<Owner, Unreachable> {
        let answer = self.ask(Method::GET, "/api/v2/me", header).await?;
        match answer.status() {
            StatusCode::OK => user(answer.body()).ok_or(Unreachable),
            StatusCode::FORBIDDEN => Ok(Owner::Inactive),
            // InfluxDB also answers 401 to a good credential that lacks a permission.
            StatusCode::UNAUTHORIZED if is_worthless(answer.body()) => Ok(Owner::Nobody),
            StatusCode::UNAUTHORIZED => Ok(Owner::Undisclosed),
            _ => Err(Unreachable),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        (name, value): (HeaderName, HeaderValue),
    ) -> Result<http::Response<Bytes>, Unreachable> {
        let request = Request::builder().method(method).uri(path).header(name, value).body(());
        self.upstream.ask(request.expect("the parts of the request are valid")).await
    }
}

/// InfluxDB's user resource, as far as it matters here.
#[derive(Deserialize)]
struct Resource {
    id: String,
    name: String,
    #[serde(default)]
    status: String,
}

fn user(body: &[u8]) -> Option<Owner> {
    let resource: Resource = serde_json::from_slice(body).ok()?;
    let id = resource.id.parse().ok()?;
    let Some(name) = Username::of_influxdb(&resource.name) else {
        log::warn!(
            "InfluxDB's user {id} is refused: a name of {} bytes does not fit into a header",
            resource.name.len()
        );
        return Some(Owner::Unnamable);
    };
    let status = match resource.status.as_str() {
        "inactive" => Status::Inactive,
        _ => Status::Active,
    };
    // What the user may do is InfluxDB's to say, by the user's own session.
    let user = User { name, id, status, access: Access::Full, token: None };
    Some(Owner::User(Box::new(user)))
}

/// An inactive user, of whom InfluxDB says nothing but that: the name is as it was typed, cut if it
/// is long.
fn unknown(name: &LoginName) -> Option<User> {
    let name = Username::of_influxdb(name.as_str())?;
    let id = UserId::provisional(&name);
    Some(User { name, id, status: Status::Inactive, access: Access::Full, token: None })
}

/// Whether InfluxDB refuses the credential itself: it does not know it, or it is an inactive token.
fn is_worthless(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Refused {
        message: String,
    }
    serde_json::from_slice::<Refused>(body).is_ok_and(|refused| {
        ["unauthorized access", "token is inactive"].contains(&&*refused.message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_resource_is_read() {
        let read = |text: &str| match user(text.as_bytes()) {
            Some(Owner::User(user)) => Some((user.name.to_string(), user.status)),
            _ => None,
        };
        let text = r#"{"id":"0a1b2c3d4e5f6071","name":"Jane Doe","status":"active","links":{}}"#;
        assert_eq!(read(text), Some(("Jane Doe".to_owned(), Status::Active)));
        let text = r#"{"id":"0a1b2c3d4e5f6071","name":"j","status":"inactive"}"#;
        assert_eq!(read(text), Some(("j".to_owned(), Status::Inactive)));
        for odd in ["", "{}", r#"{"id":"x","name":"j"}"#, r#"{"id":"0a1b2c3d4e5f6071","name":""}"#]
        {
            assert_eq!(read(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_missing_permission_is_not_a_bad_credential() {
        let is_worthless = |message: &str| {
            is_worthless(format!(r#"{{"code":"unauthorized","message":"{message}"}}"#).as_bytes())
        };
        assert!(is_worthless("unauthorized access") && is_worthless("token is inactive"));
        assert!(!is_worthless("read:users/1 is unauthorized"));
        assert!(!super::is_worthless(b"gone"));
    }
}
