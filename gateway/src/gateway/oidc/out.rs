//! Signing out by providers: they say that somebody has signed out there, and browsers sign out there too.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, StatusCode};
use serde_json::json;

use crate::api::Response;
use crate::api::form::field;
use crate::api::json::of_json;
use crate::api::rejection::Rejection;
use crate::auth::Auth;
use crate::auth::credential::Caller;
use crate::auth::oidc::back_channel::log_out;
use crate::auth::oidc::logout::NotLoggedOut;
use crate::auth::oidc::provider::Provider;
use crate::gateway::authenticator::Authenticator;
use crate::gateway::policy::Policy;
use crate::gateway::request::{Decision, Request};

/// A provider says that somebody has signed out there: `POST /gateway/oidc/{id}/backchannel-logout`. Nobody's browser is
/// behind it, so what page has sent it does not matter.
pub async fn by_provider(auth: &Auth, provider: &Arc<Provider>, request: Request<'_>) -> Response {
    let kind = request.head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let kind = kind.and_then(|kind| kind.split(|&byte| byte == b';').next()).unwrap_or_default();
    let is_form = kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded");
    let is_asked = request.head.method == Method::POST && is_form;
    let token = is_asked.then(|| field(request.body, "logout_token")).flatten();
    let token = token.as_ref().and_then(|token| std::str::from_utf8(token).ok());
    let ended = match token {
        Some(token) => log_out(auth, provider, token, &request.client.meta()).await,
        None => Err(NotLoggedOut::Refused),
    };
    let (status, error) = match ended {
        Ok(_ended) => return Response::default(),
        Err(NotLoggedOut::Refused) => (StatusCode::BAD_REQUEST, "invalid_request"),
        Err(NotLoggedOut::TooMany) => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        Err(NotLoggedOut::NoKey | NotLoggedOut::Unavailable) => {
            (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
        }
    };
    of_json(status, &json!({ "error": error }))
}

/// The answer to something that is too long for a log-out token.
pub fn too_long() -> Response {
    of_json(StatusCode::BAD_REQUEST, &json!({ "error": "invalid_request" }))
}

/// Which provider the caller came by, and where they sign out of it: `GET /api/v2/me/provider`.
pub async fn own(
    auth: &Auth,
    policy: &Policy,
    client: &mut Authenticator<'_>,
    request: Request<'_>,
) -> Result<Decision, Rejection> {
    let Caller::Session(session) = client.caller().await?.caller else {
        return Err(Rejection::NoSessionsByToken);
    };
    let found = session.provider().and_then(|half| auth.oidc()?.find(half.provider()));
    let Some(provider) = found else {
        return Ok(Decision::Respond(of_json(StatusCode::OK, &json!({ "provider": null }))));
    };
    let token = policy.cookie.token(&request.head.headers).ok_or(Rejection::Unauthorized)?;
    let kept = auth.sessions().kept(&session, &token).await;
    let kept = kept.map_err(|_error| Rejection::SessionsUnavailable)?;
    let id_token = kept.as_ref().and_then(|kept| kept.id_token.as_ref());
    let page = policy.page.as_deref().map_or("/", |page| &page.path);
    let sign_out = provider.end_session(id_token.map(|token| token.as_str()), page);
    let sign_out = sign_out.as_ref().map(|url| url.as_str());
    let told =
        json!({ "id": *provider.id, "name": provider.settings.load().name, "sign_out": sign_out });
    Ok(Decision::Respond(of_json(StatusCode::OK, &json!({ "provider": told }))))
}
