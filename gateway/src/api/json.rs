//! Whole answers of JSON.

use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::rejection::JSON;
use super::{Response, compact_json};

/// `value` with `status`.
pub fn of_json(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(compact_json(value));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}
