//! A JWT counts wherever a client can put it, or is refused: it never goes upstream.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

const PATHS: [(&str, &str); 3] =
    [("GET", "/query?q=x"), ("POST", "/write?db=d"), ("GET", "/api/v2/buckets?name=x")];

fn in_basic(token: &str) -> String {
    format!("Authorization: Basic {}", STANDARD.encode(format!("x:{token}")))
}

/// Where clients of InfluxDB 1 write tokens: before the upstream that has been InfluxDB 2 from its beginning, and before
/// InfluxDB 3, where a session counts on the same paths.
const UPSTREAMS: [&str; 2] = ["[forward]\nv1 = true\n", ""];

fn start_before(idp: &Idp, upstream: &Upstream, forward: &str) -> Gateway {
    let kind = if forward.is_empty() { "kind = \"influxdb3\"\n" } else { "" };
    let gateway = start(upstream, &(kind.to_owned() + &jwt(&idp.issuer, "") + GRANTS + forward));
    wait_for_keys(&gateway, &idp.issuer);
    gateway
}

#[test]
fn a_jwt_behind_a_name_is_one() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    for forward in UPSTREAMS {
        let gateway = start_before(&idp, &upstream, forward);
        let session = cookie(&gateway.sign_in("ada"));
        let (good, bad) = (idp.token(&idp.claims()), idp.token(&idp.with("aud", json!("other"))));
        // Longer than a password may be.
        let long = idp.token(&idp.with("more", json!("x".repeat(6000))));
        for (method, target) in PATHS {
            let send = |header: &str| {
                let request = request(method, target, &[header, &session, "Content-Length: 0"]);
                gateway.connect().send(&request)
            };
            let named = |token: &str| format!("Authorization: Token x:{token}");
            let in_basic_counts = !target.starts_with("/api");
            for token in [&good, &long] {
                let headers = [named(token), in_basic(token)];
                for header in &headers[..=usize::from(in_basic_counts)] {
                    assert_eq!(send(header).text(), "eva", "{method} {target} {header}");
                    let seen = upstream.next();
                    let granted = seen.header("authorization").unwrap();
                    assert!(granted.ends_with(" granted"), "{granted}");
                }
            }
            let headers = [named(&bad), in_basic(&bad)];
            for header in &headers[..=usize::from(in_basic_counts)] {
                assert_eq!(send(header).text(), COMPACT, "{method} {target} {header}");
            }
            if !in_basic_counts {
                // There it is a name and a password, and a session is beside it.
                assert_eq!(send(&in_basic(&good)).text(), "ada");
                assert!(upstream.next().header("authorization").unwrap().ends_with(" shared"));
            }
            assert!(upstream.saw_nothing(), "{method} {target}");
        }
        // Nobody has to be known there.
        for header in [in_basic(&good), format!("Authorization: Token x:{good}")] {
            gateway.connect().send(&get("/health", &[&header]));
            assert!(
                upstream
                    .seen_by_clients()
                    .iter()
                    .all(|seen| seen.header("authorization").is_none())
            );
        }
    }
}

#[test]
fn a_jwt_in_the_query_is_refused() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    for forward in UPSTREAMS {
        let gateway = start_before(&idp, &upstream, forward);
        let session = cookie(&gateway.sign_in("ada"));
        let good = idp.token(&idp.claims());
        let header = bearer(&good);
        for (method, target) in PATHS.into_iter().chain([("GET", "/health?x=y")]) {
            for (query, header) in [
                (format!("p={good}"), "A: b"),
                (format!("u=x&p={good}"), "A: b"),
                (format!("u=x&%70={}", good.replace('.', "%2E")), "A: b"),
                (format!("p=x&p={good}"), "A: b"),
                (format!("p={good}"), &*session),
                (format!("p={good}"), "Authorization: Token x"),
                (format!("p={good}"), &*header),
            ] {
                let target = format!("{target}&{query}");
                let request = request(method, &target, &[header, "Content-Length: 0"]);
                let answer = gateway.connect().send(&request);
                assert_eq!((answer.status, &*answer.text()), (401, COMPACT), "{target} {header}");
            }
        }
        // The upstream could go by the one in the query, and the name would be that of the JWT.
        let request = get("/query?q=x&u=x&p=others", &[&header]);
        assert_eq!(gateway.connect().send(&request).text(), COMPACT);
        assert!(upstream.saw_nothing());
        // What is none passes as ever.
        assert_eq!(
            gateway.connect().send(&get("/query?q=x&u=x&p=a.b.c", &["A: b"])).text(),
            "nobody"
        );
        upstream.next();
    }
}

