//! InfluxDB's halves of the sessions of a history. Whoever has taken one is alone with it, until that one is done or
//! its lease is over; each is looked after in time, and signed out of when its session has ended.

use super::history::History;
use super::*;

/// How often each half is renewed, and for how long a gateway has what it has taken.
const RENEW: u64 = 20_000;
const LEASE: u64 = 8_000;

/// How often gateways look for what is due.
const LOOK: u64 = 2_000;

/// How long a gateway that is alive may take for what it has taken.
const WORK: u64 = 1_000;

/// Of which users the sessions are.
pub(super) fn whose(has_halves: bool) -> Whose {
    if !has_halves {
        return known();
    }
    let key = StoreKey::of_bytes(&[7; 32]);
    Whose::Influxdb(Halves { key, renew: Duration::from_millis(RENEW) })
}

impl History {
    /// A gateway looks for what is due.
    pub(super) fn take(&mut self, gateway: usize) {
        let Some(halves) = SharedHalves::of(&self.gateways[gateway]) else { return };
        if self.now < self.looked[gateway] + LOOK {
            return;
        }
        self.looked[gateway] = self.now;
        let (now, begun, outcomes) = (self.moment(gateway), self.now, Rc::clone(&self.outcomes));
        self.begin(gateway, async move {
            let due = halves.take(16, now).await.unwrap_or_default();
            let due = due.into_iter().map(|(id, due)| (id, matches!(due, Due::SignOut(_))));
            let taken = News::Taken(gateway, begun, due.collect());
            outcomes.borrow_mut().push(Outcome::OfHalves(taken));
        });
    }

    /// Gateways that live do what they have to, at last.
    pub(super) fn work_in_time(&mut self) {
        while let Some(work) = self.works.iter().position(|work| self.now >= work.taken + WORK) {
            self.work(work);
        }
    }

    /// One of them does one thing.
    pub(super) fn work(&mut self, work: usize) {
        let Work { gateway, id, taken, is_over } = self.works.swap_remove(work);
        let Some(halves) = SharedHalves::of(&self.gateways[gateway]) else { return };
        // Whatever else it does, it does in time.
        assert!(self.now < taken + LEASE * 3 / 4, "seed {}", self.seed);
        let done = match (self.random.index(6), is_over) {
            (0, _) => Done::Returned,
            (_, false) => Done::Renewed,
            (_, true) => Done::SignedOut,
        };
        let half = self.halves.entry(id).or_default();
        half.taken = half.taken.filter(|it| *it != (taken, is_over));
        let (now, outcomes) = (self.moment(gateway), Rc::clone(&self.outcomes));
        self.begin(gateway, async move {
            let is_known = halves.settle(&id, done, now).await.is_ok();
            outcomes.borrow_mut().push(Outcome::OfHalves(News::Settled(id, done, is_known)));
        });
    }

    pub(super) fn check_news(&mut self, news: News) {
        let (seed, now) = (self.seed, self.now);
        match news {
            News::Taken(gateway, taken, due) => {
                for (id, is_over) in due {
                    let half = self.halves.entry(id).or_default();
                    // Who signs out of it need not wait for who renews it.
                    let is_alone = half.taken.is_none_or(|(since, was_over)| {
                        now >= since + LEASE || is_over && !was_over
                    });
                    assert!(is_alone, "seed {seed}: two gateways have {id:?} at {now}");
                    let is_left = half.signed_out.is_none_or(|since| taken <= since);
                    assert!(
                        is_left,
                        "seed {seed}: {id:?} was signed out of, and is taken at {now}"
                    );
                    half.taken = Some((taken, is_over));
                    let session = self.known.iter().find(|known| known.token.id() == id);
                    let lives = session.is_some_and(|known| known.lives(now));
                    assert!(!is_over || !lives, "seed {seed}: {id:?} lives and is signed out of");
                    self.works.push(Work { gateway, id, taken, is_over });
                }
            }
            News::Settled(id, done, true) => {
                let half = self.halves.entry(id).or_default();
                match done {
                    Done::Renewed => half.renewed = now,
                    Done::SignedOut => half.signed_out = Some(now),
                    Done::Returned => {}
                }
            }
            News::Settled(..) => {}
        }
    }

    /// While nothing is lost, nothing is late.
    pub(super) fn check_halves(&self) {
        if !self.is_calm || !self.has_halves {
            return;
        }
        let patience = LEASE + LOOK + WORK + 10 * LATE;
        for known in &self.known {
            let Some(half) = self.halves.get(&known.token.id()) else { continue };
            let of = || format!("seed {}: {:?}", self.seed, known.token.id());
            let renewed = half.renewed.max(known.created);
            let is_late = known.lives(self.now) && self.now > renewed + RENEW + patience;
            assert!(!is_late, "{} was renewed at {renewed}, and not by {}", of(), self.now);
            let is_due = known.ended.is_some_and(|ended| self.now > ended + 2 * patience);
            assert!(!is_due || half.signed_out.is_some(), "{} is not signed out of", of());
        }
    }
}

impl Known {
    /// Whether it lives, whatever is not known yet.
    fn lives(&self, now: u64) -> bool {
        self.ending.is_none() && now < self.used + IDLE
    }
}
