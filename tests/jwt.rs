//! JWTs of identity providers: what good ones are worth, and that no other is worth anything.

mod expiry;
mod flood;
pub(crate) mod idp;
mod operators;
mod over_tls;
mod places;
#[path = "../gateway/src/jwt/tests/signing.rs"]
#[expect(dead_code, reason = "the unit tests need more of it")]
pub(crate) mod signing;

use serde_json::{Value, json};

use crate::support::*;
use idp::{Idp, Says, issuer_at, now};
use signing::{Signer, with_secret};

/// What a JWT that is no good is answered with, by InfluxDB's own encoder.
const COMPACT: &str = r#"{"code":"unauthorized","message":"unauthorized access"}"#;

/// Takes tokens of `issuer` by these further keys of `[[jwt]]`.
fn jwt(issuer: &str, keys: &str) -> String {
    format!("[[jwt]]\nissuer = \"{issuer}\"\naudience = [\"influx-api\"]\n{keys}\n")
}

const GROUP: &str =
    "[[grant]]\ngroup = \"writers\"\naccess = \"write\"\ntoken_file = \"writers.token\"\n";
const GRANTS: &str = "[[grant]]\ngroup = \"writers\"\naccess = \"write\"\ntoken_file = \"writers.token\"\n\
                      [[grant]]\nuser = \"rita\"\n";

/// With a granted token, a shared one, and these tables.
fn start(upstream: &Upstream, tables: &str) -> Gateway {
    let config = format!("token_file = \"shared.token\"\n{tables}");
    let folder =
        Gateway::prepare(&format!("http://{}", upstream.address), &config, &users(&["ada"]));
    for (name, token) in [("writers.token", "granted"), ("shared.token", "shared")] {
        std::fs::write(folder.path().join(name), token).unwrap();
    }
    Gateway::start_in(folder)
}

/// The same for one provider, whose keys are there.
pub(crate) fn start_for(idp: &Idp, upstream: &Upstream, keys: &str) -> Gateway {
    let gateway = start(upstream, &(jwt(&idp.issuer, keys) + GRANTS));
    wait_for_keys(&gateway, &idp.issuer);
    gateway
}

fn wait_for_keys(gateway: &Gateway, issuer: &str) {
    let told = format!("keys of {issuer} are in use");
    wait_until("the keys are there", || gateway.has_logged(&told));
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn ask(gateway: &Gateway, token: &str) -> Answer {
    gateway.connect().send(&get("/api/v2/buckets", &[&bearer(token)]))
}

/// It is refused, the reason is in the audit trail, and the upstream has seen nothing.
fn assert_refused(gateway: &Gateway, upstream: &Upstream, token: &str, reason: &str) {
    let before = gateway.audit().matches('\n').count();
    let answer = ask(gateway, token);
    assert_eq!((answer.status, &*answer.text()), (401, COMPACT), "{reason}: {token}");
    assert_eq!(gateway.audited(before + 1)[before]["reason"], reason, "{token}");
    assert!(upstream.saw_nothing(), "{reason}");
}

#[test]
fn a_good_jwt_is_replaced_by_the_granted_token() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let gateway = start_for(&idp, &upstream, "require = { azp = \"telegraf\" }");
    let token = idp.token(&idp.claims());
    for scheme in ["Bearer", "Token", "bearer"] {
        let header = format!("Authorization: {scheme} {token}");
        assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&header])).text(), "eva");
        let seen = upstream.next();
        assert_eq!(seen.header("authorization"), Some("Token granted"));
        assert!(!seen.head.contains(&token));
    }
    let header = bearer(&token);
    assert_eq!(gateway.connect().send(&post("/api/v2/write", &[&header])).status, 200);
    upstream.next();
    // access = "write"
    assert_eq!(gateway.connect().send(&post("/api/v2/buckets", &[&header])).status, 403);
    assert_eq!(gateway.connect().send(&get("/api/v2/authorizations", &[&header])).status, 403);
    // It would be that of whoever the granted token is of.
    let password =
        with_body("PUT", "/api/v2/me/password", &[&header], "{\"password\":\"12345678\"}");
    assert_eq!(gateway.connect().send(&password).status, 403);
    let me = gateway.connect().send(&get("/api/v2/me", &[&header])).json();
    assert_eq!((&me["name"], &me["status"]), (&json!("eva"), &json!("active")));
    let id = me["id"].as_str().unwrap();
    assert!(id.len() == 16 && id != "0000000000000000", "{id}");
    // Another user, by the second grant: the shared token, and to read alone.
    let mut claims = idp.with("preferred_username", json!("rita"));
    claims["groups"] = json!([]);
    claims["jti"] = Value::Null;
    let other = bearer(&idp.token(&claims));
    assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&other])).text(), "rita");
    assert_eq!(upstream.next().header("authorization"), Some("Token shared"));
    assert_eq!(gateway.connect().send(&post("/api/v2/write", &[&other])).status, 403);
    assert!(upstream.saw_nothing());
    let log = gateway.stop();
    // printf j1 | sha256sum | head -c 8
    let line = "user=eva session=- jti=08243666 method=POST path=/api/v2/write status=200";
    assert!(log.contains(line), "{log}");
    assert!(log.contains("user=rita session=- method=GET path=/api/v2/buckets"), "{log}");
    assert!(!log.contains(token.rsplit_once('.').unwrap().1), "the token is in the log");
}

