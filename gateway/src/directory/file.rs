//! A users file as the directory: passwords verified away from the threads that serve requests.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use super::edit::{self, Change, EditError};
use super::hashing::{Busy, HashingRoom};
use super::users::{Account, Fate, Users};
use super::watch::Watch;
use crate::document::Fault;
use crate::user::User;
use crate::user::name::Username;
use crate::user::password::{Memory, Password, PasswordHash};

/// The users of a users file.
pub struct FileDirectory {
    users: ArcSwap<Users>,
    kept: Option<Kept>,
    room: HashingRoom,
    /// Held by whoever changes the file or reads it anew: what is in memory and what is in the
    /// file change together.
    editing: Mutex<()>,
}

/// Where users are kept.
pub struct Kept {
    watch: Watch,
    read: Box<ReadUsers>,
    /// The file could not be changed: not tried again until somebody else has changed it.
    is_read_only: AtomicBool,
}

/// Reads a users file.
pub type ReadUsers = dyn Fn(&Path) -> Result<Users, Vec<Fault>> + Send + Sync;

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// The users file was left as it was.
    #[error(transparent)]
    File(#[from] EditError),
    /// Another one has been set in the meantime.
    #[error("another password has been set in the meantime")]
    Changed,
}

/// A password that may be set.
pub struct Hashed(Arc<PasswordHash>);

/// What a users file that was read anew has brought.
pub struct Reloaded {
    /// What has become of those who were there.
    pub fates: Vec<Fate>,
    /// How many are new.
    pub added: usize,
    /// How many users there are now.
    pub count: usize,
}

/// A password that is about to be checked.
pub struct Check<'a> {
    account: Option<Account>,
    decoy: Arc<PasswordHash>,
    password: Password,
    memory: &'a mut Memory,
}

/// An account whose password has been checked, and the password.
pub struct Verified {
    /// The account, as it was then.
    pub account: Account,
    password: Password,
}

impl Kept {
    /// In the file at `path`, which `read` reads.
    pub fn new(path: PathBuf, read: Box<ReadUsers>) -> Self {
        Self { watch: Watch::new(path), read, is_read_only: AtomicBool::new(false) }
    }
}

impl FileDirectory {
    /// A directory of `users`; `None`: kept nowhere.
    pub fn new(users: Users, kept: Option<Kept>, room: HashingRoom) -> Self {
        Self { users: ArcSwap::from_pointee(users), kept, room, editing: Mutex::new(()) }
    }

    /// Lets `judge` check whether `password` is that of `name`, when it is its turn.
    pub async fn verify<T: Send + 'static>(
        &self,
        name: Option<&Username>,
        password: Password,
        judge: impl FnOnce(Check<'_>) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let users = self.users.load();
        let account = name.and_then(|name| users.account(name)).cloned();
        let decoy = Arc::clone(users.decoy());
        drop(users);
        self.room.work(move |memory| judge(Check { account, decoy, password, memory })).await
    }

    /// What `account` has become; `None` if it is gone or has another password.
    pub fn now(&self, account: &Account) -> Option<Arc<User>> {
        let users = self.users.load();
        let now = users.account(&account.user.name)?;
        now.is_still(account).then(|| Arc::clone(&now.user))
    }

    /// Whether `name` is somebody's.
    pub fn knows(&self, name: Option<&Username>) -> bool {
        name.is_some_and(|name| self.users.load().account(name).is_some())
    }

    /// The account of `user` as it is now; `None` if the name is nobody's, or somebody else's.
    pub fn account(&self, user: &User) -> Option<Account> {
        let users = self.users.load();
        users.account(&user.name).filter(|account| account.user.id == user.id).cloned()
    }

    /// Hashes a new password, when it is its turn.
    pub async fn hash(self: &Arc<Self>, new: Password) -> Result<Hashed, Busy> {
        let cost = self.room.cost();
        let hash = move |memory: &mut Memory| PasswordHash::create(&new, cost, memory);
        self.room.work(hash).await.map(|hash| Hashed(Arc::new(hash)))
    }

