//! Replacing hashes with outdated parameters, once the password is known.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Claim, FileDirectory, Hashed, Kept, Lock, Verified, apart};
use crate::directory::edit::{Change, EditError};
use crate::directory::users::Account;
use crate::user::password::PasswordMark;

/// A password that was hashed anew.
pub struct Rehashed {
    account: Account,
    new: Hashed,
}

impl Rehashed {
    /// What marked the sessions that were opened with it, and what does now.
    pub fn marks(&self) -> (PasswordMark, PasswordMark) {
        (self.account.mark(), self.new.mark())
    }
}

impl FileDirectory {
    /// Whether the password of `verified` is to be hashed anew, as its hash has other parameters than are configured.
    pub fn is_outdated(&self, verified: &Verified) -> bool {
        let is_read_only = |kept: &Kept| kept.is_read_only.load(Ordering::Relaxed);
        verified.account.password.cost() != self.pool.cost()
            && !verified.account.is_of_the_environment
            && !self.kept.as_ref().is_some_and(is_read_only)
    }

    /// Hashes it anew; `None` if it has become another one, or others are waiting: the next sign-in does it.
    pub async fn hash_again(&self, verified: Verified, claim: Claim) -> Option<Rehashed> {
        let Verified { account, password } = verified;
        if !self.users.load().has(&account) {
            return None;
        }
        let new = self.hash(password, claim).await.ok()?;
        Some(Rehashed { account, new })
    }

    /// Stores a password that was hashed anew, if it still is as it was; returns whether it is stored.
    pub async fn store_again(self: &Arc<Self>, rehashed: Rehashed) -> bool {
        let stored = match self.lock().await {
            Ok(lock) => {
                let this = Arc::clone(self);
                apart(move || this.replace_hash(&rehashed, lock)).await
            }
            Err(error) => Err(error),
        };
        stored.unwrap_or_else(|error| {
            if let Some(kept) = &self.kept {
                kept.is_read_only.store(true, Ordering::Relaxed);
            }
            log::warn!("a password hash with outdated parameters was not replaced: {error}");
            false
        })
    }

    fn replace_hash(&self, rehashed: &Rehashed, lock: Lock) -> Result<bool, EditError> {
        let Rehashed { account, new } = rehashed;
        let _editing = self.edit();
        if !self.users.load().has(account) {
            return Ok(false);
        }
        let Account { user, password: old, .. } = account;
        let change = Change::Replace { id: user.id, old, new: &new.0.text() };
        self.write(lock, &user.name, &change)?;
        self.users.rcu(|users| users.with_hash(&user.name, &new.0));
        Ok(true)
    }
}
