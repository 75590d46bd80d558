//! The session token, which is secret, and the session id, which is its digest.

use std::hash::{Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::hex;

/// The cookie's secret: 256 bits from the operating system's generator.
///
/// Lives in the client's cookie only; the gateway keeps its [`SessionId`]. Cannot be printed.
#[derive(Clone)]
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

    /// The secret itself, to derive keys from.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest under which the session is kept.
    pub fn id(&self) -> SessionId {
        SessionId(Sha256::digest(*self.0).into())
    }
}

/// The SHA-256 of a [`SessionToken`]: the key in the store. It cannot be used to sign in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId([u8; 32]);

/// A digest is as evenly spread as any hash of it, and nobody can choose those that are kept: each is of
/// a token that was made here. So its first bits do.
impl Hash for SessionId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (bits, _rest) = self.0.split_first_chunk().expect("a digest is longer than that");
        state.write_u64(u64::from_ne_bytes(*bits));
    }
}

/// A hasher that takes the bits of a [`SessionId`] as they are, since they are random already.
#[derive(Clone, Copy, Debug, Default)]
pub struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }

    fn write(&mut self, bytes: &[u8]) {
        unreachable!("a session's id is one number, not {} bytes", bytes.len());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl SessionId {
    /// The digest itself.
    pub(super) fn bytes(&self) -> [u8; 32] {
        self.0
    }

    /// The digest in 64 hex digits.
    pub(super) fn hex(&self) -> String {
        hex::encode(&self.0)
    }

    /// The digest that [`SessionId::hex`] wrote.
    pub(super) fn of_hex(hex: &[u8]) -> Option<Self> {
        hex::decode(hex)?.try_into().ok().map(Self)
    }

    /// The first `count` of those digits. They neither sign in nor tell anything of the token.
    pub fn digits(&self, count: usize) -> String {
        self.hex().chars().take(count).collect()
    }

    /// Another id that begins like this one.
    #[cfg(test)]
    pub fn twin(&self) -> Self {
        let mut other = *self;
        other.0[7] ^= 1;
        other
    }

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

impl Fingerprint {
    /// Its hex digits.
    pub fn digits(self) -> [u8; 8] {
        hex::of_four(self.0)
    }
}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_survives_its_hex_digits() {
        let id = SessionToken::generate().id();
        let hex = id.hex();
        assert_eq!(SessionId::of_hex(hex.as_bytes()), Some(id));
        for wrong in ["", &hex[1..], &hex.to_uppercase().replace(|c: char| c.is_numeric(), "A")] {
            assert_eq!(SessionId::of_hex(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(SessionId::of_hex(format!("{hex}0").as_bytes()), None);
    }

    #[test]
    fn a_token_survives_its_text_form() {
        let token = SessionToken::generate();
        let text = token.text();
        assert_eq!(text.len(), SessionToken::TEXT_LENGTH);
        assert!(SessionToken::parse(text.as_bytes()).is_some_and(|again| again.id() == token.id()));
    }

    /// Of a million tokens no two begin with the same 64 bits, as they would with a counter, a clock
    /// or a weak generator in them; and each of the 256 bits is set in half of them.
    #[test]
    fn s_04_a_million_tokens_have_nothing_in_common() {
        const TOKENS: usize = 1_000_000;
        let mut heads = Vec::with_capacity(TOKENS);
        let mut set = [0_u32; 256];
        for _ in 0..TOKENS {
            let token = SessionToken::generate();
            heads.push(u64::from_be_bytes(*token.0.first_chunk().unwrap()));
            // One bit of each token is enough to see a bit that stays as it is.
            let bit = heads.len() % 256;
            set[bit] += u32::from(token.0[bit / 8] >> (bit % 8) & 1);
        }
        heads.sort_unstable();
        assert!(heads.windows(2).all(|pair| pair[0] != pair[1]), "two begin alike");
        // 3,906 tokens are looked at for each bit, so that 312 is ten standard deviations.
        for (bit, &set) in set.iter().enumerate() {
            assert!((1_641..2_265).contains(&set), "bit {bit} is set in {set} of 3,906");
        }
    }

    #[test]
    fn s_18_what_can_be_printed_does_not_hold_the_token() {
        let token = SessionToken::generate();
        let head = |bytes: &[u8; 32]| u64::from_be_bytes(*bytes.first_chunk().unwrap());
        let (id, fingerprint) = (token.id(), token.id().fingerprint());
        let printed = format!("{id:?} {fingerprint:?} {fingerprint}");
        for secret in [
            token.text().as_str(),
            &format!("{:016x}", head(&token.0)),
            &format!("{:016x}", head(&id.0)),
            &format!("{:?}", *token.0),
            &format!("{:?}", id.0),
        ] {
            assert!(!printed.contains(secret), "{printed}");
        }
    }

    /// Does not compile if tokens, or what holds them, can be printed.
    #[test]
    fn s_18_a_token_and_a_session_cannot_be_printed() {
        trait Silent<Marker> {
            fn is_silent() {}
        }
        impl<T> Silent<()> for T {}
        impl<T: std::fmt::Debug> Silent<u8> for T {}
        impl<T: std::fmt::Display> Silent<u16> for T {}
        // With a second implementation it would not be known which is meant.
        <SessionToken as Silent<_>>::is_silent();
        <crate::session::Session as Silent<_>>::is_silent();
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
