//! `/sessions`: listed, and ended.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::query::Query;
use super::response::{Refusal, ok};
use crate::api::Response;
use crate::api::sessions::{ambiguous, described, is_fingerprint, revoked};
use crate::audit::Actor;
use crate::auth::Auth;
use crate::clock::Moment;
use crate::request_meta::RequestMeta;
use crate::session::store::StoreError;
use crate::session::{Place, Record, Wanted};

/// How many are listed unless it is said, and at most.
const LIMITS: (usize, usize) = (100, 1000);

/// `GET /sessions`. A look at a session does not renew it.
pub(super) async fn list(auth: &Auth, query: &str) -> Result<Response, Refusal> {
    let mut query = Query::read(query)?;
    let (usual, most) = LIMITS;
    let limit = query.number("limit", most)?.unwrap_or(usual);
    let after: Option<Place> = query.parsed("after", "the `next` of the list before")?;
    let user = query.take("user");
    query.close()?;
    let now = Moment::now();
    let (records, next) = if let Some(name) = user {
        // All that one user has, however much that is.
        (find(auth, Wanted::User(name)).await?, None)
    } else {
        let page = auth.sessions().page(after.unwrap_or_default(), limit, now).await;
        let page = page.map_err(unknown)?;
        (page.records, page.next)
    };
    let sessions: Vec<_> = records.iter().map(described).collect();
    Ok(ok(&json!({ "sessions": sessions, "next": next.map(|next| next.to_string()) })))
}

/// `DELETE /sessions/{fingerprint}`: 409 if there are several of it.
pub(super) async fn revoke(
    auth: &Auth,
    fingerprint: &str,
    meta: &RequestMeta<'_>,
) -> Result<Response, Refusal> {
    let wanted = is_fingerprint(fingerprint).then(|| Wanted::Id(fingerprint.to_owned()));
    let found = if let Some(wanted) = wanted { find(auth, wanted).await? } else { Vec::new() };
    match &found[..] {
        [] => Err(Refusal::new(StatusCode::NOT_FOUND, "not found", "there is no such session")),
        [record] => revoke_all(auth, std::slice::from_ref(record), meta).await,
        _ => Ok(ambiguous(&found)),
    }
}

/// `DELETE /sessions?user=NAME`.
pub(super) async fn revoke_user(
    auth: &Auth,
    query: &str,
    meta: &RequestMeta<'_>,
) -> Result<Response, Refusal> {
    let mut query = Query::read(query)?;
    let name = query.take("user").filter(|name| !name.is_empty());
    query.close()?;
    let name = name.ok_or_else(|| Refusal::invalid("say whose: /sessions?user=NAME".to_owned()))?;
    let found = find(auth, Wanted::User(name)).await?;
    revoke_all(auth, &found, meta).await
}

async fn find(auth: &Auth, wanted: Wanted) -> Result<Vec<Record>, Refusal> {
    auth.sessions().find(wanted, Moment::now()).await.map_err(unknown)
}

async fn revoke_all(
    auth: &Auth,
    records: &[Record],
    meta: &RequestMeta<'_>,
) -> Result<Response, Refusal> {
    auth.revoke(records, Actor::Admin, meta).await.map(revoked).map_err(unknown)
}

fn unknown(error: StoreError) -> Refusal {
    Refusal::unavailable(error.to_string())
}

/// How many sessions there are; `None` if the store does not say.
pub(super) async fn count(auth: &Arc<Auth>) -> Option<usize> {
    auth.sessions().count(Moment::now()).await.ok()
}
