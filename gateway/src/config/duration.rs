//! Durations, as the configuration writes them.

use std::time::Duration;

/// A duration of a millisecond to a year, for example `10m`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|_| format!("{text:?} is not a duration; write for example \"90s\" or \"10m\""))?;
    let year = Duration::from_secs(366 * 24 * 3600);
    if (Duration::from_millis(1)..=year).contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("{text:?} is not between a millisecond and a year"))
    }
}
