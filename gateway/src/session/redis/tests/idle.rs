//! When a session in Redis ends, and what it costs until then.

use super::*;

#[test]
fn a_busy_session_costs_redis_some_four_writes_a_minute() {
    stage(10, async |stage| {
        let token = stage.create(0, "ada", at(0)).await.unwrap();
        let before = stage.runs("evalsha");
        for tenth in 0..6_000 {
            let now = Moment::from_millis(tenth * 100);
            upkeep::look_after(&stage.stores[0], now).await;
            assert!(stage.find(0, &token, now).await.is_some());
        }
        let runs = stage.runs("evalsha") - before;
        // Uses of 15 seconds are gathered, and told a little earlier.
        assert!((40..=44).contains(&runs), "{runs} in ten minutes");
    });
}

#[test]
fn a_session_ends_when_it_was_not_used_for_exactly_so_long() {
    stage(10, async |stage| {
        let token = stage.create(0, "ada", at(0)).await.unwrap();
        let key = stage.stores[0].shared.keys.record(&token.id().hex());
        let ends = || {
            let mut connection = stage.server.connection();
            let ends: u64 = redis::cmd("PEXPIRETIME").arg(&key).query(&mut connection).unwrap();
            ends - stage.stores[0].simulated.unwrap()
        };
        assert!(stage.find(0, &token, at(10)).await.is_some());
        assert_eq!(ends(), 625_000, "held, for uses that Redis is not told of");
        assert!(stage.find(0, &token, at(13)).await.is_some());
        upkeep::look_after(&stage.stores[0], at(24)).await;
        assert_eq!(ends(), 625_000, "not yet");
        upkeep::look_after(&stage.stores[0], at(25)).await;
        assert_eq!(ends(), 640_000, "held on");
        for second in [39, 40, 42] {
            upkeep::look_after(&stage.stores[0], at(second)).await;
        }
        assert_eq!(ends(), 613_000, "given back");
        assert!(stage.find(0, &token, at(612)).await.is_some());
        upkeep::look_after(&stage.stores[0], at(640)).await;
        upkeep::look_after(&stage.stores[0], at(641)).await;
        assert_eq!(ends(), 1_212_000);
        assert!(stage.find(1, &token, at(1212)).await.is_none());
        assert_eq!(upkeep::sweep(&stage.stores[1], at(1212)).await, Ok(false));
        assert_eq!(upkeep::sweep(&stage.stores[0], at(1212)).await, Ok(false));
        assert_eq!((stage.told(0), stage.told(1)), (vec![], vec![EndReason::Expired]), "once");
    });
}

#[test]
fn without_a_near_cache_uses_are_gathered_as_well_and_no_session_ends_sooner() {
    stage_of(10, [known(), known()], false, async |stage| {
        let token = stage.create(0, "ada", at(0)).await.unwrap();
        let before = stage.runs("hset");
        let mut now = 0;
        for gateway in [0, 1] {
            for _ in 0..600 {
                now += 1;
                assert!(stage.find(gateway, &token, at(now)).await.is_some());
            }
        }
        // Three fields with each, and three uses that are told apart.
        let writes = (stage.runs("hset") - before) / 2;
        assert!((75..=90).contains(&writes), "{writes} in twenty minutes");
        // One later by the other gateway does not cover those of this one.
        for (last, by) in [(1_799, 0), (2_380, 1), (2_975, 0)] {
            assert!(stage.find(by, &token, at(last)).await.is_some(), "{last}");
        }
        assert!(stage.find(1, &token, at(2_975 + 600 + 15)).await.is_none(), "nor much later");
    });
}
