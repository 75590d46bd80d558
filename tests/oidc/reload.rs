//! Files that an `[[oidc]]` names, which change while the gateway serves.

use std::fs;

use super::browser::Browser;
use super::provider::{CLIENT, Provider, SECRET, parameter};
use super::{GROUP, LOGIN, start, start_asking, table};
use crate::support::*;

/// Puts `text` into the place of a file of the gateway's, whole.
pub(super) fn write(gateway: &Gateway, name: &str, text: &str) {
    let folder = gateway.folder();
    fs::write(folder.join("new"), text).unwrap();
    fs::rename(folder.join("new"), folder.join(name)).unwrap();
}

#[test]
fn another_secret_of_the_client_counts_without_a_restart() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let mut signed_in = Browser::new(&gateway);
    signed_in.sign_in(&provider, LOGIN);
    // Long, so that what sign-ins are sealed by follows from it; then short, so that it does not.
    for (number, secret) in
        [format!("{SECRET}-another"), "short".to_owned()].into_iter().enumerate()
    {
        let mut begun = Browser::new(&gateway);
        let location = begun.get(LOGIN).header("location").unwrap().to_owned();
        provider.change_secret(&secret);
        let refused = Browser::new(&gateway).try_sign_in(&provider, LOGIN);
        assert_eq!(refused.status, 503, "{refused:?}");
        assert_eq!(signed_in.get("/api/v2/me").status, 200, "it lives on for a while");
        write(&gateway, "oidc.secret", &secret);
        wait_until("it is read again", || {
            gateway.log().matches("the new secret of oidc keycloak is in use").count() == number + 1
        });
        provider.asked("");
        assert_eq!(signed_in.get("/api/v2/me").status, 200);
        assert_eq!(provider.asked("POST /token").len(), 1, "it is asked again at once");
        Browser::new(&gateway).sign_in(&provider, LOGIN);
        let code = provider.authorize(&location);
        let back = begun.come_back(&location, &code, &provider.issuer);
        assert_eq!(back.status, 303, "it was begun before: {back:?}");
    }
    write(&gateway, "oidc.secret", "\n");
    wait_until("it is refused", || gateway.has_logged("what was there before stays in use"));
    Browser::new(&gateway).sign_in(&provider, LOGIN);
    assert!(!gateway.log().contains(SECRET));
}

#[test]
fn a_provider_that_needs_a_restart_has_no_button_before_it() {
    let (provider, other, upstream) = (Provider::start(), Provider::start(), Upstream::start());
    let gateway = start(&upstream, &(table("keycloak", &provider, "") + GROUP), &[&provider]);
    let text = fs::read_to_string(gateway.folder().join("gateway.toml")).unwrap();
    write(&gateway, "gateway.toml", &(text + &table("other", &other, "")));
    wait_until("it is read again", || {
        gateway.has_logged("but for what needs a restart: [[oidc]]\n")
    });
    let page = Browser::new(&gateway).get("/gateway/").text();
    assert!(
        page.contains("/gateway/oidc/keycloak/login") && !page.contains("oidc/other"),
        "{page}"
    );
    assert_eq!(Browser::new(&gateway).get("/gateway/oidc/other/login").status, 404);
}

#[test]
fn how_often_a_provider_is_asked_and_what_it_is_called_needs_no_restart() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    let text = fs::read_to_string(gateway.folder().join("gateway.toml")).unwrap();
    let changed = text
        .replace("refresh = \"1ms\"", "refresh = \"off\"\nscopes = [\"openid\", \"groups\"]")
        .replace("Example Corp", "Another Name");
    write(&gateway, "gateway.toml", &changed);
    wait_until("it is read again", || gateway.has_logged("gateway.toml: read again and in force"));
    assert!(!gateway.log().contains("needs a restart"), "{}", gateway.log());
    provider.asked("");
    assert_eq!(browser.get("/api/v2/me").status, 200);
    assert!(provider.asked("POST /token").is_empty(), "it is not asked any more");
    let mut other = Browser::new(&gateway);
    assert!(other.get("/gateway/").text().contains("Another Name"));
    let location = other.get(LOGIN).header("location").unwrap().to_owned();
    assert_eq!(parameter(&location, "scope"), "openid groups");
    // The session from before, too, lives no longer than that.
    write(
        &gateway,
        "gateway.toml",
        &changed.replace("refresh = ", "lifetime = \"1ms\"\nrefresh = "),
    );
    let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
    let is_over = || gateway.connect().send(&get("/api/v2/me", &[&line])).status == 401;
    wait_until("its life is over", is_over);
    // What it is known by is another matter, and hides none of the others.
    let known_otherwise = changed.replace("client_id = \"", "client_id = \"x-");
    write(&gateway, "gateway.toml", &known_otherwise.replace("Another Name", "A Third Name"));
    wait_until("it is told", || {
        gateway.has_logged("but for what needs a restart: oidc.client_id\n")
    });
    assert!(other.get("/gateway/").text().contains("A Third Name"));
    let location = other.get(LOGIN).header("location").unwrap().to_owned();
    assert_eq!(parameter(&location, "client_id"), CLIENT);
}
