//! Gateway tokens, and whose they are.

use std::collections::HashMap;
use std::sync::Arc;

use crate::user::User;
use crate::user::gateway_token::{ClientToken, Mark, TokenDigest};
use crate::user::name::Username;

/// A gateway token with its user, who comes with it.
pub struct Holder {
    /// The user.
    pub user: Arc<User>,
    /// The token.
    pub token: ClientToken,
}

/// All tokens of a users file, each by its digest: how long it takes to look one up says nothing of any token.
pub(super) struct Holders(HashMap<TokenDigest, Arc<Holder>>);

/// What has become of a token when the users file was read again.
pub struct TokenChange {
    /// Whose it is.
    pub user: Username,
    /// Which it is.
    pub mark: Mark,
    /// Whether it is new; otherwise it is gone.
    pub is_new: bool,
}

impl Holders {
    /// Those of these users.
    pub(super) fn of<'a>(users: impl Iterator<Item = (&'a Arc<User>, &'a [ClientToken])>) -> Self {
        let holder = |user: &Arc<User>, token: &ClientToken| {
            (token.digest, Arc::new(Holder { user: Arc::clone(user), token: token.clone() }))
        };
        let of_user = |(user, tokens): (&'a Arc<User>, &'a [ClientToken])| {
            tokens.iter().map(|token| holder(user, token)).collect::<Vec<_>>()
        };
        Self(users.flat_map(of_user).collect())
    }

    /// The token of this digest.
    pub(super) fn get(&self, digest: &TokenDigest) -> Option<&Arc<Holder>> {
        self.0.get(digest)
    }

    /// What has been added and what is gone since `old`, in an order of its own.
    pub(super) fn changes(&self, old: &Self) -> Vec<TokenChange> {
        let missing_in = |other: &Self, here: &Self, is_new: bool| {
            let is_missing = |(digest, _): &(&TokenDigest, _)| !other.0.contains_key(*digest);
            let change = |holder: &Arc<Holder>| TokenChange {
                user: holder.user.name.clone(),
                mark: holder.token.digest.mark(),
                is_new,
            };
            let found = here.0.iter().filter(is_missing);
            found.map(|(_, holder)| change(holder)).collect::<Vec<_>>()
        };
        let mut changes = missing_in(self, old, false);
        changes.extend(missing_in(old, self, true));
        changes.sort_by_key(|change| (change.is_new, change.mark.digits()));
        changes
    }
}
