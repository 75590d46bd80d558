//! Limits on connections: of all clients, and of each.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::request_meta::ClientKey;

/// Counts connections, and refuses more than the limits allow.
#[derive(Clone)]
pub struct Connections {
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    most: usize,
    most_per_client: usize,
    all: usize,
    by_client: HashMap<ClientKey, usize>,
}

/// A counted connection. It is counted until this is dropped.
pub struct Open {
    connections: Connections,
    client: Option<ClientKey>,
}

impl Connections {
    /// At most `most`, and of one client address at most `most_per_client`.
    pub fn new(most: usize, most_per_client: usize) -> Self {
        let counts = Counts { most, most_per_client, ..Counts::default() };
        Self { counts: Arc::new(Mutex::new(counts)) }
    }

    /// Lets in so many from now on. Where there are more, none is closed for it.
    pub fn set_limits(&self, most: usize, most_per_client: usize) {
        let mut counts = self.lock();
        (counts.most, counts.most_per_client) = (most, most_per_client);
    }

    /// Lets a connection of `client` in, if there is room. An IPv6 client counts by its network of
    /// 64 bits, which is what one customer usually has.
    pub fn open(&self, client: Option<IpAddr>) -> Option<Open> {
        let client = client.map(|address| ClientKey::of(Some(address)));
        let mut counts = self.lock();
        if counts.all >= counts.most {
            return None;
        }
        if let Some(client) = client {
            let most = counts.most_per_client;
            let count = counts.by_client.entry(client).or_default();
            if *count >= most {
                return None;
            }
            *count += 1;
        }
        counts.all += 1;
        drop(counts);
        Some(Open { connections: self.clone(), client })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut counts = self.connections.lock();
        counts.all -= 1;
        let Some(client) = self.client else { return };
        if let Some(count) = counts.by_client.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                counts.by_client.remove(&client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_counted_for_all_and_for_each() {
        let connections = Connections::new(3, 2);
        let open = |address: &str| connections.open(Some(address.parse().unwrap()));
        let (first, _second) = (open("1.2.3.4").unwrap(), open("::ffff:1.2.3.4").unwrap());
        assert!(open("1.2.3.4").is_none());
        let _third = open("2001:db8::1").unwrap();
        assert!(open("5.6.7.8").is_none());
        drop(first);
        assert!(open("2001:db8::2:3").is_some(), "the room of one that is gone");
        assert_eq!(connections.count(), 2);
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let connections = Connections::new(10, 1);
        let open = |address: &str| connections.open(Some(address.parse().unwrap()));
        let _first = open("2001:db8::1").unwrap();
        assert!(open("2001:db8::ffff:2").is_none());
        assert!(open("2001:db8:0:1::1").is_some());
    }
}
