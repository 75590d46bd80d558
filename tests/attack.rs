use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::thread;

use crate::clock;
use crate::influxdb::Influxdb;
use crate::instructions::between_calls_of;
use crate::support::*;

/// Far more failures than any test makes.
const PATIENT: &str = "[signin]\nfailures = 1_000_000\nfailures_per_client = 1_000_000\n\
                       failures_per_user = 1_000_000\n";

pub(crate) const WRONG: &str = "wrong horse";

/// A hash that takes longer than those that are made by default. No password has it.
const DEAR: &str = "$argon2id$v=19$m=19456,t=8,p=1$zb0kk9ZzhRpF74EDMreAwA$Bmkr88hNGBKV1GCvz0rQt2LFIpic\
                    3FWJ5/dSnnk4IlU";

fn start(config: &str) -> Gateway {
    Gateway::start_with(closed_port(), config, &users(&["ada", "bob"]))
}

/// A gateway that believes what tests say in `X-Forwarded-For`.
fn behind_a_proxy(config: &str) -> Gateway {
    behind_a_proxy_with(config, &users(&["ada", "bob"]))
}

pub(crate) fn behind_a_proxy_with(config: &str, users: &str) -> Gateway {
    let folder = Gateway::prepare("http://127.0.0.1:9", config, users);
    let path = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("[listen]", "[listen]\ntrusted_proxies = [\"127.0.0.0/8\"]");
    fs::write(path, text).unwrap();
    Gateway::start_in(folder)
}

/// A sign-in with these header lines besides.
pub(crate) fn try_with(gateway: &Gateway, name: &str, password: &str, headers: &[&str]) -> Answer {
    let credentials = basic(name, password);
    gateway.connect().send(&post("/api/v2/signin", &[&[&*credentials], headers].concat()))
}

fn try_in(gateway: &Gateway, name: &str, password: &str) -> Answer {
    try_with(gateway, name, password, &[])
}

pub(crate) fn try_from(gateway: &Gateway, address: &str, name: &str, password: &str) -> u16 {
    let header = format!("X-Forwarded-For: {address}");
    try_with(gateway, name, password, &[&header]).status
}

fn fail(gateway: &Gateway, name: &str, times: usize) {
    for _ in 0..times {
        assert_eq!(try_in(gateway, name, WRONG).status, 401);
    }
}

#[test]
fn b_01_unknown_wrong_inactive_and_too_long_look_the_same() {
    let users = users(&["ada", "bob"]) + "status = \"inactive\"\n";
    let gateway = Gateway::start_with(closed_port(), PATIENT, &users);
    let expected = try_in(&gateway, "ada", WRONG).without_its_own();
    assert_eq!(expected.0, 401);
    let long = "x".repeat(1000);
    for (name, password) in
        [("eve", PASSWORD), ("bob", WRONG), ("ada", &*long), ("eve", &long), ("é", ""), ("", "")]
    {
        assert_eq!(try_in(&gateway, name, password).without_its_own(), expected, "{name}");
    }
}

