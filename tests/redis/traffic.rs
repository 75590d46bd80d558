use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::stage::check_unknown;
use crate::support::*;

/// Requests that run until they are stopped: with a session, with a token, and without either, at each
/// of several gateways.
pub(crate) struct Traffic {
    is_over: Arc<AtomicBool>,
    with_session: Vec<JoinHandle<Vec<Answer>>>,
    others: Vec<JoinHandle<Vec<Answer>>>,
}

impl Traffic {
    pub(crate) fn start(gateways: &[Gateway], session: &str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let each = |request: String| {
            let run = |gateway: &Gateway| run(gateway.address, request.clone(), &is_over);
            gateways.iter().map(run).collect::<Vec<_>>()
        };
        let with_session = each(get("/api/v2/buckets", &[&cookie(session)]));
        let mut others = each(get("/api/v2/buckets", &["Authorization: Token x"]));
        others.extend(each(get("/health", &[])));
        Self { is_over, with_session, others }
    }

    /// Stops it, after one more request of each. Those that need no session were all answered by the
    /// upstream.
    ///
    /// Returns the answers to the others, of one gateway after the other.
    pub(crate) fn stop(self) -> Vec<Vec<Answer>> {
        self.is_over.store(true, Ordering::Relaxed);
        for worker in self.others {
            let answers = worker.join().unwrap();
            let refused = answers.iter().find(|answer| answer.status != 200);
            assert!(refused.is_none(), "it needs no session: {refused:?}");
        }
        self.with_session.into_iter().map(|worker| worker.join().unwrap()).collect()
    }

    /// Stops it. Nobody was told that there is no session.
    pub(crate) fn stop_with_nobody_signed_out(self) {
        for answers in self.stop() {
            for answer in answers.iter().filter(|answer| answer.status != 200) {
                check_unknown(answer);
            }
            assert!(answers.iter().any(|answer| answer.status == 200));
        }
    }
}

fn run(address: SocketAddr, request: String, is_over: &Arc<AtomicBool>) -> JoinHandle<Vec<Answer>> {
    let is_over = Arc::clone(is_over);
    thread::spawn(move || {
        let mut answers = Vec::new();
        loop {
            let is_last = is_over.load(Ordering::Relaxed);
            answers.push(Client::connect(address).send(&request));
            if is_last {
                return answers;
            }
            // Leaves the processor to those who are waited for.
            thread::park_timeout(Duration::from_millis(5));
        }
    })
}
