//! A users file as the directory: passwords verified away from the threads that serve requests.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use super::edit::{self, Change, EditError};
use super::users::Users;
use crate::user::User;
use crate::user::name::Username;
use crate::user::password::{Cost, Password, PasswordHash};

/// The users of a users file.
pub struct FileDirectory {
    users: ArcSwap<Users>,
    /// Where they are kept; `None` if nowhere.
    file: Option<PathBuf>,
    /// As many verifications at once as there are permits; the rest wait. Each takes the
    /// memory and the processor that its hash's parameters say.
    workers: Arc<Semaphore>,
}

/// Why a password was not changed.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// The users file was left as it was.
    #[error(transparent)]
    File(#[from] EditError),
    /// The work did not come to its end.
    #[error("hashing was interrupted")]
    Interrupted,
}

impl FileDirectory {
    /// A directory of `users`, kept in `file`, that hashes on `workers` threads at once, at least
    /// one.
    pub fn new(users: Users, file: Option<PathBuf>, workers: usize) -> Self {
        let workers = Arc::new(Semaphore::new(workers.max(1)));
        Self { users: ArcSwap::from_pointee(users), file, workers }
    }

    /// The user `name` if `password` is theirs.
    ///
    /// Unknown names and wrong passwords take the same time: one verification.
    pub async fn verify(&self, name: Option<&Username>, password: Password) -> Option<Arc<User>> {
        let (user, hash) = self.users.load().find(name);
        self.work(move || hash.verify(&password).then_some(user).flatten()).await?
    }

    /// Gives the user `name` a new password: in the file first, then for the next sign-in.
    pub async fn set_password(&self, name: &Username, new: Password) -> Result<(), SetError> {
        let (file, name_in_file) = (self.file.clone(), name.clone());
        let stored = self.work(move || {
            let text = PasswordHash::create_text(&new, Cost::RECOMMENDED);
            if let Some(file) = file {
                edit::apply(&file, &name_in_file, &Change::SetPassword(&text))?;
            }
            Ok::<_, SetError>(PasswordHash::parse(&text).expect("a hash just made can be read"))
        });
        let hash = Arc::new(stored.await.ok_or(SetError::Interrupted)??);
        self.users.rcu(|users| users.with_password(name, &hash));
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
