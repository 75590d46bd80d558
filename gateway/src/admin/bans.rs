//! `/bans`: who has to wait before the next attempt to sign in, and that they need not.

use http::StatusCode;
use serde_json::{Value, json};

use super::query::Query;
use super::response::{Refusal, ok};
use crate::api::Response;
use crate::auth::Auth;
use crate::auth::throttle::bans::Banned;
use crate::clock::{Moment, wall};
use crate::request_meta::RequestMeta;
use crate::session::UnixMillis;
use crate::user::login_name::LoginName;

/// `GET /bans`.
pub(super) fn list(auth: &Auth, query: &str) -> Result<Response, Refusal> {
    Query::read(query)?.close()?;
    let now = Moment::now();
    let bans: Vec<_> = auth.banned(now).iter().map(|ban| described(ban, now)).collect();
    Ok(ok(&json!({ "bans": bans })))
}

/// `DELETE /bans/{id}`.
pub(super) async fn lift(
    auth: &Auth,
    id: &str,
    meta: &RequestMeta<'_>,
) -> Result<Response, Refusal> {
    let found = auth.banned(Moment::now()).into_iter().find(|ban| ban.id == id);
    let none = Refusal::new(StatusCode::NOT_FOUND, "not found", "there is no such ban");
    let ban = found.ok_or(none)?;
    auth.lift(&ban, meta).await.map_err(|error| Refusal::unavailable(error.to_string()))?;
    Ok(ok(&json!({ "lifted": 1 })))
}

/// How many there are.
pub(super) fn count(auth: &Auth, now: Moment) -> usize {
    auth.banned(now).len()
}

fn described(ban: &Banned, now: Moment) -> Value {
    let client = ban.client.filter(|client| client.is_known());
    json!({
        "id": ban.id,
        "scope": ban.scope.word(),
        "user": ban.user.as_ref().map(LoginName::as_str),
        "client": client.map(|client| client.to_string()),
        "until": UnixMillis::of(ban.until, now, wall()).to_string(),
        "failures": ban.failures,
    })
}
