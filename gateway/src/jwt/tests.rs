//! Tokens that are good, and each that is not.

mod signing;

use std::time::Duration;

use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::claims::ClaimPath;
use super::form::Unverified;
use super::keys::KeySet;
use super::refusal::Refusal;
use super::rules::{ALGORITHMS, Rules};
use super::verify::{self, Identity};
use signing::{Signer, base64};

const ISSUER: &str = "https://idp.test/realms/influx";
const NOW: u64 = 1_800_000_000;

fn rules() -> Rules {
    let path = |text| ClaimPath::parse(text).unwrap();
    Rules {
        issuer: ISSUER.to_owned(),
        audience: vec!["influx-api".to_owned()],
        algorithms: ALGORITHMS.map(|(_, algorithm)| algorithm).to_vec(),
        user: path("preferred_username"),
        groups: path("groups"),
        require: vec![(path("azp"), "telegraf".to_owned())],
        types: vec!["JWT".to_owned(), "at+jwt".to_owned()],
        leeway: Duration::from_secs(30),
        max_age: Duration::from_secs(24 * 3600),
    }
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "0815", "aud": ["influx-api", "other"], "azp": "telegraf", "typ": "Bearer",
        "preferred_username": "ada", "groups": ["influx-writers"], "jti": "j1",
        "exp": NOW + 300, "iat": NOW - 10, "nbf": NOW - 10,
    })
}

/// `claims` with one of them changed; null takes it away.
fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn verify(token: &Unverified<'_>, rules: &Rules, keys: &KeySet) -> Result<Identity, Refusal> {
    verify::judge(token, rules, NOW)?.verify(keys)
}

fn judge(token: &str, keys: &KeySet) -> Result<Identity, Refusal> {
    verify(&Unverified::parse(token.as_bytes()).unwrap(), &rules(), keys)
}

fn keys(jwks: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).unwrap()
}

#[test]
fn each_algorithm_is_verified_by_the_keys_of_its_kind_and_by_no_other() {
    let signers: Vec<_> = Signer::ALL.map(Signer::new).into_iter().collect();
    let all = keys(&signers.iter().map(Signer::jwk).collect::<Vec<_>>());
    assert_eq!(all.count(), 4);
    for (name, algorithm) in ALGORITHMS {
        for signer in &signers {
            let header = json!({ "alg": name, "kid": signer.id });
            let token = signer.sign(&header, &claims());
            let expected = signer.signs(algorithm);
            match judge(&token, &all) {
                Ok(identity) => {
                    assert!(expected, "{name} by {}", signer.id);
                    assert_eq!(identity.name.as_str(), "ada");
                    assert!(identity.groups.has("influx-writers"));
                    assert_eq!(identity.until, NOW + 330);
                }
                Err(refusal) => {
                    assert!(!expected, "{name} by {}: {refusal:?}", signer.id);
                    assert_eq!(refusal, Refusal::UnknownKey);
                }
            }
            // Signed by another key of the same kind.
            let forged = signer.forged(&header, &claims());
            let refusal = judge(&forged, &all).unwrap_err();
            assert!(matches!(refusal, Refusal::Signature(_) | Refusal::UnknownKey), "{refusal:?}");
        }
    }
}

#[test]
fn a_header_brings_neither_key_nor_rules_of_its_own() {
    let signer = Signer::new("P-256");
    let set = keys(&[signer.jwk()]);
    let refusal = |header: &Value| judge(&signer.sign(header, &claims()), &set).unwrap_err();
    for more in [
        json!({ "jwk": signer.jwk() }),
        json!({ "jku": "https://evil.test/keys" }),
        json!({ "x5u": "https://evil.test/x" }),
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "zip": "DEF" }),
        json!({ "alg": "none" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "ES512" }),
        json!({ "alg": ["ES256"] }),
    ] {
        let mut header = json!({ "alg": "ES256", "kid": signer.id });
        for (name, value) in more.as_object().unwrap() {
            header[name] = value.clone();
        }
        assert!(matches!(refusal(&header), Refusal::Signature(_)), "{header}");
    }
    for (typ, is_right) in [
        ("JWT", true),
        ("jwt", true),
        ("at+jwt", true),
        ("application/at+jwt", true),
        ("logout+jwt", false),
        ("secevent+jwt", false),
        ("", false),
    ] {
        let header = json!({ "alg": "ES256", "kid": signer.id, "typ": typ });
        assert_eq!(judge(&signer.sign(&header, &claims()), &set).is_ok(), is_right, "{typ}");
    }
}

