use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::clock;
use crate::influxdb::{Influxdb, Person};
use crate::support::*;

/// A gateway whose users are `influxdb`'s; `users` are more keys of `[users]`, `config` more
/// sections.
fn start(influxdb: &Influxdb, users: &str, config: &str) -> Gateway {
    let config = format!("[users]\nsource = \"influxdb\"\n{users}\n{config}");
    clock::start(influxdb.upstream.address, &config, "")
}

fn me(gateway: &Gateway, session: &str) -> Answer {
    gateway.connect().send(&get("/api/v2/me", &[&cookie(session)]))
}

#[test]
fn the_upstream_gets_its_own_cookie_and_the_browser_never_does() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "", "[cookie]\nname = \"sid\"\n");
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    let upstreams: Vec<_> = influxdb.state().sessions.keys().cloned().collect();
    assert_eq!(upstreams.len(), 1);
    assert!(!format!("{answer:?}").contains(&upstreams[0]));

    influxdb.upstream.seen_by_clients();
    // The client's own cookie of InfluxDB's name must not come before ours.
    let line = format!("Cookie: influxdb-oss-session=forged; {}; theme=dark", answer.cookie());
    let headers = [&*line, &basic("ada", PASSWORD)];
    assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &headers)).text(), "ada");
    let seen = influxdb.upstream.next();
    let expected = format!("influxdb-oss-session={}", upstreams[0]);
    assert_eq!(seen.all("cookie"), ["theme=dark", &expected], "{}", seen.head);
    assert_eq!(seen.header("authorization"), None);
}

#[test]
fn whatever_ends_a_session_signs_it_out_upstream() {
    let influxdb = Influxdb::start();
    let config = "[session]\nmax_sessions = 3\nmax_sessions_per_user = 2\n";
    let gateway = start(&influxdb, "", config);
    let first = gateway.sign_in("ada");
    assert_eq!(gateway.connect().send(&post("/api/v2/signout", &[&cookie(&first)])).status, 204);
    wait_until("the sign-out has gone upstream", || influxdb.sessions() == 0);

    for _ in 0..3 {
        gateway.sign_in("ada");
    }
    wait_until("the session displaced is gone upstream", || influxdb.sessions() == 2);
    gateway.sign_in("bob");
    let refused = gateway.connect().send(&post("/api/v2/signin", &[&basic("gone", PASSWORD)]));
    assert_eq!(refused.status, 503);
    wait_until("the session that found no room is gone upstream", || influxdb.sessions() <= 3);
    clock::pass(&gateway, 601);
    wait_until("the idle ones are gone upstream", || influxdb.sessions() == 0);
}

#[test]
fn a_new_password_that_is_required_is_told_in_influxdbs_words() {
    let influxdb = Influxdb::start();
    influxdb.state().users.get_mut(&1).unwrap().password = "short".to_owned();
    let gateway = start(&influxdb, "", "");
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", "short")]));
    assert_eq!(answer.status, 403);
    assert_eq!(answer.header("x-platform-error-code"), Some("forbidden"));
    let json = answer.json();
    assert_eq!(json["code"], "forbidden");
    let message = json["message"].as_str().unwrap();
    assert!(message.starts_with("password change required\npasswords must be"), "{message}");
    assert_eq!(gateway.audited(1)[0]["reason"], "password_change_required");
}

#[test]
fn while_influxdb_is_down_or_mute_nobody_is_refused_and_nobody_is_lost() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "refresh = \"1ms\"", "[limits]\nupstream_ask = \"2s\"\n");
    let session = gateway.sign_in("ada");
    influxdb.state().is_mute = true;
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    assert_eq!((answer.status, &answer.json()["code"]), (503, &"unavailable".into()));
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(me(&gateway, &session).status, 200);
    influxdb.state().is_mute = false;
    assert_eq!(me(&gateway, &session).status, 200);
    gateway.sign_in("ada");

    let config = "[users]\nsource = \"influxdb\"\n";
    let gateway = Gateway::start_with(closed_port(), config, "");
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    assert_eq!(answer.status, 503);
}

