//! What the gateway proves to a provider by, and seals by: it may change while the gateway serves.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::state::{LIFE, State};
use crate::seal::Seal;
use crate::user::secret::ApiToken;

/// The secrets of the gateway with one provider.
pub struct Secrets(ArcSwap<Now>);

struct Now {
    client: Option<ApiToken>,
    seal: Arc<Seal>,
    /// What sign-ins were sealed by that had begun before the last change, and until when they may end, in seconds since
    /// 1970.
    before: Option<(Arc<Seal>, u64)>,
}

impl Secrets {
    /// The secret of the `client`, `None` of a public one, and what seals what sign-ins are begun with.
    pub fn new(client: Option<ApiToken>, seal: Seal) -> Self {
        Self(ArcSwap::from_pointee(Now { client, seal: Arc::new(seal), before: None }))
    }

    /// Has this secret be used from `now` on, in seconds since 1970; false if it already is. Sign-ins that have begun may end.
    /// `seal` is another one if that follows from the secret.
    pub fn replace(&self, client: ApiToken, seal: Option<Seal>, now: u64) -> bool {
        let old = self.0.load();
        if old.client.as_ref() == Some(&client) {
            return false;
        }
        let (seal, before) = match seal {
            Some(seal) => (Arc::new(seal), Some((Arc::clone(&old.seal), now + LIFE))),
            None => (Arc::clone(&old.seal), old.before.clone()),
        };
        self.0.store(Arc::new(Now { client: Some(client), seal, before }));
        true
    }

    /// The secret of the client; `None` of a public one.
    pub(super) fn client(&self) -> Option<ApiToken> {
        self.0.load().client.clone()
    }

    /// The value of the cookie of a sign-in that has begun.
    pub fn seal(&self, state: &State) -> String {
        state.sealed(&self.0.load().seal)
    }

    /// What is sealed in the value of a cookie; `None` if it is nothing of ours, or was begun too long ago before `now`, in
    /// seconds since 1970.
    pub fn open(&self, cookie: &[u8], now: u64) -> Option<State> {
        let secrets = self.0.load();
        // Whoever has got hold of the old secret must not begin sign-ins by it any more.
        let before = secrets.before.as_ref().filter(|(_, until)| now < *until);
        let seals = [Some(&secrets.seal), before.map(|(seal, _)| seal)];
        seals.into_iter().flatten().find_map(|seal| State::open(cookie, seal, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(byte: u8) -> Seal {
        Seal::new(&[byte; 32], b"test", [0; 32])
    }

    fn secret(text: &str) -> ApiToken {
        ApiToken::parse(text).unwrap()
    }

    #[test]
    fn a_sign_in_ends_that_began_before_the_last_change() {
        let secrets = Secrets::new(Some(secret("one")), seal(1));
        let first = secrets.seal(&State::begin("/", 0));
        let opens = |cookie: &str| secrets.open(cookie.as_bytes(), 0).is_some();
        assert!(!secrets.replace(secret("one"), Some(seal(9)), 0) && opens(&first));
        assert!(secrets.replace(secret("two"), Some(seal(2)), 0) && opens(&first));
        let second = secrets.seal(&State::begin("/", 0));
        assert!(secrets.replace(secret("three"), None, 0) && opens(&first) && opens(&second));
        assert!(secrets.replace(secret("four"), Some(seal(4)), 0) && opens(&second));
        assert!(!opens(&first), "of the one before the last");
        assert!(secrets.client() == Some(secret("four")));
    }

    #[test]
    fn nothing_is_opened_by_an_old_seal_for_longer_than_a_sign_in_may_take() {
        let secrets = Secrets::new(Some(secret("old")), seal(1));
        assert!(secrets.replace(secret("new"), Some(seal(2)), 1000));
        // Whoever knows the old secret can say that a sign-in was begun whenever they like.
        let forged = |begun| State::begin("/", begun).sealed(&seal(1));
        assert!(secrets.open(forged(1599).as_bytes(), 1599).is_some());
        assert!(secrets.replace(secret("newer"), None, 1500), "which is no other seal");
        for now in [1600, 1601, 9000] {
            assert!(secrets.open(forged(now).as_bytes(), now).is_none(), "{now}");
            assert!(secrets.open(secrets.seal(&State::begin("/", now)).as_bytes(), now).is_some());
        }
    }
}
