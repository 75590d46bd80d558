//! `/metrics`: what is counted, once each, and that nothing of clients is in it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;

use crate::audit;
use crate::support::*;

/// A gateway with a listener for operators, and where that is.
fn start(upstream: SocketAddr, keys: &str) -> (Gateway, SocketAddr) {
    let config = format!("{keys}\n[admin]\nlisten = \"127.0.0.1:0\"\n");
    let gateway = Gateway::start_with(upstream, &config, &users(&["ada", "bob"]));
    let address = gateway.next_admin().parse().unwrap();
    (gateway, address)
}

fn page(admin: SocketAddr, headers: &[&str]) -> Answer {
    let request = get("/metrics", headers).replace("gateway.test", "127.0.0.1");
    Client::connect(admin).send(&request)
}

/// The samples that are not zero, by name and labels as they are written, once so many requests are
/// counted: a client may have an answer before.
fn samples(admin: SocketAddr, requests: f64) -> BTreeMap<String, f64> {
    let read = || -> BTreeMap<String, f64> {
        let text = page(admin, &[]).text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.map(|line| line.rsplit_once(' ').unwrap());
        let samples = samples.map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
        samples.filter(|(_, value)| *value != 0.0).collect()
    };
    let counted = || of(&read(), "requests_total").iter().map(|(_, count)| count).sum::<f64>();
    wait_until("all requests are counted", || counted() >= requests);
    read()
}

/// Those of one metric, without its name.
fn of(samples: &BTreeMap<String, f64>, metric: &str) -> Vec<(String, f64)> {
    let name = format!("influx_gateway_{metric}");
    let of = |(key, value): (&String, &f64)| {
        let rest = key.strip_prefix(&*name)?;
        (rest.is_empty() || rest.starts_with('{')).then(|| (rest.to_owned(), *value))
    };
    samples.iter().filter_map(of).collect()
}

/// What `promtool` has against `text`.
fn complaints(text: &str) -> String {
    let output = output_of(Command::new("promtool").args(["check", "metrics"]), text);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if output.status.success() { said } else { format!("failed: {said}") }
}

#[test]
fn promtool_has_nothing_against_the_page() {
    let upstream = Upstream::start();
    let (gateway, admin) = start(upstream.address, "[metrics]\nper_user = true");
    let session = gateway.sign_in("ada");
    assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&cookie(&session)])).status, 200);
    gateway.connect().send("GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
    let plain = page(admin, &["Accept: text/plain"]);
    assert_eq!(plain.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(complaints(&plain.text()), "");
    assert!(complaints("# TYPE a_seconds counter\na_seconds 1\n").contains("_total"));

    let open =
        page(admin, &["Accept: application/openmetrics-text; version=1.0.0, text/plain;q=0.5"]);
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), Some(media_type));
    assert!(open.text().ends_with("# EOF\n"), "{}", open.text());
    // It is nobody else's.
    assert_eq!(gateway.connect().send(&get("/metrics", &[])).status, 404);
}

#[test]
fn o_03_every_outcome_of_sign_ins_and_bans_is_counted_once() {
    let upstream = Upstream::start();
    let (gateway, admin) = start(upstream.address, "[signin]\nfailures = 2");
    let session = gateway.sign_in("ada");
    let sign_in =
        |headers: &[&str]| gateway.connect().send(&post("/api/v2/signin", headers)).status;
    assert_eq!(sign_in(&[&basic("ada", "wrong")]), 401);
    assert_eq!(sign_in(&[&basic("nobody", "wrong")]), 401);
    assert_eq!(sign_in(&["Authorization: Basic ???"]), 401);
    for _ in 0..2 {
        assert_eq!(sign_in(&[&basic("bob", "wrong")]), 401);
    }
    assert_eq!(sign_in(&[&basic("bob", "wrong")]), 429);
    let sign_out = post("/api/v2/signout", &[&cookie(&session)]);
    assert_eq!(gateway.connect().send(&sign_out).status, 204);

    let samples = samples(admin, 8.0);
    let expected = [
        ("malformed", 1.0),
        ("signed_in", 1.0),
        ("throttled", 1.0),
        ("unknown_user", 1.0),
        ("wrong_password", 3.0),
    ];
    let expected = expected.map(|(outcome, count)| (format!("{{outcome=\"{outcome}\"}}"), count));
    assert_eq!(of(&samples, "sign_ins_total"), expected);
    assert_eq!(of(&samples, "bans_total"), [("{scope=\"pair\"}".to_owned(), 1.0)]);
    assert_eq!(of(&samples, "sessions_created_total"), [(String::new(), 1.0)]);
    assert_eq!(of(&samples, "sessions_ended_total"), [("{cause=\"signed_out\"}".to_owned(), 1.0)]);
    assert_eq!(of(&samples, "sessions"), []);
    // What was too malformed to be checked, and what had to wait, is not hashed.
    assert_eq!(of(&samples, "password_hash_seconds_count"), [(String::new(), 5.0)]);
}

/// That `samples` are of these events, as the audit trail has them.
fn check_counted(gateway: &Gateway, events: &[String]) {
    let admin = gateway.next_admin().parse().unwrap();
    let samples = samples(admin, 0.0);
    let mut expected = BTreeMap::new();
    for event in events {
        let (metric, label) = match event.split_once(' ') {
            Some(("banned", scope)) => ("bans_total", format!("{{scope=\"{scope}\"}}")),
            Some((_, reason)) => ("sign_ins_total", format!("{{outcome=\"{reason}\"}}")),
            None => ("sign_ins_total", format!("{{outcome=\"{event}\"}}")),
        };
        *expected.entry((metric, label)).or_insert(0.0) += 1.0;
    }
    for metric in ["sign_ins_total", "bans_total"] {
        let expected = expected.iter().filter(|((of, _), _)| *of == metric);
        let expected: Vec<_> =
            expected.map(|((_, label), count)| (label.clone(), *count)).collect();
        assert_eq!(of(&samples, metric), expected, "{metric}");
    }
}

