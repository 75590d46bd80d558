//! Random histories of two gateways before a model of Redis, on which everything takes as long as it likes: what
//! is asked, what is answered, what is said of changes, and the gateways themselves. Connections break, at one end
//! or at both, gateways die, and each clock begins where it likes.
//!
//! After a sign-out is answered, no gateway knows the session later than a bound. No session that lives is refused.
//! None lives for longer than it may. InfluxDB's half of a session is one gateway's at a time.
//!
//! Each seed is a history of its own. `SIMULATION_SEED=7 cargo test simulation` runs one of them.

mod halves;
mod history;
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "scripts have floating-point numbers only, and small ones"
)]
mod model;
pub(crate) mod wire;

use std::rc::Rc;

use super::*;
use crate::seeds::seeds;
use history::History;
use wire::Wire;

const SEEDS: u64 = 2000;
const STEPS: usize = 200;

/// How late anything may be, in milliseconds; how long an answer is waited for; after how long a gateway sees that
/// nobody reads what it says.
const LATE: u64 = 40;
const TIMEOUT: u64 = 250;
const SEEN: u64 = 1750;

const IDLE: u64 = 60_000;
const INTERVAL: u64 = 3_000;
const SWEEP: u64 = 5_000;

/// What is known of a session.
struct Known {
    token: SessionToken,
    created: u64,
    /// When the last use began that was answered, and when the last one began at all.
    used: u64,
    tried: u64,
    /// When it was refused first, as it had idled out.
    refused: Option<u64>,
    /// When somebody began to sign out, and when that was answered.
    ending: Option<u64>,
    ended: Option<u64>,
}

/// A use of a session.
#[derive(Clone, Copy)]
struct Use {
    session: usize,
    gateway: usize,
    begun: u64,
    /// When the use before it began.
    before: u64,
}

/// What came of something. Of a use: whether the session was found, if that could be found out.
enum Outcome {
    Created(SessionToken, u64),
    Used(Use, Option<bool>),
    SignedOut(usize, bool),
    OfHalves(News),
}

/// What is known of a half.
#[derive(Default)]
struct Half {
    /// When it was renewed last.
    renewed: u64,
    /// Since when a gateway is alone with it, and whether to sign out of it.
    taken: Option<(u64, bool)>,
    /// When everybody has to know that it was signed out of.
    signed_out: Option<u64>,
}

/// What a gateway has to do.
struct Work {
    gateway: usize,
    id: SessionId,
    taken: u64,
    is_over: bool,
}

/// What came of a question about halves.
enum News {
    /// By which gateway they were taken, after when, and of which the session is over.
    Taken(usize, u64, Vec<(SessionId, bool)>),
    /// What was done, if Redis knows.
    Settled(SessionId, Done, bool),
}

fn gateway(wire: &Wire, has_halves: bool) -> Arc<RedisStore> {
    let whose = halves::whose(has_halves);
    let settings = Settings {
        address: Address::parse("redis://model").unwrap(),
        prefix: "igw:".to_owned(),
        timeout: Duration::from_millis(TIMEOUT),
        touch_interval: Duration::from_millis(INTERVAL),
        near_cache: true,
    };
    let lifetime = Lifetime { idle: Duration::from_millis(IDLE), absolute: None };
    let capacity = Capacity { total: 100, per_user: 100 };
    let told: [Arc<dyn EndListener>; 0] = [];
    let mut store = RedisStore::new(settings, lifetime, capacity, whose, told);
    store.link.simulate(wire.clone());
    Arc::new(store)
}

impl History {
    fn check(&mut self) {
        let outcomes = std::mem::take(&mut *self.outcomes.borrow_mut());
        for outcome in outcomes {
            match outcome {
                Outcome::Created(token, begun) => {
                    let (created, used, tried) = (begun, begun, begun);
                    let (refused, ending, ended) = (None, None, None);
                    let new = Known { token, created, used, tried, refused, ending, ended };
                    self.known.push(new);
                }
                Outcome::SignedOut(index, is_done) => {
                    if is_done {
                        self.known[index].ended.get_or_insert(self.now);
                    }
                }
                Outcome::Used(used, found) => self.check_use(used, found),
                Outcome::OfHalves(news) => self.check_news(news),
            }
        }
        self.check_halves();
    }

    fn check_use(&mut self, used: Use, found: Option<bool>) {
        let Use { session, gateway, begun, before } = used;
        let (now, of) = (self.now, format!("seed {}: session {session}", self.seed));
        let is_blind = self.wires[gateway].with(|wire| wire.cut.is_some());
        let known = &mut self.known[session];
        match found {
            None => assert!(!self.is_calm, "{of} is unknown, though nothing has happened"),
            Some(false) => {
                let is_over = known.ending.is_some() || now >= known.used + IDLE;
                assert!(is_over, "{of} lives and is refused at {now}");
                known.refused.get_or_insert(now);
            }
            Some(true) => {
                let is_late = known.ended.is_some_and(|ended| begun > ended + 2 * LATE);
                assert!(!is_late || is_blind, "{of} was ended, and is found at {begun}");
                let slack = if self.is_calm { 0 } else { INTERVAL + TIMEOUT };
                let has_idled = begun >= before + IDLE + slack + 4 * LATE;
                assert!(!has_idled, "{of} has idled out, and is found at {begun}");
                let is_revived = known.refused.is_some_and(|refused| begun > refused + 2 * LATE);
                assert!(!is_revived || is_blind, "{of} was refused, and is found at {begun}");
                known.used = known.used.max(begun);
                self.found += 1;
            }
        }
    }
}

#[test]
fn whatever_is_late_or_lost_nobody_is_let_in_who_left_nor_refused_who_stays() {
    let seeds = seeds(0..SEEDS);
    let count = seeds.clone().count();
    let found: usize = seeds.map(|seed| History::new(seed).run()).sum();
    assert!(found > 5 * count, "sessions were found {found} times in {count} histories");
}
