//! Failures of clients, each of which costs more than a request does: beyond a few, nothing of theirs is looked at for a
//! moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::sync::Cache;

use crate::request_meta::ClientKey;

/// How long that counts.
pub const WINDOW: Duration = Duration::from_secs(10);

/// So many clients are counted at once.
const CLIENTS: u64 = 10_000;

/// Counts failures, by client.
pub(super) struct Failures {
    counts: Cache<[u8; 16], Arc<AtomicU32>>,
    most: u32,
}

/// Whether a client has failed too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not.
    Fine,
    /// It has; `is_new` for whoever is told so first.
    TooMany {
        /// Whether nobody was told yet.
        is_new: bool,
    },
}

impl Failures {
    /// Of clients that may fail so often in [`WINDOW`].
    pub(super) fn up_to(most: u32) -> Self {
        let counts = Cache::builder().max_capacity(CLIENTS).time_to_live(WINDOW).build();
        Self { counts, most }
    }

    /// Whether `client` has failed too often.
    pub(super) fn standing(&self, client: ClientKey) -> Standing {
        let Some(count) = self.counts.get(&client.octets()) else { return Standing::Fine };
        if count.load(Ordering::Relaxed) < self.most {
            return Standing::Fine;
        }
        // From here on those are counted that are turned away.
        Standing::TooMany { is_new: count.fetch_add(1, Ordering::Relaxed) == self.most }
    }

    /// `client` has failed.
    pub(super) fn note(&self, client: ClientKey) {
        let count = self.counts.get_with(client.octets(), Arc::default);
        let counted = |count| (count < self.most).then_some(count + 1);
        let _ = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, counted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_fails_too_often_is_turned_away_and_no_other_is() {
        let failures = Failures::up_to(3);
        let [one, other] = ["192.0.2.1", "192.0.2.2"].map(|it| ClientKey::of(it.parse().ok()));
        for _ in 0..3 {
            assert_eq!(failures.standing(one), Standing::Fine);
            failures.note(one);
        }
        assert_eq!(failures.standing(one), Standing::TooMany { is_new: true });
        // Others were under way.
        failures.note(one);
        for _ in 0..3 {
            assert_eq!(failures.standing(one), Standing::TooMany { is_new: false });
        }
        assert_eq!(failures.standing(other), Standing::Fine);
    }
}
