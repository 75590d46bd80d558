use std::thread;

use super::server::Server;
use super::stage::*;
use super::traffic::Traffic;
use crate::support::*;

/// What is at hand is so for longer than a test waits.
const LONG: &str = "touch_interval = \"30s\"";

#[test]
fn a_session_of_one_gateway_is_good_at_all_of_them_to_its_end_at_any() {
    let (redis, upstream) = (Server::start(), Upstream::start());
    let gateways = [(); 3].map(|()| gateway(upstream.address, &redis.url(), LONG));
    let [a, b, c] = &gateways;
    let (of_ada, of_bob) = (a.sign_in("ada"), b.sign_in("bob"));
    for _ in 0..3 {
        for gateway in &gateways {
            for (session, name) in [(&of_ada, "ada"), (&of_bob, "bob")] {
                let answer = visit(gateway, session);
                assert_eq!((answer.status, &answer.json()["name"]), (200, &name.into()));
                let forwarded = get("/api/v2/buckets", &[&cookie(session)]);
                assert_eq!(gateway.connect().send(&forwarded).text(), name);
            }
        }
    }
    let answer = sign_out(b, &of_ada);
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(status(b, &of_ada), 401);
    for gateway in [a, c] {
        wait_until("it is known here too", || status(gateway, &of_ada) == 401);
    }
    for gateway in &gateways {
        assert_eq!(sign_out(gateway, &of_ada).status, 401, "twice");
        assert_eq!((status(gateway, &of_ada), status(gateway, &of_bob)), (401, 200));
    }
}

#[test]
fn without_a_near_cache_a_sign_out_counts_at_once() {
    let stage = Stage::start_with("near_cache = false");
    let [a, b] = &stage.gateways;
    for (here, there) in [(a, b), (b, a), (a, b)] {
        let session = here.sign_in("ada");
        assert_eq!((status(here, &session), status(there, &session)), (200, 200));
        assert_eq!(sign_out(here, &session).status, 204);
        assert_eq!((status(there, &session), status(here, &session)), (401, 401));
    }
}

#[test]
fn a_gateway_that_dies_or_is_restarted_takes_no_session_with_it() {
    let Stage { gateways: [mut a, b], redis: _redis, upstream: _upstream } = Stage::start();
    let ended = a.sign_in("ada");
    assert_eq!(sign_out(&a, &ended).status, 204);
    let mut sessions: Vec<_> = (0..5).map(|_| a.sign_in("ada")).collect();
    for signal in ["KILL", "TERM"] {
        let traffic = Traffic::start(std::slice::from_ref(&b), &sessions[0]);
        a = a.restart(signal);
        sessions.push(a.sign_in("bob"));
        for gateway in [&a, &b] {
            for session in &sessions {
                assert_eq!(status(gateway, session), 200, "{signal}");
            }
            assert_eq!(status(gateway, &ended), 401, "{signal}");
        }
        for answers in traffic.stop() {
            assert!(answers.iter().all(|answer| answer.status == 200), "{signal}");
        }
    }
}

#[test]
fn who_empties_redis_signs_everybody_out_and_nothing_else() {
    let stage = Stage::start_with(LONG);
    let [a, b] = &stage.gateways;
    let sessions = [a.sign_in("ada"), b.sign_in("bob"), a.sign_in("ada")];
    for gateway in &stage.gateways {
        for session in &sessions {
            assert_eq!(status(gateway, session), 200);
        }
    }
    let traffic = Traffic::start(&stage.gateways, &sessions[0]);
    stage.redis.tell(&["FLUSHALL"]);
    for gateway in &stage.gateways {
        for session in &sessions {
            wait_until("it is signed out", || status(gateway, session) == 401);
        }
        assert_eq!(status(gateway, &gateway.sign_in("ada")), 200);
    }
    for answers in traffic.stop() {
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        let end = statuses.iter().position(|status| *status != 200).unwrap();
        assert!(statuses[end..].iter().all(|status| *status == 401), "{statuses:?}");
    }
}

#[test]
fn the_cap_of_a_user_is_one_for_all_gateways() {
    let stage = Stage::start_with("max_sessions_per_user = 3");
    let of_bob = stage.gateways[0].sign_in("bob");
    let mut sessions: Vec<String> = Vec::new();
    for n in 0..7 {
        sessions.push(stage.gateways[n % 2].sign_in("ada"));
        let newest = &sessions[sessions.len() - 1];
        for gateway in &stage.gateways {
            let live = || sessions.iter().filter(|session| status(gateway, session) == 200).count();
            wait_until("as many live as may", || live() == sessions.len().min(3));
            assert_eq!((status(gateway, newest), status(gateway, &of_bob)), (200, 200));
        }
    }
}

#[test]
fn sign_ins_at_once_at_both_gateways_never_make_more_than_may_be() {
    let keys = "max_sessions = 20\nmax_sessions_per_user = 12";
    let stage = Stage::start_with(keys);
    let answers: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..8)
            .map(|n| {
                let (gateway, name) = (&stage.gateways[n % 2], ["ada", "bob"][n / 2 % 2]);
                scope.spawn(move || (0..6).map(|_| sign_in(gateway, name)).collect::<Vec<_>>())
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let (made, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 204);
    refused.iter().for_each(check_unknown);
    let live = || made.iter().filter(|answer| status(&stage.gateways[0], &answer.cookie()) == 200);
    wait_until("as many live as may", || live().count() <= 20);
    assert!(live().count() >= 12, "{}", live().count());
}

#[test]
fn a_full_store_refuses_at_every_gateway_until_somebody_leaves() {
    let stage = Stage::start_with("max_sessions = 3");
    let [a, b] = &stage.gateways;
    let sessions = [a.sign_in("ada"), b.sign_in("bob"), a.sign_in("bob")];
    for gateway in &stage.gateways {
        check_unknown(&sign_in(gateway, "ada"));
        for session in &sessions {
            assert_eq!(status(gateway, session), 200, "nobody is signed out for it");
        }
    }
    assert_eq!(sign_out(b, &sessions[0]).status, 204);
    let new = a.sign_in("bob");
    assert_eq!((status(a, &new), status(b, &new)), (200, 200));
    check_unknown(&sign_in(b, "ada"));
}
