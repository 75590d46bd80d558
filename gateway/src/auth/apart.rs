//! Signatures that may be forged are verified on a thread of their own, which matters less than those that forward: whoever
//! floods the gateway with tokens slows down other tokens that nobody knows yet, and no request of a session.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crossbeam_channel::{Receiver, Sender, bounded};
use tokio::sync::oneshot;

use crate::quiet_threads::{self, WayIn};

type Job = Box<dyn FnOnce() + Send>;

/// How many may wait. The slowest algorithm has verified so many within a second.
const WAITING: usize = 4096;

/// A thread.
struct Apart(WayIn<Job>);

static APART: Apart = Apart(WayIn::new());

/// Too many wait, or there is no thread.
#[derive(Debug)]
pub struct Busy;

/// Does `work` there.
pub async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Busy> {
    APART.run(work).await
}

impl Apart {
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move || {
            // A client that has left does not want it.
            let _ = answer.send(work());
        });
        self.0.open(start)?.try_send(job).map_err(|_full| Busy)?;
        answered.await.map_err(|_panicked| Busy)
    }
}

fn start() -> Result<Sender<Job>, Busy> {
    let (jobs, queue) = bounded(WAITING);
    match thread::Builder::new().name("signatures".to_owned()).spawn(move || serve(&queue)) {
        Ok(_thread) => Ok(jobs),
        Err(error) => {
            log::error!("no thread could be started to verify signatures: {error}");
            Err(Busy)
        }
    }
}

fn serve(queue: &Receiver<Job>) {
    quiet_threads::matter_less();
    for job in queue {
        // Whoever waits for it is told by the answer that never comes.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{Future, poll_fn};
    use std::task::Poll;

    #[test]
    fn a_panic_costs_one_answer_and_so_many_may_wait() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let room: &'static Apart = Box::leak(Box::new(Apart(WayIn::new())));
            let panicked = room.run(|| -> u8 { panic!("on purpose") }).await;
            assert!(matches!(panicked, Err(Busy)));
            // Nothing else is done while this waits.
            let (go_on, goes_on) = std::sync::mpsc::channel();
            let (begun, has_begun) = oneshot::channel();
            let first = tokio::spawn(room.run(move || {
                begun.send(()).unwrap();
                goes_on.recv().unwrap();
            }));
            has_begun.await.unwrap();
            let waiting = (0..WAITING).map(|number| Box::pin(room.run(move || number)));
            let mut waiting: Vec<_> = waiting.collect();
            for one in &mut waiting {
                let begun = poll_fn(|context| Poll::Ready(one.as_mut().poll(context).is_pending()));
                assert!(begun.await);
            }
            assert!(matches!(room.run(|| ()).await, Err(Busy)));
            go_on.send(()).unwrap();
            first.await.unwrap().unwrap();
            for (number, answer) in waiting.into_iter().enumerate() {
                assert_eq!(answer.await.unwrap(), number);
            }
        });
    }
}
