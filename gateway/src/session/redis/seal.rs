//! Keys by which is sealed what could act for a user, none of which is in Redis: one that only the session's
//! cookie can make, and one that the gateways can.

use super::store_key::StoreKey;
pub(super) use crate::seal::Seal;
use crate::session::token::{SessionId, SessionToken};

/// What a key is for. Another purpose has another text, and so another key.
const OF_TOKEN: &[u8] = b"influx-gateway session record 1";
const OF_PROVIDER: &[u8] = b"influx-gateway session provider 1";
const OF_GATEWAYS: &[u8] = b"influx-gateway session half 1";
const BETWEEN_GATEWAYS: &[u8] = b"influx-gateway store key 1";

impl Seal {
    /// For whoever brings `token`.
    pub(super) fn of_token(token: &SessionToken) -> Self {
        Self::new(token.bytes(), OF_TOKEN, token.id().bytes())
    }

    /// For whoever brings `token`: what is kept of a sign-in provider.
    pub(super) fn of_provider(token: &SessionToken) -> Self {
        Self::new(token.bytes(), OF_PROVIDER, token.id().bytes())
    }

    /// For gateways that share `key`, about the session `id`.
    pub(super) fn of_gateways(key: &StoreKey, id: SessionId) -> Self {
        Self::new(key.secret(), OF_GATEWAYS, id.bytes())
    }

    /// Between two gateways that have agreed on `secret`, `about` what made them agree.
    pub(super) fn between_gateways(secret: &[u8], about: [u8; 32]) -> Self {
        Self::new(secret, BETWEEN_GATEWAYS, about)
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
