//! Sessions of providers that several gateways share, and those that one process takes over from another.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::json;

use super::browser::Browser;
use super::provider::{Provider, Says};
use super::{GRANTS, LOGIN, log_out, prepare, prepare_before, table, wait_for};
use crate::redis::server::Server;
use crate::support::*;

/// Two gateways that share a Redis, and ask about a session so often.
pub(super) fn two(
    provider: &Provider,
    upstream: &Upstream,
    redis: &Server,
    refresh: &str,
) -> [Gateway; 2] {
    sharing(provider, upstream.address, &redis.url(), refresh)
}

/// Gateways that share the Redis at `url`, and ask about a session so often. What they have at hand is so for longer than a
/// test waits.
pub(super) fn sharing<const COUNT: usize>(
    provider: &Provider,
    upstream: SocketAddr,
    url: &str,
    refresh: &str,
) -> [Gateway; COUNT] {
    let keys = format!("refresh = \"{refresh}\"");
    let store = format!(
        "[session]\nstore = \"{url}\"\nstore_timeout = \"10s\"\ntouch_interval = \"30s\"\n"
    );
    let tables = table("keycloak", provider, &keys) + GRANTS + &store;
    [(); COUNT].map(|()| {
        let gateway = Gateway::start_in(prepare_before(upstream, &tables));
        wait_for(&gateway, provider);
        gateway
    })
}

pub(super) fn ask(
    gateway: &Gateway,
    session: &str,
    request: fn(&str, &[&str]) -> String,
    path: &str,
) -> Answer {
    gateway.connect().send(&request(path, &[&cookie(session)]))
}

/// Somebody has signed in, long enough ago for the provider to be asked every millisecond.
pub(super) fn sign_in(gateway: &Gateway, provider: &Provider) -> String {
    let mut browser = Browser::new(gateway);
    browser.sign_in(provider, LOGIN);
    let begun = Instant::now();
    wait_until("it is due", || begun.elapsed() > Duration::from_millis(2));
    format!("influxdb-oss-session={}", browser.session())
}

pub(super) fn me(gateway: &Gateway, session: &str) -> u16 {
    ask(gateway, session, get, "/api/v2/me").status
}

#[test]
fn a_session_is_good_at_every_gateway_and_its_groups_are_those_of_now() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let [one, two] = &two(&provider, &upstream, &redis, "1ms");
    // Begun at one, ended at the other.
    let mut browser = Browser::new(one);
    let location = browser.get(LOGIN).header("location").unwrap().to_owned();
    let code = provider.authorize(&location);
    let jar = browser.jar.clone();
    let mut browser = Browser::new(two);
    browser.jar = jar;
    assert_eq!(browser.come_back(&location, &code, &provider.issuer).status, 303);
    let session = format!("influxdb-oss-session={}", browser.session());
    for gateway in [one, two, one] {
        assert_eq!(ask(gateway, &session, get, "/api/v2/buckets").text(), "eva-0815");
        assert_eq!(upstream.next().header("authorization"), Some("Token granted"));
        assert_eq!(ask(gateway, &session, post, "/api/v2/write").status, 200);
        upstream.next();
    }
    // However many gateways ask at once, a refresh token is used once.
    std::thread::scope(|scope| {
        for number in 0..20 {
            let session = &session;
            let gateway = if number % 2 == 0 { one } else { two };
            scope.spawn(move || assert_eq!(ask(gateway, session, get, "/api/v2/me").status, 200));
        }
    });
    provider.regroup(&[]);
    wait_until("it has ended", || ask(one, &session, get, "/api/v2/me").status == 401);
    assert_eq!(ask(two, &session, get, "/api/v2/me").status, 401);
}

#[test]
fn a_log_out_at_one_gateway_ends_sessions_at_the_others() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let [one, two] = &two(&provider, &upstream, &redis, "1h");
    let mut browser = Browser::new(one);
    browser.sign_in(&provider, LOGIN);
    let session = format!("influxdb-oss-session={}", browser.session());
    assert_eq!(ask(two, &session, get, "/api/v2/me").status, 200);
    assert_eq!(log_out(two, &provider.logout_token(json!({ "sid": "s-0815" }))).status, 200);
    wait_until("it has ended", || ask(one, &session, get, "/api/v2/me").status == 401);
    assert_eq!(ask(two, &session, get, "/api/v2/me").status, 401);
    // Nothing that could act for the user is in Redis as it is.
    let mut browser = Browser::new(one);
    browser.sign_in(&provider, LOGIN);
    let mut all = String::new();
    for key in redis.ask(&["KEYS", "igw:s:*"]).texts() {
        all += &redis.ask(&["HGETALL", &key]).texts().join("\n");
    }
    assert!(all.contains("keycloak") && all.contains("writers"), "{all}");
    for secret in ["refresh-secret", "0815\"", &browser.session()] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
}

