//! Requests and bytes of each user, where that is wanted.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::text::{Kind, Text};
use super::values::Counter;

/// So many maps, so that a new user is a small change.
const MAPS: usize = 64;

type Known = HashMap<Box<str>, Arc<Traffic>>;

/// What each user has sent and got. Users are added and never removed; they are found without a lock.
pub struct Users([ArcSwapOption<Known>; MAPS]);

/// What one user has sent and got.
struct Traffic {
    requests: Counter,
    received: Counter,
    sent: Counter,
}

impl Users {
    /// Nobody yet.
    pub const fn new() -> Self {
        Self([const { ArcSwapOption::const_empty() }; MAPS])
    }

    /// One more request of the user of this name, with so many bytes from the client and to it. The
    /// name must be one that the directory knows: there are as many of these as users.
    pub fn count(&self, name: &str, received: u64, sent: u64) {
        let hash = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, hash);
        let map = usize::try_from(hash % MAPS as u64).unwrap_or_default();
        let map = &self.0[map];
        let known = map.load().as_ref().and_then(|known| known.get(name).cloned());
        let traffic = known.unwrap_or_else(|| enter(map, name));
        traffic.requests.count();
        traffic.received.add(received);
        traffic.sent.add(sent);
    }

    /// Writes what each has sent and got.
    pub fn write(&self, text: &mut Text) {
        let maps: Vec<_> = self.0.iter().filter_map(ArcSwapOption::load_full).collect();
        let mut all: Vec<_> = maps.iter().flat_map(|known| known.iter()).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        let mut write = |name, help, of: fn(&Traffic) -> &Counter| {
            text.begin(name, Kind::Counter, help);
            for (user, traffic) in &all {
                text.sample("", &[("user", user)], of(traffic).get());
            }
        };
        write(
            "influx_gateway_user_requests_total",
            "Requests of each user; only with per_user.",
            |traffic| &traffic.requests,
        );
        write(
            "influx_gateway_user_received_bytes_total",
            "Bytes of bodies from each user; only with per_user.",
            |traffic| &traffic.received,
        );
        write(
            "influx_gateway_user_sent_bytes_total",
            "Bytes of bodies to each user; only with per_user.",
            |traffic| &traffic.sent,
        );
    }
}

/// Adds a user who is not known yet.
#[cold]
fn enter(map: &ArcSwapOption<Known>, name: &str) -> Arc<Traffic> {
    let fresh = Arc::new(Traffic {
        requests: Counter::new(),
        received: Counter::new(),
        sent: Counter::new(),
    });
    let mut entered = Arc::clone(&fresh);
    map.rcu(|known| {
        let mut known = known.as_deref().cloned().unwrap_or_default();
        // Another may have come first.
        entered = Arc::clone(known.entry(name.into()).or_insert_with(|| Arc::clone(&fresh)));
        Some(Arc::new(known))
    });
    entered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::text::Format;

    #[test]
    fn users_are_entered_once_however_many_come_at_the_same_time() {
        let users = Users::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..200 {
                        users.count(&format!("user-{}", number % 100), 2, 3);
                    }
                });
            }
        });
        let mut text = Text::new(Format::Prometheus);
        users.write(&mut text);
        let text = text.end();
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples.len(), 300);
        assert!(
            samples.contains(&"influx_gateway_user_requests_total{user=\"user-42\"} 8"),
            "{text}"
        );
        assert!(samples.contains(&"influx_gateway_user_received_bytes_total{user=\"user-42\"} 16"));
        assert!(samples.contains(&"influx_gateway_user_sent_bytes_total{user=\"user-42\"} 24"));
    }
}