#[test]
fn an_unsigned_jwt_and_one_signed_with_the_public_key_are_refused() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let gateway = start_for(&idp, &upstream, "");
    let token = idp.token(&idp.claims());
    let (message, signature) = token.rsplit_once('.').unwrap();
    let unsigned = |alg: &str| {
        let header = json!({ "alg": alg, "typ": "JWT" });
        let token = idp.signer.sign(&header, &idp.claims());
        token.rsplit_once('.').unwrap().0.to_owned() + "."
    };
    let header = json!({ "alg": "HS256", "kid": idp.signer.id });
    for token in [
        unsigned("none"),
        unsigned("None"),
        format!("{message}."),
        format!("{message}.{}", &signature[..signature.len() - 4]),
        with_secret(&header, &idp.claims(), &idp.signer.public()),
        Signer::new("P-256").sign(&idp.header(), &idp.claims()),
    ] {
        assert_refused(&gateway, &upstream, &token, "jwt_signature");
    }
}

#[test]
fn a_key_that_a_jwt_brings_is_not_looked_at() {
    let (idp, upstream, evil) = (Idp::start(), Upstream::start(), Idp::start());
    let gateway = start_for(&idp, &upstream, "");
    let place = format!("http://{}/keys", evil.server.address);
    for more in [
        json!({ "jwk": evil.signer.jwk() }),
        json!({ "jku": place }),
        json!({ "x5u": place }),
        json!({ "crit": ["b64"], "b64": false }),
    ] {
        let mut header = idp.header();
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        for signer in [&evil.signer, &idp.signer] {
            let token = signer.sign(&header, &idp.claims());
            assert_refused(&gateway, &upstream, &token, "jwt_signature");
        }
    }
    assert!(evil.server.saw_nothing());
}

#[test]
fn many_jwts_with_unknown_keys_have_the_provider_asked_once() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let gateway = start_for(&idp, &upstream, "");
    assert_eq!(idp.times_asked(), 1);
    std::thread::scope(|scope| {
        for number in 0..40 {
            let (idp, gateway) = (&idp, &gateway);
            scope.spawn(move || {
                let header = json!({ "alg": "ES256", "kid": format!("unknown-{number}") });
                let token = idp.signer.sign(&header, &idp.claims());
                assert_eq!(ask(gateway, &token).text(), COMPACT);
            });
        }
    });
    assert_eq!(idp.times_asked(), 1);
    assert!(upstream.saw_nothing());
    let reasons = gateway.audited(40);
    assert!(reasons.iter().all(|line| line["reason"] == "jwt_unknown_key"), "{reasons:?}");
    assert_eq!(ask(&gateway, &idp.token(&idp.claims())).status, 200);
}

