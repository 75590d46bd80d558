//! Signing in by providers: what honest ones bring, and that hostile ones bring nothing.

mod bounds;
mod browser;
mod chromium;
mod cookies;
mod elsewhere;
mod life;
mod links;
mod meanwhile;
mod names;
mod over_tls;
mod provider;
mod real;
mod refresh;
mod reload;
mod rules;
mod shared;
mod trouble;

use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};

use crate::jwt::signing::{self, Signer, with_secret};
use crate::support::*;
use browser::Browser;
use provider::{CLIENT, Provider, SECRET, Says, now, parameter};

const GROUP: &str =
    "[[grant]]\ngroup = \"writers\"\naccess = \"write\"\ntoken_file = \"writers.token\"\n";
const GRANTS: &str = "[[grant]]\ngroup = \"writers\"\naccess = \"write\"\ntoken_file = \"writers.token\"\n\
                      [[grant]]\nuser = \"eva-rita\"\n";

/// The table of a provider with further keys.
fn table(id: &str, provider: &Provider, keys: &str) -> String {
    let issuer = &provider.issuer;
    let keys = if keys.contains("redirect = ") {
        keys.to_owned()
    } else {
        format!("redirect = \"http://127.0.0.1/gateway/oidc/{id}/callback\"\n{keys}")
    };
    format!(
        "[[oidc]]\nid = \"{id}\"\nname = \"Example Corp\"\nissuer = \"{issuer}\"\nclient_id = \"{CLIENT}\"\n\
         client_secret_file = \"oidc.secret\"\n{keys}\n"
    )
}

fn prepare(upstream: &Upstream, tables: &str) -> tempfile::TempDir {
    prepare_before(upstream.address, tables)
}

fn prepare_before(upstream: SocketAddr, tables: &str) -> tempfile::TempDir {
    let config = format!("token_file = \"shared.token\"\n{tables}");
    let folder = Gateway::prepare(&format!("http://{upstream}"), &config, &users(&["ada"]));
    for (name, text) in
        [("writers.token", "granted"), ("shared.token", "shared"), ("oidc.secret", SECRET)]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn start(upstream: &Upstream, tables: &str, providers: &[&Provider]) -> Gateway {
    let gateway = Gateway::start_in(prepare(upstream, tables));
    for provider in providers {
        wait_for(&gateway, provider);
    }
    gateway
}

fn wait_for(gateway: &Gateway, provider: &Provider) {
    let told = format!("oidc: 1 keys of {} are in use", provider.issuer);
    wait_until("the provider is known", || gateway.has_logged(&told));
    provider.asked("");
}

/// With one provider, called `keycloak`.
fn start_for(provider: &Provider, upstream: &Upstream, keys: &str) -> Gateway {
    start(upstream, &(table("keycloak", provider, keys) + GRANTS), &[provider])
}

const LOGIN: &str = "/gateway/oidc/keycloak/login";

/// The last line of the audit trail, of which there are so many.
fn last_audited(gateway: &Gateway, count: usize) -> Value {
    gateway.audited(count).pop().unwrap()
}

#[test]
fn somebody_signs_in_and_gets_what_is_granted() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    let sent = browser.get(&format!("{LOGIN}?return_to=/some/page%3Fa%3D1"));
    assert_eq!(sent.status, 303);
    let location = sent.header("location").unwrap();
    assert!(
        location.starts_with(&format!(
            "http://{}/authorize?response_type=code&",
            provider.server.address
        ))
    );
    assert_eq!(parameter(location, "scope"), "openid profile email");
    assert_eq!(
        parameter(location, "redirect_uri"),
        "http://127.0.0.1/gateway/oidc/keycloak/callback"
    );
    for name in ["state", "nonce", "code_challenge"] {
        assert_eq!(parameter(location, name).len(), 43, "{name}");
    }
    let line = sent.header("set-cookie").unwrap();
    assert!(
        line.starts_with("influx-oidc-")
            && line.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"),
        "{line}"
    );
    let code = provider.authorize(location);
    let back = browser.come_back(location, &code, &provider.issuer);
    assert_eq!((back.status, back.header("location")), (303, Some("/some/page?a=1")), "{back:?}");
    assert_eq!(back.header("cache-control"), Some("no-store"));
    assert_eq!(back.header("referrer-policy"), Some("no-referrer"));
    // The cookie of the sign-in is gone, that of the session is there.
    let session = browser.session();
    assert!(browser.names().iter().all(|name| !name.contains("oidc")), "{:?}", browser.names());
    let strict = back.all("set-cookie").into_iter().find(|set| set.contains(&session)).unwrap();
    assert!(strict.ends_with("; Path=/api/; HttpOnly; SameSite=Strict"), "{strict}");
    let me = browser.get("/api/v2/me").json();
    assert_eq!((&me["name"], &me["status"]), (&json!("eva-0815"), &json!("active")));
    assert_eq!(browser.get("/api/v2/buckets").text(), "eva-0815");
    let seen = upstream.next();
    assert_eq!(seen.header("authorization"), Some("Token granted"));
    assert!(!seen.head.contains(&session));
    assert_eq!(browser.send(&post("/api/v2/write", &[])).status, 200);
    upstream.next();
    // access = "write"
    assert_eq!(browser.send(&post("/api/v2/buckets", &[])).status, 403);
    let line = last_audited(&gateway, 1);
    let told = ["event", "provider", "user", "client"].map(|name| line[name].as_str().unwrap());
    assert_eq!(told, ["signed_in", "keycloak", "eva-0815", "127.0.0.1"]);
    assert_eq!(browser.send(&post("/api/v2/signout", &[])).status, 204);
    assert_eq!(browser.get("/api/v2/me").status, 401);
    let log = gateway.stop();
    assert!(log.contains("user=eva-0815 session="), "{log}");
    for secret in
        [&*code, &parameter(location, "state"), &session, "refresh-secret", "access-secret", SECRET]
    {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[test]
fn operators_are_told_of_a_provider_by_its_id() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let tables = table("keycloak", &provider, "") + "[admin]\nlisten = \"127.0.0.1:0\"\n";
    let gateway = start(&upstream, &tables, &[&provider]);
    let admin = gateway.next_admin().parse().unwrap();
    let ask = |target: &str| {
        let request = get(target, &[]).replace("gateway.test", "127.0.0.1");
        Client::connect(admin).send(&request)
    };
    let told = &ask("/status").json()["providers"][0];
    assert_eq!((&told["table"], &told["id"]), (&json!("oidc"), &json!("keycloak")));
    assert_eq!((&told["issuer"], &told["discovered"]), (&json!(provider.issuer), &json!(true)));
    assert_eq!((&told["keys"], &told["reason"]), (&json!(1), &Value::Null));
    let metrics = ask("/metrics").text();
    let up =
        format!("influx_gateway_provider_up{{table=\"oidc\",issuer=\"{}\"}} 1\n", provider.issuer);
    assert!(metrics.contains(&up), "{metrics}");
}

#[test]
fn the_page_knows_providers_and_nobody_needs_a_password() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let tables = table("keycloak", &provider, "auto = true\nsign_out = \"provider\"")
        + GRANTS
        + "[users]\nsource = \"none\"\n";
    let folder = prepare(&upstream, &tables);
    std::fs::remove_file(folder.path().join("users.toml")).unwrap();
    let gateway = Gateway::start_in(folder);
    wait_for(&gateway, &provider);
    let options = gateway.connect().send(&get("/gateway/options", &[])).json();
    assert_eq!(
        options,
        json!({ "title": "InfluxDB", "password": false, "providers": [
            { "id": "keycloak", "name": "Example Corp", "auto": true, "sign_out": "provider" }
        ] })
    );
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    assert_eq!(answer.status, 401);
    assert_eq!(last_audited(&gateway, 1)["reason"], "unknown_user");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    assert_eq!(browser.get("/api/v2/me").json()["name"], "eva-0815");
    let password = with_body("PUT", "/api/v2/me/password", &[], "{\"password\":\"12345678\"}");
    assert_eq!(browser.send(&password).status, 403);
}

