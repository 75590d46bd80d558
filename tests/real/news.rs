use serde_json::json;

use crate::influxd::{Influxd, OPERATOR, OPERATOR_TOKEN};
use crate::modes::Mode;
use crate::secure::{Authority, SecureClient, connect};
use crate::support::*;

const HSTS: &str = "strict-transport-security";

fn token(token: &str) -> String {
    format!("Authorization: Token {token}")
}

#[test]
fn health_is_for_everybody_and_its_details_for_who_brings_the_operator_token() {
    let influxd = Influxd::start_with(&["--health-auth-mode=required"]);
    let ada = influxd.add_user("ada");
    for mode in Mode::ALL {
        let gateway = mode.gateway(&influxd, &[&ada]);
        let ask = |method: &str, target: &str, header: &str| {
            let answer = gateway.connect().send(&request(method, target, &[header]));
            let expected = if target == "/ping" { 204 } else { 200 };
            assert_eq!(answer.status, expected, "{mode:?} {method} {target}: {answer:?}");
            answer
        };
        for target in ["/health", "/ready", "/ping"] {
            ask("GET", target, "X-A: 1");
            ask("HEAD", target, "X-A: 1");
        }
        // Not even a session is any more than nobody.
        let mut nobody = vec!["X-A: 1".to_owned(), token(&ada.token)];
        if mode.has_session() {
            nobody.push(cookie(&gateway.sign_in("ada")));
        }
        for header in nobody {
            let health = ask("GET", "/health", &header).json();
            assert_eq!((&health["status"], &health["version"]), (&json!("pass"), &json!(null)));
        }
        let health = ask("GET", "/health", &token(OPERATOR_TOKEN)).json();
        assert!(health["version"].is_string(), "{mode:?}: {health}");
        assert_eq!(ask("GET", "/ready", "X-A: 1").json()["status"], "ready");
    }
}

/// While InfluxDB starts, or has failed to, it answers `/health` and `/ready`, and 503 to all else.
#[test]
fn half_a_start_of_influxdb_is_no_reason_to_sign_anybody_out() {
    let mut influxd = Influxd::start();
    let ada = influxd.add_user("ada");
    // It asks InfluxDB all the time what became of its users.
    let config = "[users]\nsource = \"influxdb\"\nrefresh = \"20ms\"\nrenew = \"50ms\"\n";
    let users = Gateway::start_with(influxd.address, config, "");
    let own = Mode::OwnToken.gateway(&influxd, &[&ada]);
    let resolved = Mode::TokenResolved.gateway(&influxd, &[]);
    let with_influxdbs = cookie(&users.sign_in("ada"));
    let with_own = cookie(&own.sign_in("ada"));

    influxd.kill();
    influxd.start_in_vain();
    let starting = influxd.send(&get("/api/v2/me", &[]));
    assert_eq!((starting.status, starting.text().trim()), (503, r#"{"status":"starting"}"#));

    // What InfluxDB is asked for: neither a wrong password nor a bad token.
    let unavailable = |answer: &Answer| {
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.header("x-platform-error-code"), Some("unavailable"), "{answer:?}");
        assert!(answer.header("retry-after").is_some(), "{answer:?}");
        assert_eq!(answer.header("set-cookie"), None);
    };
    let sign_in = post("/api/v2/signin", &[&basic("ada", PASSWORD)]);
    unavailable(&users.connect().send(&sign_in));
    unavailable(&resolved.connect().send(&get("/api/v2/buckets", &[&token(&ada.token)])));
    // What is forwarded: InfluxDB's own 503.
    for (gateway, session) in [(&users, &with_influxdbs), (&own, &with_own)] {
        for _ in 0..3 {
            let answer = gateway.connect().send(&get("/api/v2/buckets", &[session]));
            assert_eq!((answer.status, answer.text()), (503, starting.text()), "{answer:?}");
            let me = gateway.connect().send(&get("/api/v2/me", &[session]));
            assert_eq!((me.status, &me.json()["name"]), (200, &json!("ada")), "{me:?}");
        }
        let health = gateway.connect().send(&get("/health", &[]));
        assert_eq!((health.status, &health.json()["status"]), (503, &json!("fail")));
        let ended = ["expired", "revoked", "signed_out", "evicted"];
        assert!(!ended.iter().any(|event| gateway.audit().contains(event)), "{}", gateway.audit());
    }

    influxd.kill();
    influxd.start_again();
    let buckets = get("/api/v2/buckets", &[&with_own]);
    assert_eq!(own.connect().send(&buckets).status, 200);
    let buckets = get("/api/v2/buckets", &[&token(&ada.token)]);
    assert_eq!(resolved.connect().send(&buckets).status, 200);
    assert_eq!(users.connect().send(&sign_in).status, 204);
}

#[test]
fn influxdb_that_wants_tls_only_says_so_of_itself_alone() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    for name in ["influxdb", "gateway"] {
        authority.pair("127.0.0.1").write(folder.path(), name);
    }
    std::fs::write(folder.path().join("ca.crt"), authority.certificate()).unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let influxd = Influxd::begin(&[
        &format!("--tls-cert={}", path("influxdb.crt")),
        &format!("--tls-key={}", path("influxdb.key")),
        "--hardening-enabled",
        "--strict-transport-security-max-age=1234",
    ]);
    let client = |address| {
        connect(address, authority.roots(), &[b"http/1.1"], rustls::ALL_VERSIONS)
            .ok()
            .map(SecureClient::new)
    };
    let setup = get("/api/v2/setup", &[]);
    wait_until("InfluxDB serves over TLS", || {
        client(influxd.address).is_some_and(|mut client| client.send(&setup).status == 200)
    });
    let about = json!({ "username": OPERATOR, "password": PASSWORD, "org": "o", "bucket": "b" });
    let made = with_body("POST", "/api/v2/setup", &[], &about.to_string());
    let made = client(influxd.address).unwrap().send(&made);
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.header(HSTS), Some("max-age=1234; includeSubDomains"));

    for (hsts, expected) in [("180days", Some("max-age=15552000")), ("off", None)] {
        let config = format!(
            "[listen]\nhttp = [\"127.0.0.1:0\"]\nhsts = \"{hsts}\"\n[[listen.https]]\n\
             address = \"127.0.0.1:0\"\ncertificate = \"{}\"\nkey = \"{}\"\n\
             [upstream]\nurl = \"https://{}\"\nca_file = \"{}\"\n[users]\nsource = \"influxdb\"\n",
            path("gateway.crt"),
            path("gateway.key"),
            influxd.address,
            path("ca.crt"),
        );
        let own = tempfile::tempdir().unwrap();
        std::fs::write(own.path().join("gateway.toml"), config).unwrap();
        let gateway = Gateway::start_in(own);
        let https = gateway.next_https();
        let session = cookie(&gateway.sign_in(OPERATOR));
        for (request, status) in [
            (get("/health", &[]), 200),
            (get("/ping", &[]), 204),
            (get("/api/v2/me", &[&session]), 200),
            (get("/api/v2/buckets", &[&session]), 200),
            (get("/api/v2/nope", &[&session]), 404),
        ] {
            let answer = client(https).unwrap().send(&request);
            assert_eq!((answer.status, answer.header(HSTS)), (status, expected), "{answer:?}");
            let plain = gateway.connect().send(&request);
            assert_eq!((plain.status, plain.header(HSTS)), (status, None), "{plain:?}");
        }
    }
}