#[test]
fn a_jwt_for_others_or_for_another_time_is_refused() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let keys = "require = { azp = \"telegraf\" }\nmax_age = \"1h\"";
    let gateway = start_for(&idp, &upstream, keys);
    let time = now();
    for (name, value, reason) in [
        ("aud", json!("other"), "jwt_audience"),
        ("aud", Value::Null, "jwt_audience"),
        ("azp", json!("other"), "jwt_claims"),
        ("exp", json!(time - 40), "jwt_expired"),
        ("exp", Value::Null, "jwt_claims"),
        ("iat", json!(time - 3700), "jwt_expired"),
        ("iat", json!(time + 300), "jwt_claims"),
        ("nbf", json!(time + 300), "jwt_claims"),
        ("sub", Value::Null, "jwt_claims"),
        ("nonce", json!("n"), "jwt_claims"),
        ("typ", json!("ID"), "jwt_claims"),
    ] {
        let mut claims = idp.with(name, value);
        if name == "azp" {
            claims["aud"] = json!(["influx-api", "other"]);
        }
        assert_refused(&gateway, &upstream, &idp.token(&claims), reason);
    }
    let events = json!({ "http://schemas.openid.net/event/backchannel-logout": {} });
    let logout = idp.with("events", events);
    assert_refused(&gateway, &upstream, &idp.token(&logout), "jwt_claims");
    let mut header = idp.header();
    header["typ"] = json!("logout+jwt");
    let logout = idp.signer.sign(&header, &idp.claims());
    assert_refused(&gateway, &upstream, &logout, "jwt_claims");
    // A clock that is off by less than `leeway`.
    assert_eq!(ask(&gateway, &idp.token(&idp.with("exp", json!(time - 5)))).status, 200);
}

#[test]
fn a_name_is_right_or_refused_and_never_mended() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let gateway = start_for(&idp, &upstream, "user = \"email\"");
    let email = |email: &str, verified: Value| {
        let mut claims = idp.with("email", json!(email));
        claims["email_verified"] = verified;
        idp.token(&claims)
    };
    for (name, verified) in [
        ("a@corp.test@evil.test", json!(true)),
        ("eva@corp.test", json!(false)),
        ("eva@corp.test", json!("true")),
        ("eva@corp.test\r\nX-Forwarded-User: root", json!(true)),
        ("eva@corp.test,root", json!(true)),
        ("eva@c\u{f6}rp.test", json!(true)),
        (&*format!("{}@corp.test", "n".repeat(290)), json!(true)),
        ("", json!(true)),
    ] {
        assert_refused(&gateway, &upstream, &email(name, verified), "jwt_claims");
    }
    assert_eq!(ask(&gateway, &email("Eva@corp.test", json!(true))).text(), "Eva@corp.test");
}

#[test]
fn groups_that_cannot_be_read_grant_nothing() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let gateway = start_for(&idp, &upstream, "");
    let many: Vec<String> = (0..1001).map(|number| format!("{number}")).collect();
    for (number, (name, value)) in [
        ("groups", Value::Null),
        ("groups", json!("writers2")),
        ("groups", json!(["readers"])),
        ("groups", json!(many)),
        ("groups", json!({ "writers": true })),
        ("groups", json!([["writers"]])),
        ("_claim_names", json!({ "groups": "src1" })),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = idp.with(name, value);
        if name == "_claim_names" {
            claims.as_object_mut().unwrap().remove("groups");
        }
        let answer = ask(&gateway, &idp.token(&claims));
        let told = r#"{"code":"forbidden","message":"no access is granted to you"}"#;
        assert_eq!((answer.status, &*answer.text()), (403, told), "{claims}");
        let event = &gateway.audited(number + 1)[number];
        assert_eq!((&event["reason"], &event["user"]), (&json!("no_grant"), &json!("eva")));
    }
    assert!(upstream.saw_nothing());
    assert_eq!(ask(&gateway, &idp.token(&idp.with("groups", json!("writers")))).status, 200);
    let log = gateway.stop();
    for why in
        ["there are more of them than are looked at", "leaves them out, as there are too many"]
    {
        assert!(log.contains(why), "{why}");
    }
}

