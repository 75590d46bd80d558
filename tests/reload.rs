use std::fs;
use std::thread;

use crate::support::*;

const NEW: &str = "battery staple";

/// A running gateway and its users file, which is changed while it runs.
struct Stage {
    gateway: Gateway,
}

impl Stage {
    fn start(names: &[&str]) -> Self {
        Self { gateway: Gateway::start_with(Upstream::start().address, "", &users(names)) }
    }

    fn read(&self) -> String {
        fs::read_to_string(self.gateway.folder().join("users.toml")).unwrap()
    }

    /// Puts `text` into the place of the users file, whole.
    fn write(&self, text: &str) {
        let folder = self.gateway.folder();
        fs::write(folder.join("users.new"), text).unwrap();
        fs::rename(folder.join("users.new"), folder.join("users.toml")).unwrap();
    }

    /// The same, and tells the gateway, which has taken it then, or refused it.
    fn reload(&self, text: &str) {
        let folder = self.gateway.folder();
        fs::rename(folder.join("audit.jsonl"), folder.join("audit.old")).unwrap();
        self.write(text);
        self.gateway.signal("HUP");
        // What the new audit file says has happened after the signal.
        wait_until("it was read anew", || self.gateway.audit().contains("\"reload"));
    }

    fn me(&self, session: &str) -> u16 {
        self.gateway.connect().send(&get("/api/v2/me", &[&cookie(session)])).status
    }

    fn sign_in(&self, name: &str, password: &str) -> u16 {
        self.gateway.connect().send(&post("/api/v2/signin", &[&basic(name, password)])).status
    }
}

/// `text` without the user `name`.
fn without(text: &str, name: &str) -> String {
    let tables = text.split_inclusive("[[user]]\n").map(|part| part.trim_end_matches("[[user]]\n"));
    let kept = tables.filter(|part| !part.is_empty() && !part.contains(&format!("\"{name}\"")));
    kept.flat_map(|part| ["[[user]]\n", part]).collect()
}

#[test]
fn s_14_whoever_is_gone_from_the_file_is_signed_out_at_once() {
    let stage = Stage::start(&["ada", "bob"]);
    let (of_ada, of_bob) = (stage.gateway.sign_in("ada"), stage.gateway.sign_in("bob"));
    let mut open = stage.gateway.connect();
    assert_eq!(open.send(&get("/api/v2/me", &[&cookie(&of_bob)])).status, 200);
    stage.reload(&without(&stage.read(), "bob"));
    assert_eq!((stage.me(&of_ada), stage.me(&of_bob)), (200, 401));
    assert_eq!(open.send(&get("/api/v2/buckets", &[&cookie(&of_bob)])).status, 401);
    assert_eq!((stage.sign_in("ada", PASSWORD), stage.sign_in("bob", PASSWORD)), (204, 401));
}

#[test]
fn s_14_another_password_in_the_file_ends_the_sessions() {
    let stage = Stage::start(&["ada", "bob"]);
    let (of_ada, of_bob) = (stage.gateway.sign_in("ada"), stage.gateway.sign_in("bob"));
    let hash = crate::command_line::hash(NEW);
    let text = stage.read();
    let start = text.find("password = ").unwrap();
    let end = start + text[start..].find('\n').unwrap();
    stage.reload(&text.replacen(&text[start..end], &format!("password = \"{hash}\""), 1));
    assert_eq!((stage.me(&of_ada), stage.me(&of_bob)), (401, 200));
    assert_eq!((stage.sign_in("ada", PASSWORD), stage.sign_in("ada", NEW)), (401, 204));
}

#[test]
fn s_14_what_else_changes_counts_from_the_next_request_on() {
    let upstream = Upstream::start();
    let gateway = Gateway::start_with(upstream.address, "", &users(&["ada"]));
    let stage = Stage { gateway };
    let session = stage.gateway.sign_in("ada");
    let text = stage.read();
    stage.reload(&(text.clone() + "token = \"new-token\"\naccess = \"read\"\n"));
    let buckets = |method| request(method, "/api/v2/buckets", &[&cookie(&session)]);
    assert_eq!(stage.gateway.connect().send(&buckets("GET")).status, 200);
    assert_eq!(upstream.next().header("authorization"), Some("Token new-token"));
    assert_eq!(stage.gateway.connect().send(&buckets("DELETE")).status, 403);
    stage.reload(&(text.clone() + "status = \"inactive\"\n"));
    assert_eq!(stage.me(&session), 403);
    stage.reload(&text);
    assert_eq!(stage.me(&session), 200);
    let other_id = text.replace("0000000000000001", "00000000000000aa");
    stage.reload(&other_id);
    assert_eq!(stage.me(&session), 401, "another id is another user");
}

