//! The users of one users file, swapped as a whole.

use std::collections::HashMap;
use std::sync::Arc;

use crate::user::User;
use crate::user::name::Username;
use crate::user::password::PasswordHash;

/// A user and what the password is checked against.
#[derive(Clone)]
pub struct Account {
    /// The user.
    pub user: Arc<User>,
    /// The password's hash.
    pub password: Arc<PasswordHash>,
}

impl Account {
    /// The account of `user`.
    pub fn new(user: User, password: PasswordHash) -> Self {
        Self { user: Arc::new(user), password: Arc::new(password) }
    }
}

/// All accounts, by name.
pub struct Users {
    by_name: HashMap<Username, Account>,
    /// Verified for names we do not know, so that both answers take as long.
    decoy: Arc<PasswordHash>,
}

impl Users {
    /// The directory of `accounts`; `None` if there are none.
    pub fn new(accounts: Vec<Account>) -> Option<Self> {
        let costliest = accounts.iter().max_by_key(|account| account.password.work())?;
        let decoy = Arc::new(costliest.password.decoy());
        let by_name =
            accounts.into_iter().map(|account| (account.user.name.clone(), account)).collect();
        Some(Self { by_name, decoy })
    }

    /// How many users there are.
    pub fn count(&self) -> usize {
        self.by_name.len()
    }

    /// The users, in the order of their names.
    pub fn sorted(&self) -> Vec<&Arc<User>> {
        let mut users: Vec<_> = self.by_name.values().map(|account| &account.user).collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }

    /// The user `name`, if there is one, and the hash that takes as long to verify if not.
    pub(super) fn find(&self, name: Option<&Username>) -> (Option<Arc<User>>, Arc<PasswordHash>) {
        match name.and_then(|name| self.by_name.get(name)) {
            Some(account) => (Some(Arc::clone(&account.user)), Arc::clone(&account.password)),
            None => (None, Arc::clone(&self.decoy)),
        }
    }

    /// The same users, of whom `name` has this password.
    pub(super) fn with_password(&self, name: &Username, password: &Arc<PasswordHash>) -> Self {
        let mut by_name = self.by_name.clone();
        if let Some(account) = by_name.get_mut(name) {
            account.password = Arc::clone(password);
        }
        Self { by_name, decoy: Arc::clone(&self.decoy) }
    }
}
