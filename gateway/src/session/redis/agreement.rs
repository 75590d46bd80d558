//! The key by which InfluxDB's halves are sealed, if none is configured: the gateways that live have the same one.
//!
//! The first of them makes it, and hands it to any other that asks, sealed for that one alone: X25519, HKDF with
//! SHA-256, ChaCha20-Poly1305. Redis passes on what nobody else can open, and when the last gateway is gone, so is the
//! key.

use std::time::Duration;

use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, watch};

use super::seal::Seal;
use super::store_key::StoreKey;
use super::{RedisStore, millis, scripts};
use crate::hex;
use crate::session::error::StoreError;

/// How often a gateway says that it has the key, or wants it. Beside that, it hears of changes.
const EVERY: Duration = Duration::from_secs(2);

/// For how long it is believed.
const LIFE: Duration = Duration::from_secs(10);

/// Bytes of a public key.
const PUBLIC: usize = 32;

/// What Redis answers: the name of the key that is agreed on, what was sealed for this gateway, and who wants the key.
type Answer = (String, Vec<u8>, Vec<(String, Vec<u8>)>);

/// The key, once it is known. It stays the same for as long as the process lives.
pub(super) struct Agreed {
    key: watch::Sender<Option<StoreKey>>,
    /// Rings when other gateways have said something.
    bell: Notify,
}

/// Asks for the key, and opens the answer.
pub(super) struct Request {
    private: EphemeralPrivateKey,
    public: Vec<u8>,
}

impl Agreed {
    /// On `configured`, if that is a key.
    pub(super) fn new(configured: Option<StoreKey>) -> Self {
        Self { key: watch::Sender::new(configured), bell: Notify::new() }
    }

    /// The key, if it is known by now.
    pub(super) fn now(&self) -> Option<StoreKey> {
        self.key.borrow().clone()
    }

    /// The key; waits for it for `patience`.
    pub(super) async fn within(&self, patience: Duration) -> Result<StoreKey, StoreError> {
        if let Some(key) = self.now() {
            return Ok(key);
        }
        let mut key = self.key.subscribe();
        let known = tokio::time::timeout(patience, key.wait_for(Option::is_some)).await;
        let known = known.ok().and_then(|known| known.ok()?.clone());
        known.ok_or(StoreError::Unavailable)
    }

    /// Other gateways may have said something.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }
}

/// Agrees on a key with the gateways that live, and hands it to those that come, for ever.
pub(super) async fn agree(store: &RedisStore) {
    let (own, mut request) = (StoreKey::generate(), None);
    loop {
        // What there is to say about an error, the connection says.
        let is_new = step(store, &own, &mut request).await.unwrap_or(false);
        if !is_new {
            let _ = tokio::time::timeout(EVERY, store.shared.agreed.bell.notified()).await;
        }
    }
}

/// Says what there is to say; true if the key has become known by it.
pub(super) async fn step(
    store: &RedisStore,
    own: &StoreKey,
    request: &mut Option<Request>,
) -> Result<bool, StoreError> {
    let agreed = &store.shared.agreed;
    let known = agreed.now();
    let key = known.as_ref().unwrap_or(own);
    let public = match (&known, &*request) {
        (Some(_), _) => Vec::new(),
        (None, Some(request)) => request.public.clone(),
        (None, None) => request.insert(Request::new()).public.clone(),
    };
    let mut run = store.script(&scripts::KEY, store.shared.keys.agreement(), None);
    run.arg(&store.gateway).arg(key.name()).arg(hex::encode(&public)).arg(millis(LIFE));
    let (name, sealed, wanting): Answer = store.link.ask(&run).await?;
    if name == key.name() {
        for (gateway, public) in &wanting {
            hand(store, key, gateway, public).await?;
        }
        let is_new = known.is_none();
        agreed
            .key
            .send_if_modified(|known| known.is_none() && known.replace(own.clone()).is_none());
        return Ok(is_new);
    }
    // What is no answer to this request, may be to one that this gateway has forgotten: it asks anew.
    let handed = (!sealed.is_empty()).then(|| request.take()?.open(&sealed)).flatten();
    if let Some(key) = handed.filter(|key| key.name() == name) {
        agreed.key.send_replace(Some(key));
        return Ok(true);
    }
    Ok(!sealed.is_empty())
}

async fn hand(
    store: &RedisStore,
    key: &StoreKey,
    gateway: &str,
    public: &[u8],
) -> Result<(), StoreError> {
    let Some(sealed) = hex::decode(public).and_then(|public| seal(key, &public)) else {
        return Ok(());
    };
    let mut run = store.script(&scripts::HAND, store.shared.keys.agreement(), None);
    run.arg(gateway).arg(hex::encode(&sealed)).arg(millis(LIFE));
    store.link.ask(&run).await
}

impl Request {
    fn new() -> Self {
        let (private, public) = pair();
        Self { private, public }
    }

    /// The key that was sealed for this.
    fn open(self, sealed: &[u8]) -> Option<StoreKey> {
        let sealed = hex::decode(sealed)?;
        let (theirs, sealed) = sealed.split_at_checked(PUBLIC)?;
        let seal = common(self.private, theirs, &self.public, theirs)?;
        StoreKey::of_bytes(&seal.open(sealed)?)
    }
}

/// Seals `key` for whoever has made `public`.
fn seal(key: &StoreKey, public: &[u8]) -> Option<Vec<u8>> {
    let (private, ours) = pair();
    let seal = common(private, public, public, &ours)?;
    Some([&*ours, &*seal.seal(key.secret())].concat())
}

fn pair() -> (EphemeralPrivateKey, Vec<u8>) {
    let private = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new());
    let private = private.expect("the operating system provides randomness");
    let public = private.compute_public_key().expect("X25519 computes a key of any");
    (private, public.as_ref().to_vec())
}

/// What both sides make of what they have: the private key of one, the public key of the other.
fn common(
    private: EphemeralPrivateKey,
    public: &[u8],
    asked: &[u8],
    answered: &[u8],
) -> Option<Seal> {
    let both = Sha256::new().chain_update(asked).chain_update(answered).finalize().into();
    let peer = UnparsedPublicKey::new(&X25519, public);
    agree_ephemeral(private, &peer, |secret| Seal::between_gateways(secret, both)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whoever_has_asked_opens_the_key() {
        let key = StoreKey::generate();
        let [asked, other] = [Request::new(), Request::new()];
        let sealed = hex::encode(&seal(&key, &asked.public).unwrap());
        assert!(!sealed.contains(&hex::encode(key.secret())));
        assert!(other.open(sealed.as_bytes()).is_none());
        assert_eq!(asked.open(sealed.as_bytes()).unwrap().name(), key.name());
        let mut changed = hex::encode(&seal(&key, &Request::new().public).unwrap()).into_bytes();
        changed[100] ^= 1;
        for wrong in [&changed, &b""[..], b"0", b"zz", &[b'0'; 64], "ä".repeat(60).as_bytes()] {
            assert!(Request::new().open(wrong).is_none());
            assert!(seal(&key, wrong).is_none());
        }
    }
}