#[test]
fn a_jwt_decides_and_not_the_cookie_beside_it() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let gateway = start_for(&idp, &upstream, "");
    let session = cookie(&gateway.sign_in("ada"));
    let send =
        |token: &str, path: &str| gateway.connect().send(&get(path, &[&bearer(token), &session]));
    let (good, bad) = (idp.token(&idp.claims()), idp.token(&idp.with("aud", json!("other"))));
    for path in ["/api/v2/buckets", "/api/v2/me", "/api/v2/nothing"] {
        assert_eq!(send(&bad, path).text(), COMPACT, "{path}");
    }
    assert!(upstream.saw_nothing());
    assert_eq!(send(&good, "/api/v2/buckets").text(), "eva");
    assert!(!upstream.next().head.contains("influxdb-oss-session"));
    assert_eq!(send(&good, "/api/v2/me").json()["name"], "eva");
}

#[test]
fn a_jwt_never_goes_upstream_and_one_of_others_does_as_any_token() {
    let (idp, upstream, other) = (Idp::start(), Upstream::start(), Idp::start());
    let tables = jwt(&idp.issuer, "") + GRANTS + "[forward]\nv1 = true\n";
    let gateway = start(&upstream, &tables);
    wait_for_keys(&gateway, &idp.issuer);
    let (good, bad) = (idp.token(&idp.claims()), idp.token(&idp.with("aud", json!("other"))));
    for token in [&good, &bad] {
        assert_eq!(gateway.connect().send(&get("/health", &[&bearer(token)])).status, 200);
        assert_eq!(upstream.next().header("authorization"), None);
    }
    assert_eq!(gateway.connect().send(&get("/query?q=x", &[&bearer(&bad)])).text(), COMPACT);
    assert!(upstream.saw_nothing());
    assert_eq!(gateway.connect().send(&get("/query?q=x", &[&bearer(&good)])).text(), "eva");
    assert_eq!(upstream.next().header("authorization"), Some("Token granted"));
    assert_eq!(gateway.connect().send(&post("/query?q=x", &[&bearer(&good)])).status, 403);
    // Of an issuer that is not configured, or no JWT after all.
    for token in [other.token(&other.claims()), "a.b.c".to_owned(), good.clone() + ".x"] {
        assert_eq!(ask(&gateway, &token).text(), "nobody");
        assert_eq!(upstream.next().header("authorization"), Some(&*format!("Bearer {token}")));
    }
    drop(gateway);
    let gateway = start(&upstream, &(tables + "[users]\ntokens = \"deny\"\n"));
    wait_for_keys(&gateway, &idp.issuer);
    assert_eq!(ask(&gateway, &other.token(&other.claims())).text(), COMPACT);
    assert!(upstream.saw_nothing());
    assert_eq!(ask(&gateway, &good).text(), "eva");
}

#[test]
fn a_name_is_one_users_alone() {
    let (one, two, upstream) = (Idp::start(), Idp::start(), Upstream::start());
    let tables = jwt(&one.issuer, "") + &jwt(&two.issuer, "") + GROUP;
    let gateway = start(&upstream, &(tables + "[identity]\ntoken_prefix = \"influxdb/\"\n"));
    wait_for_keys(&gateway, &one.issuer);
    wait_for_keys(&gateway, &two.issuer);
    let named = |idp: &Idp, name: &str| idp.token(&idp.with("preferred_username", json!(name)));
    assert_eq!(ask(&gateway, &named(&one, "eva")).text(), "eva");
    upstream.next();
    for (number, token) in
        [named(&one, "ada"), named(&two, "eva"), named(&two, "InfluxDB/x")].iter().enumerate()
    {
        let answer = ask(&gateway, token);
        let told = r#"{"code":"forbidden","message":"your name belongs to somebody else here"}"#;
        assert_eq!((answer.status, &*answer.text()), (403, told));
        // After the session of nobody: only what was refused is in the trail.
        assert_eq!(gateway.audited(number + 1)[number]["reason"], "name_taken");
    }
    assert!(upstream.saw_nothing());
    assert_eq!(ask(&gateway, &named(&two, "tom")).text(), "tom");
}