#[test]
fn a_missing_permission_signs_nobody_out() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "refresh = \"1h\"", "");
    let session = gateway.sign_in("ada");
    let asked = influxdb.state().asked["me"];
    let forbidden = get("/api/v2/forbidden", &[&cookie(&session)]);
    let answer = gateway.connect().send(&forbidden);
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["message"], "read:orgs/1 is unauthorized");
    wait_until("InfluxDB is asked whether it knows the session", || {
        influxdb.state().asked["me"] > asked
    });
    for _ in 0..50 {
        assert_eq!(gateway.connect().send(&forbidden).status, 401);
        assert_eq!(me(&gateway, &session).status, 200);
    }
}

#[test]
fn a_session_that_influxdb_has_forgotten_ends() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "refresh = \"1h\"", "");
    let (session, other) = (gateway.sign_in("ada"), gateway.sign_in("bob"));
    let of_ada = |state: &crate::influxdb::State| {
        let own = state.sessions.iter().find(|(_, (id, _))| *id == 1);
        own.map(|(value, _)| value.clone()).unwrap()
    };
    let value = of_ada(&influxdb.state());
    influxdb.state().sessions.remove(&value);
    let answer = gateway.connect().send(&get("/api/v2/buckets", &[&cookie(&session)]));
    assert_eq!(answer.status, 401);
    wait_until("our session has ended too", || me(&gateway, &session).status == 401);
    assert_eq!(me(&gateway, &other).status, 200);
}

#[test]
fn influxdbs_half_is_renewed_while_ours_lives_and_not_longer() {
    let influxdb = Influxdb::start();
    // As long as it slides, so that nothing but use keeps it.
    let slide = influxdb.state().slide;
    influxdb.state().length = slide;
    let users = "renew = \"1m\"\nrefresh = \"1h\"";
    let gateway = start(&influxdb, users, "[session]\nidle = \"1h\"\n");
    let session = gateway.sign_in("ada");
    let pass = |seconds| {
        influxdb.state().ahead += Duration::from_secs(seconds);
        clock::pass(&gateway, seconds);
    };
    let asked = || influxdb.state().asked.get("me").copied().unwrap_or_default();
    for _ in 0..8 {
        let before = asked();
        // More than once in InfluxDB's five minutes, as nobody asks who is asking already.
        let is_renewed = (0..4).any(|_| {
            pass(65);
            let start = Instant::now();
            while asked() == before && start.elapsed() < Duration::from_secs(4) {
                thread::park_timeout(Duration::from_millis(1));
            }
            asked() > before
        });
        assert!(is_renewed, "InfluxDB's half is renewed");
    }
    let buckets = get("/api/v2/buckets", &[&cookie(&session)]);
    assert_eq!(gateway.connect().send(&buckets).status, 200);
    pass(3601);
    wait_until("our session has idled out, and is signed out upstream", || {
        influxdb.sessions() == 0
    });
    let before = asked();
    for _ in 0..3 {
        pass(250);
    }
    assert_eq!(asked(), before, "nothing is renewed any more");
}

#[test]
fn what_becomes_of_a_user_takes_effect() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "refresh = \"20ms\"", "");
    let session = gateway.sign_in("ada");
    influxdb.state().users.get_mut(&1).unwrap().name = "Ada Lovelace, née Byron".to_owned();
    wait_until("the new name is told", || {
        me(&gateway, &session).json()["name"] == "Ada Lovelace, née Byron"
    });
    influxdb.upstream.seen_by_clients();
    let answer = gateway.connect().send(&get("/api/v2/buckets", &[&cookie(&session)]));
    assert_eq!(answer.text(), "Ada%20Lovelace%2C%20n%C3%A9e%20Byron");

    influxdb.state().users.get_mut(&1).unwrap().is_active = false;
    wait_until("the user is refused", || me(&gateway, &session).status == 403);
    let buckets = get("/api/v2/buckets", &[&cookie(&session)]);
    assert_eq!(gateway.connect().send(&buckets).status, 403);
    influxdb.state().users.get_mut(&1).unwrap().is_active = true;
    wait_until("the user is let in again", || me(&gateway, &session).status == 200);
    influxdb.state().users.remove(&1);
    wait_until("a user who is gone is refused", || me(&gateway, &session).status == 403);
}

