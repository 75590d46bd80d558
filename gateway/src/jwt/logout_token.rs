//! Log-out tokens: by which a provider says that somebody has signed out there (OpenID Connect Back-Channel Logout 1.0).

use std::time::Duration;

use serde_json::Value;

use super::form::Unverified;
use super::keys::KeySet;
use super::refusal::Refusal;
use super::rules::Rules;
use super::times;
use super::verify::{check_signature, is_for};

/// What a token of this kind says.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How long ago it may have been issued.
pub const MAX_AGE: Duration = Duration::from_secs(300);

/// The longest id of one.
const LONGEST_ID: usize = 255;

/// Who has signed out, all of it verified.
#[derive(Debug, PartialEq, Eq)]
pub struct LoggedOut {
    /// What the provider calls the user, if it says so.
    pub subject: Option<String>,
    /// What it calls its session, if it says so; it says one of the two at least.
    pub session: Option<String>,
    /// The token's own id, by which it is told from all others.
    pub jti: String,
    /// When the token ends, in seconds since 1970.
    pub until: u64,
}

/// The rules for log-out tokens of a provider whose ID tokens are judged by these `rules`.
pub fn rules(rules: &Rules) -> Rules {
    let types = ["logout+jwt", "JWT"].map(str::to_owned).to_vec();
    Rules { types, max_age: MAX_AGE, require: Vec::new(), ..rules.clone() }
}

/// Judges a log-out token by such `rules`. The signature is looked at first.
pub fn verify(
    token: &Unverified<'_>,
    rules: &Rules,
    keys: &KeySet,
    now: u64,
) -> Result<LoggedOut, Refusal> {
    check_signature(token, rules, keys)?;
    let claims = &token.claims;
    let text = |name| {
        let text = claims.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    if text("iss").as_ref() != Some(&rules.issuer) {
        return Err(Refusal::Claims("iss is another"));
    }
    if !is_for(claims, rules) {
        return Err(Refusal::Audience);
    }
    let until = times::check(claims, rules, now)?;
    let is_event = claims.get("events").and_then(|it| it.get(EVENT)).is_some_and(Value::is_object);
    if !is_event || claims.contains_key("nonce") {
        return Err(Refusal::Claims("it is no log-out token"));
    }
    let (subject, session) = (text("sub"), text("sid"));
    if subject.is_none() && session.is_none() {
        return Err(Refusal::Claims("neither sub nor sid is there"));
    }
    let jti = text("jti").filter(|jti| jti.len() <= LONGEST_ID);
    let jti = jti.ok_or(Refusal::Claims("jti is missing, or too long"))?;
    Ok(LoggedOut { subject, session, jti, until })
}
