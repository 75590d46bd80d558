//! Signing in by providers in a real browser, for which cookies of other sites are another matter than for a script.

use std::io::Write;
use std::net::TcpListener;

use super::over_tls::Front;
use super::provider::Provider;
use super::{GRANTS, prepare, table, wait_for};
use crate::programs::javascript;
use crate::secure::Authority;
use crate::support::*;

/// As InfluxDB's UI: one page for all paths, which asks who is there.
const UI: &str = "<!doctype html><title>UI</title><p id=ui></p><script>fetch('/api/v2/me').then(async it => {\
    document.getElementById('ui').textContent = it.ok ? (await it.json()).name : it.status })</script>";

fn influxdb() -> Upstream {
    Upstream::behaving(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n";
        write!(stream, "{head}Content-Length: {}\r\n\r\n{UI}", UI.len()).is_ok()
    })
}

/// What the script tells of a gateway whose provider has these keys.
fn seen(keys: &str, what: &str) -> String {
    let (provider, upstream, port) = (Provider::start(), influxdb(), closed_port());
    // For browsers this is another site than the provider's.
    let here = format!("http://localhost:{}", port.port());
    let keys = format!("redirect = \"{here}/gateway/oidc/keycloak/callback\"\n{keys}");
    let tables = table("keycloak", &provider, &keys) + GRANTS + "[forward]\nui = true\n";
    let folder = prepare(&upstream, &tables);
    let file = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("127.0.0.1:0", &port.to_string())).unwrap();
    let gateway = Gateway::start_in(folder);
    wait_for(&gateway, &provider);
    script(what, &here, provider.issuer.strip_suffix("/realm").unwrap())
}

/// What the script tells of a gateway and a provider at these addresses.
fn script(what: &str, gateway: &str, provider: &str) -> String {
    let output = javascript("page_providers.mjs")
        .arg(what)
        .env("GATEWAY_URL", gateway)
        .env("PROVIDER_URL", provider)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn a_browser_signs_in_by_the_button_and_is_led_in_no_circle() {
    let wanted = "\
without a session: / | /gateway/?return_to=/ | Sign in
button: /gateway/oidc/keycloak/login?return_to=/ | provider/authorize | /gateway/oidc/keycloak/callback | / | eva-0815
reload: / | eva-0815
signin: /signin | /gateway/?return_to=/ | Your sessions
open: / | eva-0815
after the end: / | 401
reload: /signin?returnTo=/orgs/1 | /gateway/?return_to=/orgs/1 | Sign in
button: /gateway/oidc/keycloak/login?return_to=/orgs/1 | provider/authorize | /gateway/oidc/keycloak/callback | /orgs/1 | eva-0815
sign out: /gateway/ | You are signed out.
without a session: / | /gateway/?return_to=/ | Sign in
unexpected: nothing";
    let told = seen("", "button");
    assert_eq!(told, wanted, "{told}");
}

/// The provider and the gateway have certificates, and are two sites.
#[test]
fn over_tls_a_browser_signs_in_with_cookies_for_tls_and_this_host_alone() {
    let (authority, listener) = (Authority::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let front = Front::start(listener.local_addr().unwrap(), &authority.pair("127.0.0.1"));
    let at = format!("https://{}", front.address);
    let provider = Provider::known_at(listener, &at);
    let (upstream, port) = (influxdb(), closed_port());
    let here = format!("https://localhost:{}", port.port());
    let keys = format!(
        "redirect = \"{here}/gateway/oidc/keycloak/callback\"\nca_file = \"ca.crt\"\nsign_out = \"provider\""
    );
    let tables = table("keycloak", &provider, &keys) + GRANTS + "[forward]\nui = true\n";
    let https = format!(
        "[[listen.https]]\naddress = \"{port}\"\ncertificate = \"gateway.crt\"\nkey = \"gateway.key\"\n"
    );
    let folder = prepare(&upstream, &(tables + &https));
    authority.pair("localhost").write(folder.path(), "gateway");
    std::fs::write(folder.path().join("ca.crt"), authority.certificate()).unwrap();
    let gateway = Gateway::start_in(folder);
    wait_for(&gateway, &provider);
    let told = script("secure", &here, &at);
    let wanted = "\
without a session: / | /gateway/?return_to=/ | Sign in
button: /gateway/oidc/keycloak/login?return_to=/ | provider/authorize | /gateway/oidc/keycloak/callback | / | eva-0815
begun: __Host-influx-oidc-…; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax
brought back: __Host-influx-oidc-…
cookies: influx-gateway-signed-in Secure HttpOnly SameSite=Lax Path=/ | influxdb-oss-session Secure HttpOnly SameSite=Strict Path=/api/
page: /gateway/ | Your sessions
sign out: provider/logout | /gateway/ | Sign in
cookies: influx-gateway-signed-in Secure HttpOnly SameSite=Lax Path=/
unexpected: nothing";
    assert_eq!(told, wanted, "{told}");
}

#[test]
fn a_browser_goes_straight_to_an_only_provider_and_signs_out_of_it_too() {
    let wanted = "\
straight: / | /gateway/?return_to=/ | /gateway/oidc/keycloak/login?return_to=/ | provider/authorize | /gateway/oidc/keycloak/callback | / | eva-0815
page: /gateway/ | Your sessions
sign out: provider/logout | /gateway/ | Sign in
again: /gateway/ | Sign in
unexpected: nothing";
    let told = seen("auto = true\nsign_out = \"provider\"\n", "straight");
    assert_eq!(told, wanted, "{told}");
}