#[test]
fn a_callback_without_a_state_of_this_browser_is_refused_and_no_code_is_exchanged() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let mut attacker = Browser::new(&gateway);
    let location = attacker.get(LOGIN).header("location").unwrap().to_owned();
    let code = provider.authorize(&location);
    let state = parameter(&location, "state");
    let iss = &provider.issuer;
    let callback = |state: &str| {
        format!("/gateway/oidc/keycloak/callback?code={code}&iss={iss}&state={state}")
    };
    let mut lines = 0;
    let mut refused = |browser: &mut Browser<'_>, target: &str| {
        let answer = browser.get(target);
        lines += 1;
        assert_eq!(answer.status, 400, "{target}");
        assert!(answer.text().contains("<code>oidc_state</code>"), "{answer:?}");
        assert!(!browser.names().iter().any(|name| name == "influxdb-oss-session"));
        let line = last_audited(&gateway, lines);
        assert_eq!(
            (&line["event"], &line["reason"], &line["provider"]),
            (&json!("refused"), &json!("oidc_state"), &json!("keycloak"))
        );
        assert!(provider.asked("POST /token").is_empty());
    };
    // The victim's browser, which has not begun it: with the attacker's code, and with none of what belongs to it.
    let mut victim = Browser::new(&gateway);
    for target in [
        callback(&state),
        callback(""),
        callback("x"),
        callback(&"A".repeat(43)),
        "/gateway/oidc/keycloak/callback".to_owned(),
        format!("/gateway/oidc/keycloak/callback?code={code}"),
    ] {
        refused(&mut victim, &target);
    }
    // It has begun another one.
    let own = victim.get(LOGIN).header("location").unwrap().to_owned();
    refused(&mut victim, &callback(&state));
    // A cookie of the right name with what another sign-in was begun with.
    let [(name, _)] = &attacker.jar[..] else { panic!("{:?}", attacker.jar) };
    victim.jar.push((name.clone(), victim.jar[0].1.clone()));
    refused(&mut victim, &callback(&state));
    assert_ne!(own, location);
}

#[test]
fn over_tls_no_cookie_counts_that_a_sibling_domain_has_set() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let keys = "redirect = \"https://gateway.test/gateway/oidc/keycloak/callback\"";
    let gateway = start_for(&provider, &upstream, keys);
    let mut browser = Browser::new(&gateway);
    let sent = browser.get(LOGIN);
    let line = sent.header("set-cookie").unwrap();
    assert!(line.starts_with("__Host-influx-oidc-"), "{line}");
    assert!(line.ends_with("; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"), "{line}");
    let location = sent.header("location").unwrap();
    let code = provider.authorize(location);
    // What the attacker has begun, under the one name that a sibling domain can set.
    let (name, value) = browser.jar[0].clone();
    let mut victim = Browser::new(&gateway);
    victim.jar.push((name.replace("__Host-", ""), value));
    assert_eq!(victim.come_back(location, &code, &provider.issuer).status, 400);
    assert!(provider.asked("POST /token").is_empty());
    assert_eq!(browser.come_back(location, &code, &provider.issuer).status, 303);
}

#[test]
fn a_state_is_good_once() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    let location = browser.get(LOGIN).header("location").unwrap().to_owned();
    let cookies = browser.jar.clone();
    let code = provider.authorize(&location);
    assert_eq!(browser.come_back(&location, &code, &provider.issuer).status, 303);
    browser.jar = cookies;
    provider.asked("");
    let again = provider.authorize(&location);
    assert_eq!(browser.come_back(&location, &again, &provider.issuer).status, 400);
    assert!(provider.asked("POST /token").is_empty());
}