#[test]
fn a_restart_of_influxdb_under_load_costs_a_new_sign_in_and_no_more() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "", "[session]\nmax_sessions_per_user = 1000\n");
    let sign_in = |name| post("/api/v2/signin", &[&basic(name, PASSWORD)]);
    let barrier = Barrier::new(9);
    thread::scope(|scope| {
        for worker in 0..8 {
            let (gateway, barrier, name) = (&gateway, &barrier, ["ada", "bob"][worker % 2]);
            scope.spawn(move || {
                let mut session = gateway.sign_in(name);
                barrier.wait();
                let (mut renewed, mut unanswered) = (0, 0);
                for _ in 0..100 {
                    let request = get("/api/v2/buckets", &[&cookie(&session)]);
                    let answer = gateway.connect().send(&request);
                    match answer.status {
                        200 => assert_eq!(answer.text(), name),
                        401 => {
                            let mut answer = gateway.connect().send(&sign_in(name));
                            if answer.status == 503 {
                                unanswered += 1;
                                answer = gateway.connect().send(&sign_in(name));
                            }
                            session = answer.cookie();
                            renewed += 1;
                        }
                        // What InfluxDB was asked as it ended has no answer.
                        502 | 503 => unanswered += 1,
                        other => panic!("{other}"),
                    }
                }
                assert!(renewed <= 2, "{renewed} sign-ins");
                assert!(unanswered <= 1, "{unanswered} requests without an answer");
            });
        }
        barrier.wait();
        influxdb.restart();
    });
    assert!(influxdb.state().asked["signin"] > 8, "somebody signed in anew");
}

#[test]
fn a_thousand_sign_ins_of_one_user_at_once() {
    let influxdb = Influxdb::start();
    let config = "[session]\nmax_sessions_per_user = 1000\n";
    let gateway = start(&influxdb, "", config);
    let sessions: std::collections::HashSet<_> = thread::scope(|scope| {
        let work = || (0..20).map(|_| gateway.sign_in("ada")).collect::<Vec<_>>();
        let all: Vec<_> = (0..50).map(|_| scope.spawn(work)).collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(sessions.len(), 1000);
    assert_eq!(influxdb.sessions(), 1000);
}

#[test]
fn users_that_no_users_file_could_have() {
    let influxdb = Influxdb::start();
    let jane =
        Person { name: "Jane Doe".to_owned(), password: PASSWORD.to_owned(), is_active: true };
    influxdb.state().users.insert(0x0a1b_2c3d_4e5f_6071, jane);
    let gateway = start(&influxdb, "", "");
    let session = gateway.sign_in("Jane Doe");
    assert_eq!(me(&gateway, &session).json()["id"], "0a1b2c3d4e5f6071");
    let answer = gateway.connect().send(&get("/api/v2/buckets", &[&cookie(&session)]));
    assert_eq!(answer.text(), "Jane%20Doe");
}

#[test]
fn somebody_elses_new_password_ends_no_session_of_ones_own() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "", "");
    let (mine, other) = (gateway.sign_in("ada"), gateway.sign_in("ada"));
    let target = "/api/v2/users/0000000000000002/password";
    let request = with_body("POST", target, &[&cookie(&mine)], "{\"password\":\"battery staple\"}");
    assert_eq!(gateway.connect().send(&request).status, 204);
    assert_eq!((me(&gateway, &mine).status, me(&gateway, &other).status), (200, 200));
    let bob = post("/api/v2/signin", &[&basic("bob", "battery staple")]);
    assert_eq!(gateway.connect().send(&bob).status, 204);
}

