//! The keys of a provider, as its document (a JWK set) has them.

use std::collections::HashSet;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};

use super::rules::names;

/// So many keys may be in one document.
pub const MOST_KEYS: usize = 100;

/// So many bytes a document may have.
pub const MOST_BYTES: usize = 256 * 1024;

/// An RSA key of fewer bytes is too weak, and one of more takes too long.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The keys of a provider that verify signatures.
pub struct KeySet(Vec<Key>);

struct Key {
    id: Option<String>,
    public: DecodingKey,
    /// What it may verify.
    algorithms: Vec<Algorithm>,
}

impl KeySet {
    /// Those in `document`. Keys for something else are left out, so that a provider may have them; what is
    /// ambiguous, and what has no key at all, is refused as a whole.
    pub fn parse(document: &[u8]) -> Result<Self, String> {
        if document.len() > MOST_BYTES {
            return Err(format!("a document of more than {MOST_BYTES} bytes"));
        }
        let set: JwkSet = serde_json::from_slice(document)
            .map_err(|error| format!("not a set of keys (RFC 7517): {error}"))?;
        if set.keys.len() > MOST_KEYS {
            return Err(format!("{} keys, and at most {MOST_KEYS} are read", set.keys.len()));
        }
        let mut seen = HashSet::new();
        for key in &set.keys {
            if let Some(id) = &key.common.key_id
                && !seen.insert((id, kind(key)))
            {
                return Err(format!("two keys of one kind are called {id:?}"));
            }
        }
        let keys: Vec<Key> = set.keys.iter().filter_map(Key::of).collect();
        if keys.is_empty() {
            return Err("no key in it that signatures could be verified with".to_owned());
        }
        Ok(Self(keys))
    }

    /// These keys, if one at least verifies one of `algorithms`: by others no token can be judged.
    pub fn for_some_of(self, algorithms: &[Algorithm]) -> Result<Self, String> {
        let verifies = |algorithm| self.0.iter().any(|key| key.algorithms.contains(&algorithm));
        if algorithms.iter().any(|algorithm| verifies(*algorithm)) {
            return Ok(self);
        }
        Err(format!(
            "its keys are for {}, and none of them for what algorithms names: {}",
            names(verifies),
            names(|algorithm| algorithms.contains(&algorithm))
        ))
    }

    /// How many keys there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The key called `id` that verifies `algorithm`. Without an id, it must be the only one that does.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self.0.iter().filter(|key| key.algorithms.contains(&algorithm));
        let Some(id) = id else {
            let only = fitting.next()?;
            return fitting.next().is_none().then_some(&only.public);
        };
        fitting.find(|key| key.id.as_deref() == Some(id)).map(|key| &key.public)
    }
}

impl Key {
    /// `None` if it is not for verifying signatures, or by no algorithm that is known.
    fn of(jwk: &Jwk) -> Option<Self> {
        let common = &jwk.common;
        let is_for_signatures =
            matches!(&common.public_key_use, None | Some(PublicKeyUse::Signature));
        let operations = common.key_operations.as_deref();
        let verifies = operations.is_none_or(|all| all.contains(&KeyOperations::Verify));
        let mut algorithms = algorithms(&jwk.algorithm).to_vec();
        if let Some(own) = common.key_algorithm {
            algorithms.retain(|algorithm| KeyAlgorithm::from(*algorithm) == own);
        }
        let public = DecodingKey::from_jwk(jwk).ok();
        let public = public.filter(|key| is_sound(&jwk.algorithm, key))?;
        let is_useful = is_for_signatures && verifies && !algorithms.is_empty();
        is_useful.then(|| Self { id: common.key_id.clone(), public, algorithms })
    }
}

fn kind(key: &Jwk) -> u8 {
    match key.algorithm {
        AlgorithmParameters::RSA(_) => 0,
        AlgorithmParameters::EllipticCurve(_) => 1,
        AlgorithmParameters::OctetKeyPair(_) => 2,
        _ => 3,
    }
}

/// What keys of a kind can verify, of what the configuration may name. Secrets verify nothing here.
fn algorithms(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    match parameters {
        AlgorithmParameters::RSA(_) => {
            &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256]
        }
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            &[Algorithm::EdDSA]
        }
        _ => &[],
    }
}

/// Whether the numbers of `key` have the right length.
fn is_sound(parameters: &AlgorithmParameters, key: &DecodingKey) -> bool {
    let length = match (parameters, key.kind()) {
        (AlgorithmParameters::RSA(_), DecodingKeyKind::RsaModulusExponent { n, .. }) => {
            let leading = n.iter().take_while(|byte| **byte == 0).count();
            return RSA_BYTES.contains(&(n.len() - leading));
        }
        (AlgorithmParameters::EllipticCurve(key), _) if key.curve == EllipticCurve::P256 => 65,
        (AlgorithmParameters::EllipticCurve(key), _) if key.curve == EllipticCurve::P384 => 97,
        (AlgorithmParameters::OctetKeyPair(_), _) => 32,
        _ => return false,
    };
    key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() == length)
}
