//! A gateway token as the users file has it.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::TokenDigest;

/// What is known of one of a user's tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientToken {
    /// What people call it; one user's have different ones.
    pub label: Option<Label>,
    /// By which it is recognised.
    pub digest: TokenDigest,
    /// When it ends; `None`: never by itself.
    pub expires: Option<Expiry>,
}

impl ClientToken {
    /// Whether it has ended at `now`, in seconds since 1970, which is asked only if it ends at all.
    pub fn has_ended(&self, now: impl FnOnce() -> u64) -> bool {
        self.expires.is_some_and(|expires| expires.seconds() <= now())
    }
}

/// What a token is called: 1 to 64 visible ASCII characters, with blanks between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label(String);

impl Label {
    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        let is_right =
            (1..=64).contains(&text.len()) && text.bytes().all(is_allowed) && text.trim() == text;
        // It is the one thing here that nobody must know.
        if is_right && !text.contains(super::PREFIX) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a label is 1 to 64 visible ASCII characters, with blanks between them, and no token"
                .to_owned())
        }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// When a token ends, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Expiry(u64);

/// The last second that can be written with four digits of the year.
const LAST: u64 = 253_402_300_799;

impl Expiry {
    /// So long after `now`; `None` if that is later than can be written.
    pub fn after(now: u64, time: Duration) -> Option<Self> {
        now.checked_add(time.as_secs()).filter(|seconds| *seconds <= LAST).map(Self)
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0
    }
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = humantime::parse_rfc3339(text).ok();
        let seconds = time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        seconds.map(|since| Self(since.as_secs())).ok_or_else(|| {
            format!("{text:?} is not a time; write it in UTC, for example \"2027-02-26T09:40:00Z\"")
        })
    }
}

impl fmt::Display for Expiry {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(self.0);
        humantime::format_rfc3339_seconds(time).fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_ends_with_its_second() {
        let expires = "2027-02-26T09:40:00Z".parse::<Expiry>().unwrap();
        assert_eq!(expires.to_string(), "2027-02-26T09:40:00Z");
        let digest = "ab".repeat(32).parse().unwrap();
        let of = |expires| ClientToken { label: None, digest, expires };
        let ends = expires.seconds();
        assert!(!of(Some(expires)).has_ended(|| ends - 1) && of(Some(expires)).has_ended(|| ends));
        assert!(!of(None).has_ended(|| u64::MAX));
        for wrong in ["", "90d", "2027-02-26", "2027-02-26T09:40:00+01:00", "1969-01-01T00:00:00Z"]
        {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong}");
        }
        assert_eq!(Expiry::after(u64::MAX, Duration::from_secs(1)), None);
    }

    #[test]
    fn labels_are_for_one_line() {
        for right in ["a", "Telegraf, kitchen", &"x".repeat(64)] {
            assert_eq!(right.parse::<Label>().unwrap().as_str(), right);
        }
        for wrong in ["", " a", "a ", "a\nb", "ä", "igw_x", &"x".repeat(65)] {
            assert!(wrong.parse::<Label>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(now in 0_u64..LAST, more in 0_u64..100_000_000) {
            if let Some(expires) = Expiry::after(now, Duration::from_secs(more)) {
                prop_assert_eq!(expires.to_string().parse::<Expiry>(), Ok(expires));
            }
        }

        #[test]
        fn reading_is_total(text in ".{0,40}") {
            let _ = (text.parse::<Expiry>(), text.parse::<Label>());
        }
    }
}