#[test]
fn a_code_of_one_provider_is_nothing_at_another() {
    let [honest, evil] = [Provider::start(), Provider::start()];
    let upstream = Upstream::start();
    let tables = table("keycloak", &honest, "") + &table("evil", &evil, "") + GROUP;
    let gateway = start(&upstream, &tables, &[&honest, &evil]);
    let mut browser = Browser::new(&gateway);
    let location = browser.get(LOGIN).header("location").unwrap().to_owned();
    let code = honest.authorize(&location);
    let state = parameter(&location, "state");
    let jar = browser.jar.clone();
    for (target, reason) in [
        (
            format!("/gateway/oidc/evil/callback?code={code}&state={state}&iss={}", evil.issuer),
            "oidc_state",
        ),
        (
            format!(
                "/gateway/oidc/keycloak/callback?code={code}&state={state}&iss={}",
                evil.issuer
            ),
            "oidc_issuer",
        ),
    ] {
        browser.jar.clone_from(&jar);
        let answer = browser.get(&target);
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(&format!("<code>{reason}</code>")), "{answer:?}");
    }
    // It has said that it says who it is.
    let location = browser.get(LOGIN).header("location").unwrap().to_owned();
    let (code, state) = (honest.authorize(&location), parameter(&location, "state"));
    let answer = browser.get(&format!("/gateway/oidc/keycloak/callback?code={code}&state={state}"));
    assert_eq!(answer.status, 400);
    assert!(honest.asked("POST /token").is_empty() && evil.asked("POST /token").is_empty());
}

#[test]
fn a_code_is_good_once_and_with_its_verifier_alone() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    let first = browser.get(LOGIN).header("location").unwrap().to_owned();
    let code = provider.authorize(&first);
    assert_eq!(browser.come_back(&first, &code, &provider.issuer).status, 303);
    // The same code again; then one of a sign-in with another verifier.
    let second = browser.get(LOGIN).header("location").unwrap().to_owned();
    let third = browser.get(LOGIN).header("location").unwrap().to_owned();
    for (number, (location, code)) in
        [(&second, code), (&third, provider.authorize(&first))].into_iter().enumerate()
    {
        let answer = browser.come_back(location, &code, &provider.issuer);
        assert_eq!(answer.status, 401, "{answer:?}");
        let line = last_audited(&gateway, number + 2);
        assert_eq!((&line["event"], &line["reason"]), (&json!("refused"), &json!("oidc_code")));
    }
}

/// A change of what the provider gives, and what it is.
type Change = (&'static str, Box<dyn Fn(&mut provider::Minted) + Send + Sync>);

fn claim(name: &'static str, value: Value) -> Change {
    (name, Box::new(move |minted| minted.claims[name] = value.clone()))
}

fn header(more: Value) -> Change {
    let change = move |minted: &mut provider::Minted| {
        minted.header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    };
    ("header", Box::new(change))
}

/// Each of these ID tokens is refused.
fn assert_refused(changes: Vec<Change>, status: u16, reason: &str) {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    for (number, (what, change)) in changes.into_iter().enumerate() {
        provider.tamper(change);
        let mut browser = Browser::new(&gateway);
        let answer = browser.try_sign_in(&provider, LOGIN);
        assert_eq!(answer.status, status, "{number} {what}: {answer:?}");
        assert!(
            !browser.names().iter().any(|name| name == "influxdb-oss-session"),
            "{number} {what}"
        );
        let line = last_audited(&gateway, number + 1);
        assert_eq!(line["reason"], reason, "{number} {what}");
    }
}

#[test]
fn an_id_token_for_others_or_for_another_time_is_refused() {
    let time = now();
    assert_refused(
        vec![
            claim("aud", json!("other")),
            claim("aud", json!([CLIENT, "other"])),
            claim("azp", json!("other")),
            claim("iss", json!("https://evil.test")),
            claim("exp", json!(time - 40)),
            claim("exp", Value::Null),
            claim("iat", Value::Null),
            claim("nonce", json!("of another")),
            claim("nonce", Value::Null),
            claim("sub", Value::Null),
            claim("at_hash", json!("AAAAAAAAAAAAAAAAAAAAAA")),
            claim("typ", json!("Bearer")),
            claim("typ", json!("Logout")),
            claim("events", json!({ "http://schemas.openid.net/event/backchannel-logout": {} })),
        ],
        401,
        "oidc_token",
    );
}

#[test]
fn an_id_token_of_a_clock_that_is_ahead_is_refused_and_no_client_is_to_blame() {
    let time = now();
    assert_refused(
        vec![claim("iat", json!(time + 300)), claim("nbf", json!(time + 300))],
        503,
        "unavailable",
    );
}

#[test]
fn an_id_token_that_brings_its_key_or_has_none_is_refused() {
    let evil = Signer::new("P-256");
    let key = evil.jwk();
    let unsigned = |minted: &mut provider::Minted| {
        let message = |value: &Value| signing::base64(value.to_string().as_bytes());
        let header = json!({ "alg": "none", "typ": "JWT" });
        minted.response["id_token"] =
            json!(format!("{}.{}.", message(&header), message(&minted.claims)));
    };
    let public = evil.public();
    let by_secret = move |minted: &mut provider::Minted| {
        let header = json!({ "alg": "HS256", "kid": "first" });
        minted.response["id_token"] = json!(with_secret(&header, &minted.claims, &public));
    };
    let forged = move |minted: &mut provider::Minted| {
        minted.response["id_token"] = json!(evil.sign(&minted.header, &minted.claims));
    };
    let access = |minted: &mut provider::Minted| {
        minted.response["id_token"] = minted.response["access_token"].clone();
    };
    let absent = |minted: &mut provider::Minted| {
        minted.response["id_token"] = Value::Null;
    };
    assert_refused(
        vec![
            ("none", Box::new(unsigned)),
            ("HS256", Box::new(by_secret)),
            ("forged", Box::new(forged)),
            ("an access token", Box::new(access)),
            ("no ID token", Box::new(absent)),
            header(json!({ "jwk": key })),
            header(json!({ "jku": "http://127.0.0.1:1/keys" })),
            header(json!({ "x5u": "http://127.0.0.1:1/keys" })),
            header(json!({ "crit": ["b64"], "b64": false })),
            header(json!({ "typ": "at+jwt" })),
            header(json!({ "typ": "logout+jwt" })),
            header(json!({ "kid": "unknown" })),
        ],
        401,
        "oidc_token",
    );
}

#[test]
fn groups_that_cannot_be_read_grant_nothing() {
    let mut many: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    many.push("writers".to_owned());
    let overage: Change = (
        "_claim_names",
        Box::new(|minted| {
            minted.claims["groups"] = Value::Null;
            minted.claims["_claim_names"] = json!({ "groups": "src1" });
        }),
    );
    assert_refused(
        vec![
            claim("groups", Value::Null),
            claim("groups", json!("readers")),
            claim("groups", json!(many)),
            claim("groups", json!({ "writers": ["writers"] })),
            claim("groups", json!([["writers"]])),
            overage,
        ],
        403,
        "no_grant",
    );
}

#[test]
fn a_name_that_is_none_is_refused_and_not_repaired() {
    let long = "x".repeat(300);
    let names = ["a\rb", "a,b", "é", "a:b", "a b", "", &long];
    let changes = names.iter().map(|name| claim("preferred_username", json!(name)));
    let changes = changes.chain([claim("preferred_username", json!(["eva"]))]).collect();
    assert_refused(changes, 401, "oidc_token");
}

#[test]
fn an_address_names_somebody_only_if_it_is_one_and_verified() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let grants = "[[grant]]\nuser = \"eva@corp.test\"\n";
    let tables = table("keycloak", &provider, "user = \"email\"") + grants;
    let gateway = start(&upstream, &tables, &[&provider]);
    for (email, verified, status) in [
        ("eva@corp.test", json!(true), 303),
        ("eva@corp.test", json!(false), 401),
        ("eva@corp.test", json!("true"), 401),
        ("eva@corp.test", Value::Null, 401),
        ("eva@corp.test@evil.test", json!(true), 401),
        ("eva", json!(true), 401),
        ("Eva@corp.test", json!(true), 403),
        ("eva@CORP.test", json!(true), 403),
    ] {
        provider.tamper(move |minted| {
            minted.claims["email"] = json!(email);
            minted.claims["email_verified"] = verified.clone();
        });
        let answer = Browser::new(&gateway).try_sign_in(&provider, LOGIN);
        assert_eq!(answer.status, status, "{email}: {answer:?}");
    }
}

