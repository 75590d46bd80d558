//! Sealing of what could act for a user, under keys that are not in Redis: one that only the session's
//! cookie can make, and one that the gateways can.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use super::store_key::StoreKey;
use crate::session::token::{SessionId, SessionToken};

/// What a key is for. Another purpose has another text, and so another key.
const OF_TOKEN: &[u8] = b"influx-gateway session record 1";
const OF_GATEWAYS: &[u8] = b"influx-gateway session half 1";
const BETWEEN_GATEWAYS: &[u8] = b"influx-gateway store key 1";

/// Seals what belongs to one session, or goes from one gateway to another, and opens it.
pub(super) struct Seal {
    key: LessSafeKey,
    about: [u8; 32],
}

impl Seal {
    /// For whoever brings `token`.
    pub(super) fn of_token(token: &SessionToken) -> Self {
        Self::new(token.bytes(), OF_TOKEN, token.id().bytes())
    }

    /// For gateways that share `key`, about the session `id`.
    pub(super) fn of_gateways(key: &StoreKey, id: SessionId) -> Self {
        Self::new(key.secret(), OF_GATEWAYS, id.bytes())
    }

    /// Between two gateways that have agreed on `secret`, `about` what made them agree.
    pub(super) fn between_gateways(secret: &[u8], about: [u8; 32]) -> Self {
        Self::new(secret, BETWEEN_GATEWAYS, about)
    }

    fn new(secret: &[u8], purpose: &[u8], about: [u8; 32]) -> Self {
        let secret = Salt::new(HKDF_SHA256, &[]).extract(secret);
        let info = [purpose, &about];
        let key = secret.expand(&info, &CHACHA20_POLY1305).expect("a key is short enough for HKDF");
        Self { key: LessSafeKey::new(UnboundKey::from(key)), about }
    }

    /// Seals `secret`.
    pub(super) fn seal(&self, secret: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).expect("the operating system provides randomness");
        let mut sealed = nonce.to_vec();
        let mut text = secret.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key
            .seal_in_place_append_tag(nonce, Aad::from(self.about), &mut text)
            .expect("a credential is far shorter than what can be sealed");
        sealed.append(&mut text);
        sealed
    }

    /// Opens what was sealed; `None` if it was not by this, or if anything of it was changed.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(self.about);
        let length = self.key.open_in_place(nonce, aad, &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn only_the_key_and_the_session_for_which_it_was_sealed_open_it() {
        let [token, other] = [SessionToken::generate(), SessionToken::generate()];
        let [key, another] =
            [1, 2].map(|byte| StoreKey::parse(&STANDARD.encode([byte; 32])).unwrap());
        let seals = || {
            let gateways = |key, token: &SessionToken| Seal::of_gateways(key, token.id());
            [
                Seal::of_token(&token),
                Seal::of_token(&other),
                gateways(&key, &token),
                gateways(&key, &other),
                gateways(&another, &token),
            ]
        };
        for (one, seal) in seals().iter().enumerate() {
            let sealed = seal.seal(b"influxdb-oss-session=secret");
            for (two, opens) in seals().iter().enumerate() {
                let opened = opens.open(&sealed);
                let opened = opened.as_ref().map(|text| text.as_slice());
                let expected = (one == two).then_some(b"influxdb-oss-session=secret".as_slice());
                assert_eq!(opened, expected, "{one}, {two}");
            }
        }
    }

    #[test]
    fn what_is_sealed_cannot_be_read_or_changed() {
        let seal = Seal::of_token(&SessionToken::generate());
        let sealed = seal.seal(b"influxdb-oss-session=secret");
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(seal.open(&changed).is_none(), "{position}");
        }
        assert!(seal.open(&sealed[..sealed.len() - 1]).is_none() && seal.open(b"").is_none());
        assert_ne!(seal.seal(b"x"), seal.seal(b"x"), "each with a nonce of its own");
    }
}