#[test]
fn a_name_is_nobodys_who_is_granted_nothing_and_not_another_in_other_letter_case() {
    let (one, two, upstream) = (Idp::start(), Idp::start(), Upstream::start());
    let gateway = start(&upstream, &(jwt(&one.issuer, "") + &jwt(&two.issuer, "") + GROUP));
    wait_for_keys(&gateway, &one.issuer);
    wait_for_keys(&gateway, &two.issuer);
    assert_eq!(ask(&gateway, &two.token(&two.with("groups", json!([])))).status, 403);
    assert_eq!(ask(&gateway, &one.token(&one.claims())).text(), "eva");
    for (number, name) in ["eva", "EVA", "ADA"].into_iter().enumerate() {
        let token = two.token(&two.with("preferred_username", json!(name)));
        assert_eq!(ask(&gateway, &token).status, 403, "{name}");
        assert_eq!(gateway.audited(number + 2)[number + 1]["reason"], "name_taken", "{name}");
    }
}

#[test]
fn a_provider_that_is_down_at_the_start_is_asked_again() {
    let (upstream, address) = (Upstream::start(), closed_port());
    let gateway = start(&upstream, &(jwt(&issuer_at(address), "") + GRANTS));
    wait_until("it has failed", || gateway.has_logged("answered with 503 until they can"));
    let idp = Idp::on(std::net::TcpListener::bind(address).unwrap());
    let token = idp.token(&idp.claims());
    let answer = ask(&gateway, &token);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert!(upstream.saw_nothing());
    wait_for_keys(&gateway, &idp.issuer);
    assert_eq!(ask(&gateway, &token).text(), "eva");
    assert!(gateway.audit().is_empty(), "it was nobody's fault");
}

#[test]
fn new_keys_are_found_at_once_and_old_ones_outlive_a_failure() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let gateway = start_for(&idp, &upstream, "");
    let rotated = Signer::new("P-256");
    idp.say(Says::Keys(vec![rotated.jwk()]));
    assert_eq!(ask(&gateway, &idp.token(&idp.claims())).status, 200);
    upstream.next();
    assert_eq!(idp.times_asked(), 1, "as yet, nobody wants to know");
    let header = json!({ "alg": "ES256", "kid": "new" });
    idp.say(Says::Bytes("500 Internal Server Error", String::new()));
    let token = rotated.sign(&header, &idp.claims());
    assert_refused(&gateway, &upstream, &token, "jwt_unknown_key");
    wait_until("it is said", || gateway.has_logged("the old ones stay in use"));
    assert_eq!(ask(&gateway, &idp.token(&idp.with("jti", json!("j2")))).status, 200);
    drop(gateway);

    let gateway = start(&upstream, &(jwt(&idp.issuer, "") + GRANTS));
    idp.say(Says::Keys(vec![idp.signer.jwk()]));
    wait_for_keys(&gateway, &idp.issuer);
    let signer = Signer::new("P-256");
    let mut jwk = signer.jwk();
    jwk["kid"] = json!("new");
    idp.say(Says::Keys(vec![jwk]));
    let token = signer.sign(&json!({ "alg": "ES256", "kid": "new" }), &idp.claims());
    assert_eq!(ask(&gateway, &token).text(), "eva");
    // The old key is the provider's no longer.
    let old = idp.token(&idp.with("jti", json!("j3")));
    assert_eq!(ask(&gateway, &old).text(), COMPACT);
}