/// Heads that say no more than that an answer will come, as servers and proxies send them.
const EARLY: [&str; 4] = [
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nSet-Cookie: a=b\r\n\r\n",
    "HTTP/1.1 199 Own\r\nContent-Length: 7\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
];

#[test]
fn f_05_a_1xx_before_the_answer_is_read_past() {
    let influxdb = Influxdb::start();
    for before in EARLY {
        influxdb.state().before = before;
        let users = "refresh = \"20ms\"\nrenew = \"50ms\"\ntokens = \"resolve\"";
        let gateway = start(&influxdb, users, "");
        let session = gateway.sign_in("ada");
        let all = get("/api/v2/buckets", &["Authorization: Token all"]);
        let mut client = gateway.connect();
        let mut answer = client.send(&all);
        while answer.status < 200 {
            answer = client.read();
        }
        assert_eq!((answer.status, &*answer.text()), (200, "ada"), "the token is looked up");
        influxdb.state().users.get_mut(&1).unwrap().name = "Ada B".to_owned();
        wait_until("the new name is told", || me(&gateway, &session).json()["name"] == "Ada B");
        let asked = influxdb.state().asked["me"];
        wait_until("it is renewed", || influxdb.state().asked["me"] > asked + 1);
        influxdb.state().users.get_mut(&1).unwrap().name = "ada".to_owned();
        gateway.connect().send(&post("/api/v2/signout", &[&cookie(&session)]));
        wait_until("it is signed out of", || influxdb.sessions() == 0);
    }
}

#[test]
fn f_05_a_1xx_before_the_version_is_read_past() {
    let upstream = Upstream::raw(
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\
                                  X-Influxdb-Version: v2.9.1\r\n\r\n",
    );
    let gateway = Gateway::start(upstream);
    wait_until("the version is known", || {
        let answer = gateway.connect().send(&get("/api/v2/me", &[]));
        answer.header("x-influxdb-version") == Some("v2.9.1")
    });
}

/// An answer that is none, to whatever the gateway asks by itself.
#[test]
fn f_05_an_answer_that_is_none_costs_one_question_and_not_the_next() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "refresh = \"20ms\"", "[limits]\nupstream_ask = \"200ms\"\n");
    let session = gateway.sign_in("ada");
    for before in [
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 100 \r\n",
        "\0",
    ] {
        influxdb.state().before = before;
        let asked = influxdb.state().asked["me"];
        wait_until("it is asked and asked again", || {
            assert_eq!(me(&gateway, &session).status, 200);
            influxdb.state().asked["me"] > asked + 2
        });
        let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("bob", PASSWORD)]));
        assert_eq!(answer.status, 503, "{before}");
    }
    influxdb.state().before = "";
    influxdb.state().users.get_mut(&1).unwrap().is_active = false;
    wait_until("what became of the user counts", || me(&gateway, &session).status == 403);
}

#[test]
fn f_50_a_403_is_looked_into_and_a_change_counts_for_all_sessions_of_the_user() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "refresh = \"1h\"\nrenew = \"4m\"", "");
    let (one, other, bob) =
        (gateway.sign_in("ada"), gateway.sign_in("ada"), gateway.sign_in("bob"));
    let set_active = |is_active| {
        influxdb.state().users.get_mut(&1).unwrap().is_active = is_active;
    };
    for _ in 0..3 {
        set_active(false);
        assert_eq!(me(&gateway, &one).status, 200, "nothing has shown it yet");
        let buckets = get("/api/v2/buckets", &[&cookie(&one)]);
        let answer = gateway.connect().send(&buckets);
        assert_eq!((answer.status, &answer.json()["message"]), (403, &"User is inactive".into()));
        // One request has shown it; no other is needed.
        wait_until("it counts for both", || me(&gateway, &other).status == 403);
        assert_eq!(me(&gateway, &one).status, 403);
        assert_eq!(me(&gateway, &bob).status, 200);
        set_active(true);
        wait_until("it counts again", || me(&gateway, &one).status == 200);
        assert_eq!(me(&gateway, &other).status, 200);
        assert_eq!(gateway.connect().send(&buckets).text(), "ada");
    }
}

