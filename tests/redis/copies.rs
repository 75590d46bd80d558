use std::fmt::Write as _;
use std::fs;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use super::server::Server;
use super::stage::*;
use crate::support::*;

/// The password of Redis.
const SECRET: &str = "opensesame42";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Everything that Redis has, as it is written to disk.
pub(crate) fn copy(redis: &Server) -> Vec<u8> {
    redis.tell(&["SAVE"]);
    fs::read(redis.folder().join("dump.rdb")).unwrap()
}

pub(crate) fn contains(copy: &[u8], part: &[u8]) -> bool {
    copy.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_copy_of_redis_has_no_cookie_no_token_and_no_password() {
    let redis = Server::start_with(&["--rdbcompression", "no"]);
    let url = redis.url();
    let stage = Stage::before(redis, &url, "");
    for n in 0..4 {
        let (here, there) = (&stage.gateways[n % 2], &stage.gateways[1 - n % 2]);
        let session = here.sign_in(["ada", "bob"][n / 2]);
        assert_eq!(status(there, &session), 200);
        let (name, text) = session.split_once('=').unwrap();
        let token = URL_SAFE_NO_PAD.decode(text).unwrap();
        let id = Sha256::digest(&token);
        let copy = copy(&stage.redis);
        let has = |part: &[u8]| contains(&copy, part);
        assert!(has(hex(&id).as_bytes()), "what is kept is found");
        assert!(!has(text.as_bytes()) && !has(&token), "the token");
        assert!(!has(hex(&token).as_bytes()) && !has(STANDARD.encode(&token).as_bytes()));
        // Parts of it too.
        assert!(!has(&text.as_bytes()[..12]) && !has(&token[..8]) && !has(&token[24..]));
        // What is kept is no cookie.
        for value in [hex(&id), URL_SAFE_NO_PAD.encode(id), STANDARD.encode(id)] {
            assert_eq!(status(here, &format!("{name}={value}")), 401);
        }
    }
    let copy = copy(&stage.redis);
    for secret in [PASSWORD, "argon2id", "Bmkr88hNGBKV1GCvz0rQt2LFIpic3FWJ5"] {
        assert!(!contains(&copy, secret.as_bytes()), "{secret}");
    }
}

/// What `check` says of a store at `url`, and whether it is content.
fn check(url: &str) -> (bool, String) {
    let folder = Gateway::prepare("http://127.0.0.1:9", &config(url, ""), &users(&["ada"]));
    let mut command = program();
    command.arg("check").arg("--config").arg(folder.path().join("gateway.toml"));
    let output = output_of(command.env("RUST_LOG", "trace"), "");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn the_password_of_redis_is_never_said() {
    let mut redis = Server::start_with(&["--requirepass", SECRET]);
    let ask = |redis: &Server, command: &[&str]| {
        let url = format!("redis://:{SECRET}@{}", redis.address);
        assert!(check(&url).0, "{}", check(&url).1);
        let gateway = gateway(closed_port(), &url, "");
        let session = gateway.sign_in("ada");
        assert_eq!(status(&gateway, &session), 200, "{command:?}");
        (gateway, session)
    };
    let (gateway, session) = ask(&redis, &[]);
    redis.kill();
    wait_until("it is missed", || status(&gateway, &session) == 503);
    redis.start_again(&["--requirepass", "another"]);
    check_unknown(&visit(&gateway, &session));
    let all = gateway.log() + &gateway.audit();
    assert!(!all.contains(SECRET) && !all.contains("another"), "it is in the log");
    let log = gateway.stop();
    assert!(!log.contains(SECRET), "it is in the log");
}

#[test]
fn nor_where_the_url_is_wrong() {
    let wrong = [
        "redis://:SECRET@127.0.0.1:99999",
        "redis://:SECRET@127.0.0.1:6379/x",
        "redis://user:SECRET@",
        "redis://user:SECRET@127.0.0.1:x",
        "redis://user:SECRET@[::1",
        "redis:///SECRET@",
        "http://user:SECRET@127.0.0.1",
        "redis://user:SECRET@127.0.0.1:6379/0?protocol=x",
        "SECRET",
    ];
    for url in wrong {
        let (is_good, text) = check(&url.replace("SECRET", SECRET));
        assert!(!is_good, "{url}: {text}");
        assert!(text.contains("session.store"), "{url}: {text}");
        assert!(!text.contains(SECRET), "{url}: {text}");
    }
}

#[test]
fn a_user_of_redis_needs_the_prefix_only() {
    let redis = Server::start();
    // As the documentation says.
    let text = fs::read_to_string(repository().join("docs/redis.md")).unwrap();
    let command = text.lines().find(|line| line.contains("ACL SETUSER")).unwrap();
    let command = command.replace("PASSWORD", SECRET);
    redis.tell(&command.split_whitespace().collect::<Vec<_>>());
    let url = format!("redis://influx-gateway:{SECRET}@{}", redis.address);
    let stage = Stage::before(redis, &url, "");
    let [a, b] = &stage.gateways;
    let guess = post("/api/v2/signin", &[&basic("ada", "wrong horse")]);
    assert_eq!(b.connect().send(&guess).status, 401);
    let session = a.sign_in("ada");
    assert_eq!((status(b, &session), sign_out(b, &session).status), (200, 204));
    wait_until("it is known here too", || status(a, &session) == 401);
    // Nothing is outside of it.
    let keys = stage.redis.ask(&["KEYS", "*"]).texts();
    assert!(keys.iter().all(|key| key.starts_with("igw:")), "{keys:?}");
}

#[test]
fn two_prefixes_are_two_worlds() {
    let (redis, upstream) = (Server::start(), Upstream::start());
    let [a, b] = ["one:", "two:"].map(|prefix| {
        let keys = format!("store_prefix = \"{prefix}\"");
        gateway(upstream.address, &redis.url(), &keys)
    });
    let (of_a, of_b) = (a.sign_in("ada"), b.sign_in("ada"));
    assert_eq!((status(&a, &of_a), status(&b, &of_b)), (200, 200));
    assert_eq!((status(&a, &of_b), status(&b, &of_a)), (401, 401));
}
