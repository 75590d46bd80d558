//! Sessions as they are told, and which of them a fingerprint means: to operators, and to users of their own.

use http::StatusCode;
use serde_json::{Value, json};

use super::Response;
use super::json::of_json;
use crate::session::Record;
use crate::session::token::SessionId;

/// How many digits of an id name a session: as many as the log has, and as many as are always enough.
const DIGITS: (usize, usize) = (8, 16);

/// Whether `text` can be the fingerprint of a session.
pub fn is_fingerprint(text: &str) -> bool {
    let (least, most) = DIGITS;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (least..=most).contains(&text.len()) && text.bytes().all(is_digit)
}

/// Those of `records` that `fingerprint` means: none if it is no fingerprint.
pub fn meant(records: Vec<Record>, fingerprint: &str) -> Vec<Record> {
    let is_one = is_fingerprint(fingerprint);
    let is_meant = |record: &Record| is_one && record.id.digits(fingerprint.len()) == fingerprint;
    records.into_iter().filter(is_meant).collect()
}

/// What is told of a session.
pub fn described(record: &Record) -> Value {
    let client = record.client.address.map(|address| address.to_string());
    json!({
        "fingerprint": record.id.fingerprint().to_string(),
        "user": record.user_name,
        "created": record.started.to_string(),
        "last_used": record.last_used.to_string(),
        "expires": record.expires.to_string(),
        "client": client,
        "agent": Some(record.client.kind.family()).filter(|family| !family.is_empty()),
    })
}

/// Several have the same fingerprint. More digits tell them apart; for that, and for nothing else, they are told.
pub fn ambiguous(found: &[Record]) -> Response {
    let candidate = |record: &Record| {
        json!({
            "fingerprint": record.id.digits(DIGITS.1),
            "user": record.user_name,
            "created": record.started.to_string(),
        })
    };
    let candidates: Vec<_> = found.iter().map(candidate).collect();
    let message = "several sessions have this fingerprint; ask again with one of the longer ones";
    let body = json!({ "code": "conflict", "message": message, "candidates": candidates });
    of_json(StatusCode::CONFLICT, &body)
}

/// Puts the session `this` first, then others as they were used last.
pub fn sort(records: &mut [Record], this: &SessionId) {
    records.sort_by_key(|record| (record.id != *this, std::cmp::Reverse(record.last_used)));
}

/// `GET /api/v2/me/sessions`: those of the user of the session `this`, in their order.
pub fn own(records: &[Record], this: &SessionId) -> Response {
    let told = records.iter().map(|record| {
        let mut told = described(record);
        told["current"] = (record.id == *this).into();
        told
    });
    let body = json!({ "sessions": told.collect::<Vec<_>>() });
    of_json(StatusCode::OK, &body)
}

/// So many were ended.
pub fn revoked(count: usize) -> Response {
    of_json(StatusCode::OK, &json!({ "revoked": count }))
}