#[test]
fn a_state_and_a_log_out_token_are_good_once_at_all_gateways_together() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let [one, two] = &two(&provider, &upstream, &redis, "1h");
    let mut browser = Browser::new(one);
    let location = browser.get(LOGIN).header("location").unwrap().to_owned();
    let begun = browser.jar.clone();
    let code = provider.authorize(&location);
    assert_eq!(browser.come_back(&location, &code, &provider.issuer).status, 303);
    let session = format!("influxdb-oss-session={}", browser.session());
    provider.asked("");
    let code = provider.authorize(&location);
    for gateway in [two, one] {
        let mut again = Browser::new(gateway);
        again.jar.clone_from(&begun);
        let answer = again.come_back(&location, &code, &provider.issuer);
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.text().contains("<code>oidc_state</code>"), "{answer:?}");
    }
    assert!(provider.asked("POST /token").is_empty());

    let token = provider.logout_token(json!({ "sub": "0815" }));
    assert_eq!(log_out(two, &token).status, 200);
    wait_until("it has ended", || ask(one, &session, get, "/api/v2/me").status == 401);
    let mut browser = Browser::new(one);
    browser.sign_in(&provider, LOGIN);
    let session = format!("influxdb-oss-session={}", browser.session());
    for gateway in [one, two] {
        assert_eq!(log_out(gateway, &token).status, 400);
        assert_eq!(ask(gateway, &session, get, "/api/v2/me").status, 200);
    }
}

#[test]
fn without_redis_no_state_and_no_log_out_token_counts_and_both_do_afterwards() {
    let (provider, upstream, mut redis) = (Provider::start(), Upstream::start(), Server::start());
    let store = format!("[session]\nstore = \"{}\"\nstore_timeout = \"500ms\"\n", redis.url());
    let gateway = Gateway::start_in(prepare(
        &upstream,
        &(table("keycloak", &provider, "") + GRANTS + &store),
    ));
    wait_for(&gateway, &provider);
    let mut browser = Browser::new(&gateway);
    let location = browser.get(LOGIN).header("location").unwrap().to_owned();
    let begun = browser.jar.clone();
    let (code, token) =
        (provider.authorize(&location), provider.logout_token(json!({ "sub": "0815" })));
    redis.kill();
    provider.asked("");
    assert_eq!(browser.come_back(&location, &code, &provider.issuer).status, 503);
    assert_eq!(log_out(&gateway, &token).status, 503);
    assert!(provider.asked("POST /token").is_empty());
    redis.start_again(&[]);
    let nobody = format!("influxdb-oss-session={}", "A".repeat(43));
    wait_until("Redis is back", || ask(&gateway, &nobody, get, "/api/v2/me").status == 401);
    // Neither has come, as nobody knows of it.
    browser.jar.clone_from(&begun);
    assert_eq!(browser.come_back(&location, &code, &provider.issuer).status, 303);
    assert_eq!(log_out(&gateway, &token).status, 200);
    assert_eq!(browser.get("/api/v2/me").status, 401);
}

#[test]
fn while_redis_knows_sessions_and_not_what_has_come_no_state_and_no_log_out_token_counts() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let [gateway, _] = &two(&provider, &upstream, &redis, "1h");
    let mut browser = Browser::new(gateway);
    browser.sign_in(&provider, LOGIN);
    let session = format!("influxdb-oss-session={}", browser.session());
    assert_eq!(log_out(gateway, &provider.logout_token(json!({ "sub": "nobody" }))).status, 200);
    let location = browser.get(LOGIN).header("location").unwrap().to_owned();
    let begun = browser.jar.clone();
    let (code, token) =
        (provider.authorize(&location), provider.logout_token(json!({ "sub": "0815" })));
    let kept = redis.ask(&["KEYS", "igw:once:*"]).texts();
    assert_eq!(kept.len(), 2, "of states, and of log-out tokens: {kept:?}");
    for key in &kept {
        redis.tell(&["SET", key, "what nobody can read"]);
    }
    provider.asked("");
    assert_eq!(browser.come_back(&location, &code, &provider.issuer).status, 503);
    assert!(provider.asked("POST /token").is_empty());
    assert_eq!(log_out(gateway, &token).status, 503);
    assert_eq!(ask(gateway, &session, get, "/api/v2/me").status, 200);
    for key in &kept {
        redis.ask(&["DEL", key]);
    }
    browser.jar.clone_from(&begun);
    assert_eq!(browser.come_back(&location, &code, &provider.issuer).status, 303);
    assert_eq!(log_out(gateway, &token).status, 200);
    assert_eq!(ask(gateway, &session, get, "/api/v2/me").status, 401);
}

