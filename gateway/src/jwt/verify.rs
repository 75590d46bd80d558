//! Whether what a token says is true.

use jsonwebtoken::{Algorithm, Header, crypto, decode_header};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::claims::Groups;
use super::form::Unverified;
use super::keys::KeySet;
use super::refusal::Refusal;
use super::rules::Rules;
use super::{ring_provider, times};
use crate::hex;
use crate::user::UserId;
use crate::user::name::Username;

/// Who a token is of, all of it verified.
#[derive(Debug)]
pub struct Identity {
    /// The user's name.
    pub name: Username,
    /// The user's id, which follows from issuer and subject.
    pub id: UserId,
    /// The user's groups.
    pub groups: Groups,
    /// When the token ends, in seconds since 1970.
    pub until: u64,
    /// A digest of the token's own id, if it has one.
    pub jti: Option<TokenMark>,
}

/// The first 32 bits of the SHA-256 of a token's `jti`, for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenMark([u8; 4]);

impl TokenMark {
    fn of(jti: &str) -> Self {
        let digest = Sha256::digest(jti.as_bytes());
        Self([digest[0], digest[1], digest[2], digest[3]])
    }

    /// Its hex digits.
    pub fn digits(self) -> [u8; 8] {
        hex::of_four(self.0)
    }
}

/// A token of which all has been judged but the signature.
pub struct Unsigned {
    token: String,
    header: Header,
    identity: Identity,
}

/// Judges `token` by the `rules` for its issuer at `now`: seconds since 1970. The signature comes last: it is what a flood of
/// tokens would have the gateway verify, and the rest costs next to nothing.
pub fn judge(token: &Unverified<'_>, rules: &Rules, now: u64) -> Result<Unsigned, Refusal> {
    let header = header(token)?;
    check_header(&header, rules)?;
    let identity = judge_claims(&token.claims, rules, now)?;
    Ok(Unsigned { token: token.token.to_owned(), header, identity })
}

impl Unsigned {
    /// Whether there is a key in `keys` that it may be signed with.
    pub fn has_key(&self, keys: &KeySet) -> bool {
        keys.find(self.header.kid.as_deref(), self.header.alg).is_some()
    }

    /// Whom the token is of, if it is signed with one of `keys`.
    pub fn verify(self, keys: &KeySet) -> Result<Identity, Refusal> {
        verify_signature(&self.token, &self.header, keys)?;
        Ok(self.identity)
    }

    /// Whom it is of if its signature is right, which nobody looks at: for explanations only.
    pub fn suppose(self) -> Identity {
        self.identity
    }
}

/// Makes sure that the issuer has signed `token`; says by which algorithm. Nothing that it claims has been judged then.
pub(super) fn check_signature(
    token: &Unverified<'_>,
    rules: &Rules,
    keys: &KeySet,
) -> Result<Algorithm, Refusal> {
    let header = header(token)?;
    check_header(&header, rules)?;
    verify_signature(token.token, &header, keys)?;
    Ok(header.alg)
}

fn verify_signature(token: &str, header: &Header, keys: &KeySet) -> Result<(), Refusal> {
    let key = keys.find(header.kid.as_deref(), header.alg).ok_or(Refusal::UnknownKey)?;
    let forged = Refusal::Signature("it is not that of the key");
    let (message, signature) = token.rsplit_once('.').ok_or(forged)?;
    ring_provider::install();
    match crypto::verify(signature, message.as_bytes(), key, header.alg) {
        Ok(true) => Ok(()),
        Ok(false) | Err(_) => Err(forged),
    }
}

fn header(token: &Unverified<'_>) -> Result<Header, Refusal> {
    let unreadable = Refusal::Signature("the header cannot be read, or no such algorithm is known");
    decode_header(token.token).map_err(|_| unreadable)
}

fn check_header(header: &Header, rules: &Rules) -> Result<(), Refusal> {
    let brings_key = header.jwk.is_some() || header.jku.is_some() || header.x5u.is_some();
    if brings_key {
        return Err(Refusal::Signature("it brings a key of its own, or says where one is"));
    }
    if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
        return Err(Refusal::Signature("its header asks for what is not understood here"));
    }
    if !rules.algorithms.contains(&header.alg) {
        return Err(Refusal::Signature("its algorithm is not one of jwt.algorithms"));
    }
    // A media type, which may leave out its first part.
    let typ = header.typ.as_deref().unwrap_or("JWT");
    let is_same = |other: &String| {
        let bare = |text: &str| text.to_ascii_lowercase().replacen("application/", "", 1);
        bare(other) == bare(typ)
    };
    let is_right = rules.types.iter().any(is_same);
    if is_right { Ok(()) } else { Err(Refusal::Claims("typ is not one of jwt.types")) }
}