#[test]
fn a_document_of_keys_that_is_not_right_is_refused_and_others_work() {
    let (honest, upstream) = (Idp::start(), Upstream::start());
    let key = honest.signer.jwk();
    let named = |number: usize| {
        let mut key = key.clone();
        key["kid"] = json!(number.to_string());
        key
    };
    let too_long = format!("{{\"keys\":[],\"x\":\"{}\"}}", " ".repeat(10_000_000));
    let hostile = [
        (Says::Bytes("200 OK", too_long), "the response is too long"),
        (Says::Drip, "no answer in time"),
        (Says::Redirect, "redirections are not followed"),
        (Says::Keys(vec![key.clone(), key.clone()]), "two keys of one kind are called"),
        (Says::Keys((0..101).map(named).collect()), "101 keys, and at most 100 are read"),
        (Says::Keys(vec![]), "no key in it that signatures could be verified with"),
        (Says::Bytes("200 OK", "<html>".to_owned()), "not a set of keys"),
    ]
    .map(|(says, why)| {
        let idp = Idp::start();
        idp.say(says);
        (idp, why)
    });
    let tables: String = hostile.iter().map(|(idp, _)| jwt(&idp.issuer, "")).collect();
    // It says that it is another.
    let elsewhere = format!("http://{}/other/..", honest.server.address);
    let tables = tables + &jwt(&honest.issuer, "") + &jwt(&elsewhere, "") + GROUP;
    let gateway = start(&upstream, &tables);
    wait_for_keys(&gateway, &honest.issuer);
    assert_eq!(ask(&gateway, &honest.token(&honest.claims())).text(), "eva");
    upstream.next();
    for (idp, why) in &hostile {
        let told = format!("jwt: the keys of {} cannot be read", idp.issuer);
        wait_until(why, || gateway.has_logged(&told));
        let log = gateway.log();
        assert!(log.lines().any(|line| line.contains(&told) && line.contains(why)), "{why}: {log}");
        assert_eq!(ask(&gateway, &idp.token(&idp.claims())).status, 503, "{why}");
    }
    wait_until("the other", || gateway.has_logged(&format!("the keys of {elsewhere} cannot")));
    assert!(upstream.saw_nothing());
    let moved = hostile.iter().flat_map(|(idp, _)| idp.server.seen_by_clients());
    assert!(!moved.into_iter().any(|seen| seen.line().contains("/moved")));
}

#[test]
fn a_file_of_keys_and_one_of_a_granted_token_are_read_again() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    let config = jwt(&idp.issuer, "keys = \"keys.json\"") + GRANTS;
    let folder =
        Gateway::prepare(&format!("http://{}", upstream.address), &config, &users(&["ada"]));
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let keys = |signer: &Signer| json!({ "keys": [signer.jwk()] }).to_string();
    let other = Signer::new("P-256");
    write("keys.json", &keys(&other));
    write("writers.token", "granted");
    let path = folder.path().to_owned();
    let gateway = Gateway::start_in(folder);
    let token = idp.token(&idp.claims());
    assert_refused(&gateway, &upstream, &token, "jwt_signature");
    // No shared token, and none is granted to her.
    let mut rita = idp.with("preferred_username", json!("rita"));
    rita["groups"] = json!([]);
    let rita = other.sign(&idp.header(), &rita);
    assert_eq!(ask(&gateway, &rita).status, 403);
    std::fs::write(path.join("keys.json"), keys(&idp.signer)).unwrap();
    std::fs::write(path.join("writers.token"), "fresh").unwrap();
    // What was refused is remembered for some seconds, so that it is another each time.
    let number = std::cell::Cell::new(0);
    wait_until("both are in use", || {
        number.set(number.get() + 1);
        let token = idp.token(&idp.with("jti", json!(number.get().to_string())));
        let status = ask(&gateway, &token).status;
        status == 200 && upstream.next().header("authorization") == Some("Token fresh")
    });
    assert!(idp.server.saw_nothing(), "nobody has to be asked");
}