#[test]
fn a_name_of_the_users_file_or_of_another_provider_is_taken() {
    let [first, second] = [Provider::start(), Provider::start()];
    let upstream = Upstream::start();
    let tables = table("keycloak", &first, "") + &table("other", &second, "") + GROUP;
    let gateway = start(&upstream, &tables, &[&first, &second]);
    first.tamper(|minted| minted.claims["preferred_username"] = json!("ada"));
    let answer = Browser::new(&gateway).try_sign_in(&first, LOGIN);
    assert!(
        answer.status == 403 && answer.text().contains("<code>name_taken</code>"),
        "{answer:?}"
    );
    assert_eq!(last_audited(&gateway, 1)["user"], "ada");
    first.tamper(|_| {});
    Browser::new(&gateway).sign_in(&first, LOGIN);
    let answer = Browser::new(&gateway).try_sign_in(&second, "/gateway/oidc/other/login");
    assert_eq!(answer.status, 403);
    assert_eq!(last_audited(&gateway, 3)["reason"], "name_taken");
}

#[test]
fn a_browser_is_sent_on_within_this_site_alone() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let long = format!("/{}", "a".repeat(2000));
    for (wanted, expected) in [
        ("/a/b%3Fc%3Dd", "/a/b?c=d"),
        ("//evil.test", "/"),
        ("/%5Cevil.test", "/"),
        ("/%252f%252fevil.test", "/"),
        ("https://evil.test", "/"),
        ("https:evil.test", "/"),
        ("/%09/evil.test", "/"),
        ("%09//evil.test", "/"),
        ("/a@evil.test", "/"),
        ("@evil.test", "/"),
        ("/a%23b", "/"),
        ("/%0d%0aSet-Cookie:x", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        (&long, "/"),
    ] {
        let mut browser = Browser::new(&gateway);
        let answer = browser.sign_in(&provider, &format!("{LOGIN}?return_to={wanted}"));
        assert_eq!(answer.header("location"), Some(expected), "{wanted}");
    }
    let answer = Browser::new(&gateway).sign_in(&provider, LOGIN);
    assert_eq!(answer.header("location"), Some("/gateway/"));
}

#[test]
fn a_session_that_was_planted_before_is_not_adopted() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let planted = gateway.sign_in("ada");
    let mut browser = Browser::new(&gateway);
    let (name, value) = planted.split_once('=').unwrap();
    browser.jar.push((name.to_owned(), value.to_owned()));
    browser.sign_in(&provider, LOGIN);
    assert_ne!(browser.session(), value);
    let me = |line: &str| {
        gateway.connect().send(&get("/api/v2/me", &[&cookie(line)])).json()["name"].clone()
    };
    assert_eq!(
        (me(&planted), browser.get("/api/v2/me").json()["name"].clone()),
        (json!("ada"), json!("eva-0815"))
    );
}

#[test]
fn at_most_four_sign_ins_are_under_way_in_a_browser() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    browser.jar.push(("influx-oidc-00000000".to_owned(), "junk".to_owned()));
    let mut locations = Vec::new();
    for _ in 0..6 {
        locations.push(browser.get(LOGIN).header("location").unwrap().to_owned());
        assert!(browser.jar.len() <= 4, "{:?}", browser.names());
    }
    assert!(!browser.names().iter().any(|name| name.ends_with("00000000")));
    let last = locations.last().unwrap();
    let code = provider.authorize(last);
    assert_eq!(browser.come_back(last, &code, &provider.issuer).status, 303);
}

