//! Sealing of what could act for a user: nobody without the key reads it, or changes anything of it.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

/// Seals, and opens what it has sealed.
pub struct Seal {
    key: LessSafeKey,
    about: [u8; 32],
}

impl Seal {
    /// By a key that follows from `secret` for this `purpose`, `about` something. Another purpose has another key.
    ///
    /// # Panics
    /// Never: the length of a key is one that HKDF gives.
    pub fn new(secret: &[u8], purpose: &[u8], about: [u8; 32]) -> Self {
        let secret = Salt::new(HKDF_SHA256, &[]).extract(secret);
        let info = [purpose, &about];
        let key = secret.expand(&info, &CHACHA20_POLY1305).expect("a key is short enough for HKDF");
        Self { key: LessSafeKey::new(UnboundKey::from(key)), about }
    }

    /// By a key that nobody else ever has.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn random(purpose: &[u8], about: [u8; 32]) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *secret).expect("the operating system provides randomness");
        Self::new(&*secret, purpose, about)
    }

    /// Seals `secret`.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    pub fn seal(&self, secret: &[u8]) -> Vec<u8> {
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
    pub fn open(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(self.about);
        let length = self.key.open_in_place(nonce, aad, &mut text).ok()?.len();
        text.truncate(length);
        Some(text)
    }
}
