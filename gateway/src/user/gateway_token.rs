//! Gateway tokens: a user's, for programs and devices that can send nothing but a token.

mod entry;
mod presented;

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::hex;
pub use entry::{ClientToken, Expiry, Label};
pub use presented::{Presented, holds_token};

/// What every token begins with, and nothing else of a client's does.
pub const PREFIX: &str = "igw_";

/// How long a token is: its beginning, and 32 bytes in base64url without padding.
pub const LENGTH: usize = PREFIX.len() + 43;

/// A token: `igw_` and 256 bits of the operating system's. Cannot be printed by accident; wiped when dropped.
pub struct GatewayToken(Zeroizing<String>);

impl GatewayToken {
    /// A fresh one.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).expect("the operating system provides randomness");
        let encoded = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
        Self(Zeroizing::new(format!("{PREFIX}{}", *encoded)))
    }

    /// Its text, for whoever is to use it.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest::of(self.0.as_bytes())
    }
}

/// The SHA-256 of a token's whole text, under which it is known. Nobody gets in with it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// The digest itself.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its first 32 bits, which name the token where people read.
    pub fn mark(&self) -> Mark {
        Mark([self.0[0], self.0[1], self.0[2], self.0[3]])
    }
}

impl fmt::Display for TokenDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TokenDigest({}…)", self.mark())
    }
}

impl FromStr for TokenDigest {
    type Err = String;

    /// The error does not repeat the text: somebody may have written the token itself there.
    fn from_str(text: &str) -> Result<Self, String> {
        let bytes = hex::decode(text.as_bytes()).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            "expected the SHA-256 of a token, 64 hex digits in lower case; `influx-gateway token add` makes one"
                .to_owned()
        })
    }
}

/// The first 32 bits of a [`TokenDigest`]; prints as eight hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark([u8; 4]);

impl Mark {
    /// Its hex digits.
    pub fn digits(self) -> [u8; 8] {
        hex::of_four(self.0)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_the_digest_of_its_text() {
        let token = GatewayToken::generate();
        assert_eq!(token.text().len(), LENGTH);
        assert!(token.text().starts_with("igw_"), "{}", token.text().len());
        assert_eq!(token.digest(), TokenDigest::of(token.text().as_bytes()));
        assert_ne!(token.digest(), GatewayToken::generate().digest());
        // printf igw_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA | sha256sum
        let text = TokenDigest::of(format!("igw_{}", "A".repeat(43)).as_bytes()).to_string();
        assert_eq!(text, "b96c1f802231afedb914ab3597adbe339ec9f3d8ee759d2d9a11c2efdd8211e0");
        assert_eq!(text.parse::<TokenDigest>().unwrap().mark().to_string(), text[..8]);
    }

    #[test]
    fn a_digest_that_is_none_is_not_repeated() {
        for wrong in ["", "ab", "igw_secret", &"AB".repeat(32), &"ab".repeat(33)] {
            let error = wrong.parse::<TokenDigest>().unwrap_err();
            assert!(wrong.is_empty() || !error.contains(wrong), "{error}");
        }
    }
}