#[test]
fn what_a_provider_says_is_wrong_is_told_from_a_closed_list() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    for (error, status, code) in [
        ("access_denied", 403, "oidc_denied"),
        ("login_required", 403, "oidc_denied"),
        ("temporarily_unavailable", 503, "unavailable"),
        ("invalid_scope", 502, "oidc_provider"),
        ("%3Cscript%3Ealert(1)%3C/script%3E", 502, "oidc_provider"),
    ] {
        let mut browser = Browser::new(&gateway);
        let location = browser.get(LOGIN).header("location").unwrap().to_owned();
        let state = parameter(&location, "state");
        let target = format!(
            "/gateway/oidc/keycloak/callback?error={error}&error_description=evil-words&state={state}&iss={}",
            provider.issuer
        );
        let answer = browser.get(&target);
        assert_eq!(answer.status, status, "{error}");
        let text = answer.text();
        assert!(
            text.contains(code) && !text.contains("evil-words") && !text.contains("<script"),
            "{text}"
        );
        assert!(
            answer.header("content-security-policy").unwrap().starts_with("default-src 'none'")
        );
        assert!(provider.asked("POST /token").is_empty());
    }
    // A program says that it wants JSON, a person which language.
    let json = gateway
        .connect()
        .send(&get("/gateway/oidc/keycloak/callback", &["Accept: application/json"]));
    assert_eq!((json.status, &json.json()["code"]), (400, &json!("oidc_state")));
    let german =
        gateway.connect().send(&get("/gateway/oidc/keycloak/callback", &["Accept-Language: de"]));
    assert!(german.text().contains("Anmeldung fehlgeschlagen"));
}

#[test]
fn without_the_provider_signing_in_waits_and_others_go_on() {
    let (good, upstream) = (Provider::start(), Upstream::start());
    let evil = Provider::start();
    evil.document("issuer", json!("https://other.test"));
    let insecure = Provider::start();
    insecure.document("token_endpoint", json!("http://192.0.2.1/token"));
    let long = Provider::start();
    long.document("padding", json!("x".repeat(10 << 20)));
    let tables = table("keycloak", &good, "")
        + &table("evil", &evil, "")
        + &table("insecure", &insecure, "")
        + &table("long", &long, "")
        + GROUP;
    let gateway = start(&upstream, &tables, &[&good]);
    for (id, provider) in [("evil", &evil), ("insecure", &insecure), ("long", &long)] {
        let told = format!("oidc: the keys of {} cannot be read", provider.issuer);
        wait_until("it is said", || gateway.has_logged(&told));
        let answer = Browser::new(&gateway).get(&format!("/gateway/oidc/{id}/login"));
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
        assert!(answer.text().contains("<code>unavailable</code>"));
    }
    Browser::new(&gateway).sign_in(&good, LOGIN);
    // Down, slow, in trouble, and with another secret.
    for says in [
        Says::Status("500 Internal Server Error", "<html>".to_owned()),
        Says::Status("302 Found", String::new()),
        Says::Status("401 Unauthorized", "{\"error\":\"invalid_client\"}".to_owned()),
        // It could be read, and has no ID token: that would be 401.
        Says::Status("200 OK", json!({ "padding": "x".repeat(300 << 10) }).to_string()),
        Says::Drip,
    ] {
        good.say(says);
        let answer = Browser::new(&gateway).try_sign_in(&good, LOGIN);
        assert_eq!(answer.status, 503, "{answer:?}");
    }
    good.say(Says::Tokens);
    Browser::new(&gateway).sign_in(&good, LOGIN);
    assert_eq!(gateway.log().matches("oidc: keycloak gives no tokens").count(), 1);
}

#[test]
fn nobody_notices_that_a_provider_changes_its_keys() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    provider.rotate(true);
    Browser::new(&gateway).sign_in(&provider, LOGIN);
    assert_eq!(provider.asked("GET /keys").len(), 1);
    // One that is published nowhere, again and again: the provider is asked no more than once in half a minute.
    provider.tamper(|minted| minted.header["kid"] = json!("unknown"));
    for _ in 0..10 {
        assert_eq!(Browser::new(&gateway).try_sign_in(&provider, LOGIN).status, 401);
    }
    assert!(provider.asked("GET /keys").is_empty());
}

#[test]
fn who_fails_too_often_has_to_wait_and_nobody_else() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let keys = table("keycloak", &provider, "")
        + GRANTS
        + "[signin]\nfailures_per_client = 3\nfailures = 3\n";
    let gateway = start(&upstream, &keys, &[&provider]);
    // Whoever has not begun a sign-in is refused, and that counts for nothing.
    let nothing = || Browser::new(&gateway).get("/gateway/oidc/keycloak/callback?state=x").status;
    assert_eq!([(); 5].map(|()| nothing()), [400; 5]);
    provider.tamper(|minted| minted.claims["nonce"] = json!("x"));
    for status in [401, 401, 401, 429, 429] {
        let answer = Browser::new(&gateway).try_sign_in(&provider, LOGIN);
        assert_eq!(answer.status, status, "{answer:?}");
        // While it has to wait, no code of it is exchanged.
        assert_eq!(provider.asked("POST /token").len(), usize::from(status == 401));
    }
    assert_eq!(nothing(), 400);
}

#[test]
fn a_session_cookie_beside_a_jwt_does_not_count() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let issuer = &provider.issuer;
    let jwt = format!("[[jwt]]\nissuer = \"{issuer}\"\naudience = [\"influx-api\"]\n");
    let tables = table("keycloak", &provider, "") + &jwt + GRANTS;
    let gateway = start(&upstream, &tables, &[&provider]);
    let mut browser = Browser::new(&gateway);
    let location = browser.get(LOGIN).header("location").unwrap().to_owned();
    let code = provider.authorize(&location);
    assert_eq!(browser.come_back(&location, &code, issuer).status, 303);
    let time = now();
    let mut claims = json!({ "iss": issuer, "sub": "7", "aud": "influx-api", "preferred_username": "tele",
        "groups": ["writers"], "iat": time, "exp": time + 60 });
    let line = |token: &str| get("/api/v2/buckets", &[&format!("Authorization: Bearer {token}")]);
    let good = provider.sign(json!({}), &claims);
    assert_eq!(browser.send(&line(&good)).text(), "tele");
    // An ID token is for signing in alone; one that is no good is not made good by the cookie.
    claims["nonce"] = json!("n");
    for token in [provider.sign(json!({}), &claims), good + "A"] {
        assert_eq!(browser.send(&line(&token)).status, 401);
    }
    claims.as_object_mut().unwrap().remove("nonce");
    claims["aud"] = json!(CLIENT);
    assert_eq!(browser.send(&line(&provider.sign(json!({}), &claims))).status, 401);
}