#[test]
fn all_faults_are_told_at_once_each_in_its_line() {
    let folder = Gateway::prepare("http://127.0.0.1:1", "", &users(&["ada"]));
    let text = "[[jwt]]\nissuer = \"http://idp.test\"\nkeys = \"http://idp.test/keys\"\n\
                algorithms = [\"none\", \"HS256\"]\nuser = \"a..b\"\nleeway = \"1h\"\nrequire = { azp = 1.5 }\n\
                [[jwt]]\nissuer = \"https://idp.test\"\naudience = [\"a\"]\nkeys = \"missing.json\"\n\
                [[jwt]]\nissuer = \"https://idp.test\"\naudience = [\"a\"]\nca_file = \"missing.pem\"\n\
                [[grant]]\nissuer = \"https://other.test\"\ngroup = \"g\"\nuser = \"u\"\naccess = \"all\"\n\
                token_file = \"missing.token\"\n";
    std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
    let path = folder.path().join("gateway.toml");
    let output = output_of(program().args(["check", "--config"]).arg(&path), "");
    assert_eq!(output.status.code(), Some(78));
    let told = String::from_utf8(output.stderr).unwrap();
    for fault in [
        "2: jwt.issuer: not a URL of an identity provider",
        "1: jwt.audience: at least one",
        "3: jwt.keys: not a URL of an identity provider",
        "4: jwt.algorithms: \"none\" is not one of",
        "4: jwt.algorithms: \"HS256\" is not one of",
        "5: jwt.user: not the name of a claim",
        "6: jwt.leeway: at most 10m",
        "7: jwt.require.azp: expected a string",
        "11: jwt.keys: cannot read",
        "13: jwt.issuer: another [[jwt]] has this issuer",
        "17: grant.issuer: no [[jwt]] and no [[oidc]] has this issuer",
        "19: grant.user: a grant is for a group or for a user",
        "20: grant.access: \"all\" is not one of",
        "21: grant.token_file: cannot read",
    ] {
        assert!(
            told.lines().any(|line| line.contains(&format!("gateway.toml:{fault}"))),
            "{fault}\n{told}"
        );
    }
}

