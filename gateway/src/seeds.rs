//! Numbers that follow from a seed, always the same, and the seeds of random histories in tests.

#[cfg(test)]
use std::ops::Range;

/// Number `count` of `seed`, by `SplitMix64`: small, well mixed from the first one on, and each number once.
pub(crate) fn nth_of(seed: u64, count: u64) -> u64 {
    let mut mixed = seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The seeds to run: `all`, or the one that the variable `SIMULATION_SEED` names.
#[cfg(test)]
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

/// The numbers of a seed, one after the other.
#[cfg(test)]
pub(crate) struct Random {
    seed: u64,
    count: u64,
}

#[cfg(test)]
impl Random {
    /// The numbers of `seed`.
    pub(crate) fn of(seed: u64) -> Self {
        Self { seed, count: 0 }
    }

    /// The next one, below `below`.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.count += 1;
        nth_of(self.seed, self.count) % below
    }

    /// The next one, as an index of so many.
    pub(crate) fn index(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap()
    }
}
