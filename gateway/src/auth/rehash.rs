//! Hashes with outdated parameters are replaced at the next sign-in, in the background.

use std::sync::Arc;

use super::Auth;
use crate::directory::Claim;
use crate::directory::file::{FileDirectory, Verified};

/// Hashes the password of `verified` anew if its hash is not what is configured. If that cannot be stored,
/// everything stays as it is.
pub(super) fn begin(auth: &Auth, file: &Arc<FileDirectory>, verified: Verified, claim: Claim) {
    if !file.is_outdated(&verified) {
        return;
    }
    let (file, sessions) = (Arc::clone(file), Arc::clone(&auth.sessions));
    tokio::spawn(async move {
        let user = verified.account.user.id();
        let Some(rehashed) = file.hash_again(verified, claim).await else { return };
        // Other gateways must not take it for another password. Sessions stay as they are until it is stored: another
        // gateway may be about to store one of its own.
        let marks = rehashed.marks();
        if sessions.note_same(marks).await.is_ok() && file.store_again(rehashed).await {
            // If that fails, what was said before goes on for a day.
            let _ = sessions.carry_over(user, marks, None).await;
        }
    });
}
