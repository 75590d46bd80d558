use std::thread;

use crate::support::*;

#[test]
fn a_hundred_sign_ins_at_once_all_succeed() {
    let gateway = Gateway::start(Upstream::start().address);
    let answers: Vec<_> = thread::scope(|scope| {
        let sign_in = |n: usize| {
            let name = if n.is_multiple_of(2) { "ada" } else { "bob" };
            let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic(name, PASSWORD)]));
            assert_eq!(answer.status, 204);
            let line = cookie(&answer.cookie());
            let me = gateway.connect().send(&get("/api/v2/me", &[&line]));
            assert_eq!(me.json()["name"], name);
            line
        };
        let all: Vec<_> = (0..100).map(|n| scope.spawn(move || sign_in(n))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let different: std::collections::HashSet<_> = answers.iter().collect();
    assert_eq!(different.len(), 100);
}

#[test]
fn a_thousand_sessions_on_sixty_four_connections_never_see_another_name() {
    let upstream = Upstream::start();
    let names: Vec<_> = (0..100).map(|n| format!("user{n}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let gateway = Gateway::start_with(upstream.address, "", &users(&names));
    let sessions: Vec<_> = (0..1000)
        .map(|n| (names[n % names.len()], cookie(&gateway.sign_in(names[n % names.len()]))))
        .collect();
    thread::scope(|scope| {
        for worker in 0..64 {
            let (gateway, sessions) = (&gateway, &sessions);
            scope.spawn(move || {
                let mut client = gateway.connect();
                // Strides that are coprime to 1000: each worker visits all, in its own order.
                for step in 0..250 {
                    let (name, line) = &sessions[(worker * 37 + step * 7) % sessions.len()];
                    if step % 3 == 0 {
                        let me = client.send(&get("/api/v2/me", &[line]));
                        assert_eq!(me.json()["name"], *name);
                    } else {
                        let echo = client.send(&get("/api/v2/buckets", &[line]));
                        assert_eq!(echo.text(), *name);
                    }
                }
            });
        }
    });
}
