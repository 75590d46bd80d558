//! `/sessions`: listed, and ended.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};

use super::query::Query;
use super::response::{Refusal, instant, of_json, ok};
use crate::api::Response;
use crate::auth::Auth;
use crate::clock::Moment;
use crate::request_meta::RequestMeta;
use crate::session::store::StoreError;
use crate::session::{Place, Record, Wanted};

/// How many are listed unless it is said, and at most.
const LIMITS: (usize, usize) = (100, 1000);

/// How many digits of an id name a session: as many as the log has, and as many as are always enough.
const DIGITS: (usize, usize) = (8, 16);

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
    let (least, most) = DIGITS;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_one = (least..=most).contains(&fingerprint.len()) && fingerprint.bytes().all(is_digit);
    let wanted = is_one.then(|| Wanted::Id(fingerprint.to_owned()));
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
    let mut count = 0;
    for record in records {
        let ended = auth.revoke(&record.id, Moment::now(), meta).await.map_err(unknown)?;
        count += usize::from(ended);
    }
    Ok(ok(&json!({ "revoked": count })))
}

fn described(record: &Record) -> Value {
    let client = record.client.address.map(|address| address.to_string());
    json!({
        "fingerprint": record.id.fingerprint().to_string(),
        "user": record.user_name,
        "created": instant(record.started),
        "last_used": instant(record.last_used),
        "expires": instant(record.expires),
        "client": client,
        "agent": Some(record.client.kind.family()).filter(|family| !family.is_empty()),
    })
}

/// More digits tell them apart; for that, and for nothing else, they are told.
fn ambiguous(found: &[Record]) -> Response {
    let candidate = |record: &Record| {
        json!({
            "fingerprint": record.id.digits(DIGITS.1),
            "user": record.user_name,
            "created": instant(record.started),
        })
    };
    let candidates: Vec<_> = found.iter().map(candidate).collect();
    let message = "several sessions have this fingerprint; ask again with one of the longer ones";
    let body = json!({ "code": "conflict", "message": message, "candidates": candidates });
    of_json(StatusCode::CONFLICT, &body)
}

fn unknown(error: StoreError) -> Refusal {
    Refusal::unavailable(error.to_string())
}

/// How many sessions there are; `None` if the store does not say.
pub(super) async fn count(auth: &Arc<Auth>) -> Option<usize> {
    auth.sessions().count(Moment::now()).await.ok()
}
