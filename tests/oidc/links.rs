//! Users of the users file who come by a provider, and what becomes of their sessions when the file says so no more.

use std::fs;
use std::process::Command;

use serde_json::json;

use super::browser::Browser;
use super::provider::Provider;
use super::shared::start_to_be_taken_over_with;
use super::{GROUP, LOGIN, prepare, start_asking, table, wait_for, wait_for_the_end};
use crate::redis::server::Server;
use crate::support::*;

/// A users file whose `lin` is whom the provider calls so.
fn linked(subject: &str) -> String {
    let user = format!("[[user]]\nname = \"lin\"\noidc = \"keycloak:{subject}\"\n");
    users(&["ada"]) + &user
}

fn status(gateway: &Gateway, browser: &Browser<'_>) -> u16 {
    let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
    gateway.connect().send(&get("/api/v2/me", &[&line])).status
}

#[test]
fn name_and_link_are_enough_for_a_user_of_the_file() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let folder = prepare(&upstream, &table("keycloak", &provider, ""));
    let text = "[[user]]\nname = \"ada\"\noidc = \"keycloak:0815\"\ntoken_file = \"ada.token\"\n";
    fs::write(folder.path().join("users.toml"), text).unwrap();
    fs::write(folder.path().join("ada.token"), "adas-own").unwrap();
    let gateway = Gateway::start_in(folder);
    wait_for(&gateway, &provider);
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    // printf 'keycloak\0%s' 0815 | sha256sum | cut -c1-16
    let me = browser.get("/api/v2/me").json();
    assert_eq!((&me["name"], &me["id"]), (&json!("ada"), &json!("e50a97ec47c4f540")));
    assert_eq!(browser.get("/api/v2/buckets").text(), "ada");
    assert_eq!(upstream.next().header("authorization"), Some("Token adas-own"));
    let config = gateway.folder().join("gateway.toml");
    let list = String::from_utf8(
        output_of(program().args(["user", "list", "--config"]).arg(config), "").stdout,
    )
    .unwrap();
    assert!(list.contains("ada   e50a97ec47c4f540  active    own"), "{list:?}");
    // Nobody has no password, and it is not the empty one.
    for password in ["", PASSWORD] {
        let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", password)]));
        assert_eq!(answer.status, 401);
    }
}

#[test]
fn who_is_linked_and_has_no_id_changes_a_password() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let folder = prepare(&upstream, &table("keycloak", &provider, ""));
    let text = users(&["ada"]);
    let id = text.lines().find(|line| line.starts_with("id = ")).unwrap();
    let text = text.replace(id, "oidc = \"keycloak:0815\"");
    fs::write(folder.path().join("users.toml"), text).unwrap();
    let gateway = Gateway::start_in(folder);
    let session = gateway.sign_in("ada");
    let headers = [cookie(&session), basic("ada", PASSWORD)];
    let body = "{\"password\":\"battery staple\"}";
    let change = with_body("PUT", "/api/v2/me/password", &[&headers[0], &headers[1]], body);
    assert_eq!(gateway.connect().send(&change).status, 204);
    let sign_in = post("/api/v2/signin", &[&basic("ada", "battery staple")]);
    assert_eq!(gateway.connect().send(&sign_in).status, 204);
}

#[test]
fn a_link_that_changed_while_no_gateway_ran_ends_sessions() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let store = format!("[session]\nstore = \"{}\"\n", redis.url());
    let start = |text: &str| {
        let folder = prepare(&upstream, &(table("keycloak", &provider, "") + GROUP + &store));
        fs::write(folder.path().join("users.toml"), text).unwrap();
        let gateway = Gateway::start_in(folder);
        wait_for(&gateway, &provider);
        gateway
    };
    let of_grant = users(&["ada"]);
    for (number, (before, after, expected)) in [
        (linked("0815"), linked("0815"), 200),
        (linked("0815"), linked("4711"), 401),
        (linked("0815"), linked("4711").replace("keycloak:", "other:"), 401),
        (linked("0815"), users(&["ada"]), 401),
        // Of nobody in the file, until somebody there is called so.
        (of_grant.clone(), of_grant.clone(), 200),
        (of_grant, users(&["ada", "EVA-0815"]), 401),
    ]
    .into_iter()
    .enumerate()
    {
        let gateway = start(&before);
        let mut browser = Browser::new(&gateway);
        browser.sign_in(&provider, LOGIN);
        assert_eq!(browser.get("/api/v2/me").status, 200);
        let other = start(&after);
        assert_eq!(status(&other, &browser), expected, "{number}: {after}");
    }
}

#[test]
fn a_link_that_has_changed_at_a_takeover_ends_sessions() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    for (after, expected) in [(linked("0815"), 200), (linked("4711"), 401), (users(&["ada"]), 401)]
    {
        let old = start_to_be_taken_over_with(&provider, &upstream, &linked("0815"));
        let mut browser = Browser::new(&old);
        browser.sign_in(&provider, LOGIN);
        assert_eq!(browser.get("/api/v2/me").status, 200);
        // Another file, or the old process would find out by itself.
        let config = fs::read_to_string(old.folder().join("gateway.toml")).unwrap();
        let config = config + "\n[users]\nfile = \"others.toml\"\n";
        fs::write(old.folder().join("others.toml"), after).unwrap();
        fs::write(old.folder().join("other.toml"), config).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" run --upgrade --config \"$1\""]);
        command.arg(program().get_program()).arg(old.folder().join("other.toml"));
        let new = Gateway::start_by(command, tempfile::tempdir().unwrap());
        wait_until("it is taken over", || old.has_logged("another process has taken over"));
        let session = browser.session();
        assert_eq!(old.wait().0, Some(0));
        let line = cookie(&format!("influxdb-oss-session={session}"));
        let answer = new.connect().send(&get("/api/v2/me", &[&line]));
        assert_eq!(answer.status, expected, "{answer:?}");
    }
}

#[test]
fn a_session_ends_when_somebody_in_the_file_is_called_like_its_user() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    assert_eq!(browser.get("/api/v2/me").status, 200);
    fs::write(gateway.folder().join("users.toml"), users(&["ada", "Eva-0815"])).unwrap();
    gateway.signal("HUP");
    wait_for_the_end(&gateway, &browser);
}
