//! What a sign-in was begun with: sealed, in a cookie of the browser that has begun it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::hex;
use crate::seal::Seal;

/// How long a sign-in may take, in seconds.
pub const LIFE: u64 = 600;

/// What a sign-in was begun with.
#[derive(Serialize, Deserialize)]
pub struct State {
    sent: Zeroizing<String>,
    nonce: Zeroizing<String>,
    verifier: Zeroizing<String>,
    return_to: String,
    begun: u64,
}

impl State {
    /// A new one, of somebody who wants to be sent on to `return_to`, at `now`: seconds since 1970.
    pub fn begin(return_to: &str, now: u64) -> Self {
        let [sent, nonce, verifier] = [random(), random(), random()];
        Self { sent, nonce, verifier, return_to: return_to.to_owned(), begun: now }
    }

    /// What stands in the URL, and comes back.
    pub fn state(&self) -> &str {
        &self.sent
    }

    /// What the ID token has to repeat.
    pub fn nonce(&self) -> &str {
        &self.nonce
    }

    /// By which the gateway proves that it has begun this sign-in.
    pub fn verifier(&self) -> &str {
        &self.verifier
    }

    /// Its digest, which goes ahead (RFC 7636, `S256`).
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.as_bytes()))
    }

    /// Where the browser is sent on to.
    pub fn return_to(&self) -> &str {
        &self.return_to
    }

    /// When it was begun, in seconds since 1970.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// A digest of it, by which it is told from all others.
    pub(super) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.sent.as_bytes()).into()
    }

    /// The value of its cookie.
    pub fn sealed(&self, seal: &Seal) -> String {
        let text = Zeroizing::new(serde_json::to_vec(self).unwrap_or_default());
        URL_SAFE_NO_PAD.encode(seal.seal(&text))
    }

    /// What is sealed in the value of a cookie; `None` if it is nothing of `seal`'s, or was begun too long ago.
    pub fn open(cookie: &[u8], seal: &Seal, now: u64) -> Option<Self> {
        let sealed = URL_SAFE_NO_PAD.decode(cookie).ok()?;
        let state: Self = serde_json::from_slice(&seal.open(&sealed)?).ok()?;
        (now < state.begun.saturating_add(LIFE)).then_some(state)
    }
}

/// Eight hex digits that tell cookies of several sign-ins apart; `None` if `state` is none of ours.
pub fn mark(state: &[u8]) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(state).ok().filter(|bytes| bytes.len() == 32)?;
    Some(hex::encode(&bytes[..4]))
}

/// 256 bits.
fn random() -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).expect("the operating system provides randomness");
    Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened_by_the_same_seal_within_ten_minutes() {
        let [seal, other] = [1, 2].map(|byte| Seal::new(&[byte; 32], b"test", [0; 32]));
        let state = State::begin("/x", 1000);
        let cookie = state.sealed(&seal);
        let opened = State::open(cookie.as_bytes(), &seal, 1599).unwrap();
        assert_eq!(
            (opened.state(), opened.nonce(), opened.verifier(), opened.return_to()),
            (state.state(), state.nonce(), state.verifier(), "/x")
        );
        assert!(state.state() != state.nonce() && state.nonce() != state.verifier());
        assert!(State::open(cookie.as_bytes(), &seal, 1600).is_none());
        assert!(State::open(cookie.as_bytes(), &other, 1000).is_none());
        for wrong in ["", "AAAA", &cookie[1..], &cookie[..cookie.len() - 1], "é"] {
            assert!(State::open(wrong.as_bytes(), &seal, 1000).is_none(), "{wrong}");
        }
        assert_eq!(mark(state.state().as_bytes()).unwrap().len(), 8);
        for wrong in ["", "AAAA", "x", &format!("{}A", state.state())] {
            assert!(mark(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    /// RFC 7636, appendix B.
    #[test]
    fn the_challenge_is_the_digest_of_the_verifier() {
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned();
        let state = State { verifier: Zeroizing::new(verifier), ..State::begin("/", 0) };
        assert_eq!(state.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
