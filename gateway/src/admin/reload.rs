//! `POST /reload`.

use http::StatusCode;
use serde_json::json;

use super::response::{Refusal, ok};
use crate::api::Response;
use crate::api::json::of_json;
use crate::gateway::reloads::{Outcome, Reloads};

/// Has all files read again, and says what has come of it.
pub(super) async fn post(reloads: &Reloads) -> Result<Response, Refusal> {
    let outcome = reloads.ask().await;
    let outcome = outcome.ok_or_else(|| Refusal::unavailable("the process ends".to_owned()))?;
    let Outcome { faults, needs_restart } = outcome;
    if faults.is_empty() {
        return Ok(ok(&json!({ "status": "reloaded", "needs_restart": needs_restart })));
    }
    let message = format!("nothing has changed: {}", faults.join("; "));
    let body = json!({ "code": "invalid", "message": message, "faults": faults });
    Ok(of_json(StatusCode::UNPROCESSABLE_ENTITY, &body))
}