/// The classic: whoever knows the public key takes it for a secret in common.
#[test]
fn a_public_key_is_no_secret() {
    let signer = Signer::new("RSA");
    let set = keys(&[signer.jwk()]);
    let header = json!({ "alg": "HS256", "kid": signer.id });
    for secret in [signer.jwk()["n"].as_str().unwrap().as_bytes(), &signer.public()] {
        let token = signing::with_secret(&header, &claims(), secret);
        assert!(matches!(judge(&token, &set), Err(Refusal::Signature(_))));
    }
    let secret = json!({ "kty": "oct", "kid": "s", "alg": "HS256", "k": base64(b"secret") });
    let set = KeySet::parse(json!({ "keys": [secret] }).to_string().as_bytes());
    assert!(set.is_err(), "a secret in the document is no key");
}

#[test]
fn each_claim_has_to_be_right() {
    let signer = Signer::new("Ed25519");
    let set = keys(&[signer.jwk()]);
    let header = json!({ "alg": "EdDSA", "kid": signer.id });
    let judge = |claims: &Value| judge(&signer.sign(&header, claims), &set);
    let claims_wrong = |refusal: &Refusal| matches!(refusal, Refusal::Claims(_));
    for (name, value) in [
        ("iss", json!("https://idp.test/realms/influx/")),
        ("iat", json!(null)),
        ("iat", json!("1")),
        ("nbf", json!(true)),
        ("exp", json!(null)),
        ("exp", json!(-1)),
        ("exp", json!("2000000000")),
        ("exp", json!(1e300)),
        ("sub", json!(null)),
        ("sub", json!("")),
        ("sub", json!(1)),
        ("azp", json!("other")),
        ("azp", json!(null)),
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("typ", json!("Logout")),
        ("nonce", json!("n")),
        ("at_hash", json!("h")),
        ("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} })),
        ("preferred_username", json!(null)),
        ("preferred_username", json!(["ada"])),
        ("preferred_username", json!("")),
        ("preferred_username", json!("a\rb")),
        ("preferred_username", json!("ada,eve")),
        ("preferred_username", json!("ada:eve")),
        ("preferred_username", json!("ad\u{e4}")),
        ("preferred_username", json!("ada ")),
        ("preferred_username", json!("n".repeat(300))),
    ] {
        let refusal = judge(&with(name, value.clone())).unwrap_err();
        assert!(claims_wrong(&refusal), "{name} = {value}: {refusal:?}");
    }
    for (name, value, expected) in [
        ("aud", json!("other"), Refusal::Audience),
        ("aud", json!(["other", "influx-api2"]), Refusal::Audience),
        ("aud", json!(null), Refusal::Audience),
        ("aud", json!({ "influx-api": true }), Refusal::Audience),
        ("exp", json!(NOW - 30), Refusal::Expired),
        ("exp", json!(0), Refusal::Expired),
        ("iat", json!(NOW - 24 * 3600 - 30), Refusal::Expired),
        ("iat", json!(NOW + 31), Refusal::Early("iat is in the future")),
        ("nbf", json!(NOW + 31), Refusal::Early("nbf is in the future")),
    ] {
        assert_eq!(judge(&with(name, value.clone())).unwrap_err(), expected, "{name} = {value}");
    }
    for (name, value) in [
        ("aud", json!("influx-api")),
        ("azp", json!(["x", "telegraf"])),
        ("exp", json!(NOW - 29)),
        ("exp", json!(1_800_000_300.5)),
        ("iat", json!(NOW + 30)),
        ("nbf", json!(NOW + 30)),
        ("nbf", json!(null)),
        ("jti", json!(null)),
        ("jti", json!(7)),
        ("typ", json!(null)),
    ] {
        assert!(judge(&with(name, value.clone())).is_ok(), "{name} = {value}");
    }
    let until = judge(&with("exp", json!(NOW + 1_000_000))).unwrap().until;
    assert_eq!(until, NOW - 10 + 24 * 3600 + 30, "bounded by its age");
}

#[test]
fn an_email_is_a_name_if_it_is_verified_and_one_address() {
    let signer = Signer::new("P-384");
    let set = keys(&[signer.jwk()]);
    let mut rules = rules();
    rules.user = ClaimPath::parse("email").unwrap();
    for (email, verified, is_right) in [
        ("ada@corp.test", json!(true), true),
        ("ada@corp.test", json!(false), false),
        ("ada@corp.test", json!("true"), false),
        ("ada@corp.test", json!(null), false),
        ("a@corp.test@evil.test", json!(true), false),
        ("ada", json!(true), false),
        ("\"a\"@corp.test\r\n", json!(true), false),
    ] {
        let mut claims = with("email", json!(email));
        claims["email_verified"] = verified;
        let token = signer.sign(&json!({ "alg": "ES384", "kid": signer.id }), &claims);
        let token = Unverified::parse(token.as_bytes()).unwrap();
        let judged = verify(&token, &rules, &set);
        assert_eq!(judged.is_ok(), is_right, "{email}");
    }
}

#[test]
fn an_id_follows_from_issuer_and_subject_and_is_the_same_everywhere() {
    let signer = Signer::new("Ed25519");
    let set = keys(&[signer.jwk()]);
    let id = |claims: &Value| {
        let token = signer.sign(&json!({ "alg": "EdDSA" }), claims);
        judge(&token, &set).unwrap().id.to_string()
    };
    // printf 'https://idp.test/realms/influx\0000815' | sha256sum | head -c 16
    assert_eq!(id(&claims()), "89a51d7ff7487dbf");
    assert_eq!(id(&claims()), id(&with("preferred_username", json!("bob"))));
    assert_ne!(id(&claims()), id(&with("sub", json!("0816"))));
}

#[test]
fn documents_of_keys_are_taken_whole_or_refused() {
    let (rsa, p256) = (Signer::new("RSA").jwk(), Signer::new("P-256").jwk());
    let parse = |keys: &[Value]| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    let but = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    let count = |keys: &[Value]| parse(keys).map(|set| set.count()).unwrap_or_default();
    assert_eq!(count(&[rsa.clone(), p256.clone()]), 2);
    assert_eq!(count(&[but(&rsa, "kid", json!("P-256")), p256.clone()]), 2, "of two kinds");
    assert_eq!(count(&[rsa.clone(), rsa.clone()]), 0, "one name twice");
    for odd in [
        but(&rsa, "use", json!("enc")),
        but(&rsa, "key_ops", json!(["encrypt"])),
        but(&rsa, "alg", json!("RSA-OAEP")),
        but(&rsa, "alg", json!("ES256")),
        but(&rsa, "n", json!(base64(&[1; 128]))),
        but(&rsa, "n", json!("!")),
        but(&p256, "crv", json!("secp256k1")),
        but(&p256, "crv", json!("P-521")),
        but(&p256, "x", json!(base64(&[1; 31]))),
        json!({ "kty": "OKP", "crv": "X25519", "x": base64(&[1; 32]), "kid": "x" }),
        json!({ "kty": "AKP", "pub": "x", "kid": "x" }),
        json!({}),
    ] {
        let odd = but(&odd, "kid", json!("odd"));
        assert_eq!(count(&[odd.clone(), p256.clone()]), 1, "{odd} is left out");
        assert!(parse(&[odd]).is_err());
    }
    let named = |number: usize| but(&p256, "kid", json!(number.to_string()));
    assert_eq!(count(&(0..100).map(named).collect::<Vec<_>>()), 100);
    assert!(parse(&(0..101).map(named).collect::<Vec<_>>()).is_err());
    for wrong in ["", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[{\"kid\":1}]}", "<html>"] {
        assert!(KeySet::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
    let long = format!("{{\"keys\":[],\"x\":\"{}\"}}", "x".repeat(10_000_000));
    assert!(KeySet::parse(long.as_bytes()).is_err());
}

#[test]
fn without_a_name_the_only_key_that_fits_verifies() {
    let (one, other) = (Signer::new("P-256"), Signer::new("P-256"));
    let token = one.sign(&json!({ "alg": "ES256" }), &claims());
    assert!(judge(&token, &keys(&[one.jwk()])).is_ok());
    let mut second = other.jwk();
    second["kid"] = json!("second");
    let both = keys(&[one.jwk(), second]);
    assert_eq!(judge(&token, &both).unwrap_err(), Refusal::UnknownKey);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is changed in a token, it is not that token.
    #[test]
    fn a_token_with_another_byte_is_refused(place: prop::sample::Index, byte in "[A-Za-z0-9_.-]") {
        let signer = Signer::new("Ed25519");
        let set = keys(&[signer.jwk()]);
        let token = signer.sign(&json!({ "alg": "EdDSA", "kid": signer.id }), &claims());
        let place = place.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(place..=place, &byte);
        prop_assume!(changed != token);
        if let Some(read) = Unverified::parse(changed.as_bytes()) {
            prop_assert!(verify(&read, &rules(), &set).is_err(), "{changed}");
        }
    }

    #[test]
    fn reading_is_total(token in "[a-zA-Z0-9_=.-]{0,60}", document in "\\PC{0,60}") {
        if let Some(token) = Unverified::parse(token.as_bytes()) {
            let set = keys(&[Signer::new("P-256").jwk()]);
            prop_assert!(verify(&token, &rules(), &set).is_err());
        }
        prop_assert!(KeySet::parse(document.as_bytes()).is_err());
    }
}

#[test]
fn algorithms_are_those_of_the_configuration() {
    assert!(ALGORITHMS.iter().all(|(name, algorithm)| {
        super::rules::algorithm(name) == Ok(*algorithm)
            && name.parse() == Ok::<Algorithm, _>(*algorithm)
    }));
    for wrong in ["none", "HS256", "rs256", ""] {
        assert!(super::rules::algorithm(wrong).is_err(), "{wrong}");
    }
}
