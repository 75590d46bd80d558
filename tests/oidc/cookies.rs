//! The gateway's own cookies stay at the edge, whichever it has set, and wherever a request goes.

use super::browser::Browser;
use super::provider::Provider;
use super::{GRANTS, LOGIN, start, table};
use crate::support::*;

/// Whatever the gateway has set comes along with `requests`, and goes no further.
fn assert_kept_back(redirect: &str) {
    let provider = Provider::start();
    let upstream = Upstream::behaving(|_, stream| {
        let cookies = "Set-Cookie: theme=dark\r\nSet-Cookie: influx-gateway-signed-in=0\r\n\
                       Set-Cookie: influx-oidc-0123abcd=x\r\nSet-Cookie: __Host-influx-oidc-0123abcd=x\r\n";
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{cookies}\r\n");
        std::io::Write::write_all(stream, head.as_bytes()).is_ok()
    });
    let tables = table("keycloak", &provider, redirect) + GRANTS + "[forward]\nui = true\n";
    let gateway = start(&upstream, &tables, &[&provider]);
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    // Two more are under way.
    browser.get(LOGIN);
    browser.get(LOGIN);
    let names = browser.names();
    assert!(names.iter().any(|name| name == "influx-gateway-signed-in"), "{names:?}");
    assert_eq!(names.iter().filter(|name| name.contains("influx-oidc-")).count(), 2, "{names:?}");
    browser.jar.insert(1, ("theme".to_owned(), "light".to_owned()));
    for request in [
        get("/api/v2/buckets", &[]),
        post("/api/v2/write", &[]),
        get("/api/v2/buckets", &["Authorization: Token of-influxdb"]),
        get("/health", &[]),
        get("/orgs", &["Accept: text/html"]),
        get("/assets/x.js", &[]),
    ] {
        let answer = browser.send(&request);
        assert_eq!(answer.status, 200, "{request}");
        assert_eq!(upstream.next().all("cookie"), ["theme=light"], "{request}");
        assert_eq!(answer.all("set-cookie"), ["theme=dark"], "{request}");
        browser.jar.iter_mut().filter(|(name, _)| name == "theme").for_each(|(_, value)| {
            "light".clone_into(value);
        });
    }
}

#[test]
fn no_cookie_that_the_gateway_sets_goes_upstream() {
    assert_kept_back("");
}

#[test]
fn over_tls_no_cookie_that_the_gateway_sets_goes_upstream() {
    assert_kept_back("redirect = \"https://gateway.test/gateway/oidc/keycloak/callback\"");
}