#[test]
fn a_provider_is_asked_once_for_made_up_keys_wherever_they_come() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let jwt = format!("[[jwt]]\nissuer = \"{}\"\naudience = [\"influx-api\"]\n", provider.issuer);
    let tables = jwt + &table("keycloak", &provider, "") + GRANTS;
    let gateway = Gateway::start_in(prepare(&upstream, &tables));
    let told = format!("oidc: 1 keys of {} are in use", provider.issuer);
    wait_until("the provider is known", || gateway.has_logged(&told));
    let time = now();
    let claims = json!({ "iss": provider.issuer, "sub": "7", "aud": "influx-api",
        "preferred_username": "tele", "groups": ["writers"], "iat": time, "exp": time + 60 });
    for number in 0..3 {
        let header = json!({ "kid": format!("made-up-{number}") });
        let bearer = format!("Authorization: Bearer {}", provider.sign(header.clone(), &claims));
        assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&bearer])).status, 401);
        log_out(&gateway, &provider.sign(header, &json!({ "sub": "7" })));
    }
    assert_eq!(provider.asked("GET /keys").len(), 2, "at the start, and for the first");
}

#[test]
fn check_finds_what_is_wrong_with_a_provider() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let issuer = &provider.issuer;
    let check = |tables: &str, arguments: &[&str]| {
        let folder = prepare(&upstream, tables);
        let mut command = program();
        command
            .arg("check")
            .args(arguments)
            .arg("--config")
            .arg(folder.path().join("gateway.toml"));
        let output = output_of(&mut command, "");
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said.replace(&folder.path().display().to_string(), ""))
    };
    let good = table("keycloak", &provider, "") + GRANTS;
    assert_eq!(check(&good, &["--online"]).0, Some(0));
    let jwt = format!("[[jwt]]\nissuer = \"{issuer}\"\naudience = [\"x\", \"{CLIENT}\"]\n");
    let (code, said) = check(&(good.clone() + &jwt), &[]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains(
            "jwt.audience: \"influx-gateway\" is the client_id of an [[oidc]] of this issuer"
        ),
        "{said}"
    );
    let wrong = "[[oidc]]\nid = \"Key Cloak\"\nissuer = \"http://idp.test\"\nclient_id = \"\"\nredirect = \"https://h/\"\n\
                 scopes = [\"profile\"]\nrefresh = \"soon\"\nsign_out = \"both\"\nauto = true\nsecret = \"x\"\n\
                 [[oidc]]\nid = \"a\"\nissuer = \"https://idp.test\"\nclient_id = \"c\"\n\
                 redirect = \"https://h/gateway/oidc/b/callback\"\n";
    let (code, said) = check(wrong, &[]);
    assert_eq!(code, Some(78), "{said}");
    for fault in [
        "oidc.id: expected 1 to 32 of a-z, 0-9 and -",
        "oidc.issuer: not a URL of an identity provider",
        "oidc.client_id: expected visible ASCII",
        "oidc.scopes: without \"openid\"",
        "oidc.refresh: \"soon\" is not a duration",
        "oidc.sign_out: \"both\" is not one of",
        "oidc.auto: there are several",
        "oidc.secret: unknown key",
        "oidc.redirect: expected where browsers find this gateway, with the path /gateway/oidc/a/callback",
    ] {
        assert!(said.contains(fault), "{fault}: {said}");
    }
    provider.document("token_endpoint", Value::Null);
    let (code, said) = check(&good, &["--online"]);
    assert!(code == Some(69) && said.contains("it has no token_endpoint"), "{said}");
    let nobody = "[users]\nsource = \"none\"\n";
    let (code, said) = check(nobody, &[]);
    assert!(
        code == Some(78) && said.contains("users.source: without an [[oidc]] or a [[jwt]]"),
        "{said}"
    );
}

#[test]
fn a_gateway_starts_without_its_provider() {
    let upstream = Upstream::start();
    let port = closed_port();
    let absent = format!(
        "[[oidc]]\nid = \"keycloak\"\nissuer = \"http://{port}/realm\"\nclient_id = \"{CLIENT}\"\n\
         redirect = \"http://127.0.0.1/gateway/oidc/keycloak/callback\"\n{GRANTS}"
    );
    let gateway = start(&upstream, &absent, &[]);
    assert_eq!(Browser::new(&gateway).get(LOGIN).status, 503);
    let provider = Provider::on(TcpListener::bind(port).unwrap());
    // After five seconds it is asked again.
    wait_for(&gateway, &provider);
    assert_eq!(Browser::new(&gateway).get(LOGIN).status, 303);
}

/// A gateway that asks about a session with every request.
fn start_asking(provider: &Provider, upstream: &Upstream, keys: &str) -> Gateway {
    start_for(provider, upstream, &format!("refresh = \"1ms\"\n{keys}"))
}

#[test]
fn a_change_of_groups_counts_with_the_next_request() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    assert_eq!(browser.get("/api/v2/buckets").status, 200);
    assert_eq!(upstream.next().header("authorization"), Some("Token granted"));
    // The same user by another grant: the shared token, and to read alone.
    provider.tamper(|minted| minted.claims["preferred_username"] = json!("renamed"));
    provider.regroup(&[]);
    wait_for_the_end(&gateway, &browser);
    assert_eq!(browser.get("/api/v2/buckets").status, 401);
    assert!(upstream.saw_nothing());
    let line = last_audited(&gateway, 2);
    assert_eq!((&line["event"], &line["user"]), (&json!("revoked"), &json!("eva-0815")));
}

