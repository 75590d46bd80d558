//! Trouble with a provider ends no session wrongly, and stands in nobody's way but of those whom it concerns.

use super::*;

fn status(says: &'static str, error: &str) -> Says {
    Says::Status(says, format!("{{\"error\":\"{error}\"}}"))
}

/// Somebody who has signed in.
fn signed_in<'g>(gateway: &'g Gateway, provider: &Provider) -> Browser<'g> {
    let mut browser = Browser::new(gateway);
    browser.sign_in(provider, LOGIN);
    browser
}

/// That the provider is asked about the session once a millisecond is over, and that it goes on.
fn assert_asked(gateway: &Gateway, browser: &Browser<'_>, provider: &Provider) {
    provider.asked("");
    let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
    wait_until("the provider is asked", || {
        assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line])).status, 200);
        !provider.asked("POST /token").is_empty()
    });
}

#[test]
fn a_code_that_the_provider_does_not_like_keeps_it_from_no_refresh() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let session = signed_in(&gateway, &provider);
    for (says, expected) in [
        (status("400 Bad Request", "invalid_request"), (401, "oidc_code")),
        (status("400 Bad Request", "interaction_required"), (401, "oidc_code")),
        (status("429 Too Many Requests", "slow_down"), (503, "unavailable")),
        (status("401 Unauthorized", "invalid_client"), (503, "unavailable")),
        (Says::Status("500 Internal Server Error", String::new()), (503, "unavailable")),
    ] {
        provider.say(says);
        let answer = Browser::new(&gateway).try_sign_in(&provider, LOGIN);
        assert_eq!(answer.status, expected.0, "{answer:?}");
        assert!(answer.text().contains(&format!("<code>{}</code>", expected.1)), "{answer:?}");
        provider.say(Says::Tokens);
        assert_asked(&gateway, &session, &provider);
    }
}

#[test]
fn whoever_brings_codes_that_the_provider_does_not_like_has_to_wait() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let keys = table("keycloak", &provider, "")
        + GRANTS
        + "[signin]\nfailures_per_client = 2\nfailures = 2\n";
    let gateway = start(&upstream, &keys, &[&provider]);
    provider.say(status("400 Bad Request", "invalid_request"));
    for expected in [401, 401, 429] {
        assert_eq!(Browser::new(&gateway).try_sign_in(&provider, LOGIN).status, expected);
    }
}

#[test]
fn twenty_outages_end_no_session() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let sessions = [0; 3].map(|_| signed_in(&gateway, &provider));
    let assert_alive = |session: &Browser<'_>| {
        let line = cookie(&format!("influxdb-oss-session={}", session.session()));
        assert_eq!(gateway.connect().send(&get("/api/v2/me", &[&line])).status, 200);
    };
    for number in 0..20 {
        provider.say(match number % 5 {
            0 => Says::Nothing,
            1 => Says::Status("503 Service Unavailable", String::new()),
            2 => Says::Status("200 OK", "<html>".to_owned()),
            3 => status("429 Too Many Requests", "slow_down"),
            _ => status("401 Unauthorized", "invalid_client"),
        });
        // A refresh is due, and fails; then the provider is left alone.
        assert_asked(&gateway, &sessions[number % 3], &provider);
        sessions.iter().for_each(assert_alive);
        // It is over as soon as the provider has answered anybody.
        provider.say(Says::Tokens);
        signed_in(&gateway, &provider);
        for session in &sessions {
            assert_asked(&gateway, session, &provider);
        }
    }
    let ended = ["expired", "revoked", "signed_out"];
    let audit = gateway.audit();
    assert!(
        !ended.iter().any(|event| audit.contains(&format!("\"event\":\"{event}\""))),
        "{audit}"
    );
}

#[test]
fn what_is_wrong_with_one_user_concerns_no_other() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let other = signed_in(&gateway, &provider);
    // With these there is nothing wrong with the user for certain: the session lives on for a while.
    for error in ["invalid_request", "invalid_scope", "invalid_token"] {
        let one = signed_in(&gateway, &provider);
        provider.say(status("400 Bad Request", error));
        assert_asked(&gateway, &one, &provider);
        provider.say(Says::Tokens);
        assert_asked(&gateway, &other, &provider);
    }
    for error in ["interaction_required", "login_required", "consent_required", "access_denied"] {
        let one = signed_in(&gateway, &provider);
        provider.say(status("400 Bad Request", error));
        wait_for_the_end(&gateway, &one);
        provider.say(Says::Tokens);
        assert_asked(&gateway, &other, &provider);
    }
}