/// Instructions, not seconds: a machine that is busy with other things does not change them.
#[test]
fn b_02_unknown_wrong_inactive_and_too_long_take_the_same_work() {
    const ROUNDS: usize = 5;
    // Dear enough to outweigh the rest, as a hash does.
    let config = format!("{PATIENT}hash_memory_kib = 64\nhash_passes = 1\n[server]\nthreads = 1\n");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    fs::write(&path, format!("[listen]\nhttp = [\"127.0.0.1:0\"]\n{config}")).unwrap();
    fs::write(folder.path().join("users.toml"), users(&["bob"]) + "status = \"inactive\"\n")
        .unwrap();
    for (command, name) in [("add", "ada"), ("passwd", "bob")] {
        let mut child = program()
            .args(["user", command, "--password-stdin", "--config"])
            .args([&path, std::path::Path::new(name)])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    }
    let long = "x".repeat(100);
    let guesses = [
        ("wrong", basic("ada", WRONG)),
        ("unknown", basic("eve", WRONG)),
        ("inactive", basic("bob", WRONG)),
        ("too long", basic("ada", &long)),
        // Nothing is hashed for it: the count has to see that.
        ("malformed", "Authorization: Basic !".to_owned()),
    ];
    let counts = between_calls_of("influx_gateway::api::signin::post", folder, |gateway| {
        let mut client = gateway.connect();
        for _ in 0..ROUNDS {
            for (_, guess) in &guesses {
                assert_eq!(client.send(&post("/api/v2/signin", &[guess])).status, 401);
            }
        }
    });
    assert_eq!(counts.len(), ROUNDS * guesses.len(), "a call of api::signin::post for each");

    // The instructions of the guess number `guess`: in Argon2, and from its credentials to its answer.
    let work = |guess: usize| {
        let of = |function: &str| {
            let all = counts.iter().skip(guess).step_by(guesses.len());
            let mut all: Vec<_> =
                all.map(|count| count.get(function).copied().unwrap_or_default()).collect();
            all.sort_unstable();
            all[ROUNDS / 2]
        };
        let hashing = of("influx_gateway::user::password::Memory::hash");
        (hashing, hashing + of("influx_gateway::api::signin::post::{{closure}}"))
    };
    let wrong = work(0);
    for (guess, (name, _)) in guesses.iter().enumerate().take(4).skip(1) {
        let other = work(guess);
        for (one, other) in [(wrong.0, other.0), (wrong.1, other.1)] {
            let thousandths = 1000 * one.abs_diff(other) / one;
            assert!(thousandths < 30, "{name}: {other} instructions, and {one} for a wrong one");
        }
    }
    assert!(wrong.0 > 0 && work(4).0 == 0, "a missing hash is not seen");
}

#[test]
fn b_03_during_a_ban_the_right_password_gets_the_same_answer() {
    let gateway = start("");
    fail(&gateway, "ada", 5);
    let (wrong, right) = (try_in(&gateway, "ada", WRONG), try_in(&gateway, "ada", PASSWORD));
    assert_eq!((wrong.status, &wrong.json()["code"]), (429, &"too many requests".into()));
    assert_eq!(wrong.header("x-platform-error-code"), Some("too many requests"));
    assert_eq!(wrong.header("retry-after"), Some("60"));
    assert_eq!(wrong.without_its_own(), right.without_its_own());
    assert_eq!(try_in(&gateway, "bob", PASSWORD).status, 204, "another name is not banned");
}

#[test]
fn b_03_a_ban_ends_on_time_and_the_next_one_is_longer() {
    let config = "[signin]\nfailures = 2\n";
    let gateway = clock::start(closed_port(), config, &users(&["ada", "bob"]));
    fail(&gateway, "ada", 2);
    for seconds in [60, 120] {
        let banned = try_in(&gateway, "ada", PASSWORD);
        let wait: u64 = banned.header("retry-after").unwrap().parse().unwrap();
        assert!(banned.status == 429 && (seconds - 5..=seconds).contains(&wait), "{banned:?}");
        clock::pass(&gateway, seconds - 10);
        assert_eq!(try_in(&gateway, "ada", PASSWORD).status, 429, "it is not over");
        clock::pass(&gateway, 11);
        assert_eq!(try_in(&gateway, "ada", WRONG).status, 401, "it is over");
    }
}

#[test]
fn b_03_a_success_clears_the_count() {
    let gateway = start("");
    for _ in 0..3 {
        fail(&gateway, "ada", 4);
        assert_eq!(try_in(&gateway, "ada", PASSWORD).status, 204);
    }
}

#[test]
fn b_04_every_spelling_of_a_name_counts_for_one_account() {
    let gateway = start("");
    for name in ["ada", "ADA", " ada", "Ada\u{200b}", "ａｄａ"] {
        fail(&gateway, name, 1);
    }
    for name in ["ada", "aDa", "ada "] {
        assert_eq!(try_in(&gateway, name, PASSWORD).status, 429, "{name}");
    }
    assert_eq!(try_in(&gateway, "bob", PASSWORD).status, 204);
    assert_eq!(
        try_in(&gateway, "BOB", PASSWORD).status,
        401,
        "one name signs in, as it is written"
    );
}

