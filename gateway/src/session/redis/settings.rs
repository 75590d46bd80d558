//! How Redis is asked.

use std::time::Duration;

use super::address::Address;

/// What can be configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where Redis is.
    pub address: Address,
    /// What every key begins with.
    pub prefix: String,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// For how long uses are covered that Redis is not told of one by one.
    pub touch_interval: Duration,
    /// Whether sessions are kept at hand.
    pub near_cache: bool,
}
