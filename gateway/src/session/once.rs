//! What may come once: remembered until it would be too late for it anyway.

use std::collections::{HashSet, VecDeque};
use std::sync::Mutex;

use super::lock;
use super::logged_out::LoggedOut;

/// So many things of a kind are remembered. Beyond them, the one that came first is forgotten.
pub const MOST: usize = 100_000;

/// Something that may come once.
#[derive(Clone, Copy)]
pub struct Single {
    /// What it is.
    pub kind: Kind,
    /// By what it is told from all others of its kind.
    pub digest: [u8; 32],
    /// From when on it is too late for it, in seconds since 1970.
    pub until: u64,
}

/// Of what kind it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The state of a sign-in by a provider, with which a browser comes back.
    SignIn,
    /// A log-out token of a provider.
    LogOut,
}

impl Kind {
    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::SignIn => "state",
            Self::LogOut => "logout",
        }
    }
}

/// What has come, of each kind.
#[derive(Default)]
pub(super) struct Once {
    sign_ins: Mutex<Come>,
    log_outs: Mutex<Come>,
    /// Whom those log-out tokens were about.
    pub(super) logged_out: LoggedOut,
}

#[derive(Default)]
struct Come {
    all: HashSet<[u8; 32]>,
    in_order: VecDeque<([u8; 32], u64)>,
}

impl Once {
    /// Whether it has come before `now`, in seconds since 1970.
    pub(super) fn has_come(&self, what: &Single, now: u64) -> bool {
        let mut come = lock(self.of(what.kind));
        come.forget(now);
        come.all.contains(&what.digest)
    }

    /// It has come at `now`; false if it had before.
    pub(super) fn note(&self, what: &Single, now: u64) -> bool {
        let mut come = lock(self.of(what.kind));
        come.forget(now);
        let is_first = come.all.insert(what.digest);
        if is_first {
            come.in_order.push_back((what.digest, what.until));
        }
        while come.in_order.len() > MOST {
            come.forget_first();
        }
        is_first
    }

    fn of(&self, kind: Kind) -> &Mutex<Come> {
        match kind {
            Kind::SignIn => &self.sign_ins,
            Kind::LogOut => &self.log_outs,
        }
    }
}

impl Come {
    fn forget(&mut self, now: u64) {
        while self.in_order.front().is_some_and(|(_, until)| *until < now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        if let Some((old, _)) = self.in_order.pop_front() {
            self.all.remove(&old);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn single(kind: Kind, number: usize, until: u64) -> Single {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        Single { kind, digest, until }
    }

    #[test]
    fn what_has_come_is_remembered_until_it_cannot_come_any_more() {
        let once = Once::default();
        let [first, second] =
            [(1, 100), (2, 200)].map(|(it, until)| single(Kind::SignIn, it, until));
        assert!(!once.has_come(&first, 0) && once.note(&first, 0));
        assert!(once.has_come(&first, 100) && !once.note(&first, 100));
        assert!(once.note(&single(Kind::LogOut, 1, 100), 0), "another kind");
        assert!(once.note(&second, 101));
        assert_eq!(once.sign_ins.lock().unwrap().all.len(), 1);
    }

    #[test]
    fn a_flood_does_not_fill_the_memory() {
        let once = Once::default();
        for number in 0..MOST + 10 {
            assert!(once.note(&single(Kind::SignIn, number, 1000), 0));
        }
        let come = once.sign_ins.lock().unwrap();
        assert_eq!((come.all.len(), come.in_order.len()), (MOST, MOST));
    }
}
