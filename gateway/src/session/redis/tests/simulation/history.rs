//! One history: what happens, in which order.

use std::cell::RefCell;
use std::collections::HashMap;
use std::pin::Pin;
use std::task::{Context, Waker};

use super::model::Model;
use super::wire::{Said, State, Wire};
use super::*;
use crate::seeds::Random;

pub(super) type Outcomes = Rc<RefCell<Vec<Outcome>>>;
type Task = Pin<Box<dyn Future<Output = ()>>>;

pub(super) struct History {
    pub(super) seed: u64,
    pub(super) random: Random,
    /// In milliseconds; the gateways' own clocks are ahead of it.
    pub(super) now: u64,
    ahead: [u64; 2],
    model: Model,
    pub(super) wires: [Wire; 2],
    connections: u64,
    pub(super) gateways: [Arc<RedisStore>; 2],
    /// When each was looked after, and what has idled out was looked for.
    kept_up: [(u64, u64); 2],
    tasks: Vec<(usize, Task)>,
    pub(super) outcomes: Outcomes,
    pub(super) known: Vec<Known>,
    pub(super) found: usize,
    pub(super) is_calm: bool,
    /// Whether InfluxDB has a part in the sessions.
    pub(super) has_halves: bool,
    pub(super) halves: HashMap<SessionId, Half>,
    pub(super) works: Vec<Work>,
    /// When each gateway has looked for what is due.
    pub(super) looked: [u64; 2],
}

impl History {
    pub(super) fn new(seed: u64) -> Self {
        let wires = [Wire::default(), Wire::default()];
        let has_halves = !seed.is_multiple_of(2);
        let gateways = wires.each_ref().map(|wire| gateway(wire, has_halves));
        let mut history = Self {
            seed,
            random: Random::of(seed),
            now: 0,
            ahead: [0; 2],
            model: Model::new(1_700_000_000_000),
            wires,
            connections: 0,
            gateways,
            kept_up: [(0, 0); 2],
            tasks: Vec::new(),
            outcomes: Rc::default(),
            known: Vec::new(),
            found: 0,
            is_calm: seed.is_multiple_of(3),
            has_halves,
            halves: HashMap::new(),
            works: Vec::new(),
            looked: [0; 2],
        };
        history.ahead = [(); 2].map(|()| history.random.below(1_000_000));
        for gateway in 0..2 {
            history.connect(gateway);
        }
        history
    }

    /// Returns how often a session was found.
    pub(super) fn run(mut self) -> usize {
        self.sign_in(0);
        for _ in 0..STEPS {
            let gateway = self.random.index(2);
            match self.random.below(100) {
                0..2 => self.sign_in(gateway),
                2..22 => self.use_one(gateway),
                22..25 => self.sign_out(gateway),
                25..45 => self.carry_out(gateway),
                45..65 => self.hear(gateway),
                65..85 => self.go_on(),
                85..93 => {
                    let time = 1 + self.random.below(30);
                    self.pass(time);
                }
                93 | 95 => {
                    let time =
                        [500, 2_000, 10_000, 40_000, 58_000, 59_500, 61_000][self.random.index(7)];
                    self.pass(time);
                }
                94 if !self.works.is_empty() => {
                    let work = self.random.index(self.works.len());
                    self.work(work);
                }
                _ if self.is_calm => {}
                96 => self.lose(gateway),
                97 => self.cut(gateway),
                98 if self.random.below(2) == 0 => {
                    self.use_one(gateway);
                    self.die(gateway);
                    // Was the last use written down?
                    let time = IDLE - 200 - self.random.below(INTERVAL);
                    self.pass(time);
                }
                _ => self.connect(gateway),
            }
            self.check();
        }
        self.found
    }

    pub(super) fn moment(&self, gateway: usize) -> Moment {
        Moment::from_millis(self.now + self.ahead[gateway])
    }

    pub(super) fn begin(&mut self, gateway: usize, task: impl Future<Output = ()> + 'static) {
        self.tasks.push((gateway, Box::pin(task)));
    }