    /// Gives the owner of `account` a new password: in the file first, then for the next sign-in.
    /// Neither if they have another one by now than they had then, here or in the file, or if the
    /// name is somebody else's. Slow: it writes a file.
    pub fn set_password(&self, account: &Account, new: &Hashed) -> Result<(), SetError> {
        let name = &account.user.name;
        let _editing = self.edit();
        let users = self.users.load();
        let now = users.account(name).filter(|now| now.is_still(account));
        let now = now.ok_or(SetError::Changed)?;
        if let Some(kept) = &self.kept {
            // The same password may have been hashed anew.
            let (id, old, new) = (now.user.id, &*now.password, &*new.0.text());
            edit::apply(kept.watch.path(), name, &Change::Replace { id, old, new })?;
        }
        self.users.rcu(|users| users.with_password(name, &new.0));
        Ok(())
    }

    /// Hashes the password anew, in the background, if its hash costs something else than new ones
    /// do. If that cannot be stored, everything stays as it is.
    pub fn rehash(self: &Arc<Self>, verified: Verified) {
        let is_read_only =
            self.kept.as_ref().is_some_and(|kept| kept.is_read_only.load(Ordering::Relaxed));
        if verified.account.password.cost() == self.room.cost() || is_read_only {
            return;
        }
        let this = Arc::clone(self);
        tokio::spawn(async move {
            let again = Arc::clone(&this);
            // Whoever is busy does it at the next sign-in.
            let _ = this.room.work(move |memory| again.rehash_now(&verified, memory)).await;
        });
    }

    fn rehash_now(&self, verified: &Verified, memory: &mut Memory) {
        let Account { user, password: old, .. } = &verified.account;
        let (name, id) = (&user.name, user.id);
        let is_current = |users: &Users| {
            users.account(name).is_some_and(|account| Arc::ptr_eq(&account.password, old))
        };
        if !is_current(&self.users.load()) {
            return;
        }
        let hash = Arc::new(PasswordHash::create(&verified.password, self.room.cost(), memory));
        let _editing = self.edit();
        if !is_current(&self.users.load()) {
            return;
        }
        if let Some(kept) = &self.kept {
            let change = Change::Replace { id, old, new: &hash.text() };
            if let Err(error) = edit::apply(kept.watch.path(), name, &change) {
                kept.is_read_only.store(true, Ordering::Relaxed);
                log::warn!("a password hash of another cost was not renewed: {error}");
                return;
            }
        }
        self.users.rcu(|users| users.with_hash(name, &hash));
    }

    /// Whether the file has changed since this was last asked.
    pub fn has_changed(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.watch.has_changed())
    }

    /// Reads the file anew, validates it as a whole and takes all of it at once; if anything is
    /// wrong with it, nothing changes. `None` if there is no file.
    pub fn reload(&self) -> Option<Result<Reloaded, Vec<Fault>>> {
        let kept = self.kept.as_ref()?;
        let _editing = self.edit();
        kept.is_read_only.store(false, Ordering::Relaxed);
        Some((kept.read)(kept.watch.path()).map(|users| {
            let old = self.users.load_full();
            let users = users.after(&old);
            let (fates, added, count) = (users.fates(&old), users.added(&old), users.count());
            self.users.store(Arc::new(users));
            Reloaded { fates, added, count }
        }))
    }

    fn edit(&self) -> MutexGuard<'_, ()> {
        self.editing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl FileDirectory {
    /// What a right password of `name` would bring.
    pub(crate) fn verified(&self, name: &Username) -> Option<Verified> {
        let account = self.users.load().account(name).cloned()?;
        Some(Verified { account, password: Password::new(Vec::new()) })
    }
}

impl Check<'_> {
    /// Does it. Unknown names and wrong passwords take the same time: that of the dearest hash.
    pub fn run(self) -> Option<Verified> {
        let Self { account, decoy, password, memory } = self;
        let Some(account) = account else {
            decoy.verify(&password, memory);
            return None;
        };
        if account.password.verify(&password, memory) {
            return Some(Verified { account, password });
        }
        if account.password.work() < decoy.work() {
            // Nor does a cheap hash show that there is such a user.
            decoy.verify(&password, memory);
        }
        None
    }
}
