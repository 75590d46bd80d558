//! Seeds of random histories in tests, and the numbers that follow from one: always the same.

use std::ops::Range;

/// The seeds to run: `all`, or the one that the variable `SIMULATION_SEED` names.
#[expect(clippy::disallowed_methods, reason = "a seed to run again comes from whoever runs it")]
pub(crate) fn seeds(all: Range<u64>) -> Range<u64> {
    match std::env::var("SIMULATION_SEED") {
        Ok(seed) => {
            let seed = seed.parse().unwrap();
            seed..seed + 1
        }
        Err(_) => all,
    }
}

/// `SplitMix64`: small, and well enough mixed from the first number on.
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of `seed`.
    pub(crate) fn of(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, below `below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }

    /// The next one, as an index of so many.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap()
    }
}