#[test]
fn f_50_whoever_is_refused_does_not_make_the_gateway_ask_without_end() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "refresh = \"1h\"\nrenew = \"4m\"", "");
    let session = gateway.sign_in("gone");
    let asked = influxdb.state().asked_inactive;
    for _ in 0..200 {
        assert_eq!(me(&gateway, &session).status, 403);
    }
    // At once, and once a second at most: no machine is so slow that it comes near to 200.
    wait_until("it is asked", || influxdb.state().asked_inactive > asked);
    assert!(influxdb.state().asked_inactive - asked < 100);
}

fn change(gateway: &Gateway, session: &str, target: &str, old: &str, new: &str) -> Answer {
    let body = serde_json::json!({ "password": new }).to_string();
    let headers = [cookie(session), basic("whoever", old)];
    gateway.connect().send(&with_body("PUT", target, &[&headers[0], &headers[1]], &body))
}

#[test]
fn f_09_guesses_at_an_old_password_that_influxdb_keeps_are_throttled() {
    for target in ["/api/v2/me/password", "/api/v2/users/0000000000000001/password"] {
        let influxdb = Influxdb::start();
        let gateway = start(&influxdb, "", "");
        let session = gateway.sign_in("ada");
        for _ in 0..5 {
            let answer = change(&gateway, &session, target, "wrong horse", "battery staple");
            assert_eq!(answer.status, 403);
            assert_eq!(answer.json()["message"], "your username or password is incorrect");
        }
        influxdb.upstream.seen_by_clients();
        // The right one is not told from others any more, and InfluxDB does not hear of it.
        for old in ["wrong horse", PASSWORD] {
            let answer = change(&gateway, &session, target, old, "battery staple");
            assert_eq!(answer.status, 429, "{target}");
            assert!(answer.header("retry-after").is_some());
        }
        assert!(influxdb.upstream.saw_nothing());
        // Nor can the same client guess on at the door: it is one account.
        let door = post("/api/v2/signin", &[&basic("ada", PASSWORD)]);
        assert_eq!(gateway.connect().send(&door).status, 429);
        assert_eq!(me(&gateway, &session).status, 200);
        let trail = gateway.audited(1 + 5 + 1 + 3);
        let refused = |reason: &str| trail.iter().filter(|line| line["reason"] == reason).count();
        assert_eq!((refused("wrong_password"), refused("throttled")), (5, 3));
        assert!(trail.iter().all(|line| line["user"] == "ada"));
    }
}

#[test]
fn f_09_of_many_guesses_at_once_no_more_are_judged_than_of_as_many_in_turn() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "", "");
    let session = gateway.sign_in("ada");
    let statuses: Vec<_> = thread::scope(|scope| {
        let guess = || {
            let target = "/api/v2/me/password";
            (0..8).map(|_| change(&gateway, &session, target, "wrong horse", "x").status).collect()
        };
        let all: Vec<_> = (0..8).map(|_| scope.spawn(guess)).collect();
        all.into_iter().flat_map(|one| -> Vec<u16> { one.join().unwrap() }).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 403).count(), 5, "{statuses:?}");
    assert!(statuses.iter().all(|status| [403, 429].contains(status)), "{statuses:?}");
}

