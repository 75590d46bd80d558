//! What is known of a session, in a form that can be written down.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::token::SessionId;
use super::{Lifetime, Session};
use crate::clock::{Moment, wall};
use crate::request_meta::Client;

/// A time of the wall clock: milliseconds since 1970-01-01 00:00 UTC. For people and for other
/// processes to read; nothing in this one is decided by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// When `moment` was, or will be, if it is `now` at `wall`.
    pub fn of(moment: Moment, now: Moment, wall: SystemTime) -> Self {
        let wall = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let then = if moment > now {
            wall.saturating_add(moment.since(now))
        } else {
            wall.saturating_sub(now.since(moment))
        };
        Self(u64::try_from(then.as_millis()).unwrap_or(u64::MAX))
    }
}

/// As `2026-11-22T13:20:40.123Z`.
impl fmt::Display for UnixMillis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is later than the year 9999 is as good as never.
        let time = Duration::from_millis(self.0.min(253_402_300_799_999));
        humantime::format_rfc3339_millis(SystemTime::UNIX_EPOCH + time).fmt(out)
    }
}

/// A session as it is at one moment.
#[derive(Clone, Debug)]
pub struct Record {
    /// The digest of its token.
    pub id: SessionId,
    /// The name of its user.
    pub user_name: String,
    /// When it was created.
    pub started: UnixMillis,
    /// When it was last used.
    pub last_used: UnixMillis,
    /// When it ends, if it is not used any more.
    pub expires: UnixMillis,
    /// The client that has opened it.
    pub client: Client,
}

/// Which sessions are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Those of the user of this name.
    User(String),
    /// Those whose id begins with these hex digits.
    Id(String),
}

impl Wanted {
    /// Whether a session of this id and user's name is wanted.
    pub(super) fn is(&self, id: &SessionId, name: &str) -> bool {
        match self {
            Self::User(wanted) => wanted == name,
            Self::Id(digits) => id.hex().starts_with(digits),
        }
    }
}

/// A place in the list of all sessions, which are in the order in which they end if they are not used.
///
/// Prints as two numbers with a `-` between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// When those here end, as the store counts time.
    pub time: u64,
    /// Which of them, as the store counts; 0: from the first.
    pub which: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.time, self.which)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (time, which) = text.split_once('-').ok_or(())?;
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        let place = || Some(Self { time: time.parse().ok()?, which: which.parse().ok()? });
        is_plain.then(place).flatten().ok_or(())
    }
}

/// Some of all sessions.
#[derive(Debug, Default)]
pub struct Page {
    /// Those that live.
    pub records: Vec<Record>,
    /// Where the list goes on, if it does.
    pub next: Option<Place>,
}

impl Session {
    /// The session as it is at `now`.
    pub fn record(&self, now: Moment, lifetime: &Lifetime) -> Record {
        let clock = wall();
        let at = |moment| UnixMillis::of(moment, now, clock);
        let user = self.user();
        Record {
            id: *self.id(),
            user_name: user.name.as_str().to_owned(),
            started: at(self.started),
            last_used: at(self.last_used().min(now)),
            expires: at(self.deadline(lifetime).unwrap_or(now)),
            client: *self.client(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::session::token::SessionToken;
    use crate::user::tests::user;

    #[test]
    fn moments_become_times_of_the_wall_clock() {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let at = |seconds| Moment::START.after(Duration::from_secs(seconds));
        for (moment, now, millis) in [
            (at(0), at(0), 1_000_000_000),
            (at(0), at(60), 999_940_000),
            (at(60), at(0), 1_000_060_000),
        ] {
            assert_eq!(UnixMillis::of(moment, now, wall), UnixMillis(millis));
        }
        let before_1970 = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(UnixMillis::of(at(0), at(0), before_1970), UnixMillis(0));
    }

    #[test]
    fn a_record_says_whose_session_it_is_and_when_it_ends() {
        let lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };
        let at = |seconds| Moment::START.after(Duration::from_secs(seconds));
        let token = SessionToken::generate();
        let session = Session::start(token.id(), Arc::new(user("ada")), None, at(0));
        assert!(session.renew(at(100), &lifetime));
        let record = session.record(at(160), &lifetime);
        assert!(record.id == token.id() && record.user_name == "ada");
        assert_eq!(record.last_used.0 - record.started.0, 100_000);
        assert_eq!(record.expires.0 - record.last_used.0, 600_000);
    }
}
