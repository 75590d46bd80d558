//! Counters and gauges.

use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use super::label::Label;
use super::text::{Kind, Text};

/// What is written as one metric.
pub trait Metric {
    /// What it is.
    const KIND: Kind;

    /// Writes its samples.
    fn write(&self, text: &mut Text);
}

/// A number that only grows.
pub struct Counter(AtomicU64);

impl Counter {
    /// Zero.
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// One more.
    pub fn count(&self) {
        self.add(1);
    }

    /// So many more.
    pub fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    /// How many there are.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metric for Counter {
    const KIND: Kind = Kind::Counter;

    fn write(&self, text: &mut Text) {
        text.sample("", &[], self.get());
    }
}

/// Counters, one for each value of a label.
pub struct Counters<L, const N: usize> {
    cells: [Counter; N],
    of: PhantomData<fn(L)>,
}

impl<L: Label, const N: usize> Counters<L, N> {
    /// All zero.
    pub const fn new() -> Self {
        const { assert!(N == L::WORDS.len(), "a counter for each value") };
        Self { cells: [const { Counter::new() }; N], of: PhantomData }
    }

    /// One more of these.
    pub fn count(&self, label: L) {
        self.cells[label.index()].count();
    }
}

impl<L: Label, const N: usize> Metric for Counters<L, N> {
    const KIND: Kind = Kind::Counter;

    fn write(&self, text: &mut Text) {
        for (cell, word) in self.cells.iter().zip(L::WORDS) {
            text.sample("", &[(L::NAME, word)], cell.get());
        }
    }
}

/// A number that grows and shrinks.
pub struct Gauge(AtomicI64);

impl Gauge {
    /// Zero.
    pub const fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    /// So many now.
    pub fn set(&self, number: usize) {
        self.0.store(i64::try_from(number).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Whether it is so now: 1 or 0. Writes only what is new, so that it costs requests nothing to say
    /// it again and again.
    pub fn be(&self, is_so: bool) {
        if self.get() != i64::from(is_so) {
            self.0.store(i64::from(is_so), Ordering::Relaxed);
        }
    }

    /// One more, until what is returned is dropped.
    pub fn hold(&self) -> Held<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Held(self)
    }

    /// How many there are.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Metric for Gauge {
    const KIND: Kind = Kind::Gauge;

    fn write(&self, text: &mut Text) {
        text.sample("", &[], self.get());
    }
}

/// One that a [`Gauge`] counts.
pub struct Held<'g>(&'g Gauge);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