#[test]
fn f_09_a_right_old_password_ends_the_other_sessions_and_clears_the_failures() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "", "");
    let (mine, other, bob) =
        (gateway.sign_in("ada"), gateway.sign_in("ada"), gateway.sign_in("bob"));
    let target = "/api/v2/me/password";
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(change(&gateway, &mine, target, "wrong horse", PASSWORD).status, 403);
        }
        assert_eq!(change(&gateway, &mine, target, PASSWORD, PASSWORD).status, 204);
    }
    let statuses = [&mine, &other, &bob].map(|session| me(&gateway, session).status);
    assert_eq!(statuses, [200, 401, 200]);
    wait_until("the other is gone upstream", || influxdb.sessions() == 2);
}

#[test]
fn f_09_what_is_done_to_another_through_the_gateway_counts_for_their_sessions() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "refresh = \"1h\"\nrenew = \"4m\"", "");
    let root = gateway.sign_in("ada");
    let by_session = cookie(&root);
    let by_token = "Authorization: Token all".to_owned();
    let user = "/api/v2/users/0000000000000002";
    let password = &*format!("{user}/password");
    for who in [&by_session, &by_token] {
        let send = |method: &str, target: &str, body: &str| {
            gateway.connect().send(&with_body(method, target, &[who], body)).status
        };
        let bobs = || [gateway.sign_in("bob"), gateway.sign_in("bob")];
        let statuses =
            |sessions: &[String; 2]| [0, 1].map(|one| me(&gateway, &sessions[one]).status);

        let sessions = bobs();
        let new = serde_json::json!({ "password": PASSWORD }).to_string();
        assert_eq!(send("POST", password, &new), 204);
        assert_eq!(statuses(&sessions), [401, 401], "a new password");

        let sessions = bobs();
        assert_eq!(send("PATCH", user, "{\"status\":\"inactive\"}"), 200);
        wait_until("they are inactive", || statuses(&sessions) == [403, 403]);
        assert_eq!(send("PATCH", user, "{\"status\":\"active\"}"), 200);
        wait_until("they are active", || statuses(&sessions) == [200, 200]);

        let person = influxdb.state().users[&2].clone();
        assert_eq!(send("DELETE", user, ""), 204);
        assert_eq!(statuses(&sessions), [401, 401], "deleted");
        influxdb.state().users.insert(2, person);
        assert_eq!(me(&gateway, &root).status, 200);
    }
    wait_until("they are gone upstream", || influxdb.sessions() == 1);
}

#[test]
fn f_09_an_inactive_user_of_any_name_signs_in_and_is_refused() {
    let influxdb = Influxdb::start();
    let long = "é".repeat(700);
    let names = ["née Byron", "a,b", "日本", "a b", &long];
    for (id, name) in (10..).zip(names) {
        let person =
            Person { name: name.to_owned(), password: PASSWORD.to_owned(), is_active: false };
        influxdb.state().users.insert(id, person);
    }
    let gateway = start(&influxdb, "refresh = \"1h\"\nrenew = \"4m\"", "");
    for (round, name) in names.iter().enumerate() {
        let session = gateway.sign_in(name);
        let signed_in = || get("/api/v2/buckets", &[&cookie(&session)]);
        for request in [get("/api/v2/me", &[&cookie(&session)]), signed_in()] {
            let answer = gateway.connect().send(&request);
            assert_eq!(
                (answer.status, &answer.json()["message"]),
                (403, &"User is inactive".into())
            );
        }
        assert_eq!(influxdb.sessions(), round + 1, "one session for one sign-in");
        let activate = |user: &mut Person| user.is_active = user.is_active || user.name == *name;
        influxdb.state().users.values_mut().for_each(activate);
        wait_until("the user is let in", || me(&gateway, &session).status == 200);
        assert_eq!(me(&gateway, &session).json()["name"], *name);
        assert_eq!(gateway.connect().send(&signed_in()).status, 200);
    }
    let trail = gateway.audited(names.len());
    assert!(trail.iter().all(|line| line["event"] == "signed_in"), "nobody has failed");
}

