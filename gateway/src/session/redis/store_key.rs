//! The key that gateways share, and that Redis does not know.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::hex;
use crate::seal::Seal;

/// How many bytes it has.
const LENGTH: usize = 32;

/// What its name is made of, beside the key. Another purpose has another text.
const NAME: &[u8] = b"influx-gateway store key name 1";

/// The key. Cannot be printed; wiped when dropped.
#[derive(Clone)]
pub struct StoreKey {
    secret: Zeroizing<[u8; LENGTH]>,
    name: String,
}

impl StoreKey {
    /// Reads 32 bytes in base64. The error does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut secret = Zeroizing::new([0; LENGTH]);
        let read = STANDARD.decode_slice(text, &mut *secret);
        if read != Ok(LENGTH) {
            return Err(
                "expected 32 bytes in base64, the same at every gateway; write for example \
                        \"${STORE_KEY}\", and set that to what `openssl rand -base64 32` prints"
                    .to_owned(),
            );
        }
        Ok(Self::of(secret))
    }

    /// A new one.
    pub(super) fn generate() -> Self {
        let mut secret = Zeroizing::new([0; LENGTH]);
        getrandom::fill(&mut *secret).expect("the operating system provides randomness");
        Self::of(secret)
    }

    /// The key of these bytes, if those are as many as it has.
    pub(super) fn of_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self::of(Zeroizing::new(bytes)))
    }

    fn of(secret: Zeroizing<[u8; LENGTH]>) -> Self {
        let digest = Sha256::new().chain_update(NAME).chain_update(*secret).finalize();
        Self { secret, name: hex::encode(&digest[..8]) }
    }

    /// Seals by a key that follows from it for another `purpose`, `about` something.
    pub fn seal(&self, purpose: &[u8], about: [u8; 32]) -> Seal {
        Seal::new(&*self.secret, purpose, about)
    }

    /// The key itself, to derive others from.
    pub(super) fn secret(&self) -> &[u8; LENGTH] {
        &self.secret
    }

    /// What gateways that have the same key call it in Redis. It does not tell the key.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "StoreKey({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_32_bytes_and_is_never_printed() {
        let text = |byte: u8, length: usize| STANDARD.encode(vec![byte; length]);
        let [one, same, other] = [7, 7, 8].map(|byte| StoreKey::parse(&text(byte, 32)).unwrap());
        assert_eq!(*one.secret(), [7; 32]);
        assert_eq!(one.name(), same.name());
        assert_ne!(one.name(), other.name());
        assert!(!format!("{one:?}").contains(&text(7, 32)[..8]));
        for wrong in [String::new(), text(7, 31), text(7, 33), "secret".repeat(7)] {
            let fault = StoreKey::parse(&wrong).unwrap_err();
            assert!(fault.contains("openssl rand -base64 32"), "{fault}");
            assert!(wrong.is_empty() || !fault.contains(&wrong), "{fault}");
        }
    }
}
