//! A users file as the directory. Passwords are verified on threads that do not serve requests.

mod rehash;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::Claim;
use super::client_tokens::{Holder, TokenChange};
use super::edit::{self, Change, EditError, Locked};
use super::hash_pool::{HashPool, Overloaded};
use super::link::Link;
use super::users::{Account, ReadUsers, UserChange, Users};
use crate::file_identity::Files;
use crate::toml_reader::Diagnostic;
use crate::user::gateway_token::TokenDigest;
use crate::user::name::Username;
use crate::user::password::{Memory, Password, PasswordHash, PasswordMark};
use crate::user::{User, UserId};

/// The users of a users file.
pub struct FileDirectory {
    users: ArcSwap<Users>,
    kept: Option<Kept>,
    pool: HashPool,
    /// Held by whoever changes the file or reads it anew: what is in memory and what is in the
    /// file change together.
    editing: Mutex<()>,
}

/// Where users are kept.
pub struct Kept {
    path: PathBuf,
    reader: Box<dyn ReadUsers>,
    /// Held by whoever waits for the file's lock, which may take long, or has it.
    turn: Arc<tokio::sync::Mutex<()>>,
    /// The file could not be changed: not tried again until somebody else has changed it.
    is_read_only: AtomicBool,
}

/// The right to change the users file, if there is one.
pub struct Lock(Option<(OwnedMutexGuard<()>, Locked)>);

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

/// What has changed when a users file was read again.
pub struct Reloaded {
    /// What has become of those who were there.
    pub fates: Vec<UserChange>,
    /// How many are new.
    pub added: usize,
    /// What has become of gateway tokens.
    pub tokens: Vec<TokenChange>,
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
    /// In the file at `path`, which `reader` reads.
    pub fn new(path: PathBuf, reader: Box<dyn ReadUsers>) -> Self {
        Self { path, reader, turn: Arc::default(), is_read_only: AtomicBool::new(false) }
    }

    async fn lock(&self) -> Result<(OwnedMutexGuard<()>, Locked), EditError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        loop {
            let path = self.path.clone();
            if let Some(locked) = apart(move || Locked::try_new(&path)).await? {
                return Ok((turn, locked));
            }
            tokio::time::sleep(edit::RETRY).await;
        }
    }
}

impl FileDirectory {
    /// A directory of `users`, which are stored in `kept`; `None`: they are not stored.
    pub fn new(users: Users, kept: Option<Kept>, pool: HashPool) -> Self {
        Self { users: ArcSwap::from_pointee(users), kept, pool, editing: Mutex::new(()) }
    }

    /// Lets `judge` check whether `password` is that of `name`, when it is its turn.
    pub async fn verify<T: Send + 'static>(
        &self,
        name: Option<&Username>,
        password: Password,
        claim: Claim,
        judge: impl FnOnce(Check<'_>) -> T + Send + 'static,
    ) -> Result<T, Overloaded> {
        let users = self.users.load();
        let account = name.and_then(|name| users.account(name)).cloned();
        let decoy = Arc::clone(users.decoy());
        drop(users);
        self.pool.work(claim, move |memory| judge(Check { account, decoy, password, memory })).await
    }

    /// The present state of `account`; `None` if it was removed or has another password.
    pub fn now(&self, account: &Account) -> Option<Arc<User>> {
        let users = self.users.load();
        let now = users.account(&account.user.name)?;
        now.is_still(account).then(|| Arc::clone(&now.user))
    }

    /// The user of this id as it is now.
    pub fn user(&self, id: UserId) -> Option<Arc<User>> {
        self.users.load().with_id(id).cloned()
    }

    /// The account of whom the sign-in provider `provider` calls `subject`.
    pub fn linked(&self, provider: &str, subject: &str) -> Option<Account> {
        self.users.load().linked(&Link::new(provider, subject)).cloned()
    }

    /// Whether the user of this id comes by the sign-in provider `provider`, and `is_it` who is called so there.
    pub fn is_linked(&self, id: UserId, provider: &str, is_it: impl Fn(&str) -> bool) -> bool {
        let users = self.users.load();
        users.link_of(id).is_some_and(|link| link.is_of(provider).is_some_and(is_it))
    }

    /// The gateway token of this digest, and whose it is now.
    pub fn holder(&self, digest: &TokenDigest) -> Option<Arc<Holder>> {
        self.users.load().holder(digest).cloned()
    }

    /// Whether `name` is somebody's.
    pub fn knows(&self, name: Option<&Username>) -> bool {
        name.is_some_and(|name| self.users.load().account(name).is_some())
    }

