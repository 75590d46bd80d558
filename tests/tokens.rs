use std::thread;
use std::time::{Duration, Instant};

use crate::influxdb::Influxdb;
use crate::support::*;

fn start(influxdb: &Influxdb, policy: &str) -> Gateway {
    let config = format!(
        "[users]\ntokens = \"{policy}\"\n[identity]\ntoken_prefix = \"influxdb:\"\n\
         [limits]\nupstream_ask = \"2s\"\n"
    );
    Gateway::start_with(influxdb.upstream.address, &config, &users(&["ada"]))
}

fn send(gateway: &Gateway, authorization: &str) -> Answer {
    let header = format!("Authorization: {authorization}");
    gateway.connect().send(&get("/api/v2/buckets", &[&header]))
}

#[test]
fn denied_tokens_reach_nobody() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "deny");
    let cookie = cookie(&gateway.sign_in("ada"));
    for scheme in ["Token", "bearer"] {
        let header = format!("Authorization: {scheme} all");
        let answer = gateway.connect().send(&get("/api/v2/buckets", &[&header, &cookie]));
        assert_eq!((answer.status, answer.body.len()), (401, 55));
    }
    assert!(influxdb.upstream.saw_nothing());
}

#[test]
fn a_resolved_token_has_its_user_told_and_is_asked_about_once() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "resolve");
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(send(&gateway, "Token all").text(), "influxdb:ada"));
        }
    });
    for _ in 0..20 {
        assert_eq!(send(&gateway, "Token all").text(), "influxdb:ada");
    }
    assert_eq!(influxdb.state().asked["me"], 1);
    let log = gateway.stop();
    assert!(log.contains("user=influxdb:ada session=- method=GET path=/api/v2/buckets"), "{log}");
}

#[test]
fn a_token_that_is_nobodys_is_refused_here_and_for_five_seconds() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "resolve");
    assert_eq!(send(&gateway, "Token fresh").status, 401);
    influxdb.upstream.seen_by_clients();
    influxdb.state().tokens.insert("fresh".to_owned(), (2, true));
    let start = Instant::now();
    assert_eq!(send(&gateway, "Token fresh").status, 401);
    assert!(influxdb.upstream.saw_nothing(), "the refusal is remembered");
    wait_until("the refusal is forgotten", || send(&gateway, "Token fresh").status == 200);
    let waited = start.elapsed();
    assert!((Duration::from_secs(3)..PATIENCE).contains(&waited), "{waited:?}");
    assert_eq!(send(&gateway, "Token fresh").text(), "influxdb:bob");
}

#[test]
fn a_token_that_may_not_say_whose_it_is_passes_without_a_name() {
    let influxdb = Influxdb::start();
    influxdb.state().tokens.insert("write-only".to_owned(), (1, false));
    let gateway = start(&influxdb, "resolve");
    assert_eq!(send(&gateway, "Bearer write-only").text(), "nobody");
}

/// InfluxDB answers what lists things with 200 and nothing in the list, whoever the token is of.
#[test]
fn a_token_that_is_inactive_is_refused_and_does_not_pass_as_one_without_a_name() {
    let upstream = Upstream::behaving(|seen, stream| {
        if seen.line().starts_with("GET /api/v2/me ") {
            let body = "{\n\t\"code\": \"unauthorized\",\n\t\"message\": \"token is inactive\"\n}";
            return answer(stream, "401 Unauthorized", body);
        }
        answer(stream, "200 OK", "{\"buckets\":[]}")
    });
    let config = "[users]\ntokens = \"resolve\"\n[identity]\ntoken_prefix = \"influxdb:\"\n";
    let gateway = Gateway::start_with(upstream.address, config, &users(&["ada"]));
    let refused = send(&gateway, "Token inactive");
    assert_eq!((refused.status, refused.body.len()), (401, 55));
    let seen = upstream.seen_by_clients();
    assert!(seen.iter().all(|seen| seen.line().starts_with("GET /api/v2/me ")), "{seen:?}");
}

#[test]
fn the_token_of_an_inactive_user_is_refused_and_an_outage_is_none_of_the_clients_fault() {
    let influxdb = Influxdb::start();
    influxdb.state().tokens.insert("of-gone".to_owned(), (3, true));
    let gateway = start(&influxdb, "resolve");
    let answer = send(&gateway, "Token of-gone");
    assert_eq!((answer.status, &answer.json()["message"]), (403, &"User is inactive".into()));
    influxdb.state().is_mute = true;
    let answer = send(&gateway, "Token all");
    assert_eq!((answer.status, &answer.json()["code"]), (503, &"unavailable".into()));
    influxdb.state().is_mute = false;
    assert_eq!(send(&gateway, "Token all").text(), "influxdb:ada");
}

#[test]
fn only_the_first_credential_goes_upstream() {
    let influxdb = Influxdb::start();
    let gateway = start(&influxdb, "resolve");
    let headers = ["Authorization: Token all", "Authorization: Token other"];
    gateway.connect().send(&get("/api/v2/buckets", &headers));
    let seen = influxdb.upstream.seen_by_clients().pop().unwrap();
    assert_eq!(seen.header("authorization"), Some("Token all"));
}
