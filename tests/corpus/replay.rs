//! Replays cases, one at a time: whatever reaches the upstream meanwhile belongs to the case.

use std::net::{Shutdown, SocketAddr};
use std::thread;

use serde_json::Value;

use super::judge::{Exchange, Judge, as_list};
use super::upstream::{END, Upstream};
use crate::support::*;

pub(super) struct Runner<'a> {
    proxy: SocketAddr,
    upstream: &'a Upstream,
    /// The proxy knows no users: only framing, paths and hosts are judged.
    pub(super) is_plain: bool,
    /// Of a session, `name=value`.
    cookie: String,
    probes: u32,
}

impl<'a> Runner<'a> {
    pub(super) fn new(proxy: SocketAddr, upstream: &'a Upstream, is_plain: bool) -> Self {
        Self { proxy, upstream, is_plain, cookie: String::new(), probes: 0 }
    }

    /// Keeps the session, or begins a new one if a case has ended it.
    pub(super) fn sign_in(&mut self) {
        let ask = |request: &str| Client::connect(self.proxy).send(request);
        let is_live = || ask(&get("/api/v2/me", &[&cookie(&self.cookie)])).status == 200;
        if self.is_plain || (!self.cookie.is_empty() && is_live()) {
            return;
        }
        let answer = ask(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
        assert_eq!(answer.status, 204, "{answer:?}");
        self.cookie = answer.cookie();
    }

    /// Replays one case; returns what is wrong.
    ///
    /// An ordinary request follows it: bytes that the case has left behind on a pooled connection to
    /// the upstream come before that one, and are seen.
    pub(super) fn run(&mut self, case: &Value) -> Vec<String> {
        self.upstream.forget();
        let exchange = self.exchange(case);
        // Of a request that was broken off, the upstream learns by the end of its connection.
        let is_over = holds_soon(|| self.upstream.seen().unfinished.is_empty());
        let seen = self.upstream.seen();
        let judge = Judge { is_plain: self.is_plain, cookie: &self.cookie, seen: &seen };
        let mut problems = judge.problems(case, &exchange, &|text| self.expand(text));
        if !is_over {
            let begun = &seen.unfinished;
            problems.push(format!("left on an open connection to the upstream: {begun:.80?}"));
        }
        problems
    }

    fn exchange(&mut self, case: &Value) -> Exchange {
        let bytes = to_latin_1(&self.expand(case["send"].as_str().unwrap()));
        let is_finished = case["finish"] == true;
        let least = as_list(&case["expect"]["answers"]).into_iter().filter_map(Value::as_u64).min();
        let least = usize::try_from(least.unwrap_or(1)).unwrap();

        let mut client = Client::connect(self.proxy);
        client.stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut writer = client.stream.try_clone().unwrap();
        // Besides, since the proxy may answer before it has all, and read no further.
        let writing = thread::spawn(move || {
            let _ = std::io::Write::write_all(&mut writer, &bytes);
            if is_finished {
                let _ = writer.shutdown(Shutdown::Write);
            }
        });
        let mut exchange = Exchange::default();
        let is_head = case["send"].as_str().unwrap().starts_with("HEAD ");
        exchange.read(&mut client, is_head, |answers| answers.len() >= least);
        writing.join().unwrap();
        if exchange.answers.len() >= least {
            if !is_finished {
                // Whatever the case still has answered comes before the answer to this; a connection
                // that must be closed by now does not answer it at all.
                client.write_some(self.probe().as_bytes());
            }
            exchange.read(&mut client, false, |answers| answers.last().is_some_and(is_end));
        }
        exchange.is_probed = exchange.answers.last().is_some_and(is_end);
        if !exchange.is_probed {
            let mut other = Client::connect(self.proxy);
            other.write_some(self.probe().as_bytes());
            let _ = other.next_final("GET");
        }
        exchange.answers.retain(|answer| !is_end(answer));
        exchange
    }

    /// A request of the runner's own, whose answer says that it has gone all the way.
    fn probe(&mut self) -> String {
        self.probes += 1;
        get(&format!("/health?{END}{}", self.probes), &["Connection: close"])
    }

    /// `text` with what stands for something else in it replaced.
    fn expand(&self, text: &str) -> String {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            expanded += before;
            let (inner, behind) = after.split_once('}').unwrap_or((after, ""));
            match (inner, inner.split_once('*')) {
                ("cookie", _) => expanded += &self.cookie,
                ("token", _) => expanded += "corpus-token",
                ("basic", _) => expanded += basic("ada", PASSWORD).split_once(": ").unwrap().1,
                (_, Some((count, text))) if count.parse::<usize>().is_ok() => {
                    expanded += &text.repeat(count.parse().unwrap());
                }
                _ => {
                    expanded.push('{');
                    rest = after;
                    continue;
                }
            }
            rest = behind;
        }
        expanded + rest
    }
}

fn is_end(answer: &Answer) -> bool {
    !answer.all("x-corpus-end").is_empty()
}

/// Each character as a byte.
fn to_latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|letter| u8::try_from(letter).expect("Latin-1")).collect()
}
