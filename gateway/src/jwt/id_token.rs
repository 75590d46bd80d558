//! ID tokens: by which a provider says that somebody has signed in.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::claims::Groups;
use super::form::Unverified;
use super::keys::KeySet;
use super::refusal::Refusal;
use super::rules::Rules;
use super::verify::{check_issuer, check_signature, judge_common, name_of, subject};
use crate::user::UserId;
use crate::user::name::Username;

/// Who has signed in, all of it verified.
#[derive(Debug)]
pub struct SignedIn {
    /// What the provider calls the user.
    pub subject: String,
    /// What it calls its own session, if it says so.
    pub session: Option<String>,
    /// The user's name.
    pub name: Username,
    /// The user's id, which follows from issuer and subject.
    pub id: UserId,
    /// The user's groups.
    pub groups: Groups,
}

/// Who is signed in still, all of it verified.
#[derive(Debug)]
pub struct StillSignedIn {
    /// What the provider calls the user.
    pub subject: String,
    /// The user's groups now.
    pub groups: Groups,
}

/// What an ID token has to fit to.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// What the sign-in was begun with.
    pub nonce: &'a str,
    /// The access token that came along.
    pub access_token: Option<&'a str>,
}

/// Judges an ID token by the `rules` for its issuer, whose `keys` are these, at `now`: seconds since 1970. The only audience
/// of the rules is the gateway's own client id.
pub fn verify(
    token: &Unverified<'_>,
    rules: &Rules,
    keys: &KeySet,
    expected: Expected<'_>,
    now: u64,
) -> Result<SignedIn, Refusal> {
    let algorithm = check_signature(token, rules, keys)?;
    let claims = &token.claims;
    let (_, subject) = judge_common(claims, rules, now)?;
    check_purpose(claims, rules)?;
    let text = |name| claims.get(name).and_then(Value::as_str);
    if text("nonce") != Some(expected.nonce) {
        return Err(Refusal::Claims("nonce is that of another sign-in, or missing"));
    }
    check_access_token(claims, algorithm, expected.access_token)?;
    Ok(SignedIn {
        subject: subject.to_owned(),
        session: text("sid").map(str::to_owned),
        name: name_of(claims, rules)?,
        id: UserId::of_subject(&rules.issuer, subject),
        groups: Groups::of(&rules.groups, claims),
    })
}

/// Judges one that came for a refresh token, beside this access token. It has no nonce, and need not name the user (OpenID
/// Connect Core 1.0, section 12.2). Its times do not count: it comes from the provider itself, in this moment, and a clock
/// that goes wrong there is no reason to end sessions.
pub fn verify_refreshed(
    token: &Unverified<'_>,
    rules: &Rules,
    keys: &KeySet,
    access_token: Option<&str>,
) -> Result<StillSignedIn, Refusal> {
    let algorithm = check_signature(token, rules, keys)?;
    let claims = &token.claims;
    check_issuer(claims, rules)?;
    let subject = subject(claims, rules)?.to_owned();
    check_purpose(claims, rules)?;
    check_access_token(claims, algorithm, access_token)?;
    Ok(StillSignedIn { subject, groups: Groups::of(&rules.groups, claims) })
}

/// Makes sure that it is an ID token, and one for us.
fn check_purpose(claims: &Map<String, Value>, rules: &Rules) -> Result<(), Refusal> {
    check_party(claims, rules)?;
    // Keycloak says of each token what it is.
    let is_other = claims.get("typ").and_then(Value::as_str).is_some_and(|typ| typ != "ID");
    if is_other || claims.contains_key("events") {
        return Err(Refusal::Claims("it is no ID token"));
    }
    Ok(())
}

/// Of several for whom a token is, one is named who has asked for it: that must be us.
fn check_party(claims: &Map<String, Value>, rules: &Rules) -> Result<(), Refusal> {
    let are_several = claims.get("aud").and_then(Value::as_array).is_some_and(|it| it.len() > 1);
    let is_us = match claims.get("azp") {
        None => !are_several,
        Some(party) => rules.audience.iter().any(|it| party.as_str() == Some(it)),
    };
    if is_us { Ok(()) } else { Err(Refusal::Claims("azp is another, or missing")) }
}

/// The left half of the digest of the access token that came along, if the token has one of it.
fn check_access_token(
    claims: &Map<String, Value>,
    algorithm: Algorithm,
    access_token: Option<&str>,
) -> Result<(), Refusal> {
    let Some(hash) = claims.get("at_hash") else { return Ok(()) };
    let of = |token: &str| {
        let digest = match algorithm {
            Algorithm::RS384 | Algorithm::ES384 => Sha384::digest(token).to_vec(),
            Algorithm::RS512 | Algorithm::EdDSA => Sha512::digest(token).to_vec(),
            _ => Sha256::digest(token).to_vec(),
        };
        URL_SAFE_NO_PAD.encode(&digest[..digest.len() / 2])
    };
    let is_right = access_token.is_some_and(|token| hash.as_str() == Some(&of(token)));
    if is_right { Ok(()) } else { Err(Refusal::Claims("at_hash is that of another access token")) }
}