fn judge_claims(claims: &Map<String, Value>, rules: &Rules, now: u64) -> Result<Identity, Refusal> {
    let (until, subject) = judge_common(claims, rules, now)?;
    check_purpose(claims)?;
    let jti = claims.get("jti").and_then(Value::as_str).map(TokenMark::of);
    let (name, id) = (name_of(claims, rules)?, UserId::of_subject(&rules.issuer, subject));
    Ok(Identity { name, id, groups: Groups::of(&rules.groups, claims), until, jti })
}

/// What is judged of all tokens that tell of a user: when it ends, and the subject.
pub(super) fn judge_common<'c>(
    claims: &'c Map<String, Value>,
    rules: &Rules,
    now: u64,
) -> Result<(u64, &'c str), Refusal> {
    check_issuer(claims, rules)?;
    let until = times::check(claims, rules, now)?;
    Ok((until, subject(claims, rules)?))
}

/// Makes sure that the token says to be of the issuer of `rules`.
pub(super) fn check_issuer(claims: &Map<String, Value>, rules: &Rules) -> Result<(), Refusal> {
    let is_right = claims.get("iss").and_then(Value::as_str) == Some(&*rules.issuer);
    if is_right { Ok(()) } else { Err(Refusal::Claims("iss is another")) }
}

/// The subject of a token that is for us and claims what it has to.
pub(super) fn subject<'c>(
    claims: &'c Map<String, Value>,
    rules: &Rules,
) -> Result<&'c str, Refusal> {
    if !is_for(claims, rules) {
        return Err(Refusal::Audience);
    }
    if !rules.require.iter().all(|(path, value)| has(path.find(claims), value)) {
        return Err(Refusal::Claims("it does not claim what jwt.require has"));
    }
    let subject = claims.get("sub").and_then(Value::as_str).filter(|it| !it.is_empty());
    subject.ok_or(Refusal::Claims("sub is missing"))
}

/// Whether one of the audience of `rules` is in `aud`.
pub(super) fn is_for(claims: &Map<String, Value>, rules: &Rules) -> bool {
    rules.audience.iter().any(|audience| has(claims.get("aud"), audience))
}

/// Whether `claim` is `value`, or a list with it.
fn has(claim: Option<&Value>, value: &str) -> bool {
    match claim {
        Some(Value::String(text)) => text == value,
        Some(Value::Bool(truth)) => truth.to_string() == value,
        Some(Value::Number(number)) => number.to_string() == value,
        Some(Value::Array(list)) => list.iter().any(|it| it.as_str() == Some(value)),
        _ => false,
    }
}

/// Refuses what the same provider signs for other purposes with the same keys: ID tokens are for the page that the user
/// signs in to, log-out tokens and refresh tokens for nobody's requests.
fn check_purpose(claims: &Map<String, Value>) -> Result<(), Refusal> {
    let is_there = |name: &&str| claims.contains_key(*name);
    let of_keycloak = claims.get("typ").and_then(Value::as_str);
    let is_other = of_keycloak.is_some_and(|typ| typ != "Bearer");
    if is_other || ["nonce", "at_hash", "c_hash", "s_hash", "events"].iter().any(is_there) {
        return Err(Refusal::Claims("it is an ID token, or one for another purpose than requests"));
    }
    Ok(())
}

/// The user's name: refused if it is not one, and never mended.
pub(super) fn name_of(claims: &Map<String, Value>, rules: &Rules) -> Result<Username, Refusal> {
    let name = rules.user.find(claims).and_then(Value::as_str);
    let name = name.ok_or(Refusal::Claims("the claim of jwt.user is missing, or no string"))?;
    if rules.user.as_str() == "email" {
        if claims.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(Refusal::Claims("email is not verified"));
        }
        if name.matches('@').count() != 1 {
            return Err(Refusal::Claims("email is not one address"));
        }
    }
    name.parse()
        .map_err(|_| Refusal::Claims("the claim of jwt.user is not a name that can be one here"))
}
