use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::Value;

use crate::influxd::{Influxd, OPERATOR, OPERATOR_TOKEN, User};
use crate::modes::Mode;
use crate::support::*;

/// Stands between a gateway and InfluxDB, and remembers what the gateway sent.
pub(crate) fn relay(influxd: &Influxd) -> Upstream {
    let influxdb = influxd.address;
    Upstream::behaving(move |seen, stream| {
        let mut client = Client::connect(influxdb);
        client.write(seen.head.as_bytes());
        client.write(&seen.body);
        let answer = client.read();
        let mut head = format!("HTTP/1.1 {} As InfluxDB says\r\n", answer.status);
        for (name, value) in &answer.headers {
            if name != "transfer-encoding" && name != "content-length" {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
        }
        if answer.status != 204 {
            write!(head, "Content-Length: {}\r\n", answer.body.len()).unwrap();
        }
        write!(stream, "{head}\r\n").is_ok() && stream.write_all(&answer.body).is_ok()
    })
}

/// The names in InfluxDB's list of users: those whom the asking credential may read.
fn names(users: &Value) -> Vec<&str> {
    let users = users["users"].as_array().unwrap();
    users.iter().map(|user| user["name"].as_str().unwrap()).collect()
}

/// The two who take turns, and how often.
fn turns(ada: &User, bob: &User) -> Vec<User> {
    (0..20).map(|turn| if turn % 3 == 0 { ada } else { bob }.clone()).collect()
}

#[test]
fn influxdb_is_asked_by_a_credential_of_the_user_and_told_the_name() {
    let influxd = Influxd::start();
    let (ada, bob) = (influxd.add_user("ada"), influxd.add_user("bob"));
    for mode in Mode::ALL {
        let relay = relay(&influxd);
        let gateway = mode.gateway_before(relay.address, &[&ada, &bob], "");
        let of_ada = mode.credential(&gateway, &ada);
        let of_bob = mode.credential(&gateway, &bob);
        relay.seen_by_clients();
        // All on one connection, and all claim to be somebody else.
        let mut client = gateway.connect();
        for user in turns(&ada, &bob) {
            let credential = if user.name == "ada" { &of_ada } else { &of_bob };
            let forged = format!("X-Forwarded-User: {OPERATOR}");
            let answer = client.send(&get("/api/v2/users", &[credential, &forged]));
            assert_eq!(answer.status, 200, "{mode:?}: {answer:?}");
            // One token for all is that of whoever made it.
            let expected = match mode {
                Mode::SharedToken => vec![OPERATOR, "ada", "bob"],
                _ => vec![user.name.as_str()],
            };
            assert_eq!(names(&answer.json()), expected, "{mode:?}");

            let seen = relay.seen_by_clients();
            let asked = seen.iter().find(|seen| seen.line() == "GET /api/v2/users HTTP/1.1");
            let asked = asked.unwrap_or_else(|| panic!("{mode:?}: {seen:?}"));
            let told = (mode != Mode::TokenPassed).then_some(user.name.as_str());
            assert_eq!(asked.header("x-forwarded-user"), told, "{mode:?}");
            let token = |token: &str| Some(format!("Token {token}"));
            let expected = match mode {
                Mode::InfluxdbUsers => None,
                Mode::SharedToken => token(OPERATOR_TOKEN),
                _ => token(&user.token),
            };
            assert_eq!(asked.header("authorization"), expected.as_deref(), "{mode:?}");
            assert_eq!(asked.header("cookie").is_some(), mode == Mode::InfluxdbUsers, "{mode:?}");
        }
    }
}

#[test]
fn me_is_whoever_has_the_session_or_the_token() {
    let influxd = Influxd::start();
    let (ada, bob) = (influxd.add_user("ada"), influxd.add_user("bob"));
    for mode in Mode::ALL {
        let gateway = mode.gateway(&influxd, &[&ada, &bob]);
        let of_ada = mode.credential(&gateway, &ada);
        let of_bob = mode.credential(&gateway, &bob);
        let mut client = gateway.connect();
        for user in turns(&ada, &bob) {
            let credential = if user.name == "ada" { &of_ada } else { &of_bob };
            let me = client.send(&get("/api/v2/me", &[credential]));
            assert_eq!(me.status, 200, "{mode:?}: {me:?}");
            // As InfluxDB itself says it of that user's token.
            let token = format!("Authorization: Token {}", user.token);
            let expected = influxd.send(&get("/api/v2/me", &[&token])).json();
            assert_eq!(me.json(), expected, "{mode:?}");
        }
    }
}

#[test]
fn a_password_is_changed_by_nobody_but_its_owner() {
    let influxd = Influxd::start();
    let (ada, bob) = (influxd.add_user("ada"), influxd.add_user("bob"));
    let new = r#"{"password":"another horse"}"#;
    for mode in Mode::ALL.into_iter().filter(|mode| mode.has_session()) {
        let relay = relay(&influxd);
        let gateway = mode.gateway_before(relay.address, &[&ada, &bob], "");
        let of_ada = mode.credential(&gateway, &ada);
        let wrong = basic("ada", "wrong horse");
        let right = basic("ada", PASSWORD);
        let of_bob = format!("/api/v2/users/{}/password", bob.id);
        let own = "/api/v2/me/password";
        // Of InfluxDB's users InfluxDB itself decides: an operator may change anybody's.
        // It falls over where the old password is missing.
        let (others, missing) = if mode == Mode::InfluxdbUsers { (401, 500) } else { (403, 400) };
        relay.seen_by_clients();
        for (method, target, headers, status) in [
            ("POST", of_bob.as_str(), vec![], 401),
            ("PUT", own, vec![], 401),
            ("PUT", own, vec![right.as_str()], 401),
            ("POST", &of_bob, vec![of_ada.as_str()], others),
            ("PUT", &of_bob, vec![&of_ada, &right], others),
            ("POST", &of_bob, vec![&of_ada, &right], others),
            ("PUT", own, vec![&of_ada], missing),
            ("PUT", own, vec![&of_ada, &wrong], 403),
        ] {
            let answer = gateway.connect().send(&with_body(method, target, &headers, new));
            assert_eq!(answer.status, status, "{mode:?}: {method} {target}: {answer:?}");
            // Of a file's users InfluxDB learns nothing, of its own what a session asks for.
            let passed = relay.seen_by_clients();
            let passed = passed.iter().any(|seen| seen.line().contains("password"));
            let has_session = headers.contains(&of_ada.as_str());
            assert_eq!(passed, has_session && mode == Mode::InfluxdbUsers, "{mode:?}: {target}");
        }
        for name in ["ada", "bob"] {
            gateway.sign_in(name);
            let direct = influxd.send(&post("/api/v2/signin", &[&basic(name, PASSWORD)]));
            assert_eq!(direct.status, 204, "{mode:?}: {name}: {direct:?}");
        }
    }
}

#[test]
fn a_session_alone_sets_no_password_where_the_operator_says_so() {
    let influxd = Influxd::start();
    let ada = influxd.add_user("ada");
    let config = "[users]\npassword_by_session = false\n";
    let gateway = Mode::OwnToken.gateway_with(&influxd, &[&ada], config);
    let of_ada = Mode::OwnToken.credential(&gateway, &ada);
    let target = format!("/api/v2/users/{}/password", ada.id);
    let new = r#"{"password":"another horse"}"#;
    let answer = gateway.connect().send(&with_body("POST", &target, &[&of_ada], new));
    assert_eq!(answer.status, 403, "{answer:?}");
    gateway.sign_in("ada");
}
