//! The order in which the upstream's addresses are tried.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long an address that did not connect is tried last.
const LAST_FOR: Duration = Duration::from_secs(30);

/// The addresses of the upstream, and which of them failed to connect recently.
#[derive(Default)]
pub struct Order {
    addresses: Vec<SocketAddr>,
    /// Those that did not connect, and until when they are tried last.
    failed: Vec<(SocketAddr, Instant)>,
}

impl Order {
    /// These are the addresses now, as they were found. Returns whether there are others than before.
    pub fn set(&mut self, found: &[SocketAddr]) -> bool {
        let before = std::mem::replace(&mut self.addresses, alternate(found));
        self.failed.retain(|(address, _)| self.addresses.contains(address));
        before.len() != self.addresses.len()
            || before.iter().any(|address| !self.addresses.contains(address))
    }

    /// `address` did not connect. Returns whether that is news.
    pub fn note_failed(&mut self, address: SocketAddr, now: Instant) -> bool {
        // Of a single one, and of one that is gone, nothing is to be decided.
        if self.addresses.len() < 2 || !self.addresses.contains(&address) {
            return false;
        }
        let before = self.failed.len();
        self.failed.retain(|(other, _)| *other != address);
        self.failed.push((address, now + LAST_FOR));
        self.failed.len() > before
    }

    /// `address` did connect. Returns whether that is news.
    pub fn note_connected(&mut self, address: SocketAddr) -> bool {
        let before = self.failed.len();
        self.failed.retain(|(other, _)| *other != address);
        self.failed.len() < before
    }

    /// Whether `address` is tried last.
    pub fn has_failed(&self, address: SocketAddr) -> bool {
        self.failed.iter().any(|(other, _)| *other == address)
    }

    /// All of them, the first to be tried in front; those that failed follow, the longest ago before.
    pub fn in_order(&self) -> Vec<SocketAddr> {
        let good = self.addresses.iter().copied().filter(|address| !self.has_failed(*address));
        good.chain(self.failed.iter().map(|(address, _)| *address)).collect()
    }

    /// When the first of those that failed may be tried first again.
    pub fn until(&self) -> Option<Instant> {
        self.failed.iter().map(|(_, until)| *until).min()
    }

    /// One that may be tried first again. For whoever asks next it is among the last once more, until
    /// it has connected: one request finds out, not all.
    pub fn take_due(&mut self, now: Instant) -> Option<SocketAddr> {
        let (address, _) = *self.failed.iter().find(|(_, until)| *until <= now)?;
        self.note_failed(address, now);
        Some(address)
    }
}

/// Each once, those of IPv6 and of IPv4 taking turns (RFC 8305 section 4): where one of the two does not
/// work at all, that is found out with one address.
fn alternate(found: &[SocketAddr]) -> Vec<SocketAddr> {
    let is_first_kind =
        |address: &&SocketAddr| Some(address.is_ipv6()) == found.first().map(SocketAddr::is_ipv6);
    let (first, second): (Vec<&SocketAddr>, Vec<_>) = found.iter().partition(is_first_kind);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut all: Vec<SocketAddr> = Vec::with_capacity(found.len());
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return all;
        }
        for address in pair.into_iter().flatten() {
            if !all.contains(address) {
                all.push(*address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn check(order: &Order, expected: &[&str]) {
        assert_eq!(order.in_order(), all(expected));
    }

    #[test]
    fn what_did_not_connect_is_tried_last_for_a_while() {
        let (mut order, now) = (Order::default(), Instant::now());
        let [a, b, c] = ["1.1.1.1:1", "2.2.2.2:1", "3.3.3.3:1"];
        let address = |text: &str| text.parse().unwrap();
        assert!(order.set(&all(&[a, b, c, b])));
        assert!(!order.set(&all(&[c, b, a])), "the same, however they are sorted");
        order.set(&all(&[a, b, c]));
        check(&order, &[a, b, c]);
        assert!(order.note_failed(address(a), now));
        assert!(!order.note_failed(address(a), now), "no news");
        check(&order, &[b, c, a]);
        assert!(order.note_failed(address(b), now + Duration::from_secs(1)));
        check(&order, &[c, a, b]);
        assert_eq!(order.until(), Some(now + LAST_FOR));
        // One request tries it, the others do not.
        assert_eq!(order.take_due(now), None);
        assert_eq!(order.take_due(now + LAST_FOR), Some(address(a)));
        assert_eq!(order.take_due(now + LAST_FOR), None);
        check(&order, &[c, b, a]);
        assert!(order.note_connected(address(a)) && !order.note_connected(address(a)));
        check(&order, &[a, c, b]);
        // What is gone is forgotten.
        assert!(order.set(&all(&[a, c])));
        assert_eq!(order.until(), None);
        assert!(!order.note_failed(address(b), now));
        order.set(&all(&[a]));
        assert!(!order.note_failed(address(a), now), "there is nothing to choose from");
        check(&order, &[a]);
    }

    #[test]
    fn both_kinds_of_addresses_take_turns() {
        let found = all(&["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1", "[::1]:1"]);
        assert_eq!(alternate(&found), all(&["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]));
        assert_eq!(alternate(&[]), []);
    }
}
