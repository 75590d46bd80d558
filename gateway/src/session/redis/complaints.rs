//! Lines of the log that could come with every request, of which one a minute is written.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Moment;

/// How far lines lie apart.
const APART: Duration = Duration::from_secs(60);

/// When the last line was written, and how many were not since.
#[derive(Default)]
pub(super) struct Complaints(Mutex<(Option<Moment>, usize)>);

impl Complaints {
    /// Writes a line, unless one was written less than a minute ago.
    pub(super) fn complain(&self, line: impl FnOnce() -> String) {
        if let Some(untold) = self.turn(Moment::now()) {
            let line = line();
            match untold {
                0 => log::error!("{line}"),
                untold => log::error!("{line} ({untold} more times since the last such line)"),
            }
        }
    }

    /// Whether a line may be written now, and how many were not.
    fn turn(&self, now: Moment) -> Option<usize> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, untold) = &mut *state;
        if last.is_some_and(|last| now.since(last) < APART) {
            *untold += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_is_written() {
        let complaints = Complaints::default();
        let at = |seconds| Moment::START.after(Duration::from_secs(seconds));
        assert_eq!(complaints.turn(at(0)), Some(0));
        assert_eq!((complaints.turn(at(1)), complaints.turn(at(59))), (None, None));
        assert_eq!(complaints.turn(at(60)), Some(2));
        assert_eq!(complaints.turn(at(119)), None);
    }
}
