//! The session's secret, and the digest that stands for it everywhere else.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The cookie's secret: 256 bits from the operating system's generator.
///
/// Lives in the client's cookie only; the gateway keeps its [`SessionId`]. Cannot be printed.
pub struct SessionToken(Zeroizing<[u8; 32]>);

impl SessionToken {
    /// Length of the text form: 43 characters of URL-safe base64 without padding.
    ///
    /// No padding on purpose: a `=` makes some cookie jars quote the value.
    pub const TEXT_LENGTH: usize = 43;

    /// A fresh token.
    ///
    /// # Panics
    /// If the operating system has no randomness to give: nothing can be signed in then.
    pub fn generate() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *bytes).expect("the operating system provides randomness");
        Self(bytes)
    }

    /// Reads the text form; `None` for anything that [`SessionToken::text`] would not write.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() != Self::TEXT_LENGTH {
            return None;
        }
        let mut token = Self(Zeroizing::new([0; 32]));
        let written = URL_SAFE_NO_PAD.decode_slice(text, &mut *token.0).ok()?;
        (written == token.0.len()).then_some(token)
    }

    /// The text form, for the cookie.
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(*self.0))
    }

    /// The digest under which the session is kept.
    pub fn id(&self) -> SessionId {
        SessionId(Sha256::digest(*self.0).into())
    }
}

/// The SHA-256 of a [`SessionToken`]: the key in the store. Signs nobody in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId([u8; 32]);

impl SessionId {
    /// Eight hex digits that name the session in logs.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint([self.0[0], self.0[1], self.0[2], self.0[3]])
    }
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "SessionId({}…)", self.fingerprint())
    }
}

/// The first 32 bits of a [`SessionId`], for logs; prints as eight hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 4]);

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:08x}", u32::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_survives_its_text_form() {
        let token = SessionToken::generate();
        let text = token.text();
        assert_eq!(text.len(), SessionToken::TEXT_LENGTH);
        assert!(SessionToken::parse(text.as_bytes()).is_some_and(|again| again.id() == token.id()));
    }

    #[test]
    fn tokens_differ() {
        let ids: std::collections::HashSet<_> =
            (0..10_000).map(|_| SessionToken::generate().id()).collect();
        assert_eq!(ids.len(), 10_000);
    }

    proptest! {
        /// Whatever parses prints back as it came: no second spelling of a token exists.
        #[test]
        fn a_token_has_one_spelling(text in "[A-Za-z0-9_=+/-]{42,44}") {
            if let Some(token) = SessionToken::parse(text.as_bytes()) {
                let again = token.text();
                prop_assert_eq!(again.as_str(), text.as_str());
            }
        }

        #[test]
        fn parsing_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = SessionToken::parse(&bytes);
        }
    }
}