#[test]
fn a_key_that_is_not_published_yet_ends_no_session() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let session = signed_in(&gateway, &provider);
    provider.hide_keys();
    provider.rotate(true);
    for _ in 0..3 {
        assert_asked(&gateway, &session, &provider);
    }
    let answer = Browser::new(&gateway).try_sign_in(&provider, LOGIN);
    assert!(answer.text().contains("<code>unavailable</code>"), "{answer:?}");
    assert_eq!(answer.status, 503);
    // Its keys are there, and this one is not.
    let other = Provider::start();
    let second = start_asking(&other, &upstream, "");
    let session = signed_in(&second, &other);
    other.rotate(false);
    assert_asked(&second, &session, &other);
    assert_eq!(Browser::new(&second).try_sign_in(&other, LOGIN).status, 401);
    // Not for ever.
    let third = Provider::start();
    let short = start_asking(&third, &upstream, "grace = \"1ms\"");
    let session = signed_in(&short, &third);
    third.rotate(false);
    wait_for_the_end(&short, &session);
    wait_until("it says why", || short.has_logged("has not published the key of its ID tokens"));
}

#[test]
fn a_stranger_keeps_no_key_of_the_provider_from_being_looked_up() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let forged =
        provider.sign(json!({ "typ": "logout+jwt", "kid": "made-up" }), &json!({ "sub": "0815" }));
    assert_eq!(log_out(&gateway, &forged).status, 400);
    provider.rotate(true);
    signed_in(&gateway, &provider);
}

#[test]
fn a_stranger_keeps_no_log_out_of_the_provider_from_counting() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let session = signed_in(&gateway, &provider);
    let forged =
        provider.sign(json!({ "typ": "logout+jwt", "kid": "made-up" }), &json!({ "sub": "0815" }));
    assert_eq!(log_out(&gateway, &forged).status, 400);
    provider.rotate(true);
    let token = provider.logout_token(json!({ "sub": "0815" }));
    // Nobody can say yet what it is worth, and the provider need not say it again.
    for _ in 0..2 {
        let answer = log_out(&gateway, &token);
        assert_eq!((answer.status, &*answer.text()), (503, "{\"error\":\"unavailable\"}"));
    }
    // Somebody else comes, and the new keys with him, sooner than they were asked for.
    let mut other = Browser::new(&gateway);
    let location = other.get(LOGIN).header("location").unwrap().to_owned();
    let code = provider.authorize_as(&location, "0816", &["writers"]);
    let issuer = &provider.issuer;
    assert_eq!(other.come_back(&location, &code, issuer).status, 303);
    wait_for_the_end(&gateway, &session);
    assert_eq!(other.get("/api/v2/me").status, 200);
    wait_until("it has come", || gateway.has_logged("keycloak has ended 1 sessions"));
    assert_eq!(log_out(&gateway, &token).status, 400);
    // The session may be ended before the other is written down as begun: the keys came with that one.
    let mut events: Vec<_> =
        gateway.audited(3).iter().map(|it| it["event"].as_str().unwrap().to_owned()).collect();
    events.sort();
    assert_eq!(events, ["revoked", "signed_in", "signed_in"]);
}

#[test]
fn a_clock_that_goes_wrong_at_the_provider_ends_no_session() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let session = signed_in(&gateway, &provider);
    let time = now();
    for (issued, expires) in [(time + 300, time + 600), (time - 600, time - 300)] {
        provider.tamper(move |minted| {
            minted.claims["iat"] = json!(issued);
            minted.claims["exp"] = json!(expires);
        });
        for _ in 0..2 {
            assert_asked(&gateway, &session, &provider);
        }
    }
    // And what it says counts.
    provider.regroup(&[]);
    wait_for_the_end(&gateway, &session);
}

#[test]
fn a_refreshed_token_need_not_name_the_user() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let session = signed_in(&gateway, &provider);
    for name in [Value::Null, json!("not, a name"), json!("another")] {
        provider.tamper(move |minted| minted.claims["preferred_username"] = name.clone());
        for _ in 0..2 {
            assert_asked(&gateway, &session, &provider);
        }
    }
    let line = cookie(&format!("influxdb-oss-session={}", session.session()));
    let me = gateway.connect().send(&get("/api/v2/me", &[&line]));
    assert_eq!(me.json()["name"], "eva-0815");
}

#[test]
fn no_token_is_shown_twice_for_a_connection_that_breaks() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_asking(&provider, &upstream, "");
    let session = signed_in(&gateway, &provider);
    for _ in 0..3 {
        assert_asked(&gateway, &session, &provider);
    }
    // One that was used before may break when the provider has read the question: it would be asked again.
    let mut ports = provider.ports();
    let count = ports.len();
    ports.sort_unstable();
    ports.dedup();
    assert!(count >= 4);
    assert_eq!(ports.len(), count);
}
