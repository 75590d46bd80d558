//! A session that a provider has led to has the same bounds as any other, and no failure leaves anything of a sign-in behind.

use super::*;

fn me(gateway: &Gateway, session: &str) -> u16 {
    let line = cookie(&format!("influxdb-oss-session={session}"));
    gateway.connect().send(&get("/api/v2/me", &[&line])).status
}

fn start_bounded(provider: &Provider, upstream: &Upstream, bounds: &str) -> Gateway {
    let tables = table("keycloak", provider, "") + GRANTS + bounds;
    start(upstream, &tables, &[provider])
}

#[test]
fn a_session_by_a_provider_that_is_not_used_ends() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_bounded(&provider, &upstream, "[session]\nidle = \"1s\"\n");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    wait_until("it is over", || gateway.audit().contains("\"event\":\"expired\""));
    assert_eq!(browser.get("/api/v2/me").status, 401);
}

#[test]
fn so_many_sessions_by_a_provider_a_user_has_and_so_many_there_are() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let bounds = "[session]\nmax_sessions = 3\nmax_sessions_per_user = 2\n";
    let gateway = start_bounded(&provider, &upstream, bounds);
    let sign_in = |subject: &str| {
        let mut browser = Browser::new(&gateway);
        let location = browser.get(LOGIN).header("location").unwrap().to_owned();
        let code = provider.authorize_as(&location, subject, &["writers"]);
        let answer = browser.come_back(&location, &code, &provider.issuer);
        (answer, browser)
    };
    let sessions = [1, 2, 3].map(|_| sign_in("0815").1.session());
    let statuses = sessions.each_ref().map(|session| me(&gateway, session));
    assert_eq!(statuses, [401, 200, 200], "the oldest makes room");
    assert_eq!(sign_in("0816").0.status, 303);
    let (answer, browser) = sign_in("0817");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.text().contains("<code>full</code>"), "{answer:?}");
    assert_eq!(browser.names(), [""; 0]);
    assert_eq!([me(&gateway, &sessions[1]), me(&gateway, &sessions[2])], [200; 2]);
}

#[test]
fn administrators_see_sessions_by_a_provider_and_end_them() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_bounded(&provider, &upstream, "[admin]\nlisten = \"127.0.0.1:0\"\n");
    let admin: SocketAddr = gateway.next_admin().parse().unwrap();
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    let ask = |method: &str, target: &str| {
        let question = request(method, target, &[]).replace("gateway.test", "127.0.0.1");
        Client::connect(admin).send(&question)
    };
    let list = ask("GET", "/sessions").json();
    let [one] = &list["sessions"].as_array().unwrap()[..] else { panic!("{list}") };
    assert_eq!(one["user"], "eva-0815", "{list}");
    assert_eq!(ask("DELETE", "/sessions?user=eva-0815").status, 200);
    assert_eq!(browser.get("/api/v2/me").status, 401);
}

#[test]
fn no_failure_leaves_the_cookie_of_its_sign_in_behind() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let issuer = &provider.issuer;
    let failing: [(u16, &str, &dyn Fn()); 5] = [
        (400, "http://127.0.0.1:1/other", &|| {}),
        (401, issuer, &|| provider.tamper(|minted| minted.claims["nonce"] = json!("another"))),
        (403, issuer, &|| provider.tamper(|minted| minted.claims["groups"] = json!([]))),
        (503, issuer, &|| provider.say(Says::Status("503 Service Unavailable", String::new()))),
        (401, issuer, &|| provider.say(Says::Status("200 OK", "{}".to_owned()))),
    ];
    for (expected, issuer, fail) in failing {
        provider.say(Says::Tokens);
        provider.tamper(|_| {});
        fail();
        let mut browser = Browser::new(&gateway);
        let location = browser.get(LOGIN).header("location").unwrap().to_owned();
        assert_eq!(browser.names().len(), 1);
        let code = provider.authorize(&location);
        let answer = browser.come_back(&location, &code, issuer);
        assert_eq!(answer.status, expected, "{answer:?}");
        assert_eq!(browser.names(), [""; 0], "{expected}");
    }
}

#[test]
fn the_oldest_of_four_sign_ins_makes_room() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let mut browser = Browser::new(&gateway);
    let mut names = Vec::new();
    for _ in 0..5 {
        let known = browser.names();
        // Of two that were begun in the same second, neither is older.
        let second = now();
        wait_until("the next second", || now() > second);
        browser.get(LOGIN);
        names.extend(browser.names().into_iter().filter(|name| !known.contains(name)));
        // A browser sends them in an order of its own.
        browser.jar.reverse();
    }
    assert_eq!(names.len(), 5);
    let mut left = browser.names();
    left.sort();
    let mut newest = names[1..].to_vec();
    newest.sort();
    assert_eq!(left, newest);
}

/// Whether it says so at once or not.
#[test]
fn what_is_too_long_for_a_log_out_token_is_none() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "");
    let long = provider.logout_token(json!({ "sub": "0815", "padding": "x".repeat(8 << 10) }));
    let form = format!("logout_token={long}");
    let of_form = "Content-Type: application/x-www-form-urlencoded";
    let chunked = format!(
        "{}{:x}\r\n{form}\r\n0\r\n\r\n",
        request("POST", BACK_CHANNEL, &[of_form, "Transfer-Encoding: chunked"]),
        form.len()
    );
    for question in [with_body("POST", BACK_CHANNEL, &[of_form], &form), chunked] {
        let answer = gateway.connect().send(&question);
        let told = (answer.status, answer.text());
        assert_eq!(told, (400, "{\"error\":\"invalid_request\"}".to_owned()));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
}