    /// Whether `name` is somebody's, or another that differs from it in letter case alone.
    pub fn knows_like(&self, name: &Username) -> bool {
        self.users.load().has_like(name)
    }

    /// The account of `user` as it is now; `None` if the name is nobody's, or somebody else's.
    pub fn account(&self, user: &User) -> Option<Account> {
        let users = self.users.load();
        users.account(&user.name).filter(|account| account.user.id == user.id).cloned()
    }

    /// Hashes a new password, when it is its turn.
    pub async fn hash(&self, new: Password, claim: Claim) -> Result<Hashed, Overloaded> {
        let cost = self.pool.cost();
        let hash = move |memory: &mut Memory| PasswordHash::create(&new, cost, memory);
        self.pool.work(claim, hash).await.map(|hash| Hashed(Arc::new(hash)))
    }

    /// Waits for the right to change the users file, but not for ever: whoever may read the file may
    /// keep it locked. Nobody has to wait who hashes or reads the file.
    pub async fn lock(&self) -> Result<Lock, EditError> {
        let Some(kept) = &self.kept else { return Ok(Lock(None)) };
        let deadline = Instant::now() + edit::PATIENCE;
        let locked = tokio::time::timeout_at(deadline, kept.lock()).await;
        let path = kept.path.clone();
        locked.unwrap_or(Err(EditError::Locked { path })).map(|locked| Lock(Some(locked)))
    }

    /// Gives the owner of `account` a new password: in the file first, then for the next sign-in.
    /// Neither if they have another one by now than they had then, here or in the file, or if the
    /// name is somebody else's. Slow: it writes a file.
    pub fn set_password(
        &self,
        account: &Account,
        new: &Hashed,
        lock: Lock,
    ) -> Result<(), SetError> {
        let name = &account.user.name;
        let _editing = self.edit();
        let users = self.users.load();
        let now = users.account(name).filter(|now| now.is_still(account));
        let now = now.ok_or(SetError::Changed)?;
        // The same password may have been hashed anew.
        let (id, old, text) = (now.user.id, &*now.password, &*new.0.text());
        self.write(lock, name, &Change::Replace { id, old, new: text })?;
        self.users.rcu(|users| users.with_password(name, &new.0));
        Ok(())
    }

    /// Where the users are kept; `None` if nowhere.
    pub fn path(&self) -> Option<&Path> {
        self.kept.as_ref().map(|kept| &*kept.path)
    }

    /// What each user is, for sessions that are older than this process.
    pub fn as_changes(&self) -> Vec<UserChange> {
        self.users.load().as_changes()
    }

    /// A digest of all there is to know about the users: the same at gateways with the same users.
    pub fn digest(&self) -> String {
        self.users.load().digest().to_owned()
    }

    /// What is wrong with the file as it is now.
    pub fn faults(&self) -> Vec<Diagnostic> {
        let read = |kept: &Kept| kept.reader.read(&Files::anew()).err();
        self.kept.as_ref().and_then(read).unwrap_or_default()
    }

    /// Reads the file anew by `files`, validates it as a whole and takes all of it at once; if
    /// anything is wrong with it, nothing changes. `None` if there is no file.
    pub fn reload(&self, files: &Files) -> Option<Result<Reloaded, Vec<Diagnostic>>> {
        let kept = self.kept.as_ref()?;
        let _editing = self.edit();
        kept.is_read_only.store(false, Ordering::Relaxed);
        Some(kept.reader.read(files).map(|users| {
            let old = self.users.load_full();
            let users = users.after(&old);
            let (fates, added, count) = (users.fates(&old), users.added(&old), users.count());
            let tokens = users.token_changes(&old);
            self.users.store(Arc::new(users));
            Reloaded { fates, added, tokens, count }
        }))
    }

    fn write(&self, lock: Lock, name: &Username, change: &Change<'_>) -> Result<(), EditError> {
        let Some(((_turn, file), kept)) = lock.0.zip(self.kept.as_ref()) else { return Ok(()) };
        file.apply(name, change, &*kept.reader)
    }

    fn edit(&self) -> MutexGuard<'_, ()> {
        self.editing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hashed {
    /// What marks the sessions that are opened with it.
    pub fn mark(&self) -> PasswordMark {
        self.0.mark()
    }
}

/// Files are neither read nor written on the threads that serve requests.
async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EditError> + Send + 'static,
) -> Result<T, EditError> {
    // It does not panic; but a process that ends waits for nobody.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(EditError::GivenUp))
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
    /// Verifies the password. Unknown names and wrong passwords take the same time: that of the most expensive hash.
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
