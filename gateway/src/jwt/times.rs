//! When a token is good: from `nbf` and `iat` to `exp`, and not for longer than its age allows.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::rules::Rules;

/// Until when a token with these `claims` is good at most, if it is good at `now`; both in seconds since 1970.
pub(super) fn check(claims: &Map<String, Value>, rules: &Rules, now: u64) -> Result<u64, Refusal> {
    let leeway = rules.leeway.as_secs();
    let seconds = |name| match claims.get(name) {
        None => Ok(None),
        Some(value) => seconds(value).map(Some).ok_or(Refusal::Claims("a time is not a number")),
    };
    let expires = seconds("exp")?.ok_or(Refusal::Claims("exp is missing"))?;
    let issued = seconds("iat")?.ok_or(Refusal::Claims("iat is missing"))?;
    let oldest = issued.saturating_add(rules.max_age.as_secs());
    let until = expires.min(oldest).saturating_add(leeway);
    if now >= until {
        return Err(Refusal::Expired);
    }
    let latest = now.saturating_add(leeway);
    if issued > latest {
        return Err(Refusal::Early("iat is in the future"));
    }
    if seconds("nbf")?.is_some_and(|from| from > latest) {
        return Err(Refusal::Early("nbf is in the future"));
    }
    Ok(until)
}

/// A time of JWT's: a number, perhaps with a fraction, which does not count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is within bounds")]
fn seconds(value: &Value) -> Option<u64> {
    const MOST: f64 = 1e15;
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|it| (0.0..MOST).contains(it)).map(|it| it as u64))
}
