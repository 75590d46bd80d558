//! `GET /health/live` and `GET /health/ready`.

use serde_json::json;

use super::response::{Refusal, ok};
use crate::api::Response;
use crate::gateway::readiness::{Obstacle, Readiness};

/// The process answers.
pub(super) fn live() -> Response {
    ok(&json!({ "status": "live" }))
}

/// The gateway should get requests, or why not.
pub(super) fn ready(readiness: &Readiness) -> Result<Response, Refusal> {
    let obstacles = readiness.obstacles();
    if obstacles.is_empty() {
        return Ok(ok(&json!({ "status": "ready" })));
    }
    let words: Vec<_> = obstacles.into_iter().map(Obstacle::words).collect();
    Err(Refusal::unavailable(format!("not ready: {}", words.join(", "))))
}
