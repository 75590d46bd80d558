//! Changes of users: a new password, in the users file or upstream, and what else InfluxDB does to
//! its users.

use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use zeroize::Zeroizing;

use super::client_info::ClientInfo;
use super::policy::Policy;
use super::request::{Decision, Request};
use crate::api::forward::Forward;
use crate::api::rejection::Rejection;
use crate::api::route::{PasswordOwner, PasswordProof, Route};
use crate::api::{authorization, password, signin, users};
use crate::auth::Auth;
use crate::auth::credential::Caller;
use crate::auth::errand::{self, Deed, Errand};
use crate::auth::password::password_of;
use crate::user::UserId;

/// Whether the body of a request is read whole, before anything is decided: that of local endpoints, of
/// which only a new password is used. Nothing is read of a client that brings no session.
pub fn reads_body(auth: &Auth, policy: &Policy, route: Route<'_>, head: &Parts) -> bool {
    match route {
        Route::SignIn(_)
        | Route::SignOut(_)
        | Route::Me
        | Route::Sessions(_)
        | Route::MyProvider => true,
        Route::Page(_) | Route::SessionsPage => policy.page.is_some(),
        Route::Provider(_) => auth.oidc().is_some(),
        Route::Password(..) => {
            auth.keeps_passwords()
                && authorization::token(&head.headers).is_none()
                && policy.cookie.token(&head.headers).is_some()
        }
        _ => false,
    }
}

/// Sets a new password here if the users file keeps it; otherwise InfluxDB does.
pub async fn new_password(
    auth: &Auth,
    policy: &Policy,
    caller: Caller,
    (account, proof): (PasswordOwner<'_>, PasswordProof),
    request: Request<'_>,
) -> Result<Decision, Rejection> {
    if proof == PasswordProof::Session && caller.session().is_some() && !policy.password_by_session
    {
        return Err(Rejection::OldPasswordWanted);
    }
    match caller {
        Caller::Session(session) if auth.keeps_passwords() => {
            password::check_account(&session, account)?;
            let none = match session.provider() {
                // A provider has it, if anybody.
                Some(_) => Rejection::NotYourPassword,
                None => Rejection::Unauthorized,
            };
            let password = password_of(auth, &session).ok_or(none)?;
            let (old, meta) = (authorization::basic(&request.head.headers), request.client.meta());
            let body = Zeroizing::new(request.body.to_vec());
            let change = password::change(auth, &password, proof, old, &body, &meta);
            change.await.map(Decision::Respond)
        }
        // It would be that of whoever the granted token belongs to; and who has a device has not the password.
        Caller::Jwt(_) | Caller::Holder(_) => Err(Rejection::NotYourPassword),
        Caller::Session(session) if session.provider().is_some() => Err(Rejection::NotYourPassword),
        // Nobody's old password, and it never goes upstream.
        _ if is_jwt(auth, request.head) => Err(Rejection::Unauthorized),
        // A request with a token of the upstream is the upstream's to judge.
        caller => {
            let account = match account {
                PasswordOwner::Of(id) => users::account(id),
                PasswordOwner::Own => caller.user().map(|user| user.id()),
            };
            let deed = match proof {
                PasswordProof::OldPassword => Deed::ReplacePassword,
                PasswordProof::Session => Deed::SetPassword,
            };
            let errand = errand(auth, deed, account, &caller, request.client).await?;
            let forward = Forward::on_behalf_of(caller).with_old_password();
            Ok(Decision::Forward(forward.with_errand(errand)))
        }
    }
}

fn is_jwt(auth: &Auth, head: &Parts) -> bool {
    head.headers.get(AUTHORIZATION).is_some_and(|authorization| auth.is_jwt(authorization))
}

/// What the upstream is about to do to a user of its own.
pub async fn errand(
    auth: &Auth,
    deed: Deed,
    account: Option<UserId>,
    caller: &Caller,
    client: &ClientInfo,
) -> Result<Option<Box<Errand>>, Rejection> {
    let meta = client.meta();
    let errand = Box::pin(errand::begin(auth, deed, account, caller, &meta)).await;
    errand.map_err(|error| signin::not_looked_at(&error))
}

/// Acts on the status with which the upstream has answered such a request.
pub async fn conclude(auth: &Auth, forward: &mut Forward, status: StatusCode, client: &ClientInfo) {
    if status.is_informational() {
        return;
    }
    if let Some(errand) = forward.take_errand()
        && let Some(caller) = forward.caller()
    {
        let meta = client.meta();
        Box::pin(errand::conclude(auth, *errand, status, caller, &meta)).await;
    }
}
