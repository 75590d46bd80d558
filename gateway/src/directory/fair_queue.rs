//! A fair queue: neither many requests of one client nor many for one name shut out the others.
//!
//! Permits are given by client and by name: every other permit goes to the client that has waited longest
//! for one, however many places it has in the queue, and there to the name that has; the permits between
//! to the name first, and there to the client. So neither many connections of one client, with one name or
//! many, nor one name from many clients keep others waiting for longer than a few permits. A full queue
//! makes room for somebody who has less of it by turning away the last of whoever has most.

use std::collections::HashMap;
use std::hash::Hash;

use super::Overloaded;

/// Who wants a permit: a client and a name, each as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The client.
    pub client: u64,
    /// The name.
    pub name: u64,
}

/// Those who wait, in no order but that in which they get their permit.
pub(super) struct FairQueue<T> {
    most: usize,
    waiting: Vec<Waiting<T>>,
    clients: Flows<u64>,
    names: Flows<u64>,
    pairs: Flows<Claim>,
    /// Counts what has happened.
    clock: u64,
    /// Whether the last permit was given by client first.
    by_client: bool,
}

/// Whose place it is, for as long as it is there.
pub(super) type Ticket = u64;

struct Waiting<T> {
    ticket: Ticket,
    claim: Claim,
    what: T,
}

/// What those have in common who count as one.
#[derive(Clone, Copy, Default)]
struct Flow {
    waiting: usize,
    /// When it has joined the queue, or has had its last permit.
    since: u64,
}

struct Flows<K>(HashMap<K, Flow>);

impl<T> FairQueue<T> {
    /// A queue of at most so many.
    pub(super) fn new(most: usize) -> Self {
        let (clients, names) = (Flows(HashMap::new()), Flows(HashMap::new()));
        let (waiting, pairs) = (Vec::new(), Flows(HashMap::new()));
        Self { most, waiting, clients, names, pairs, clock: 0, by_client: false }
    }

    /// A place in the queue for `what`. If there is none, whoever has most of the line gives one up, if
    /// that is more than `claim` will have.
    pub(super) fn join(&mut self, claim: Claim, what: T) -> Result<Ticket, Overloaded> {
        if self.waiting.len() >= self.most {
            let last = self.last_of_the_most(claim).ok_or(Overloaded)?;
            self.take_out(last);
        }
        self.clock += 1;
        self.clients.join(claim.client, self.clock);
        self.names.join(claim.name, self.clock);
        self.pairs.join(claim, self.clock);
        self.waiting.push(Waiting { ticket: self.clock, claim, what });
        Ok(self.clock)
    }

    /// Gives up the place of `ticket`, if it still is one.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        if let Some(place) = self.waiting.iter().position(|it| it.ticket == ticket) {
            self.take_out(place);
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&mut self) -> Option<T> {
        self.by_client = !self.by_client;
        let first = |it: &Waiting<T>| {
            if self.by_client {
                self.clients.since(&it.claim.client)
            } else {
                self.names.since(&it.claim.name)
            }
        };
        let order = |it: &Waiting<T>| (first(it), self.pairs.since(&it.claim), it.ticket);
        let places = self.waiting.iter().enumerate();
        let (place, _) = places.min_by_key(|(_, it)| order(it))?;
        let Waiting { claim, what, .. } = self.take_out(place);
        self.clock += 1;
        self.clients.serve(&claim.client, self.clock);
        self.names.serve(&claim.name, self.clock);
        self.pairs.serve(&claim, self.clock);
        Some(what)
    }

    /// The last who came of the client that has most of the line, if that is more than the client of
    /// `claim` would have; otherwise of the name that has most, likewise.
    fn last_of_the_most(&self, claim: Claim) -> Option<usize> {
        let client = self.clients.most_beyond(&claim.client);
        let name = self.names.most_beyond(&claim.name);
        let is_theirs = |it: &Claim| match (client, name) {
            (Some(client), _) => it.client == client,
            (None, Some(name)) => it.name == name,
            (None, None) => false,
        };
        let places = self.waiting.iter().enumerate().filter(|(_, it)| is_theirs(&it.claim));
        let last = places.max_by_key(|(_, it)| (self.pairs.waiting(&it.claim), it.ticket));
        last.map(|(place, _)| place)
    }

    fn take_out(&mut self, place: usize) -> Waiting<T> {
        let gone = self.waiting.swap_remove(place);
        self.clients.leave(&gone.claim.client);
        self.names.leave(&gone.claim.name);
        self.pairs.leave(&gone.claim);
        gone
    }
}

impl<K: Copy + Eq + Hash> Flows<K> {
    fn join(&mut self, whose: K, now: u64) {
        let flow = self.0.entry(whose).or_insert(Flow { waiting: 0, since: now });
        flow.waiting += 1;
    }

    fn leave(&mut self, whose: &K) {
        if let Some(flow) = self.0.get_mut(whose) {
            flow.waiting -= 1;
            if flow.waiting == 0 {
                self.0.remove(whose);
            }
        }
    }

