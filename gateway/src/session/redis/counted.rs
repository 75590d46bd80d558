//! Counts questions to Redis.

use std::time::Instant;

use crate::metrics::METRICS;
use crate::metrics::label::StoreOutcome;
use crate::session::error::StoreError;

/// The answer to a `question`, and how long it took.
pub(super) async fn counted<T>(
    question: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let begun = Instant::now();
    let answer = question.await;
    METRICS.store_call_duration.note(begun.elapsed());
    METRICS.store_calls.count(match &answer {
        Ok(_) => StoreOutcome::Answered,
        Err(StoreError::TimedOut) => StoreOutcome::TimedOut,
        Err(StoreError::Unavailable) => StoreOutcome::Unavailable,
    });
    answer
}