#[test]
fn rights_and_token_are_those_of_the_grant_of_now() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let grants = "[[grant]]\ngroup = \"writers\"\naccess = \"write\"\ntoken_file = \"writers.token\"\n\
                  [[grant]]\ngroup = \"readers\"\n";
    let tables = table("keycloak", &provider, "refresh = \"1ms\"") + grants;
    let gateway = start(&upstream, &tables, &[&provider]);
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    for (groups, status, token) in [
        (["writers", "readers"], 200, "Token granted"),
        (["readers", "x"], 403, "Token shared"),
        (["x", "writers"], 200, "Token granted"),
    ] {
        provider.asked("");
        provider.regroup(&groups);
        let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
        wait_until("it is asked", || {
            gateway.connect().send(&get("/api/v2/me", &[&line]));
            !provider.asked("POST /token").is_empty()
        });
        assert_eq!(browser.send(&post("/api/v2/write", &[])).status, status, "{groups:?}");
        assert_eq!(browser.get("/api/v2/buckets").text(), "eva-0815");
        let seen = upstream.seen_by_clients();
        assert!(seen.iter().all(|seen| seen.header("authorization") == Some(token)), "{seen:?}");
        assert_eq!(seen.len(), if status == 200 { 2 } else { 1 });
    }
}

#[test]
fn a_refresh_token_is_used_once_however_many_requests_come() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
    let ask = || gateway.connect().send(&get("/api/v2/me", &[&line])).status;
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..40).map(|_| scope.spawn(ask)).collect();
        assert!(all.into_iter().all(|one| one.join().unwrap() == 200));
    });
    assert_eq!(ask(), 200);
}

/// Waits until the browser's session is none any more: the provider is asked again after a millisecond.
fn wait_for_the_end(gateway: &Gateway, browser: &Browser<'_>) {
    let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
    let is_over = || gateway.connect().send(&get("/api/v2/me", &[&line])).status == 401;
    wait_until("the session has ended", is_over);
}

#[test]
fn whoever_is_not_signed_in_at_the_provider_any_more_is_not_here_either() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    assert_eq!(browser.get("/api/v2/me").status, 200);
    provider.forget();
    wait_for_the_end(&gateway, &browser);
    assert_eq!(last_audited(&gateway, 2)["event"], "revoked");
    // A refreshed token of somebody else, or of another key, ends it too.
    for change in [
        claim("sub", json!("4711")),
        claim("iss", json!("https://evil.test")),
        claim("aud", json!("x")),
    ] {
        provider.tamper(|_| {});
        let mut browser = Browser::new(&gateway);
        browser.sign_in(&provider, LOGIN);
        provider.tamper(change.1);
        wait_for_the_end(&gateway, &browser);
    }
}

#[test]
fn sessions_outlive_a_provider_that_does_not_answer_for_as_long_as_is_configured() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    for says in [
        Says::Status("503 Service Unavailable", String::new()),
        Says::Status("401 Unauthorized", "{\"error\":\"invalid_client\"}".to_owned()),
    ] {
        // One for each: it leaves a provider alone for a while.
        let gateway = start_asking(&provider, &upstream, "");
        let mut browser = Browser::new(&gateway);
        browser.sign_in(&provider, LOGIN);
        provider.say(says);
        wait_until("it is asked", || {
            let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
            assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line])).status, 200);
            gateway.has_logged("oidc: keycloak gives no tokens")
        });
        provider.asked("");
        for _ in 0..10 {
            assert_eq!(browser.get("/api/v2/me").status, 200);
        }
        assert!(provider.asked("POST /token").is_empty(), "it rests");
        provider.say(Says::Tokens);
    }
    let short = start_asking(&provider, &upstream, "grace = \"1ms\"");
    let mut browser = Browser::new(&short);
    browser.sign_in(&provider, LOGIN);
    provider.say(Says::Status("503 Service Unavailable", String::new()));
    wait_for_the_end(&short, &browser);
}

#[test]
fn a_session_ends_when_its_life_is_over_and_without_refresh_the_provider_is_not_asked() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "refresh = \"off\"\nlifetime = \"2s\"");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    provider.asked("");
    let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
    assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line])).status, 200);
    wait_until("it ends", || gateway.connect().send(&get("/api/v2/me", &[&line])).status == 401);
    assert_eq!(last_audited(&gateway, 2)["event"], "expired");
    assert!(provider.asked("POST /token").is_empty());
}

const BACK_CHANNEL: &str = "/gateway/oidc/keycloak/backchannel-logout";

fn log_out(gateway: &Gateway, token: &str) -> Answer {
    let kind = "Content-Type: application/x-www-form-urlencoded";
    gateway.connect().send(&with_body(
        "POST",
        BACK_CHANNEL,
        &[kind],
        &format!("logout_token={token}"),
    ))
}

#[test]
fn a_provider_ends_the_sessions_of_one_of_its_own_or_all_of_a_user() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let sign_in = |sid: Option<&'static str>, subject: &str| {
        provider.tamper(move |minted| minted.claims["sid"] = json!(sid));
        let mut browser = Browser::new(&gateway);
        let location = browser.get(LOGIN).header("location").unwrap().to_owned();
        let code = provider.authorize_as(&location, subject, &["writers"]);
        assert_eq!(browser.come_back(&location, &code, &provider.issuer).status, 303);
        browser
    };
    let mut browsers = [(Some("a"), "1"), (Some("b"), "1"), (None, "1"), (Some("c"), "2")]
        .map(|(sid, subject)| sign_in(sid, subject));
    let mut statuses =
        || -> Vec<u16> { browsers.iter_mut().map(|it| it.get("/api/v2/me").status).collect() };
    assert_eq!(statuses(), [200; 4]);
    // The session of that name, and the one of which it is not known of which it came.
    let answer = log_out(&gateway, &provider.logout_token(json!({ "sid": "a", "sub": "1" })));
    assert_eq!((answer.status, answer.header("cache-control")), (200, Some("no-store")));
    assert_eq!(statuses(), [401, 200, 401, 200]);
    assert_eq!(log_out(&gateway, &provider.logout_token(json!({ "sub": "1" }))).status, 200);
    assert_eq!(statuses(), [401, 401, 401, 200]);
    assert_eq!(log_out(&gateway, &provider.logout_token(json!({ "sid": "c" }))).status, 200);
    assert_eq!(statuses(), [401; 4]);
    let events: Vec<_> = gateway.audited(8).iter().map(|line| line["event"].clone()).collect();
    assert_eq!(
        events[4..],
        [json!("revoked"), json!("revoked"), json!("revoked"), json!("revoked")]
    );
}