/// What `command` says of the configuration in `folder`, and its exit code.
fn say(folder: &tempfile::TempDir, command: &str, arguments: &[&str]) -> (Option<i32>, String) {
    let mut program = program();
    program.arg(command).arg("--config").arg(folder.path().join("gateway.toml")).args(arguments);
    let output = output_of(&mut program, "");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn explain_says_which_grant_is_for_a_jwt_and_why_one_is_refused() {
    let idp = Idp::start();
    let prepare = |keys: &str| {
        let config = format!("token_file = \"shared.token\"\n{}{GRANTS}", jwt(&idp.issuer, keys));
        let folder = Gateway::prepare("http://127.0.0.1:1", &config, &users(&["ada"]));
        let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        file("writers.token", "granted");
        file("shared.token", "shared");
        file("keys.json", &json!({ "keys": [idp.signer.jwk()] }).to_string());
        folder
    };
    for (keys, signature) in [("keys = \"keys.json\"", ""), ("", " (signature not looked at")] {
        let folder = prepare(keys);
        let explain = |claims: &Value, request: [&str; 2]| -> Value {
            let token = folder.path().join("token");
            std::fs::write(&token, idp.token(claims)).unwrap();
            let token = token.to_str().unwrap();
            let (code, text) =
                say(&folder, "explain", &["--json", "--token", token, request[0], request[1]]);
            assert_eq!(code, Some(0), "{text}");
            serde_json::from_str(&text).unwrap()
        };
        let told = explain(&idp.claims(), ["POST", "/api/v2/write"]);
        let caller = told["caller"].as_str().unwrap();
        assert!(caller.starts_with(&format!("eva, by a JWT{signature}")), "{told}");
        assert!(caller.ends_with("for group writers, access write"), "{told}");
        assert_eq!(told["credential"], "the API token of the grant (grant.token_file)");
        for (claims, request, decision, why) in [
            (
                idp.claims(),
                ["POST", "/api/v2/buckets"],
                "403",
                "for group writers; it needs access = \"full\"",
            ),
            (
                idp.with("groups", Value::Null),
                ["GET", "/api/v2/buckets"],
                "403",
                "no [[grant]] is for eva",
            ),
            (
                idp.with("aud", json!("x")),
                ["GET", "/api/v2/buckets"],
                "401",
                "none of jwt.audience is in aud",
            ),
            (idp.with("exp", json!(1)), ["GET", "/api/v2/buckets"], "401", "it has ended"),
            (
                idp.with("preferred_username", json!("ada")),
                ["GET", "/api/v2/me"],
                "403",
                "is a name of the users file",
            ),
        ] {
            let told = explain(&claims, request);
            assert!(told["decision"].as_str().unwrap().contains(decision), "{told}");
            assert!(told["why"].as_str().unwrap().contains(why), "{why}: {told}");
        }
    }
    assert!(idp.server.saw_nothing(), "nobody is asked");
}

#[test]
fn check_asks_providers_if_it_is_to() {
    let (good, bad) = (Idp::start(), Idp::start());
    bad.say(Says::Bytes("404 Not Found", String::new()));
    let prepare = |tables: &str| {
        let config = format!("token_file = \"shared.token\"\n{tables}[[grant]]\n");
        let folder = Gateway::prepare("http://127.0.0.1:1", &config, &users(&["ada"]));
        std::fs::write(folder.path().join("shared.token"), "shared").unwrap();
        folder
    };
    let folder = prepare(&(jwt(&good.issuer, "") + &jwt(&bad.issuer, "")));
    assert_eq!(say(&folder, "check", &[]).0, Some(0));
    assert!(good.server.saw_nothing() && bad.server.saw_nothing(), "not asked for");
    let (code, told) = say(&folder, "check", &["--online"]);
    assert_eq!(code, Some(69), "{told}");
    assert!(told.contains(&format!("{}: good; keys: 1", good.issuer)), "{told}");
    let wrong =
        format!("{}: http://{}/keys: it answers 404 Not Found", bad.issuer, bad.server.address);
    assert!(told.contains(&wrong), "{told}");
    let (code, told) = say(&prepare(&jwt(&good.issuer, "")), "check", &["--online"]);
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn keys_that_are_for_none_of_the_algorithms_are_a_fault() {
    let idp = Idp::start();
    let prepare = |keys: &str| {
        let jwt = jwt(&idp.issuer, &format!("algorithms = [\"RS256\", \"EdDSA\"]\n{keys}"));
        let config = format!("token_file = \"shared.token\"\n{jwt}[[grant]]\n");
        let folder = Gateway::prepare("http://127.0.0.1:1", &config, &users(&["ada"]));
        std::fs::write(folder.path().join("shared.token"), "shared").unwrap();
        let keys = json!({ "keys": [idp.signer.jwk()] }).to_string();
        std::fs::write(folder.path().join("keys.json"), keys).unwrap();
        folder
    };
    let told = "its keys are for ES256, and none of them for what algorithms names: RS256, EdDSA";
    let folder = prepare("");
    let (code, said) = say(&folder, "check", &["--online"]);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains(told) && !said.contains("good; keys"), "{said}");
    // Whoever does not ask is told when the gateway does.
    let gateway = Gateway::start_in(folder);
    wait_until("it is said", || gateway.has_logged(told));
    // In a file, it is a fault of the configuration.
    let folder = prepare("keys = \"keys.json\"");
    let (code, said) = say(&folder, "check", &[]);
    let text = std::fs::read_to_string(folder.path().join("gateway.toml")).unwrap();
    let line = text.lines().position(|line| line.starts_with("keys = ")).unwrap() + 1;
    let told = format!("gateway.toml:{line}: jwt.keys: {told}");
    assert!(code == Some(78) && said.contains(&told), "{said}");
}

#[test]
fn check_warns_of_a_grant_without_any_token() {
    for source in ["file", "influxdb"] {
        let warned = |upstream: &str| {
            let tables = jwt("https://idp.test/realm", "") + GRANTS;
            let config = format!("{upstream}{tables}[users]\nsource = \"{source}\"\n");
            let folder = Gateway::prepare("http://127.0.0.1:1", &config, &users(&["ada"]));
            for name in ["writers.token", "shared.token"] {
                std::fs::write(folder.path().join(name), "token").unwrap();
            }
            let (code, told) = say(&folder, "check", &[]);
            assert_eq!(code, Some(0), "{told}");
            let text = std::fs::read_to_string(folder.path().join("gateway.toml")).unwrap();
            let of_rita = text.lines().position(|line| line == "user = \"rita\"").unwrap();
            let grants = told.lines().filter(|line| line.contains("this [[grant]]"));
            let lines = grants.map(|line| line.contains(&format!("line {of_rita}: ")));
            lines.collect::<Vec<_>>()
        };
        assert_eq!(warned(""), [true], "{source}");
        assert_eq!(warned("token_file = \"shared.token\"\n"), [false; 0], "{source}");
    }
}
