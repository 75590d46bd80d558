//! Who may sign in: the users of a users file.

pub mod edit;
pub mod file;

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::user::User;
use crate::user::name::Username;
use crate::user::password::{Password, PasswordHash};

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
    /// As many verifications at once as there are permits; the rest wait. Each takes the
    /// memory and the processor that its hash's parameters say.
    workers: Arc<Semaphore>,
}

impl Directory {
    /// A directory that hashes on `workers` threads at once, at least one.
    pub fn new(users: Users, workers: usize) -> Self {
        Self {
            users: ArcSwap::from_pointee(users),
            workers: Arc::new(Semaphore::new(workers.max(1))),
        }
    }

    /// The user `name` if `password` is theirs.
    ///
    /// Unknown names and wrong passwords take the same time: one verification.
    pub async fn verify(&self, name: Option<&Username>, password: Password) -> Option<Arc<User>> {
        let users = self.users.load_full();
        let user = name.and_then(|name| users.by_name.get(name)).cloned();
        let permit = Arc::clone(&self.workers).acquire_owned().await.ok()?;
        let verified = tokio::task::spawn_blocking(move || {
            // The permit belongs to the work: a client that leaves does not set it free.
            let _permit = permit;
            match &user {
                Some(user) => user.password.verify(&password),
                None => users.decoy.verify(&password),
            }
            .then_some(user)
            .flatten()
        });
        verified.await.ok().flatten()
    }
}
