//! When providers are asked, by a clock that only moves when everybody waits.

use std::sync::Mutex;

use tokio::time::Instant;

use super::*;
use crate::auth::jwt::keys::Bringer;
use crate::clock::Moment;

/// Notes when it is asked, and answers by what was noted.
struct Noted<A>(Mutex<Vec<Instant>>, A);

impl<A: Fn(usize) -> bool + Sync> Asking for Noted<A> {
    async fn ask(&self) -> bool {
        let mut asked = self.0.lock().unwrap();
        asked.push(Instant::now());
        (self.1)(asked.len())
    }
}

/// How many seconds go by between questions of which these are answered, and all later ones are not.
async fn pauses(answered: &[bool], count: usize) -> Vec<u64> {
    let keys = Keys::of_provider();
    let answer = |number: usize| answered.get(number - 1).copied().unwrap_or(false);
    let asking = Noted(Mutex::default(), answer);
    let all = async {
        while asking.0.lock().unwrap().len() <= count {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        () = follow(&keys, &asking) => {}
        () = all => {}
    }
    let asked = asking.0.lock().unwrap();
    let pairs = asked.windows(2).map(|pair| pair[1].duration_since(pair[0]));
    pairs.map(|pause| pause.as_secs()).take(count).collect()
}

#[tokio::test(start_paused = true)]
async fn keys_are_read_again_every_quarter_of_an_hour() {
    assert_eq!(pauses(&[true; 9], 4).await, [900; 4]);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_answer_is_asked_after_five_seconds_then_ever_more_seldom_up_to_a_minute() {
    assert_eq!(pauses(&[], 7).await, [5, 10, 20, 40, 60, 60, 60]);
    // An answer ends that.
    assert_eq!(pauses(&[false, false, true], 5).await, [5, 10, 900, 5, 10]);
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_missed_are_asked_for_at_once() {
    let keys = Keys::of_provider();
    let answer = |_: usize| {
        keys.answered(None);
        true
    };
    let asking = Noted(Mutex::default(), answer);
    let missed = async {
        tokio::time::sleep(Duration::from_secs(100)).await;
        keys.ask(Bringer::Anybody, Moment::now()).await;
    };
    let begun = Instant::now();
    tokio::select! {
        () = follow(&keys, &asking) => {}
        () = missed => {}
    }
    let at: Vec<_> = asking.0.lock().unwrap().iter().map(|it| (*it - begun).as_secs()).collect();
    assert_eq!(at, [0, 100]);
}