#[test]
fn f_09_influxdbs_cookie_is_found_behind_others() {
    let influxdb = Influxdb::start();
    influxdb.state().cookies_of_others =
        "Set-Cookie: AWSALB=abc; Path=/\r\nSet-Cookie: session=of-the-balancer\r\n";
    let gateway = start(&influxdb, "", "");
    let session = gateway.sign_in("ada");
    let buckets = get("/api/v2/buckets", &[&cookie(&session)]);
    assert_eq!(gateway.connect().send(&buckets).text(), "ada");
}

#[test]
fn f_51_long_names_are_told_and_longer_ones_refused() {
    let influxdb = Influxdb::start();
    let names = ["x".repeat(300), "é".repeat(300), "y".repeat(10_000), "日".repeat(3_000)];
    let too_long = "日".repeat(3_700);
    for (id, name) in (10..).zip(names.iter().chain([&too_long])) {
        let person = Person { name: name.clone(), password: PASSWORD.to_owned(), is_active: true };
        influxdb.state().users.insert(id, person);
    }
    let gateway = start(&influxdb, "refresh = \"20ms\"\ntokens = \"resolve\"", "");
    for name in &names {
        let session = gateway.sign_in(name);
        assert_eq!(me(&gateway, &session).json()["name"], **name);
        let told = gateway.connect().send(&get("/api/v2/buckets", &[&cookie(&session)])).text();
        let encoded = |byte: u8| match byte {
            byte if byte.is_ascii_graphic() => char::from(byte).to_string(),
            byte => format!("%{byte:02X}"),
        };
        assert_eq!(told, name.bytes().map(encoded).collect::<String>());
        gateway.connect().send(&post("/api/v2/signout", &[&cookie(&session)]));
    }
    wait_until("all are signed out", || influxdb.sessions() == 0);

    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic(&too_long, PASSWORD)]));
    assert_eq!((answer.status, answer.header("set-cookie")), (403, None));
    assert_eq!(answer.json()["code"], "forbidden");
    assert!(answer.json()["message"].as_str().unwrap().contains("too long"));
    wait_until("nothing is left of it upstream", || influxdb.sessions() == 0);
    let said = || gateway.log().matches("a name of 11100 bytes").count();
    wait_until("it is said", || said() == 1);

    // A user who is renamed so is no longer told by the old name.
    let session = gateway.sign_in("ada");
    influxdb.state().users.get_mut(&1).unwrap().name = too_long;
    wait_until("the session ends", || me(&gateway, &session).status == 401);
    let by_token = gateway.connect().send(&get("/api/v2/buckets", &["Authorization: Token all"]));
    assert_eq!(by_token.status, 403);
}

#[test]
fn f_50_a_deleted_user_is_not_told_to_be_inactive_where_that_can_be_told() {
    let influxdb = Influxdb::start();
    let url = format!("http://{}", influxdb.upstream.address);
    let config = "token_file = \"own.token\"\n[users]\nsource = \"influxdb\"\nrefresh = \"1h\"\n";
    let folder = Gateway::prepare(&url, config, "");
    std::fs::write(folder.path().join("own.token"), "all").unwrap();
    let gateway = Gateway::start_in(folder);
    let (one, other) = (gateway.sign_in("bob"), gateway.sign_in("bob"));
    let buckets = || gateway.connect().send(&get("/api/v2/buckets", &[&cookie(&one)]));
    influxdb.state().users.get_mut(&2).unwrap().is_active = false;
    assert_eq!(buckets().status, 403);
    wait_until("the user is inactive", || me(&gateway, &other).status == 403);
    influxdb.state().users.remove(&2);
    for session in [&one, &other] {
        wait_until("the user is gone", || me(&gateway, session).status == 401);
    }
    assert_eq!(buckets().status, 401);
    wait_until("nothing is left upstream", || influxdb.sessions() == 0);
}
