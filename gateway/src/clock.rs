//! Time, read once a request and handed down as an argument.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

/// A point on the monotonic clock, in milliseconds since the process first asked.
///
/// Monotonic on purpose: a wall clock that is set back or forward by an hour neither
/// revives a session nor ends one. It goes on while the machine is suspended, because a session
/// is unused then too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(u64);

impl Moment {
    /// The origin of the clock.
    #[cfg(any(test, feature = "internals"))]
    pub const START: Self = Self(0);

    /// This moment, reading the clock.
    pub fn now() -> Self {
        let now = since_boot();
        let elapsed = now.saturating_sub(*ORIGIN.get_or_init(|| now));
        Self(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX / 2))
    }

    /// The moment `duration` later.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 2)))
    }

    /// How long ago `earlier` was; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Milliseconds since the origin of the clock.
    pub fn millis(self) -> u64 {
        self.0
    }

    /// The moment `millis` milliseconds after the origin of the clock.
    pub fn from_millis(millis: u64) -> Self {
        Self(millis)
    }
}

/// When the process first asked.
static ORIGIN: OnceLock<Duration> = OnceLock::new();

/// The origin of the clock, for a process that takes over from this one.
pub fn origin() -> Duration {
    Moment::now();
    ORIGIN.get().copied().unwrap_or_default()
}

/// Has the clock count from the `origin` of another process, so that its moments are moments here too. False if somebody
/// has asked for the time before.
pub fn continue_from(origin: Duration) -> bool {
    ORIGIN.set(origin).is_ok()
}

/// How long ago the machine was started, the time for which it was suspended included. Systems other
/// than Linux may leave that out.
fn since_boot() -> Duration {
    #[cfg(target_os = "linux")]
    const CLOCK: ClockId = ClockId::Boottime;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: ClockId = ClockId::Monotonic;
    Duration::try_from(clock_gettime(CLOCK)).expect("a clock that started at zero is not negative")
}

/// Whole seconds since 1970 by the wall clock; 0 before.
pub fn unix_seconds() -> u64 {
    wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// What the wall clock says, for people to read. Nothing is decided by it.
#[expect(clippy::disallowed_methods, reason = "this is where the wall clock is read")]
pub fn wall() -> SystemTime {
    SystemTime::now()
}
