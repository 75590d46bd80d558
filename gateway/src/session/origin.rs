//! Where a session comes from, if a sign-in provider has signed the user in: what ends when the provider says so.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;

/// What a provider calls one of its users, or one of its own sessions, by which sessions here are found.
///
/// It is the SHA-256 of that and of which provider it is, as such names are personal data: no store has more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Named {
    /// A user: the `sub` of an ID token.
    Subject([u8; 32]),
    /// A session: the `sid` of an ID token. Several sessions here may come of one there.
    Session([u8; 32]),
}

impl Named {
    /// What `provider`, which has no NUL in its name, calls a user.
    pub fn subject(provider: &str, subject: &str) -> Self {
        Self::Subject(digest(provider, subject))
    }

    /// What it calls a session.
    pub fn session(provider: &str, session: &str) -> Self {
        Self::Session(digest(provider, session))
    }
}

/// The digest in 64 hex digits.
impl fmt::Display for Named {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Subject(digest) | Self::Session(digest)) = self;
        out.write_str(&hex::encode(digest))
    }
}

fn digest(provider: &str, name: &str) -> [u8; 32] {
    Sha256::new().chain_update(provider).chain_update([0]).chain_update(name).finalize().into()
}

/// By which of a provider's names a session is found.
#[derive(Clone, Serialize, Deserialize)]
pub struct Origin {
    subject: Named,
    session: Option<Named>,
}

impl Origin {
    /// `provider` has signed in whom it calls `subject`; `session` is what it calls its own session, if it says so.
    pub fn new(provider: &str, subject: &str, session: Option<&str>) -> Self {
        let session = session.map(|session| Named::session(provider, session));
        Self { subject: Named::subject(provider, subject), session }
    }

    /// The user, if the provider has not said of which of its sessions this comes.
    pub(super) fn without_session(&self) -> Option<Named> {
        self.session.is_none().then_some(self.subject)
    }

    /// All of them.
    pub(super) fn named(&self) -> impl Iterator<Item = Named> {
        [self.subject].into_iter().chain(self.session)
    }
}
