//! Connections between gateways and the model, on which everything comes in order, and as late as the test wants.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value};

/// A gateway's connections, one after the other.
#[derive(Clone, Default)]
pub(crate) struct Wire(Arc<Mutex<State>>);

/// A question, by its number.
pub(super) type Number = usize;

/// What Redis says on a connection.
pub(super) enum Said {
    /// The answer to a question.
    Reply(Number, Value),
    /// A key has changed.
    Changed(Vec<u8>),
}

#[derive(Default)]
pub(super) struct State {
    /// Whether the gateway believes that it is connected.
    pub(super) is_up: bool,
    /// When it came to be another end's that nobody reads, if it did.
    pub(super) cut: Option<u64>,
    /// Which of all connections it is.
    pub(super) connection: u64,
    /// Asked, when, and not yet carried out.
    pub(super) asked: VecDeque<(u64, Number, Vec<Vec<u8>>)>,
    /// Said, when, and not yet heard.
    pub(super) said: VecDeque<(u64, Said)>,
    answers: Vec<Answer>,
    now: u64,
}

/// Since when somebody waits for an answer, and the answer.
type Answer = (u64, Option<RedisResult<Value>>);

impl Wire {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }
}

impl State {
    /// Lets time pass; whoever has waited for too long gets no answer.
    pub(super) fn pass(&mut self, now: u64, timeout: u64) {
        self.now = now;
        for (since, answer) in &mut self.answers {
            if answer.is_none() && now - *since >= timeout {
                let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
                *answer = Some(Err(late.into()));
            }
        }
    }

    pub(super) fn answer(&mut self, number: Number, value: Value) {
        self.answers[number].1.get_or_insert(value.extract_error());
    }

    /// The gateway gives the connection up; what was asked may be carried out all the same.
    pub(super) fn lose(&mut self) {
        self.is_up = false;
        self.cut = None;
        self.said.clear();
        for (_, answer) in &mut self.answers {
            answer.get_or_insert_with(|| Err(lost()));
        }
    }

    fn ask(&mut self, command: &Cmd) -> Number {
        let words = command.args_iter().map(|word| match word {
            Arg::Simple(word) => word.to_vec(),
            _ => unreachable!("scripts have no cursors"),
        });
        let number = self.answers.len();
        self.answers.push((self.now, (!self.is_up).then(|| Err(lost()))));
        if self.is_up {
            self.asked.push_back((self.now, number, words.collect()));
        }
        number
    }
}

fn lost() -> RedisError {
    (ErrorKind::Io, "the connection is lost").into()
}

impl ConnectionLike for Wire {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        let number = self.with(|state| state.ask(command));
        let wire = self.clone();
        Box::pin(poll_fn(move |_| match wire.with(|state| state.answers[number].1.clone()) {
            Some(answer) => Poll::Ready(answer),
            None => Poll::Pending,
        }))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        unreachable!("scripts are asked for one by one")
    }

    fn get_db(&self) -> i64 {
        0
    }
}