#[test]
fn o_03_so_is_every_way_to_be_refused() {
    let (gateway, events) = audit::refused_by_the_file();
    check_counted(&gateway, &events.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>());
    let (gateway, reasons) = audit::refused_by_influxdb();
    let events: Vec<_> = reasons.iter().map(|reason| format!("refused {reason}")).collect();
    check_counted(&gateway, &events);
}

#[test]
fn requests_are_counted_by_what_they_ask_for_and_what_comes_of_them() {
    let upstream = Upstream::behaving(|_, stream| answer(stream, "200 OK", "four"));
    let (gateway, admin) = start(upstream.address, "");
    let session = cookie(&gateway.sign_in("ada"));
    let mut client = gateway.connect();
    for (request, status) in [
        (with_body("POST", "/api/v2/write?bucket=b", &[&session], "m f=1"), 200),
        (get("/api/v2/buckets", &[&session]), 200),
        (get("/api/v2/buckets", &[]), 401),
        (get("/api/v2/me", &[&session]), 200),
        (get("/health", &[]), 200),
        (get("/nothing", &[]), 404),
    ] {
        assert_eq!(client.send(&request).status, status, "{request}");
    }
    // Before there is a request.
    assert_eq!(gateway.connect().send("GET / HTTP/1.1\r\nHost: a b\r\n\r\n").status, 400);

    let samples = samples(admin, 8.0);
    let labels = |route, method, status| {
        format!("{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}")
    };
    let expected = [
        labels("api", "GET", "2xx"),
        labels("api", "GET", "4xx"),
        labels("me", "GET", "2xx"),
        labels("other", "GET", "4xx"),
        labels("other", "other", "4xx"),
        labels("public", "GET", "2xx"),
        labels("signin", "POST", "2xx"),
        labels("write", "POST", "2xx"),
    ];
    assert_eq!(of(&samples, "requests_total"), expected.map(|labels| (labels, 1.0)));
    assert_eq!(of(&samples, "own_duration_seconds_count"), [(String::new(), 8.0)]);
    // Two for the session, and the public one.
    assert_eq!(of(&samples, "upstream_duration_seconds_count"), [(String::new(), 3.0)]);
    assert_eq!(of(&samples, "received_bytes_total"), [(String::new(), 5.0)]);
    assert_eq!(of(&samples, "sessions"), [(String::new(), 1.0)]);
    assert_eq!(of(&samples, "upstream_up"), [(String::new(), 1.0)]);
    assert_eq!(of(&samples, "store_up"), [(String::new(), 1.0)]);
    let reused = samples["influx_gateway_upstream_connections_total{connection=\"reused\"}"];
    assert!(reused >= 1.0, "{samples:?}");
}

#[test]
fn what_the_upstream_fails_at_is_counted() {
    let (gateway, admin) = start(closed_port(), "");
    let session = cookie(&gateway.sign_in("ada"));
    assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&session])).status, 502);
    let samples = samples(admin, 2.0);
    assert_eq!(of(&samples, "upstream_failures_total"), [("{step=\"connect\"}".to_owned(), 1.0)]);
    assert_eq!(of(&samples, "upstream_up"), []);
}

#[test]
fn a_03_names_are_there_by_option_only_and_secrets_never() {
    let upstream = Upstream::start();
    for per_user in [false, true] {
        let (gateway, admin) =
            start(upstream.address, &format!("[metrics]\nper_user = {per_user}"));
        let session = gateway.sign_in("ada");
        let (_, secret) = session.split_once('=').unwrap();
        for target in ["/api/v2/buckets", "/api/v2/own-words"] {
            let request = get(target, &[&cookie(&session), "User-Agent: own-words"]);
            assert_eq!(gateway.connect().send(&request).status, 200);
        }
        let wrong = post("/api/v2/signin", &[&basic("own-words", "own-words")]);
        assert_eq!(gateway.connect().send(&wrong).status, 401);
        assert_eq!(of(&samples(admin, 4.0), "sign_ins_total").len(), 2);
        let text = page(admin, &[]).text();
        for word in [secret, "own-words", "bob", "argon2", "127.0.0.1"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        let of_ada = "influx_gateway_user_requests_total{user=\"ada\"} 3\n";
        assert_eq!((text.contains(of_ada), text.contains("ada")), (per_user, per_user), "{text}");
    }
}

#[test]
fn n_03_files_that_were_refused_are_counted() {
    let upstream = Upstream::start();
    let (gateway, admin) = start(upstream.address, "");
    let said = |metric: &str, value: &str| {
        let line = format!("influx_gateway_{metric} {value}\n");
        wait_until(&line, || page(admin, &[]).text().contains(&line));
    };
    said("config_last_reload_successful", "1");
    let path = gateway.folder().join("gateway.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{good}\n[nothing]\n")).unwrap();
    gateway.signal("HUP");
    said("config_last_reload_successful", "0");
    said("config_reload_failures_total", "1");
    std::fs::write(&path, good.replace("[audit]", "[session]\nmax_sessions = 77\n[audit]"))
        .unwrap();
    gateway.signal("HUP");
    said("config_last_reload_successful", "1");
    said("sessions_limit", "77");
    said("users_reloads_total{outcome=\"refused\"}", "0");
    std::fs::write(gateway.folder().join("users.toml"), "[[user]]\n").unwrap();
    gateway.signal("HUP");
    said("users_reloads_total{outcome=\"refused\"}", "1");
}
