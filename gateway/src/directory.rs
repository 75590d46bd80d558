//! Who may sign in, and by which password: the users of a users file.

pub mod edit;
pub mod file;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::user::User;
use crate::user::name::Username;
use crate::user::password::{Cost, Password, PasswordHash};
use edit::Change;

/// The users of one users file, swapped as a whole.
pub struct Users {
    by_name: HashMap<Username, Arc<User>>,
    /// Verified for names we do not know, so that both answers take as long.
    decoy: Arc<PasswordHash>,
}

impl Users {
    /// The directory of `users`; `None` if there are none.
    pub fn new(users: Vec<User>) -> Option<Self> {
        let costliest = users.iter().max_by_key(|user| user.password.work())?;
        let decoy = Arc::new(costliest.password.decoy());
        let by_name = users.into_iter().map(|user| (user.name.clone(), Arc::new(user))).collect();
        Some(Self { by_name, decoy })
    }

    /// How many users there are.
    pub fn count(&self) -> usize {
        self.by_name.len()
    }

    /// The same users, of whom `name` has the password with this PHC string.
    fn with_password(&self, name: &Username, text: &str) -> Self {
        let mut by_name = self.by_name.clone();
        if let (Some(user), Ok(password)) = (by_name.get_mut(name), PasswordHash::parse(text)) {
            *user = Arc::new(user.with_password(password));
        }
        Self { by_name, decoy: Arc::clone(&self.decoy) }
    }

    /// The users, in the order of their names.
    pub fn sorted(&self) -> Vec<&Arc<User>> {
        let mut users: Vec<_> = self.by_name.values().collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        users
    }
}

/// Answers whether a password is somebody's, away from the threads that serve requests.
pub struct Directory {
    users: ArcSwap<Users>,
    /// Where they are kept; `None` if nowhere.
    file: Option<PathBuf>,
    /// As many verifications at once as there are permits; the rest wait. Each takes the
    /// memory and the processor that its hash's parameters say.
    workers: Arc<Semaphore>,
}

impl Directory {
    /// A directory of `users`, kept in `file`, that hashes on `workers` threads at once, at least
    /// one.
    pub fn new(users: Users, file: Option<PathBuf>, workers: usize) -> Self {
        Self {
            users: ArcSwap::from_pointee(users),
            file,
            workers: Arc::new(Semaphore::new(workers.max(1))),
        }
    }

    /// The user `name` if `password` is theirs.
    ///
    /// Unknown names and wrong passwords take the same time: one verification.
    pub async fn verify(&self, name: Option<&Username>, password: Password) -> Option<Arc<User>> {
        let users = self.users.load_full();
        let user = name.and_then(|name| users.by_name.get(name)).cloned();
        self.work(move || {
            match &user {
                Some(user) => user.password.verify(&password),
                None => users.decoy.verify(&password),
            }
            .then_some(user)
            .flatten()
        })
        .await?
    }

    /// Gives the user `name` a new password: in the file first, then for the next sign-in.
    pub async fn set_password(&self, name: &Username, new: Password) -> Result<(), SetError> {
        let (file, name_in_file) = (self.file.clone(), name.clone());
        let stored = self.work(move || {
            let text = PasswordHash::create_text(&new, Cost::RECOMMENDED);
            if let Some(file) = file {
                edit::apply(&file, &name_in_file, &Change::SetPassword(&text))?;
            }
            Ok::<_, SetError>(text)
        });
        let text = stored.await.ok_or(SetError::Interrupted)??;
        self.users.rcu(|users| users.with_password(name, &text));
        Ok(())
    }

    /// Runs `job` on a thread of its own once there is a worker for it; `None` if it panicked.
    async fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let permit = Arc::clone(&self.workers).acquire_owned().await.ok()?;
        let done = tokio::task::spawn_blocking(move || {
            // The permit belongs to the work: a client that leaves does not set it free.
            let _permit = permit;
            job()
        });
        done.await.ok()
    }
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// The users file was left as it was.
    #[error(transparent)]
    File(#[from] edit::EditError),
    /// The work did not come to its end.
    #[error("hashing was interrupted")]
    Interrupted,
}