#[test]
fn b_05_guesses_by_a_change_of_passwords_count_as_well() {
    let gateway = start("");
    let session = cookie(&gateway.sign_in("ada"));
    let change = |old: &str| {
        let body = "{\"password\":\"battery staple\"}";
        let headers = [&*session, &basic("ada", old)];
        gateway.connect().send(&with_body("PUT", "/api/v2/me/password", &headers, body))
    };
    for _ in 0..3 {
        assert_eq!(change(WRONG).status, 403);
    }
    fail(&gateway, "ada", 2);
    assert_eq!(change(PASSWORD).status, 429);
    assert_eq!(try_in(&gateway, "ada", PASSWORD).status, 429);
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&session])).status, 200);
}

#[test]
fn b_06_a_spray_of_names_grows_nothing_and_lifts_no_ban() {
    let gateway = behind_a_proxy("");
    for _ in 0..5 {
        assert_eq!(try_from(&gateway, "10.9.9.9", "ada", WRONG), 401);
    }
    assert_eq!(try_from(&gateway, "10.9.9.9", "ada", PASSWORD), 429);
    let resident = || {
        let status = fs::read_to_string(format!("/proc/{}/status", gateway.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let spray = |round: usize| {
        let mut client = gateway.connect();
        for n in 0..5000 {
            let header = format!("X-Forwarded-For: 10.{round}.{}.{}", n / 250, n % 250);
            let credentials = basic(&format!("name{n}-{round}"), WRONG);
            assert_eq!(client.send(&post("/api/v2/signin", &[&credentials, &header])).status, 401);
        }
    };
    spray(1);
    let before = resident();
    spray(2);
    assert!(resident() < before + 2048, "{before} KiB, then {} KiB", resident());
    assert_eq!(try_from(&gateway, "10.9.9.9", "ada", PASSWORD), 429);
}

#[test]
fn b_07_what_a_client_says_of_its_address_counts_for_nothing() {
    let gateway = start("");
    for n in 0..5 {
        let [told, real, forwarded] = [
            format!("X-Forwarded-For: 10.0.0.{n}"),
            format!("X-Real-IP: 10.0.0.{n}"),
            format!("Forwarded: for=10.0.0.{n}"),
        ];
        let headers = [&*told, &real, &forwarded];
        assert_eq!(try_with(&gateway, "ada", WRONG, &headers).status, 401);
    }
    assert_eq!(try_with(&gateway, "ada", WRONG, &["X-Forwarded-For: 10.0.0.9"]).status, 429);
}

#[test]
fn b_07_a_walk_through_a_network_is_one_client() {
    let gateway = behind_a_proxy("[signin]\nfailures_per_client = 10\n");
    for n in 0..10 {
        let name = format!("user{n}");
        assert_eq!(try_from(&gateway, &format!("2001:db8::{n:x}:1"), &name, WRONG), 401);
    }
    assert_eq!(try_from(&gateway, "2001:db8::ffff", "ada", PASSWORD), 429);
    assert_eq!(try_from(&gateway, "2001:db8:0:1::1", "ada", PASSWORD), 204);
    for _ in 0..5 {
        assert_eq!(try_from(&gateway, "10.1.2.3", "bob", WRONG), 401);
    }
    assert_eq!(try_from(&gateway, "::ffff:10.1.2.3", "bob", PASSWORD), 429);
}

#[test]
fn b_08_sign_ins_at_once_never_share_a_result() {
    let gateway = start(PATIENT);
    // Each of them together is the same text as another one.
    let pairs = [("ada", PASSWORD), ("ad", "acorrect horse"), ("adac", "orrect horse")];
    thread::scope(|scope| {
        for worker in 0..12 {
            let (gateway, (name, password)) = (&gateway, pairs[worker % pairs.len()]);
            scope.spawn(move || {
                for _ in 0..25 {
                    let expected = if name == "ada" { 204 } else { 401 };
                    assert_eq!(try_in(gateway, name, password).status, expected, "{name}");
                }
            });
        }
    });
}

/// Where the system tells of the threads that hash.
fn hashing_threads(gateway: &Gateway) -> Vec<PathBuf> {
    let threads = fs::read_dir(format!("/proc/{}/task", gateway.pid())).unwrap();
    let threads = threads.map(|thread| thread.unwrap().path());
    let is_hashing = |path: &PathBuf| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.starts_with("hash-"))
    };
    threads.filter(is_hashing).collect()
}

/// What they have had of the processor, in nanoseconds.
pub(crate) fn hashing_time(gateway: &Gateway) -> u64 {
    let time = |path: &PathBuf| {
        let text = fs::read_to_string(path.join("schedstat")).unwrap();
        text.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    hashing_threads(gateway).iter().map(time).sum()
}

#[test]
fn b_10_a_storm_is_hashed_by_so_many_workers_and_waits_in_a_bounded_line() {
    let upstream = Upstream::start();
    let config = format!("{PATIENT}hash_workers = 1\nhash_queue = 10\nhash_wait = \"15s\"\n");
    let text = users(&["ada"]);
    let folder = Gateway::prepare(&format!("http://{}", upstream.address), &config, &text);
    let gateway = Gateway::start_in(folder);
    let session = cookie(&gateway.sign_in("ada"));
    // From now on each guess takes a while.
    let bob =
        format!("[[user]]\nname = \"bob\"\nid = \"00000000000000ff\"\npassword = \"{DEAR}\"\n");
    fs::write(gateway.folder().join("users.toml"), text + &bob).unwrap();
    gateway.signal("HUP");
    wait_until("bob is known", || gateway.audit().contains("reloaded"));

    let statuses = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for n in 0..300 {
            let (gateway, statuses) = (&gateway, &statuses);
            scope.spawn(move || {
                let answer = try_in(gateway, &format!("name{n}"), WRONG);
                if answer.status == 429 {
                    assert_eq!(answer.header("retry-after"), Some("5"));
                    assert_eq!(answer.json()["code"], "too many requests");
                }
                statuses.lock().unwrap().push(answer.status);
            });
        }
        // Whoever is signed in goes on.
        let mut client = gateway.connect();
        while statuses.lock().unwrap().len() < 300 {
            assert_eq!(client.send(&get("/api/v2/buckets", &[&session])).status, 200);
        }
    });
    let statuses = statuses.into_inner().unwrap();
    let count = |status| statuses.iter().filter(|other| **other == status).count();
    assert_eq!(count(401) + count(429), 300);
    assert!(count(401) >= 3, "the line is used: {}", count(401));
    assert!(count(429) >= 100, "the line is bounded: {}", count(429));
    assert_eq!(hashing_threads(&gateway).len(), 1);
}

