//! Sealing of what could act for a user, under a key that only the session's cookie can make.

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use zeroize::Zeroizing;

use crate::session::token::SessionToken;

/// What the key is for. Another purpose has another text, and so another key.
const INFO: &[u8] = b"influx-gateway session record 1";

/// Seals `secret` for whoever brings `token`.
pub(super) fn seal(token: &SessionToken, secret: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).expect("the operating system provides randomness");
    let mut sealed = nonce.to_vec();
    let mut text = secret.to_vec();
    let nonce = Nonce::assume_unique_for_key(nonce);
    key(token)
        .seal_in_place_append_tag(nonce, Aad::from(token.id().bytes()), &mut text)
        .expect("a credential is far shorter than what can be sealed");
    sealed.append(&mut text);
    sealed
}

/// Opens what was sealed for `token`; `None` if it was not, or if anything of it was changed.
pub(super) fn open(token: &SessionToken, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut text = Zeroizing::new(text.to_vec());
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let aad = Aad::from(token.id().bytes());
    let length = key(token).open_in_place(nonce, aad, &mut text).ok()?.len();
    text.truncate(length);
    Some(text)
}

fn key(token: &SessionToken) -> LessSafeKey {
    let secret = Salt::new(HKDF_SHA256, &[]).extract(token.bytes());
    let info = [INFO];
    let key = secret.expand(&info, &CHACHA20_POLY1305).expect("a key is short enough for HKDF");
    LessSafeKey::new(UnboundKey::from(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_opens_what_was_sealed_for_it() {
        let [token, other] = [SessionToken::generate(), SessionToken::generate()];
        let sealed = seal(&token, b"influxdb-oss-session=secret");
        assert_eq!(open(&token, &sealed).unwrap().as_slice(), b"influxdb-oss-session=secret");
        assert!(open(&other, &sealed).is_none());
        assert!(!sealed.windows(6).any(|bytes| bytes == b"secret"));
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(open(&token, &changed).is_none(), "{position}");
        }
        assert!(open(&token, &sealed[..sealed.len() - 1]).is_none() && open(&token, b"").is_none());
        assert_ne!(seal(&token, b"x"), seal(&token, b"x"), "each with a nonce of its own");
    }
}
