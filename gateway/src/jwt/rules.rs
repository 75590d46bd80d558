//! The rules by which tokens of one issuer are judged: one `[[jwt]]` of the configuration.

use std::time::Duration;

pub use jsonwebtoken::Algorithm;

use super::claims::ClaimPath;

/// The rules for one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Its name, exactly as in `iss`.
    pub issuer: String,
    /// One of these must be in `aud`.
    pub audience: Vec<String>,
    /// How tokens may be signed.
    pub algorithms: Vec<Algorithm>,
    /// The claim that names the user.
    pub user: ClaimPath,
    /// The claim that lists the user's groups.
    pub groups: ClaimPath,
    /// What else must be claimed: the value itself, or a list with it.
    pub require: Vec<(ClaimPath, String)>,
    /// What `typ` of the header may be; none counts as `JWT`.
    pub types: Vec<String>,
    /// How far the provider's clock may be off.
    pub leeway: Duration,
    /// How long ago a token may have been issued.
    pub max_age: Duration,
}

/// The names of algorithms that the configuration may have. `none` and secrets in common are not among them.
pub const ALGORITHMS: [(&str, Algorithm); 7] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// What those are called that are `meant`, one behind the other.
pub(super) fn names(meant: impl Fn(Algorithm) -> bool) -> String {
    let named = ALGORITHMS.iter().filter(|(_, algorithm)| meant(*algorithm));
    named.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The algorithm of this name.
pub fn algorithm(name: &str) -> Result<Algorithm, String> {
    let found = ALGORITHMS.iter().find(|(known, _)| *known == name);
    found.map(|(_, algorithm)| *algorithm).ok_or_else(|| {
        let known: Vec<_> = ALGORITHMS.iter().map(|(known, _)| *known).collect();
        format!("{name:?} is not one of {}", known.join(", "))
    })
}
