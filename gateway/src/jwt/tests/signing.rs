//! Keys of every kind, and tokens that are signed with them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use ring::rand::SystemRandom;
use ring::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// An RSA key for tests, which takes too long to make.
const RSA: &[u8] = include_bytes!("../../../../tests/jwt/rsa.pk8");

pub(crate) struct Signer {
    pub(crate) id: &'static str,
    key: Key,
}

enum Key {
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Header and claims, as they are signed.
fn message(header: &Value, claims: &Value) -> String {
    format!("{}.{}", base64(header.to_string().as_bytes()), base64(claims.to_string().as_bytes()))
}

/// A token that is signed with a secret in common, by HS256.
pub(crate) fn with_secret(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = message(header, claims);
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
    format!("{message}.{}", base64(ring::hmac::sign(&key, message.as_bytes()).as_ref()))
}

impl Signer {
    pub(crate) const ALL: [&'static str; 4] = ["RSA", "P-256", "P-384", "Ed25519"];

    /// With a key of this kind, which is its id too.
    pub(crate) fn new(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let ec = |algorithm: &'static EcdsaSigningAlgorithm| {
            let key = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
            Key::Ec(EcdsaKeyPair::from_pkcs8(algorithm, key.as_ref(), &random).unwrap())
        };
        let key = match id {
            "RSA" => Key::Rsa(Box::new(RsaKeyPair::from_pkcs8(RSA).unwrap())),
            "P-256" => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "P-384" => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            _ => {
                let key = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
                Key::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
            }
        };
        Self { id, key }
    }

    pub(crate) fn signs(&self, algorithm: Algorithm) -> bool {
        match (&self.key, algorithm) {
            (Key::Rsa(_), Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA) => false,
            (Key::Rsa(_), _) => true,
            (Key::Ec(_), Algorithm::ES256) => self.id == "P-256",
            (Key::Ec(_), Algorithm::ES384) => self.id == "P-384",
            (Key::Ed(_), algorithm) => algorithm == Algorithm::EdDSA,
            _ => false,
        }
    }

    /// The public key, as its format has it.
    pub(crate) fn public(&self) -> Vec<u8> {
        match &self.key {
            Key::Rsa(key) => key.public_key().as_ref().to_vec(),
            Key::Ec(key) => key.public_key().as_ref().to_vec(),
            Key::Ed(key) => key.public_key().as_ref().to_vec(),
        }
    }

    /// The public key as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        let public = self.public();
        match &self.key {
            Key::Rsa(key) => {
                let RsaPublicKeyComponents::<Vec<u8>> { n, e } = key.public().into();
                json!({ "kty": "RSA", "kid": self.id, "use": "sig", "n": base64(&n), "e": base64(&e) })
            }
            Key::Ec(_) => {
                let (x, y) = public[1..].split_at(public.len() / 2);
                json!({ "kty": "EC", "kid": self.id, "crv": self.id, "x": base64(x), "y": base64(y) })
            }
            Key::Ed(_) => {
                json!({ "kty": "OKP", "kid": self.id, "crv": "Ed25519", "x": base64(&public) })
            }
        }
    }

    /// A token: signed by the header's algorithm if it is one of the key's, otherwise by any that is.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = message(header, claims);
        let random = SystemRandom::new();
        let signature = match &self.key {
            Key::Rsa(key) => {
                let padding: &'static dyn signature::RsaEncoding = match header["alg"].as_str() {
                    Some("RS384") => &signature::RSA_PKCS1_SHA384,
                    Some("RS512") => &signature::RSA_PKCS1_SHA512,
                    Some("PS256") => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(padding, &random, message.as_bytes(), &mut signature).unwrap();
                signature
            }
            Key::Ec(key) => key.sign(&random, message.as_bytes()).unwrap().as_ref().to_vec(),
            Key::Ed(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", base64(&signature))
    }

    /// The same, signed for other claims.
    pub(crate) fn forged(&self, header: &Value, claims: &Value) -> String {
        let mut others = claims.clone();
        others["preferred_username"] = json!("eve");
        let other = self.sign(header, &others);
        format!("{}.{}", message(header, claims), other.rsplit_once('.').unwrap().1)
    }
}
