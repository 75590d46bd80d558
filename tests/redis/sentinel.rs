use std::net::{Ipv4Addr, SocketAddr};
use std::process::Child;
use std::time::Instant;

use super::client::{Reply, ask};
use super::server::{Server, command, port};
use super::stage::*;
use super::traffic::Traffic;
use crate::support::*;

/// What the Sentinel calls the primary with its replica.
const NAME: &str = "sessions";

/// A primary and its replica, watched by a Sentinel; killed when dropped.
struct Watched {
    primary: Server,
    replica: Server,
    sentinel: SocketAddr,
    child: Child,
    _folder: tempfile::TempDir,
}

impl Watched {
    fn start() -> Self {
        let primary = Server::start_with(&["--repl-diskless-sync-delay", "0"]);
        let of_primary = format!("127.0.0.1 {}", primary.address.port());
        let replica = Server::start_with(&["--replicaof", &of_primary]);
        let folder = tempfile::tempdir().unwrap();
        let sentinel = SocketAddr::from((Ipv4Addr::LOCALHOST, port()));
        let config = format!(
            "port {}\nbind 127.0.0.1\nsentinel monitor {NAME} {of_primary} 1\n\
             sentinel down-after-milliseconds {NAME} 300\nsentinel failover-timeout {NAME} 3000\n",
            sentinel.port()
        );
        std::fs::write(folder.path().join("sentinel.conf"), config).unwrap();
        // Before there is a Sentinel: it looks at a replica once in ten seconds, and takes none whose link was down then.
        wait_until("the replica follows", || {
            replica.ask(&["INFO", "replication"]).text().contains("master_link_status:up")
        });
        let child = command("redis-sentinel", folder.path()).arg("sentinel.conf").spawn();
        let child = child.expect("`make test-tools` has installed redis-sentinel");
        let watched = Self { primary, replica, sentinel, child, _folder: folder };
        wait_until("the Sentinel knows both, and that one follows the other", || {
            let of_replica = |reply: &Reply| {
                let texts = reply.texts();
                let link = texts.iter().position(|text| text == "master-link-status");
                link.is_some_and(|at| texts[at + 1] == "ok")
            };
            let replicas = ask(sentinel, &["SENTINEL", "REPLICAS", NAME]);
            let knows_replica =
                matches!(replicas, Ok(Reply::Many(all)) if all.len() == 1 && of_replica(&all[0]));
            let info = ask(sentinel, &["INFO", "sentinel"]);
            knows_replica && info.is_ok_and(|reply| reply.text().contains("status=ok"))
        });
        watched
    }

    /// Behind a Sentinel that is not there, the one that is.
    fn url(&self, user: &str, query: &str) -> String {
        format!("redis+sentinel://{user}{},{}/{NAME}{query}", closed_port(), self.sentinel)
    }

    fn tell_sentinel(&self, command: &[&str]) {
        assert_eq!(ask(self.sentinel, command).unwrap().text(), "OK", "{command:?}");
    }

    /// Waits until the replica has everything.
    fn wait_until_replicated(&self) {
        let offset = |server: &Server, key: &str| {
            let text = server.ask(&["INFO", "replication"]).text();
            text.lines().find_map(|line| line.strip_prefix(key).map(str::to_owned)).unwrap()
        };
        wait_until("the replica has everything", || {
            let (here, there) = ("master_repl_offset:", "slave_repl_offset:");
            offset(&self.primary, here) == offset(&self.replica, there)
        });
    }

    /// Which of both says that it is a primary.
    fn are_primaries(&self) -> [bool; 2] {
        [&self.primary, &self.replica].map(|server| {
            let role = ask(server.address, &["ROLE"]);
            matches!(role, Ok(Reply::Many(role)) if role[0].text() == "master")
        })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn check_fail_over(what: &str, fail: impl FnOnce(&mut Watched)) {
    let (mut watched, upstream) = (Watched::start(), Upstream::start());
    let url = watched.url("", "");
    let gateways = [(); 2].map(|()| gateway(upstream.address, &url, "touch_interval = \"100ms\""));
    let [a, b] = &gateways;
    let (kept, ended) = (a.sign_in("ada"), b.sign_in("ada"));
    assert_eq!(sign_out(a, &ended).status, 204);
    for gateway in &gateways {
        assert_eq!((status(gateway, &kept), status(gateway, &ended)), (200, 401), "{what}");
    }
    watched.wait_until_replicated();
    let traffic = Traffic::start(&gateways, &kept);

    fail(&mut watched);
    // Sentinels make the new one a primary before the old one is none; what that is told then, is lost.
    wait_until("the replica is the primary", || watched.are_primaries() == [false, true]);
    let start = Instant::now();
    for gateway in &gateways {
        wait_until("it is served again", || {
            let of_ended = status(gateway, &ended);
            assert!([401, 503].contains(&of_ended), "{what}: it is back, {of_ended}");
            sign_in(gateway, "bob").status == 204 && status(gateway, &kept) == 200
        });
    }
    eprintln!("fail-over, {what}: sessions are served {:?} after the change", start.elapsed());
    traffic.stop_with_nobody_signed_out();
    for gateway in &gateways {
        assert_eq!((status(gateway, &kept), status(gateway, &ended)), (200, 401), "{what}");
    }
    // What is done now is done at the new primary, and counts everywhere.
    assert_eq!(sign_out(b, &kept).status, 204, "{what}");
    for gateway in &gateways {
        wait_until("it is signed out", || status(gateway, &kept) == 401);
    }
}

#[test]
fn sessions_outlive_the_death_of_the_primary() {
    check_fail_over("by death", |watched| watched.primary.kill());
}

#[test]
fn sessions_outlive_a_change_of_the_primary() {
    check_fail_over("planned", |watched| watched.tell_sentinel(&["SENTINEL", "FAILOVER", NAME]));
}

#[test]
fn sentinels_and_their_primary_each_have_credentials_of_their_own() {
    let (watched, upstream) = (Watched::start(), Upstream::start());
    // As in docs/redis.md.
    let rules = "on >of-redis ~igw:* resetchannels -@all +@connection +@read +@write +@scripting +time +client +role";
    let set_user = ["ACL", "SETUSER", "influx-gateway"].into_iter().chain(rules.split(' '));
    watched.primary.tell(&set_user.collect::<Vec<_>>());
    watched.tell_sentinel(&["ACL", "SETUSER", "asks", "on", ">of-sentinel", "+@all"]);
    watched.tell_sentinel(&["ACL", "SETUSER", "default", "off"]);
    let user = "influx-gateway:of-redis@";
    let query = "?sentinel_username=asks&sentinel_password=of-sentinel";
    let right = gateway(upstream.address, &watched.url(user, query), "");
    let session = right.sign_in("ada");
    assert_eq!(status(&right, &session), 200);
    let clients = watched.primary.ask(&["CLIENT", "LIST"]).text();
    assert!(clients.contains("user=influx-gateway"), "{clients}");
    for (user, query) in [(user, ""), ("influx-gateway:wrong@", query)] {
        let wrong = gateway(upstream.address, &watched.url(user, query), "");
        check_unknown(&sign_in(&wrong, "ada"));
        let told = ["NOAUTH", "WRONGPASS"];
        wait_until("it is told", || told.iter().any(|word| wrong.has_logged(word)));
        for secret in ["of-redis", "of-sentinel"] {
            assert!(!wrong.has_logged(secret));
        }
    }
}
