//! `/api/v2/me/sessions`: a user's own sessions, listed and ended.

use serde_json::Value;

use crate::influxdb::Influxdb;
use crate::support::*;

const SESSIONS: &str = "/api/v2/me/sessions";

fn start() -> (Gateway, Upstream) {
    let upstream = Upstream::start();
    let gateway = Gateway::start_with(upstream.address, "", &users(&["ada", "bob"]));
    (gateway, upstream)
}

/// The sessions that whoever has `session` sees.
pub(crate) fn listed(gateway: &Gateway, session: &str) -> Vec<Value> {
    let answer = gateway.connect().send(&get(SESSIONS, &[&cookie(session)]));
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["sessions"].as_array().unwrap().clone()
}

/// The fingerprint of `session` itself.
pub(crate) fn fingerprint(gateway: &Gateway, session: &str) -> String {
    listed(gateway, session)[0]["fingerprint"].as_str().unwrap().to_owned()
}

pub(crate) fn end(gateway: &Gateway, session: &str, which: &str) -> Answer {
    let target = format!("{SESSIONS}{which}");
    gateway.connect().send(&request("DELETE", &target, &[&cookie(session)]))
}

pub(crate) fn lives(gateway: &Gateway, session: &str) -> bool {
    gateway.connect().send(&get("/api/v2/me", &[&cookie(session)])).status == 200
}

#[test]
fn users_see_their_own_sessions_and_no_others() {
    let (gateway, upstream) = start();
    let agent = "User-Agent: curl/8.5.0";
    let other = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD), agent]));
    let this = gateway.sign_in("ada");
    gateway.sign_in("bob");
    let answer = gateway.connect().send(&get(SESSIONS, &[&cookie(&this)]));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let own = listed(&gateway, &this);
    let [first, second] = &own[..] else { panic!("{} sessions: {own:?}", own.len()) };
    assert_eq!((&first["current"], &second["current"]), (&true.into(), &false.into()));
    assert_eq!((&second["agent"], &second["client"]), (&"curl".into(), &"127.0.0.1".into()));
    let keys: Vec<_> = first.as_object().unwrap().keys().map(String::as_str).collect();
    let all =
        ["agent", "client", "created", "current", "expires", "fingerprint", "last_used", "user"];
    assert_eq!(keys, all, "and nothing that could sign in");
    assert!(own.iter().all(|session| session["user"] == "ada"));
    // To see the other is no use of it.
    let again = &listed(&gateway, &this)[1];
    assert_eq!(again["last_used"], again["created"]);
    assert_eq!(listed(&gateway, &other.cookie())[0]["agent"], "curl");
    assert!(upstream.saw_nothing());
}

#[test]
fn a_user_ends_one_session_or_all_others_at_once() {
    let (gateway, upstream) = start();
    let [this, second, third] = std::array::from_fn(|_| gateway.sign_in("ada"));
    let bob = gateway.sign_in("bob");
    let one = fingerprint(&gateway, &second);
    let target = format!("{SESSIONS}/{one}");
    let headers = [&*cookie(&this), "X-Request-Id: lost-phone-1"];
    let ended = gateway.connect().send(&request("DELETE", &target, &headers));
    assert_eq!((ended.status, ended.text().len()), (204, 0));
    assert!(!lives(&gateway, &second) && lives(&gateway, &third));
    assert_eq!(end(&gateway, &this, &format!("/{one}")).status, 404, "once");
    let audited = gateway.audited(5).pop().unwrap();
    for (key, value) in [
        ("event", "revoked"),
        ("actor", "user"),
        ("user", "ada"),
        ("session", &one),
        ("client", "127.0.0.1"),
        ("request_id", "lost-phone-1"),
    ] {
        assert_eq!(audited[key], value, "{audited}");
    }

    let others = end(&gateway, &this, "");
    assert_eq!((others.status, others.text()), (200, "{\"revoked\":1}".to_owned()));
    assert!(lives(&gateway, &this) && !lives(&gateway, &third) && lives(&gateway, &bob));
    assert_eq!(end(&gateway, &this, "").text(), "{\"revoked\":0}");
    // One's own ends too, if it is meant.
    let own = format!("/{}", fingerprint(&gateway, &this));
    assert_eq!(end(&gateway, &this, &own).status, 204);
    assert!(!lives(&gateway, &this));
    assert_eq!(end(&gateway, &this, "").status, 401);
    assert!(upstream.saw_nothing());
}

#[test]
fn the_session_of_another_user_is_not_there() {
    let (gateway, _upstream) = start();
    let (ada, bob) = (gateway.sign_in("ada"), gateway.sign_in("bob"));
    let of_bob = fingerprint(&gateway, &bob);
    let unknown = end(&gateway, &ada, "/00000000").without_its_own();
    assert_eq!(unknown.0, 404);
    for which in [&*of_bob, "x", "5F3A09C1", "0000000", &"0".repeat(17)] {
        let answer = end(&gateway, &ada, &format!("/{which}"));
        assert_eq!(answer.without_its_own(), unknown, "{which}");
    }
    let refused = end(&gateway, &ada, &format!("/{of_bob}"));
    let body =
        "{\n\t\"code\": \"not found\",\n\t\"message\": \"none of your sessions is called so\"\n}";
    assert_eq!(refused.text(), body);
    assert_eq!(refused.header("x-platform-error-code"), Some("not found"));
    assert!(lives(&gateway, &bob));
}

#[test]
fn pages_of_other_sites_end_nothing_and_tokens_have_no_sessions() {
    let (gateway, upstream) = start();
    let (this, other) = (gateway.sign_in("ada"), gateway.sign_in("ada"));
    let one = format!("{SESSIONS}/{}", fingerprint(&gateway, &other));
    for target in [&*one, SESSIONS] {
        for foreign in ["Sec-Fetch-Site: cross-site", "Origin: https://evil.test"] {
            let asked = request("DELETE", target, &[&cookie(&this), foreign]);
            assert_eq!(gateway.connect().send(&asked).status, 403, "{target} {foreign}");
        }
        for token in ["Authorization: Token of-somebody", "Authorization: Bearer of-somebody"] {
            let asked = request("DELETE", target, &[&cookie(&this), token]);
            assert_eq!(gateway.connect().send(&asked).status, 403, "{target} {token}");
        }
        assert_eq!(gateway.connect().send(&request("DELETE", target, &[])).status, 401);
    }
    let answer = gateway.connect().send(&get(SESSIONS, &["Authorization: Token of-somebody"]));
    assert_eq!(answer.json()["message"], "an API token has no sessions; sign in to see yours");
    assert!(lives(&gateway, &other));
    assert!(upstream.saw_nothing());
}

/// As whoever signs out: InfluxDB's own session ends too.
#[test]
fn influxdbs_half_ends_with_a_session() {
    let influxdb = Influxdb::start();
    let config = "[users]\nsource = \"influxdb\"\n";
    let gateway = Gateway::start_with(influxdb.upstream.address, config, "");
    let (this, other) = (gateway.sign_in("ada"), gateway.sign_in("ada"));
    let one = format!("/{}", fingerprint(&gateway, &other));
    assert_eq!(end(&gateway, &this, &one).status, 204);
    wait_until("InfluxDB's session has ended", || influxdb.sessions() == 1);
    assert!(lives(&gateway, &this) && !lives(&gateway, &other));
}