#[test]
fn s_14_a_change_is_noticed_without_being_told() {
    let stage = Stage::start(&["ada", "bob"]);
    let of_bob = stage.gateway.sign_in("bob");
    stage.write(&without(&stage.read(), "bob"));
    wait_until("bob is signed out", || stage.me(&of_bob) == 401);
    assert_eq!(stage.sign_in("bob", PASSWORD), 401);
}

#[test]
fn n_03_a_file_with_a_fault_changes_nothing_and_is_told() {
    let stage = Stage::start(&["ada", "bob"]);
    let (of_ada, of_bob) = (stage.gateway.sign_in("ada"), stage.gateway.sign_in("bob"));
    let good = stage.read();
    let half = &good[..good.len() / 2 + 20];
    for bad in [half, &good.replace("\"bob\"", "\"a,b\""), &(without(&good, "bob") + "x = 1\n")] {
        stage.reload(bad);
        assert_eq!((stage.me(&of_ada), stage.me(&of_bob)), (200, 200), "{bad}");
        assert_eq!(stage.sign_in("bob", PASSWORD), 204, "{bad}");
    }
    assert!(stage.gateway.has_logged("users.toml:6: user.name: a name is"));
    assert!(stage.gateway.has_logged("users.toml:5: user.x: unknown key"));
    fs::remove_file(stage.gateway.folder().join("users.toml")).unwrap();
    stage.gateway.signal("HUP");
    wait_until("it is told", || stage.gateway.has_logged("No such file"));
    assert_eq!(stage.me(&of_bob), 200);
}

#[test]
fn b_09_a_password_that_was_good_a_moment_ago_is_not_after_a_change() {
    let stage = Stage::start(&["ada"]);
    let (old, new) = (stage.read(), crate::command_line::hash(NEW));
    let start = old.find("$argon2id").unwrap();
    let end = start + old[start..].find('"').unwrap();
    let changed = old.replace(&old[start..end], &new);
    for _ in 0..3 {
        assert_eq!((stage.sign_in("ada", PASSWORD), stage.sign_in("ada", NEW)), (204, 401));
        stage.reload(&changed);
        assert_eq!((stage.sign_in("ada", PASSWORD), stage.sign_in("ada", NEW)), (401, 204));
        stage.reload(&old);
    }
}

#[test]
fn c_03_a_hundred_reloads_under_load_disturb_nobody() {
    let stage = Stage::start(&["ada", "bob"]);
    let session = stage.gateway.sign_in("ada");
    let (both, one) = (stage.read(), without(&stage.read(), "bob"));
    let done = std::sync::atomic::AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = stage.gateway.connect();
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let answer = client.send(&get("/api/v2/buckets", &[&cookie(&session)]));
                    assert_eq!((answer.status, &*answer.text()), (200, "ada"));
                }
            });
        }
        for _ in 0..50 {
            stage.reload(&one);
            stage.reload(&both);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_hash_of_another_cost_is_renewed_at_the_next_sign_in_and_signs_nobody_out() {
    let config = "[signin]\nhash_lanes = 1\n";
    let folder = Gateway::prepare("http://127.0.0.1:9", config, &users(&["ada", "bob"]));
    let path = folder.path().join("gateway.toml");
    let text = fs::read_to_string(&path).unwrap().replace("kib = 8", "kib = 16");
    fs::write(path, text).unwrap();
    let stage = Stage { gateway: Gateway::start_in(folder) };
    assert_eq!(stage.sign_in("ada", "wrong horse"), 401);
    let before = stage.read();
    assert_eq!(before.matches("m=8,t=1,p=1").count(), 2);
    let session = stage.gateway.sign_in("ada");
    wait_until("the hash is renewed", || stage.read().contains("m=16,t=1,p=1"));
    assert_eq!(stage.read().matches("m=8,t=1,p=1").count(), 1, "that of bob, who was not here");
    stage.reload(&stage.read());
    assert_eq!(stage.me(&session), 200);
    assert_eq!(stage.sign_in("ada", PASSWORD), 204);
    let renewed = stage.read();
    assert_eq!(stage.sign_in("ada", PASSWORD), 204);
    assert_eq!(stage.read(), renewed, "once is enough");
}
