//! Histograms of durations.

use std::marker::PhantomData;
use std::time::Duration;

use super::label::Label;
use super::text::{Kind, Seconds, Text};
use super::values::{Counter, Metric};

/// The upper bounds of the buckets in nanoseconds, and in words. Each is at least twice the one before.
const BOUNDS: [(u64, &str); 19] = [
    (25_000, "0.000025"),
    (50_000, "0.00005"),
    (100_000, "0.0001"),
    (250_000, "0.00025"),
    (500_000, "0.0005"),
    (1_000_000, "0.001"),
    (2_500_000, "0.0025"),
    (5_000_000, "0.005"),
    (10_000_000, "0.01"),
    (25_000_000, "0.025"),
    (50_000_000, "0.05"),
    (100_000_000, "0.1"),
    (250_000_000, "0.25"),
    (500_000_000, "0.5"),
    (1_000_000_000, "1.0"),
    (2_500_000_000, "2.5"),
    (5_000_000_000, "5.0"),
    (10_000_000_000, "10.0"),
    (60_000_000_000, "60.0"),
];

/// The buckets: one for each bound, and one for what is beyond.
const BUCKETS: usize = BOUNDS.len() + 1;

/// By how many bits a number has, the first bucket that it may belong to. Of numbers with so many bits, one
/// bound at most is among them, so it is this bucket or the next.
const FIRST: [usize; 65] = {
    let (mut first, mut bits) = ([0; 65], 1);
    while bits < 65 {
        let least = 1 << (bits - 1);
        let mut bucket = 0;
        while bucket < BOUNDS.len() && BOUNDS[bucket].0 < least {
            bucket += 1;
        }
        first[bits] = bucket;
        bits += 1;
    }
    first
};

fn bucket(nanos: u64) -> usize {
    let first = FIRST[(u64::BITS - nanos.leading_zeros()) as usize];
    let is_beyond = BOUNDS.get(first).is_some_and(|(bound, _)| nanos > *bound);
    first + usize::from(is_beyond)
}

/// How often something took how long.
#[repr(align(64))]
pub struct Histogram {
    buckets: [Counter; BUCKETS],
    nanos: Counter,
}

impl Histogram {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { buckets: [const { Counter::new() }; BUCKETS], nanos: Counter::new() }
    }

    /// It took so long.
    pub fn note(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)].count();
        self.nanos.add(nanos);
    }

    fn write_with(&self, label: Option<(&str, &str)>, text: &mut Text) {
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|(_, word)| *word).chain(["+Inf"]);
        for (bucket, bound) in self.buckets.iter().zip(bounds) {
            count += bucket.get();
            let labels = [label.unwrap_or_default(), ("le", bound)];
            text.sample("_bucket", &labels[usize::from(label.is_none())..], count);
        }
        text.sample("_sum", label.as_slice(), Seconds(self.nanos.get()));
        text.sample("_count", label.as_slice(), count);
    }

    fn is_empty(&self) -> bool {
        self.buckets.iter().all(|bucket| bucket.get() == 0)
    }
}

impl Metric for Histogram {
    const KIND: Kind = Kind::Histogram;

    fn write(&self, text: &mut Text) {
        self.write_with(None, text);
    }
}

/// Histograms, one for each value of a label. Those with nothing in them are left out.
pub struct Histograms<L, const N: usize> {
    histograms: [Histogram; N],
    of: PhantomData<fn(L)>,
}

impl<L: Label, const N: usize> Histograms<L, N> {
    /// Nothing yet.
    pub const fn new() -> Self {
        const { assert!(N == L::WORDS.len(), "a histogram for each value") };
        Self { histograms: [const { Histogram::new() }; N], of: PhantomData }
    }

    /// One of these took so long.
    pub fn note(&self, label: L, time: Duration) {
        self.histograms[label.index()].note(time);
    }
}

impl<L: Label, const N: usize> Metric for Histograms<L, N> {
    const KIND: Kind = Kind::Histogram;

    fn write(&self, text: &mut Text) {
        for (histogram, word) in self.histograms.iter().zip(L::WORDS) {
            if !histogram.is_empty() {
                histogram.write_with(Some((L::NAME, word)), text);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bounds_and_their_words_agree_and_lie_apart() {
        for (nanos, word) in BOUNDS {
            let seconds: f64 = word.parse().unwrap();
            assert_eq!(Duration::from_secs_f64(seconds), Duration::from_nanos(nanos));
        }
        assert!(BOUNDS.windows(2).all(|two| two[0].0 * 2 <= two[1].0));
    }

    #[test]
    fn a_bound_belongs_to_what_it_bounds() {
        for (number, (bound, _)) in BOUNDS.into_iter().enumerate() {
            assert_eq!((bucket(bound), bucket(bound + 1)), (number, number + 1));
        }
        assert_eq!((bucket(0), bucket(u64::MAX)), (0, BUCKETS - 1));
    }

    proptest! {
        #[test]
        fn every_number_is_in_the_bucket_that_a_search_finds(bits in 0_u32..64, random: u64) {
            let nanos = random >> bits;
            prop_assert_eq!(bucket(nanos), BOUNDS.partition_point(|(bound, _)| *bound < nanos));
        }
    }
}
