//! What a store of sessions may answer instead of an answer.

/// The store cannot be asked. That says nothing about a session: it may live or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, or it answered with an error.
    #[error("the session store does not answer")]
    Unavailable,
    /// It took too long.
    #[error("the session store took too long to answer")]
    TimedOut,
}

/// Why a session was not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There are as many sessions as there may be; nobody was signed out to make room.
    #[error("there are as many sessions as there may be")]
    Full,
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}
