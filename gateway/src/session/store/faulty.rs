//! A store for tests: it keeps sessions in memory, and fails, hangs or is late when it is told to.

use std::sync::Mutex;
use std::time::Duration;

use super::StoreError;
use crate::session::memory::MemoryStore;

/// What is wrong with the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// It answers with an error.
    Fails,
    /// It never answers.
    Hangs,
    /// It answers, after so long.
    Late(Duration),
}

/// The store.
pub struct FaultyStore {
    memory: MemoryStore,
    trouble: Mutex<Trouble>,
    /// How long an answer is waited for.
    patience: Duration,
}

impl FaultyStore {
    /// Nothing is wrong with it yet. Answers are waited for so long.
    pub fn new(memory: MemoryStore, patience: Duration) -> Self {
        Self { memory, trouble: Mutex::new(Trouble::None), patience }
    }

    /// From now on this is wrong with it.
    pub fn suffer(&self, trouble: Trouble) {
        *self.trouble.lock().unwrap() = trouble;
    }

    pub(super) fn memory(&self) -> &MemoryStore {
        &self.memory
    }

    pub(super) async fn ask<T>(
        &self,
        work: impl FnOnce(&MemoryStore) -> T,
    ) -> Result<T, StoreError> {
        let trouble = *self.trouble.lock().unwrap();
        let answer = async {
            match trouble {
                Trouble::None => {}
                Trouble::Fails => return Err(StoreError::Unavailable),
                Trouble::Hangs => std::future::pending().await,
                Trouble::Late(time) => tokio::time::sleep(time).await,
            }
            Ok(work(&self.memory))
        };
        tokio::time::timeout(self.patience, answer).await.unwrap_or(Err(StoreError::TimedOut))
    }
}