#[test]
fn what_is_no_log_out_token_ends_nothing() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let issuer = &provider.issuer;
    let gateway = start_for(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    let time = now();
    let token = |more: Value| {
        let mut all = json!({ "sub": "0815" });
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        provider.logout_token(all)
    };
    let mut bearer =
        json!({ "iss": issuer, "sub": "0815", "aud": CLIENT, "iat": time, "exp": time + 60 });
    let plain = provider.sign(json!({}), &bearer);
    bearer["nonce"] = json!("n");
    let id_token = provider.sign(json!({}), &bearer);
    // What only has to be signed by the provider, as what it is.
    let right = json!({ "iss": issuer, "sub": "0815", "aud": CLIENT, "iat": time, "exp": time + 60, "jti": "own",
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} } });
    let forged = Signer::new("P-256")
        .sign(&json!({ "alg": "ES256", "kid": "first", "typ": "logout+jwt" }), &right);
    let access_token = provider.sign(json!({ "typ": "at+jwt" }), &right);
    for (number, wrong) in [
        token(json!({ "aud": "other" })),
        token(json!({ "iss": "https://evil.test" })),
        token(json!({ "nonce": "n" })),
        token(json!({ "events": Value::Null })),
        token(json!({ "events": { "other": {} } })),
        token(json!({ "iat": time - 400, "exp": time + 60 })),
        token(json!({ "exp": time - 60 })),
        token(json!({ "jti": Value::Null })),
        token(json!({ "sub": Value::Null })),
        plain,
        id_token,
        forged,
        access_token,
        "x".to_owned(),
        String::new(),
    ]
    .iter()
    .enumerate()
    {
        let answer = log_out(&gateway, wrong);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (400, "{\"error\":\"invalid_request\"}"),
            "{number}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    let good = token(json!({}));
    assert_eq!(
        gateway.connect().send(&get(&format!("{BACK_CHANNEL}?logout_token={good}"), &[])).status,
        400
    );
    let bare = with_body("POST", BACK_CHANNEL, &[], &format!("logout_token={good}"));
    assert_eq!(gateway.connect().send(&bare).status, 400);
    assert_eq!(browser.get("/api/v2/me").status, 200);
    assert_eq!(log_out(&gateway, &good).status, 200);
    assert_eq!(browser.get("/api/v2/me").status, 401);
    // Once.
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    assert_eq!(log_out(&gateway, &good).status, 400);
    assert_eq!(browser.get("/api/v2/me").status, 200);
    // Whoever sends too much of it, has to wait; nothing is looked at then.
    let flooded = (0..40).map(|_| log_out(&gateway, "a.b.c").status).collect::<Vec<_>>();
    assert_eq!((flooded.first(), flooded.last()), (Some(&400), Some(&429)), "{flooded:?}");
}

#[test]
fn whoever_signs_out_does_so_of_the_provider_if_that_is_configured() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "sign_out = \"provider\"");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    let told = browser.get("/api/v2/me/provider").json();
    assert_eq!(
        (&told["provider"]["id"], &told["provider"]["name"]),
        (&json!("keycloak"), &json!("Example Corp"))
    );
    let url = told["provider"]["sign_out"].as_str().unwrap();
    assert!(
        url.starts_with(&format!(
            "http://{}/logout?client_id=influx-gateway&",
            provider.server.address
        )),
        "{url}"
    );
    assert_eq!(parameter(url, "post_logout_redirect_uri"), "http://127.0.0.1/gateway/");
    assert_eq!(parameter(url, "id_token_hint").matches('.').count(), 2);
    provider.asked("");
    assert_eq!(browser.send(&post("/api/v2/signout", &[])).status, 204);
    // The refresh token is given back in the background.
    wait_until("it is given back", || !provider.asked("POST /revoke").is_empty());
    // Somebody with a password has no provider, and nobody without a session is told anything.
    let ada = gateway.sign_in("ada");
    let none = gateway.connect().send(&get("/api/v2/me/provider", &[&cookie(&ada)])).json();
    assert_eq!(none, json!({ "provider": null }));
    assert_eq!(gateway.connect().send(&get("/api/v2/me/provider", &[])).status, 401);
}

#[test]
fn a_user_of_the_file_may_come_by_a_provider() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let folder = prepare(&upstream, &(table("keycloak", &provider, "refresh = \"1ms\"") + GRANTS));
    let linked = "[[user]]\nname = \"lin\"\nid = \"00000000000000aa\"\noidc = \"keycloak:0815\"\ntoken = \"own\"\naccess = \"read\"\n";
    let text = users(&["ada"]) + linked;
    std::fs::write(folder.path().join("users.toml"), &text).unwrap();
    let gateway = Gateway::start_in(folder);
    wait_for(&gateway, &provider);
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    let me = browser.get("/api/v2/me").json();
    assert_eq!((&me["name"], &me["id"]), (&json!("lin"), &json!("00000000000000aa")));
    assert_eq!(browser.get("/api/v2/buckets").text(), "lin");
    assert_eq!(upstream.next().header("authorization"), Some("Token own"));
    assert_eq!(browser.send(&post("/api/v2/write", &[])).status, 403);
    // Groups are nothing to them, and no password is theirs.
    provider.regroup(&[]);
    assert_eq!(browser.get("/api/v2/me").status, 200);
    for password in ["", "x", PASSWORD] {
        let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic("lin", password)]));
        assert_eq!(answer.status, 401);
    }
    // A provider that is none is mentioned.
    let other = prepare(&upstream, "");
    std::fs::write(other.path().join("users.toml"), &text).unwrap();
    let mut check = program();
    let output =
        output_of(check.args(["check", "--config"]).arg(other.path().join("gateway.toml")), "");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("user lin: oidc = \"keycloak:…\" names no [[oidc]]"), "{said}");
    // Whoever is linked no more has no session.
    std::fs::write(
        gateway.folder().join("users.toml"),
        text.replace("keycloak:0815", "keycloak:4711"),
    )
    .unwrap();
    gateway.signal("HUP");
    wait_for_the_end(&gateway, &browser);
}
