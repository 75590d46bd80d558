//! Whose guess it is at whose password, as it is counted.

use sha2::{Digest as _, Sha256};

use super::Scope;
use crate::directory::Claim;
use crate::request_meta::ClientKey;
use crate::session::redis::throttle::Digest;
use crate::user::login_name::CanonicalName;

/// A sign-in attempt for the throttle: its client and its name, as digests. What is typed as a name
/// may be a password in the wrong field.
#[derive(Clone, Copy, Debug)]
pub struct Guess {
    /// The client with the name.
    pub pair: Digest,
    /// The client, whatever the name.
    pub client: Digest,
    /// The name, whatever the client.
    pub user: Digest,
}

impl Guess {
    /// A guess of `client` at the password of `name`.
    pub fn new(client: ClientKey, name: &CanonicalName) -> Self {
        let (client, name) = (client.octets(), name.as_str().as_bytes());
        // All clients have as many octets, so no two pairs are the same text.
        Self { pair: digest(&[&client, name]), client: digest(&[&client]), user: digest(&[name]) }
    }

    /// A guess of `client` at gateway tokens. It counts as a failed sign-in of the client, with a name that is nobody's
    /// and no other client's: no name has a blank in it when it is counted.
    pub fn with_token(client: ClientKey) -> Self {
        const NAME: &[u8] = b"a gateway token";
        let client = client.octets();
        let (pair, user) = (digest(&[&client, NAME]), digest(&[NAME, &client]));
        Self { pair, client: digest(&[&client]), user }
    }

    /// What is counted for this scope.
    pub fn counted(&self, scope: Scope) -> &Digest {
        match scope {
            Scope::Pair => &self.pair,
            Scope::Client => &self.client,
            Scope::User => &self.user,
        }
    }

    /// What the guess's place in a line goes by: the client, and the name.
    pub fn claim_of_stranger(&self) -> Claim {
        Claim { client: number(&self.client), name: number(&self.user) }
    }

    /// The same for a client that has signed in with the name: it is no part of the crowd that now
    /// tries it from elsewhere.
    pub fn claim_of_known(&self) -> Claim {
        Claim { client: number(&self.client), name: number(&self.pair) }
    }
}

fn digest(parts: &[&[u8]]) -> Digest {
    Sha256::digest(parts.concat()).into()
}

fn number(digest: &Digest) -> u64 {
    u64::from_be_bytes(*digest.first_chunk().expect("a digest is longer than a number"))
}