    fn sign_in(&mut self, gateway: usize) {
        let (store, now) = (Arc::clone(&self.gateways[gateway]), self.moment(gateway));
        let (outcomes, begun) = (Rc::clone(&self.outcomes), self.now);
        let has_halves = self.has_halves;
        self.begin(gateway, async move {
            let token = SessionToken::generate();
            let half = UpstreamSession::parse(b"influxdb-oss-session=ada").filter(|_| has_halves);
            let session = Session::start(token.id(), Arc::new(user("ada")), half, now);
            if store.create(&token, session, None, now).await.is_ok() {
                outcomes.borrow_mut().push(Outcome::Created(token, begun));
            }
        });
    }

    /// One of the sessions.
    fn any(&mut self) -> Option<(usize, SessionToken)> {
        let index = (!self.known.is_empty()).then(|| self.random.index(self.known.len()))?;
        // One of the last, most of the time: what is over is of little interest.
        let index = if self.random.below(4) > 0 { self.known.len() - 1 } else { index };
        let text = self.known[index].token.text();
        Some((index, SessionToken::parse(text.as_bytes()).unwrap()))
    }

    fn use_one(&mut self, gateway: usize) {
        let Some((index, token)) = self.any() else { return };
        let (store, now) = (Arc::clone(&self.gateways[gateway]), self.moment(gateway));
        let outcomes = Rc::clone(&self.outcomes);
        let before = std::mem::replace(&mut self.known[index].tried, self.now);
        let used = Use { session: index, gateway, begun: self.now, before };
        self.begin(gateway, async move {
            let found = match store.at_hand(&token.id(), now) {
                Some(_) => Some(true),
                None => store.touch(&token, now).await.ok().map(|found| found.is_some()),
            };
            outcomes.borrow_mut().push(Outcome::Used(used, found));
        });
        // Memory answers at once.
        self.poll(self.tasks.len() - 1);
    }

    fn sign_out(&mut self, gateway: usize) {
        let Some((index, token)) = self.any() else { return };
        let (store, now) = (Arc::clone(&self.gateways[gateway]), self.moment(gateway));
        let outcomes = Rc::clone(&self.outcomes);
        self.known[index].ending.get_or_insert(self.now);
        self.begin(gateway, async move {
            let ended = store.end(&token.id(), EndReason::SignedOut, now).await;
            outcomes.borrow_mut().push(Outcome::SignedOut(index, ended.is_ok()));
        });
    }

    /// Redis does the next thing that a gateway has asked for.
    fn carry_out(&mut self, gateway: usize) {
        let next = self.wires[gateway].with(|wire| {
            let next = wire.asked.pop_front();
            next.map(|(_, number, words)| (wire.connection, wire.cut.is_none(), number, words))
        });
        let Some((connection, is_read, number, words)) = next else { return };
        let reply = self.model.carry_out(connection, &words);
        self.tell();
        let now = self.now;
        self.wires[gateway].with(|wire| {
            if is_read && wire.is_up && wire.connection == connection {
                wire.said.push_back((now, Said::Reply(number, reply)));
            }
        });
    }

    /// What Redis says of changes is on its way.
    fn tell(&mut self) {
        let pushes = self.model.pushes();
        for (connection, key) in pushes {
            for wire in &self.wires {
                wire.with(|wire| {
                    if wire.is_up && wire.cut.is_none() && wire.connection == connection {
                        wire.said.push_back((self.now, Said::Changed(key.clone())));
                    }
                });
            }
        }
    }

    /// A gateway hears the next thing that Redis has said.
    fn hear(&mut self, gateway: usize) {
        let said = self.wires[gateway].with(|wire| wire.said.pop_front());
        match said {
            Some((_, Said::Changed(key))) => self.gateways[gateway].shared.changed(Some(&key)),
            Some((_, Said::Reply(number, value))) => {
                self.wires[gateway].with(|wire| wire.answer(number, value));
            }
            None => {}
        }
    }

    /// One of those who wait looks whether there is an answer.
    fn go_on(&mut self) {
        if !self.tasks.is_empty() {
            let task = self.random.index(self.tasks.len());
            self.poll(task);
        }
    }

