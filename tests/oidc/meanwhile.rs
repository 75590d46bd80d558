//! What happens at a provider while the gateway is busy with one of its users.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::browser::Browser;
use super::provider::{Minted, Provider};
use super::shared::two;
use super::{BACK_CHANNEL, LOGIN, start_asking, start_for, wait_for_the_end};
use crate::redis::server::Server;
use crate::support::*;

/// Has the provider log its user out at `gateway` when it has taken the code, before it answers.
fn log_out_meanwhile(provider: &Provider, gateway: SocketAddr, sid: Option<&str>, what: Value) {
    let sid = json!(sid);
    let token = provider.logout_token(what);
    let kind = "Content-Type: application/x-www-form-urlencoded";
    let form = with_body("POST", BACK_CHANNEL, &[kind], &format!("logout_token={token}"));
    provider.tamper(move |minted: &mut Minted| {
        minted.claims["sid"] = sid.clone();
        assert_eq!(Client::connect(gateway).send(&form).status, 200);
    });
}

/// The provider's user signs in at one of them, and is logged out at another in the meantime; later, the user does so again.
fn check(provider: &Provider, at: &Gateway, told: &Gateway) {
    for (sid, what) in [
        (Some("a"), json!({ "sub": "0815" })),
        (Some("a"), json!({ "sid": "a" })),
        (Some("a"), json!({ "sid": "a", "sub": "0815" })),
        (None, json!({ "sid": "a", "sub": "0815" })),
    ] {
        log_out_meanwhile(provider, told.address, sid, what.clone());
        let mut browser = Browser::new(at);
        let answer = browser.try_sign_in(provider, LOGIN);
        assert!(answer.status == 403, "{sid:?} {what}: {answer:?}");
        assert!(answer.text().contains("<code>oidc_denied</code>"), "{what}: {answer:?}");
        assert!(!browser.names().iter().any(|name| name == "influxdb-oss-session"), "{what}");
    }
    for (sid, what) in [
        (Some("b"), json!({ "sid": "a", "sub": "0815" })),
        (Some("b"), json!({ "sid": "c" })),
        (None, json!({ "sub": "4711" })),
    ] {
        log_out_meanwhile(provider, told.address, sid, what);
        let mut browser = Browser::new(at);
        browser.sign_in(provider, LOGIN);
        assert_eq!(browser.get("/api/v2/me").status, 200);
    }
    provider.tamper(|minted| minted.claims["sid"] = json!("a"));
    let mut browser = Browser::new(at);
    browser.sign_in(provider, LOGIN);
    assert_eq!(browser.get("/api/v2/me").status, 200);
}

#[test]
fn whoever_is_logged_out_while_signing_in_is_not_signed_in() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    check(&provider, &gateway, &gateway);
    let ended = gateway.audit().matches("\"revoked\"").count();
    assert_eq!(ended, 4, "{}", gateway.audit());
}

#[test]
fn whoever_is_logged_out_at_another_gateway_while_signing_in_is_not_signed_in() {
    let (provider, upstream, redis) = (Provider::start(), Upstream::start(), Server::start());
    let [one, other] = &two(&provider, &upstream, &redis, "1h");
    check(&provider, one, other);
}

#[test]
fn the_log_says_why_groups_cannot_be_read_any_more() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let many: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    for (groups, names, why) in [
        (
            Value::Null,
            json!({ "groups": "src1" }),
            "the provider leaves them out, as there are too many of them",
        ),
        (Value::Null, Value::Null, "there is no such claim"),
        (json!(many), Value::Null, "there are more of them than are looked at"),
    ] {
        provider.tamper(|_| {});
        let mut browser = Browser::new(&gateway);
        browser.sign_in(&provider, LOGIN);
        provider.tamper(move |minted| {
            minted.claims["groups"] = groups.clone();
            minted.claims["_claim_names"] = names.clone();
        });
        wait_for_the_end(&gateway, &browser);
        let told = format!("the groups of eva-0815, of keycloak, cannot be read: {why}");
        // The log is written in the background.
        wait_until("it is said", || gateway.has_logged(&told));
    }
    assert!(!gateway.has_logged("is in no group any more"), "{}", gateway.log());
}