/// A gateway that another process can take over from.
fn start_to_be_taken_over(provider: &Provider, upstream: &Upstream) -> Gateway {
    start_to_be_taken_over_with(provider, upstream, &users(&["ada"]))
}

/// The same, with this users file.
pub(super) fn start_to_be_taken_over_with(
    provider: &Provider,
    upstream: &Upstream,
    users: &str,
) -> Gateway {
    let keys = "refresh = \"1ms\"";
    let server = "[server]\ndrain_delay = \"0s\"\nupgrade_socket = \"upgrade.sock\"\n";
    let folder = prepare(upstream, &(table("keycloak", provider, keys) + GRANTS + server));
    std::fs::write(folder.path().join("users.toml"), users).unwrap();
    let file = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("127.0.0.1:0", &closed_port().to_string())).unwrap();
    let gateway = Gateway::start_in(folder);
    wait_for(&gateway, provider);
    gateway
}

/// Another process that has taken over from `old`.
fn take_over(old: &Gateway) -> Gateway {
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$0\" run --upgrade --config \"$1\""]);
    command.arg(program().get_program()).arg(old.folder().join("gateway.toml"));
    let new = Gateway::start_by(command, tempfile::tempdir().unwrap());
    wait_until("it has taken over", || old.has_logged("another process has taken over"));
    new
}

#[test]
fn sessions_of_providers_are_taken_over_with_what_is_kept_of_them() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let old = start_to_be_taken_over(&provider, &upstream);
    let mut browser = Browser::new(&old);
    browser.sign_in(&provider, LOGIN);
    let session = format!("influxdb-oss-session={}", browser.session());
    // Begun at the old one.
    let location = browser.get(LOGIN).header("location").unwrap().to_owned();
    let jar = browser.jar.clone();
    let new = take_over(&old);
    let (code, _) = old.wait();
    assert_eq!(code, Some(0));
    wait_for(&new, &provider);
    assert_eq!(ask(&new, &session, get, "/api/v2/buckets").text(), "eva-0815");
    assert_eq!(upstream.next().header("authorization"), Some("Token granted"));
    provider.regroup(&[]);
    wait_until("it has ended", || ask(&new, &session, get, "/api/v2/me").status == 401);
    let code = provider.authorize(&location);
    let mut browser = Browser::new(&new);
    browser.jar = jar;
    assert_eq!(browser.come_back(&location, &code, &provider.issuer).status, 303);
}

#[test]
fn a_session_lives_on_that_a_provider_is_asked_about_while_it_is_taken_over() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let old = start_to_be_taken_over(&provider, &upstream);
    let mut browser = Browser::new(&old);
    browser.sign_in(&provider, LOGIN);
    let session = format!("influxdb-oss-session={}", browser.session());
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    provider.say(Says::Behind(Arc::clone(&gate)));
    provider.asked("");
    let is_asked = AtomicBool::new(false);
    let new = std::thread::scope(|scope| {
        // The first of them may come before the provider is to be asked again.
        let waiting = scope.spawn(|| {
            let mut statuses = (0..1000).map(|_| ask(&old, &session, get, "/api/v2/me").status);
            statuses.find(|status| *status != 200 || is_asked.load(Ordering::SeqCst))
        });
        wait_until("the provider is asked", || !provider.asked("POST /token").is_empty());
        is_asked.store(true, Ordering::SeqCst);
        let new = take_over(&old);
        assert_eq!(ask(&new, &session, get, "/api/v2/me").status, 200);
        assert!(provider.asked("POST /token").is_empty(), "the old one asks");
        drop(closed);
        assert_eq!(waiting.join().unwrap(), Some(200));
        new
    });
    let (code, _) = old.wait();
    assert_eq!(code, Some(0));
    wait_for(&new, &provider);
    // By what the provider has given to the old one: what that had before is good for nothing any more.
    assert_eq!(ask(&new, &session, get, "/api/v2/me").status, 200);
    assert_eq!(provider.asked("POST /token").len(), 1);
}