    fn poll(&mut self, task: usize) {
        let context = &mut Context::from_waker(Waker::noop());
        if self.tasks[task].1.as_mut().poll(context).is_ready() {
            drop(self.tasks.swap_remove(task));
        }
    }

    /// Lets time pass, but nothing is late for longer than it may be.
    fn pass(&mut self, mut time: u64) {
        while time > 0 {
            let is_idle = |wire: &mut State| wire.asked.is_empty() && wire.said.is_empty();
            let is_quiet =
                self.tasks.is_empty() && self.wires.iter().all(|wire| wire.with(is_idle));
            let step = time.min(if is_quiet { INTERVAL / 8 } else { LATE / 2 });
            time -= step;
            self.now += step;
            self.model.pass(step);
            self.tell();
            for gateway in 0..2 {
                let now = self.now;
                self.wires[gateway].with(|wire| wire.pass(now, TIMEOUT));
                let is_late =
                    |since: Option<u64>| since.is_some_and(|since| now - since > LATE / 2);
                while is_late(self.wires[gateway].with(|it| it.asked.front().map(|it| it.0))) {
                    self.carry_out(gateway);
                }
                while is_late(self.wires[gateway].with(|it| it.said.front().map(|it| it.0))) {
                    self.hear(gateway);
                }
                let cut = self.wires[gateway].with(|wire| wire.cut);
                if cut.is_some_and(|cut| now - cut >= SEEN) {
                    self.lose(gateway);
                }
                self.keep_up(gateway);
                self.take(gateway);
            }
            self.work_in_time();
            for task in (0..self.tasks.len()).rev() {
                self.poll(task);
            }
            self.check();
        }
    }

    /// What a gateway does beside requests.
    fn keep_up(&mut self, gateway: usize) {
        let (store, now) = (Arc::clone(&self.gateways[gateway]), self.moment(gateway));
        let (kept_up, swept) = &mut self.kept_up[gateway];
        if self.now >= *kept_up + INTERVAL / 8 {
            *kept_up = self.now;
            let store = Arc::clone(&store);
            let keep_up = async move { upkeep::look_after_one_by_one(&store, now).await };
            self.tasks.push((gateway, Box::pin(keep_up)));
        }
        if self.now >= *swept + SWEEP {
            *swept = self.now;
            let sweep = async move { assert_ne!(upkeep::sweep(&store, now).await, Ok(true)) };
            self.tasks.push((gateway, Box::pin(sweep)));
        }
    }

    /// The connection ends, and both sides know.
    fn lose(&mut self, gateway: usize) {
        let (was_up, connection) = self.wires[gateway].with(|wire| {
            let was_up = wire.is_up;
            wire.lose();
            (was_up, wire.connection)
        });
        if was_up {
            self.model.forget(connection);
            self.gateways[gateway].shared.lost();
        }
    }

    /// It ends, and the gateway does not know.
    fn cut(&mut self, gateway: usize) {
        let now = self.now;
        let connection = self.wires[gateway].with(|wire| {
            if wire.is_up {
                wire.cut.get_or_insert(now);
            }
            wire.connection
        });
        self.model.forget(connection);
    }

    fn connect(&mut self, gateway: usize) {
        let is_up = self.wires[gateway].with(|wire| wire.is_up);
        // What was asked before is carried out before, or never.
        let is_carried_out = self.random.below(2) == 0;
        while !is_up && is_carried_out && self.wires[gateway].with(|it| !it.asked.is_empty()) {
            self.carry_out(gateway);
        }
        if !is_up {
            self.connections += 1;
            let connection = self.connections;
            self.wires[gateway].with(|wire| {
                wire.asked.clear();
                (wire.is_up, wire.connection) = (true, connection);
            });
            self.gateways[gateway].shared.back();
        }
    }

    /// A gateway is killed, and started again.
    fn die(&mut self, gateway: usize) {
        self.lose(gateway);
        self.tasks.retain(|(of, _)| *of != gateway);
        self.works.retain(|work| work.gateway != gateway);
        self.gateways[gateway] = super::gateway(&self.wires[gateway], self.has_halves);
        self.connect(gateway);
    }
}
