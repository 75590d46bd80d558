use std::time::{Duration, Instant};

use super::stage::*;
use crate::support::*;

/// How soon what happens at one gateway is to count at the other.
const BOUND: Duration = Duration::from_millis(50);

const TIMES: usize = 1000;

#[test]
fn a_sign_out_counts_at_the_other_gateway_in_milliseconds() {
    let stage = Stage::start_with("touch_interval = \"30s\"");
    let [a, b] = &stage.gateways;
    let (mut at_a, mut at_b) = (a.connect(), b.connect());
    let mut took: Vec<_> = (0..TIMES)
        .map(|_| {
            let session = a.sign_in("ada");
            let me = get("/api/v2/me", &[&cookie(&session)]);
            // Near at hand for both.
            for client in [&mut at_a, &mut at_b] {
                assert_eq!(client.send(&me).status, 200);
            }
            let sign_out = post("/api/v2/signout", &[&cookie(&session)]);
            assert_eq!(at_b.send(&sign_out).status, 204);
            let answered = Instant::now();
            while at_a.send(&me).status != 401 {
                assert!(answered.elapsed() < PATIENCE, "it goes on at the other gateway");
            }
            answered.elapsed()
        })
        .collect();
    took.sort_unstable();
    let (median, worst) = (took[TIMES / 2], took[TIMES - 1]);
    eprintln!("sign-out to the other gateway's 401: median {median:?}, worst {worst:?} of {TIMES}");
    assert!(median <= BOUND, "{median:?}");
}