    fn serve(&mut self, whose: &K, now: u64) {
        if let Some(flow) = self.0.get_mut(whose) {
            flow.since = now;
        }
    }

    fn since(&self, whose: &K) -> u64 {
        self.0.get(whose).map_or(0, |flow| flow.since)
    }

    fn waiting(&self, whose: &K) -> usize {
        self.0.get(whose).map_or(0, |flow| flow.waiting)
    }

    /// Who has most of the line, if that is more than `whose` would have with one place more.
    fn most_beyond(&self, whose: &K) -> Option<K> {
        let (most, flow) = self.0.iter().max_by_key(|(_, flow)| flow.waiting)?;
        (flow.waiting > self.waiting(whose) + 1).then_some(*most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(client: u64, name: u64) -> Claim {
        Claim { client, name }
    }

    /// Who stands in the way of bob: so many, each with a claim by its number.
    fn crowd(count: u64, claim_of: impl Fn(u64) -> Claim) -> FairQueue<u64> {
        let mut line = FairQueue::new(256);
        for number in 1..=count {
            let _ = line.join(claim_of(number), number);
        }
        line
    }

    const BOB: u64 = 0;

    /// How many turns go to others before bob has his.
    fn turns_before_bob(line: &mut FairQueue<u64>, bob: Claim) -> usize {
        line.join(bob, BOB).expect("bob gets a place");
        let called = std::iter::from_fn(|| line.next());
        called.take_while(|number| *number != BOB).count()
    }

    #[test]
    fn f_21_no_crowd_keeps_somebody_else_waiting() {
        let (x, y) = (10, 11);
        for (what, bob, claim_of) in [
            // 300 connections of ada's, from bob's own address and from another.
            ("one user", claim(x, 2), (|_| claim(10, 1)) as fn(u64) -> Claim),
            ("one user elsewhere", claim(y, 2), |_| claim(10, 1)),
            ("one client with many names", claim(y, 2), |n| claim(10, 100 + n)),
            ("one name from many clients", claim(y, 2), |n| claim(100 + n, 1)),
        ] {
            for count in [1, 10, 255, 256, 300] {
                let mut line = crowd(count, claim_of);
                for _ in 0..18 {
                    let before = turns_before_bob(&mut line, bob);
                    assert!(before <= 4, "{what}, {count}: {before} turns");
                    // Whoever has had a turn comes back at once.
                    for number in 0..5 {
                        let _ = line.join(claim_of(count + number), count + number);
                    }
                }
            }
        }
    }

    #[test]
    fn f_21_among_equals_it_is_first_come_first_served_and_a_full_line_is_full() {
        let mut line = crowd(256, |n| claim(n, n));
        assert_eq!(line.join(claim(1000, 1000), 1000), Err(Overloaded));
        assert!((1..=256).all(|number| line.next() == Some(number)));
        assert_eq!(line.next(), None);
        let mut line = crowd(256, |_| claim(1, 1));
        assert_eq!(line.join(claim(1, 1), 1000), Err(Overloaded));
        assert!((1..=256).all(|number| line.next() == Some(number)));
    }

    #[test]
    fn f_21_two_crowds_share_the_line() {
        let mut line = crowd(256, |_| claim(1, 1));
        let others = (1000..1300).filter(|number| line.join(claim(2, 2), *number).is_ok()).count();
        assert_eq!(others, 128);
        let turns: Vec<_> = (0..100).map(|_| line.next().unwrap()).collect();
        assert_eq!(turns.iter().filter(|number| **number >= 1000).count(), 50);
    }

    proptest! {
        /// Whatever happens, the line is no longer than it may be, nobody is called twice, and whoever
        /// has a place and neither leaves nor is turned away is called at last.
        #[test]
        fn f_21_everybody_is_called_once(
            steps in proptest::collection::vec((0..3_u8, 0..4_u64, 0..4_u64), 0..200)
        ) {
            let mut line = FairQueue::new(8);
            let mut tickets = Vec::new();
            let mut called = std::collections::HashSet::new();
            for (number, (step, client, name)) in steps.into_iter().enumerate() {
                match step {
                    0 => assert!(line.next().is_none_or(|number| called.insert(number))),
                    1 if !tickets.is_empty() => line.leave(tickets.swap_remove(0)),
                    _ => tickets.extend(line.join(claim(client, name), number)),
                }
                prop_assert!(line.waiting.len() <= 8);
                let sum = |flows: &Flows<u64>| flows.0.values().map(|flow| flow.waiting).sum::<usize>();
                prop_assert_eq!(sum(&line.clients), line.waiting.len());
                prop_assert_eq!(sum(&line.names), line.waiting.len());
            }
            let left = line.waiting.len();
            for _ in 0..left {
                let number = line.next().unwrap();
                prop_assert!(called.insert(number));
            }
            prop_assert!(line.next().is_none() && line.clients.0.is_empty() && line.pairs.0.is_empty());
        }
    }
}