#[test]
fn b_10_of_a_storm_of_one_client_little_is_hashed() {
    let config = "[signin]\nhash_workers = 1\n";
    let text = format!("[[user]]\nname = \"ada\"\nid = \"{:016x}\"\npassword = \"{DEAR}\"\n", 1);
    let gateway = Gateway::start_with(closed_port(), config, &text);
    // Not by the clock on the wall: other tests want the processor, too.
    fail(&gateway, "eve", 1);
    let before = hashing_time(&gateway);
    fail(&gateway, "fay", 1);
    let one = hashing_time(&gateway) - before;
    let statuses: Vec<_> = thread::scope(|scope| {
        let guess = || try_in(&gateway, "ada", WRONG).status;
        let all: Vec<_> = (0..100).map(|_| scope.spawn(guess)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 5);
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 95);
    // Those that waited while the fifth failed are not hashed.
    let all = hashing_time(&gateway) - before;
    assert!(all < one * 25, "{all}, and one takes {one}");
}

#[test]
fn b_11_the_owner_is_not_locked_out_by_others() {
    let gateway = behind_a_proxy("[signin]\nfailures_per_user = 10\n");
    assert_eq!(try_from(&gateway, "10.1.1.1", "ada", PASSWORD), 204);
    for n in 0..5 {
        assert_eq!(try_from(&gateway, "10.2.0.1", "ada", WRONG), 401, "{n}");
    }
    assert_eq!(try_from(&gateway, "10.2.0.1", "ada", WRONG), 429, "one attacker is banned");
    assert_eq!(try_from(&gateway, "10.3.0.1", "ada", PASSWORD), 204, "and nobody else");
    for n in 0..5 {
        assert_eq!(try_from(&gateway, &format!("10.4.0.{n}"), "ada", WRONG), 401);
    }
    let header = "X-Forwarded-For: 10.5.0.1";
    let slowed = try_with(&gateway, "ada", PASSWORD, &[header]);
    assert_eq!((slowed.status, slowed.header("retry-after")), (429, Some("1")));
    assert_eq!(try_from(&gateway, "10.1.1.1", "ada", PASSWORD), 204, "the owner is known there");
    wait_until("a stranger's turn comes", || {
        try_from(&gateway, "10.5.0.1", "ada", PASSWORD) == 204
    });
}

#[test]
fn b_12_what_is_no_name_and_password_is_refused_before_any_hashing() {
    let gateway = start("[signin]\nfailures = 1\nfailures_per_client = 1\n");
    let of = |value: &str| format!("Authorization: {value}");
    let huge = basic("ada", &"x".repeat(4097));
    for header in [
        of("Basic"),
        of("Basic YWRh"),
        of("Basic !!!"),
        of("Basic  YWRhOmFkYQ=="),
        of("Bearer YWRhOmFkYQ=="),
        huge,
    ] {
        let answer = gateway.connect().send(&post("/api/v2/signin", &[&header]));
        assert_eq!((answer.status, answer.body.len()), (401, 62), "{header}");
    }
    let headers = [&*of("Basic !!!"), &basic("ada", PASSWORD)];
    let answer = gateway.connect().send(&post("/api/v2/signin", &headers));
    assert_eq!(answer.status, 401, "the first of two counts");
    for size in [64 << 10, 1 << 20] {
        let mut client = gateway.connect();
        // It is not read to its end.
        let _ = client
            .stream
            .write_all(post("/api/v2/signin", &[&basic("ada", &"x".repeat(size))]).as_bytes());
        assert_eq!(client.read().status, 431);
    }
    let audited = gateway.audited(7);
    assert!(audited.iter().all(|line| line["reason"] == "malformed"), "{audited:?}");
    // The first guess at last; one is allowed.
    for (name, password) in [("\0", PASSWORD), ("ada", PASSWORD)] {
        let expected = if name == "ada" { 429 } else { 401 };
        assert_eq!(try_in(&gateway, name, password).status, expected);
    }
}

#[test]
fn b_14_b_13_every_byte_of_a_password_counts() {
    let gateway = start(PATIENT);
    let session = cookie(&gateway.sign_in("ada"));
    let change = |new: &str| {
        let body = serde_json::json!({ "password": new }).to_string();
        let target = "/api/v2/users/0000000000000001/password";
        gateway.connect().send(&with_body("POST", target, &[&session], &body)).status
    };
    let longest = "x".repeat(72);
    for new in [&*longest, " spaces ", "co:lon:s", "pässwörd"] {
        assert_eq!(change(new), 204);
        assert_eq!(try_in(&gateway, "ada", new).status, 204);
        let shorter: String = new.chars().take(new.chars().count() - 1).collect();
        for other in [&*shorter, new.trim_start(), &format!("{new}x"), &format!("{new} ")] {
            let expected = if other == new { 204 } else { 401 };
            assert_eq!(try_in(&gateway, "ada", other).status, expected, "{other:?} for {new:?}");
        }
    }
    assert_eq!(change(&"x".repeat(73)), 400);
}

#[test]
fn influxdbs_own_users_are_protected_too() {
    let influxdb = Influxdb::start();
    let config = "[users]\nsource = \"influxdb\"\n";
    let gateway = Gateway::start_with(influxdb.upstream.address, config, "");
    fail(&gateway, "ada", 5);
    influxdb.upstream.seen_by_clients();
    assert_eq!(try_in(&gateway, "ada", PASSWORD).status, 429);
    assert!(influxdb.upstream.saw_nothing(), "InfluxDB is not asked during a ban");
    assert_eq!(try_in(&gateway, "bob", PASSWORD).status, 204);
}

/// Has `crowd` connections repeat what `each` does, one after the other; meanwhile bob signs in 18 times.
/// Returns how often he was let in.
fn sign_ins_of_bob_beside(
    gateway: &Gateway,
    crowd: usize,
    each: impl Fn(&Gateway) + Sync,
) -> usize {
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let is_over = &is_over;
    thread::scope(|scope| {
        for _ in 0..crowd {
            let each = &each;
            scope.spawn(move || {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    each(gateway);
                }
            });
        }
        // Once the line is full.
        wait_until("somebody is sent away", || gateway.has_logged(" status=429 "));
        let let_in = (0..18).filter(|_| try_in(gateway, "bob", PASSWORD).status == 204).count();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        let_in
    })
}

