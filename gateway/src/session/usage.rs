//! When a session was last used and how often, packed into one atomic word.

use crate::clock::Moment;

/// When a session was last used, and how often, up to [`MANY`] times; or that it has ended.
///
/// One word, so that ending a session and renewing it can race in any order and the end always wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Usage(u64);

/// The count stops here.
pub(super) const MANY: u64 = 3;

/// How many bits the count takes; the moment has the others.
const BITS: u32 = 2;

impl Usage {
    /// That of a session that has ended. Nothing overwrites it.
    pub(super) const ENDED: Self = Self(u64::MAX);

    /// Not used yet, since `now`.
    pub(super) fn none(now: Moment) -> Self {
        Self::of(now, 0)
    }

    /// As it is in a word.
    pub(super) fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The word.
    pub(super) fn word(self) -> u64 {
        self.0
    }

    /// When the session was last used; the latest of all moments once it has ended.
    pub(super) fn last(self) -> Moment {
        Moment::from_millis(self.0 >> BITS)
    }

    /// How often it was used, [`MANY`] if that often or oftener.
    pub(super) fn count(self) -> u64 {
        self.0 & MANY
    }

    /// Used once more, at `now`.
    #[must_use]
    pub(super) fn again(self, now: Moment) -> Self {
        Self::of(self.last().max(now), (self.count() + 1).min(MANY))
    }

    fn of(last: Moment, count: u64) -> Self {
        // Half a billion years are enough.
        Self(last.millis().min(u64::MAX >> (BITS + 1)) << BITS | count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_counted_up_to_many_and_no_moment_is_the_end() {
        let at = Moment::from_millis;
        let mut usage = Usage::none(at(5));
        for (now, last, count) in [(7, 7, 1), (6, 7, 2), (9, 9, 3), (10, 10, 3)] {
            usage = usage.again(at(now));
            assert_eq!((usage.last(), usage.count()), (at(last), count));
        }
        assert_ne!(usage.again(at(u64::MAX)), Usage::ENDED);
    }
}