#[test]
fn a_jwt_is_nobodys_password() {
    let (idp, influxdb) = (Idp::start(), crate::influxdb::Influxdb::start());
    let config = format!("{}{GRANTS}[users]\nsource = \"influxdb\"\n", jwt(&idp.issuer, ""));
    let folder = Gateway::prepare(
        &format!("http://{}", influxdb.upstream.address),
        &config,
        &users(&["ada"]),
    );
    std::fs::write(folder.path().join("writers.token"), "granted").unwrap();
    let gateway = Gateway::start_in(folder);
    wait_for_keys(&gateway, &idp.issuer);
    let session = cookie(&gateway.sign_in("ada"));
    let basic = in_basic(&idp.token(&idp.claims()));
    influxdb.upstream.seen_by_clients();
    let answer = gateway.connect().send(&post("/api/v2/signin", &[&basic]));
    assert_eq!(answer.status, 401);
    assert_eq!(gateway.audited(2)[1]["reason"], "wrong_credentials");
    let headers = [&*session, &*basic];
    let password = with_body("PUT", "/api/v2/me/password", &headers, "{\"password\":\"12345678\"}");
    assert_eq!(gateway.connect().send(&password).status, 401);
    let seen = influxdb.upstream.seen_by_clients();
    assert!(!seen.iter().any(|seen| seen.head.contains("Basic")), "{seen:?}");
}

#[test]
fn a_jwt_by_another_scheme_is_refused_and_goes_nowhere() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    for forward in UPSTREAMS {
        let gateway = start_before(&idp, &upstream, forward);
        let good = idp.token(&idp.claims());
        for (method, target) in PATHS {
            for header in ["Foo ", "Foo x:", "Digest  ", "Bearer\t", "Foo\t", ""] {
                let header = format!("Authorization: {header}{good}");
                let request = request(method, target, &[&header, "Content-Length: 0"]);
                let answer = gateway.connect().send(&request);
                assert_eq!((answer.status, &*answer.text()), (401, COMPACT), "{target} {header}");
            }
        }
        let header = format!("Authorization: Foo {good}");
        gateway.connect().send(&get("/health", &[&header]));
        let seen = upstream.seen_by_clients();
        assert!(seen.iter().all(|seen| !seen.head.contains(&good)), "{seen:?}");
    }
}

#[test]
fn explain_finds_a_jwt_where_the_gateway_does() {
    let (idp, upstream) = (Idp::start(), Upstream::start());
    for forward in UPSTREAMS {
        let gateway = start_before(&idp, &upstream, forward);
        let good = idp.token(&idp.claims());
        for (method, target) in PATHS {
            for header in [
                format!("Authorization: Bearer {good}"),
                format!("Authorization: Token x:{good}"),
                in_basic(&good),
                format!("Authorization: Foo {good}"),
                format!("Authorization: Basic {good}"),
                format!("Authorization: {good}"),
            ] {
                let request = request(method, target, &[&header, "Content-Length: 0"]);
                let status = gateway.connect().send(&request).status;
                let mut command = program();
                command.args(["explain", "--json", "--header", &header, method, target]);
                command.arg("--config").arg(gateway.folder().join("gateway.toml"));
                let told = String::from_utf8(output_of(&mut command, "").stdout).unwrap();
                let told: Value = serde_json::from_str(&told).unwrap();
                let (decision, caller) = ["decision", "caller"]
                    .map(|name| told[name].as_str().unwrap_or_default())
                    .into();
                let is_forwarded = decision.starts_with("forwarded");
                assert_eq!(status == 200, is_forwarded, "{target} {header}: {status} {told}");
                assert!(is_forwarded || decision.contains(&status.to_string()), "{header}: {told}");
                assert_eq!(is_forwarded, caller.starts_with("eva, by a JWT"), "{header}: {told}");
            }
        }
        upstream.seen_by_clients();
    }
}