/// A line that a crowd of this size fills, and hashes that take a while.
fn short_line() -> (String, String) {
    let config = format!("{PATIENT}hash_workers = 1\nhash_queue = 8\nhash_wait = \"20s\"\n");
    (config, users(&["ada", "bob"]))
}

#[test]
fn f_21_sign_ins_of_one_user_shut_out_nobody_else() {
    let (config, users) = short_line();
    let gateway = Gateway::start_with(closed_port(), &config, &users);
    let sign_in = |gateway: &Gateway| drop(try_in(gateway, "ada", PASSWORD));
    assert_eq!(sign_ins_of_bob_beside(&gateway, 40, sign_in), 18);
}

#[test]
fn f_21_nor_do_changes_of_one_users_password() {
    let (config, users) = short_line();
    let gateway = Gateway::start_with(closed_port(), &config, &users);
    let session = cookie(&gateway.sign_in("ada"));
    let change = |gateway: &Gateway| {
        let body = "{\"password\":\"battery staple\"}";
        let target = "/api/v2/users/0000000000000001/password";
        gateway.connect().send(&with_body("POST", target, &[&session], body));
    };
    assert_eq!(sign_ins_of_bob_beside(&gateway, 40, change), 18);
}

#[test]
fn f_21_nor_do_many_names_of_one_client_or_one_name_of_many() {
    let (config, users) = short_line();
    let names = std::sync::atomic::AtomicUsize::new(0);
    let names = &names;
    let next = || names.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let gateway = behind_a_proxy_with(&config, &users);
    for is_one_name in [true, false] {
        let guess = |gateway: &Gateway| {
            let number = next();
            let (name, from) = if is_one_name {
                ("ada".to_owned(), format!("10.1.{}.{}", number / 250 % 250, number % 250))
            } else {
                (format!("name{number}"), "10.2.0.1".to_owned())
            };
            try_from(gateway, &from, &name, WRONG);
        };
        // Bob's address is that of nobody in the crowd.
        assert_eq!(sign_ins_of_bob_beside(&gateway, 40, guess), 18, "{is_one_name}");
    }
}

#[test]
fn f_21_nor_does_a_crowd_before_influxdb() {
    let influxdb = Influxdb::start();
    let config = format!("{PATIENT}hash_queue = 8\n[users]\nsource = \"influxdb\"\n");
    let gateway = Gateway::start_with(influxdb.upstream.address, &config, "");
    let sign_in = |gateway: &Gateway| drop(try_in(gateway, "ada", PASSWORD));
    assert_eq!(sign_ins_of_bob_beside(&gateway, 80, sign_in), 18);
}
