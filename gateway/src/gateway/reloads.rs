//! The wish that everything be read again, and what has come of it.

use tokio::sync::{Mutex, mpsc, oneshot};

/// What has come of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What is wrong, each with file and line where there is one. If there is anything, nothing has changed.
    pub faults: Vec<String>,
    /// What has changed in the configuration and needs a restart, as `table.key`. All else is in force.
    pub needs_restart: Vec<String>,
}

/// Whoever wants to know what has come of it; `None`: nobody.
type Asker = Option<oneshot::Sender<Outcome>>;

/// Asks for reloads.
#[derive(Clone)]
pub struct Reloads(mpsc::UnboundedSender<Asker>);

/// What is asked for, to be carried out.
pub struct Wanted(Mutex<mpsc::UnboundedReceiver<Asker>>);

/// The two ends.
pub fn line() -> (Reloads, Wanted) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Reloads(sender), Wanted(Mutex::new(receiver)))
}

impl Reloads {
    /// Wants one. Does not wait for it.
    pub fn want(&self) {
        let _ = self.0.send(None);
    }

    /// Wants one and waits for what comes of it; `None` if the process ends before.
    pub async fn ask(&self) -> Option<Outcome> {
        let (asker, outcome) = oneshot::channel();
        let _ = self.0.send(Some(asker));
        outcome.await.ok()
    }
}

/// Those who get an answer when the reload is done: several wishes at once are one.
pub struct Askers(Vec<oneshot::Sender<Outcome>>);

impl Askers {
    /// This has come of it.
    pub fn answer(self, outcome: &Outcome) {
        for asker in self.0 {
            let _ = asker.send(outcome.clone());
        }
    }
}

impl Wanted {
    /// Waits until one is wanted.
    pub async fn next(&self) -> Askers {
        let mut wanted = self.0.lock().await;
        let Some(first) = wanted.recv().await else { return std::future::pending().await };
        let mut askers: Vec<_> = first.into_iter().collect();
        while let Ok(asker) = wanted.try_recv() {
            askers.extend(asker);
        }
        Askers(askers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_wishes_at_once_are_one_and_each_gets_its_answer() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (reloads, wanted) = line();
            let asked = [reloads.clone(), reloads.clone()]
                .map(|reloads| tokio::spawn(async move { reloads.ask().await }));
            tokio::task::yield_now().await;
            reloads.want();
            let outcome = Outcome { faults: vec!["x".to_owned()], ..Outcome::default() };
            wanted.next().await.answer(&outcome);
            for asked in asked {
                assert_eq!(asked.await.unwrap().as_ref(), Some(&outcome));
            }
        });
    }
}
