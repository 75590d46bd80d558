//! `[signin]`: brute-force protection, and how passwords are hashed.

use std::num::NonZero;
use std::time::Duration;

use super::duration;
use crate::auth::throttle::ThrottleRules;
use crate::directory::hash_pool::QueueLimits;
use crate::toml_reader::Table;
use crate::user::password::Cost;

/// Brute-force protection, and how passwords are hashed.
#[derive(Clone, Copy, Debug)]
pub struct SignIn {
    /// What is too many failures.
    pub rules: ThrottleRules,
    /// How many passwords are hashed at once, and how many wait for it.
    pub line: QueueLimits,
    /// What a new hash costs.
    pub cost: Cost,
}

/// The most threads for passwords. With more than there can be of them, the process would end.
const MOST_WORKERS: usize = 1024;

/// Reads the table.
pub(super) fn read(mut table: Table<'_>) -> SignIn {
    let mut count = |key, least, default| table.count(key, least).unwrap_or(default);
    let pair = count("failures", 1, 5);
    let client = count("failures_per_client", 1, 50);
    let user = count("failures_per_user", 1, 100);
    let workers = count("hash_workers", 0, 0);
    let at_once = match workers {
        0 => std::thread::available_parallelism().map_or(1, NonZero::get).max(2) - 1,
        workers => workers,
    };
    let waiting = count("hash_queue", 0, 256);
    let mut time =
        |key, seconds| table.parsed(key, duration).unwrap_or(Duration::from_secs(seconds));
    let (window, first, longest) = (time("window", 300), time("ban", 60), time("longest_ban", 900));
    let patience = time("hash_wait", 10);
    if workers > MOST_WORKERS {
        let what = format!("expected a whole number from 0 to {MOST_WORKERS}, found {workers}");
        table.fault("hash_workers", &what);
    }
    if first > longest {
        table.fault("longest_ban", "shorter than the first ban (ban)");
    }
    let cost = cost(&mut table);
    table.close();
    let rules = ThrottleRules { pair, client, user, window, first, longest };
    SignIn { rules, line: QueueLimits { at_once, waiting, patience }, cost }
}

fn cost(table: &mut Table<'_>) -> Cost {
    let recommended = Cost::RECOMMENDED;
    let mut count = |key, default| {
        let count = table.count(key, 1).map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        count.unwrap_or(default)
    };
    let cost = Cost {
        memory_kib: count("hash_memory_kib", recommended.memory_kib),
        passes: count("hash_passes", recommended.passes),
        lanes: count("hash_lanes", recommended.lanes),
    };
    cost.check().unwrap_or_else(|what| {
        table.fault("hash_memory_kib", &what);
        recommended
    })
}
