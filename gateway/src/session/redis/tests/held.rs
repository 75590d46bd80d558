//! Sessions that requests have, and what a gateway has not yet told.

use super::*;

/// A request that has waited for something looks again whether its session has ended, whoever has ended it.
#[test]
fn a_session_that_a_request_has_is_ended_wherever_that_happens() {
    stage(10, async |stage| {
        for ending in [0, 1] {
            let token = stage.create(0, "ada", at(0)).await.unwrap();
            let session = stage.find(0, &token, at(1)).await.unwrap();
            let ended = stage.stores[ending].end(&token.id(), EndReason::SignedOut, at(2)).await;
            assert!(ended.unwrap().is_some());
            if ending == 1 {
                let here = &stage.stores[0];
                let (id, _watch) = here.doubted.lock().await.recv().await.unwrap();
                upkeep::find_out(here, id, at(2)).await;
            }
            assert!(session.has_ended(), "by gateway {ending}");
        }
    });
}

#[test]
fn a_gateway_that_stops_tells_of_the_last_use() {
    stage(10, async |stage| {
        let token = stage.create(0, "ada", at(0)).await.unwrap();
        for second in [1, 9] {
            assert!(stage.find(0, &token, at(second)).await.is_some());
        }
        upkeep::close(&stage.stores[0], at(10)).await;
        assert!(stage.find(1, &token, at(608)).await.is_some());
        let token = stage.create(0, "ada", at(0)).await.unwrap();
        for second in [1, 9] {
            assert!(stage.find(0, &token, at(second)).await.is_some());
        }
        upkeep::close(&stage.stores[0], at(10)).await;
        assert!(stage.find(1, &token, at(610)).await.is_none());
    });
}
