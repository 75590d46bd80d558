//! What operators are told of identity providers: `status`, `GET /status`, `/metrics`.

use std::fs;
use std::net::SocketAddr;

use serde_json::Value;

use super::*;
use crate::secure::Authority;
use crate::tls::SecureUpstream;

const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";

/// A gateway for these tables, and where its listener for operators is.
fn start_with(tables: &str, keys: &Value) -> (Gateway, SocketAddr) {
    let folder = Gateway::prepare(
        "http://127.0.0.1:1",
        &format!("{tables}{ADMIN}[[grant]]\ngroup = \"writers\"\n"),
        &users(&["ada"]),
    );
    fs::write(folder.path().join("keys.json"), keys.to_string()).unwrap();
    let gateway = Gateway::start_in(folder);
    let admin = gateway.next_admin().parse().unwrap();
    (gateway, admin)
}

fn ask_admin(admin: SocketAddr, target: &str) -> Answer {
    let answer =
        Client::connect(admin).send(&get(target, &[]).replace("gateway.test", "127.0.0.1"));
    assert_eq!(answer.status, 200, "{target}");
    answer
}

/// What `/status` says of the provider of this issuer.
fn provider(admin: SocketAddr, table: &str, issuer: &str) -> Value {
    let status = ask_admin(admin, "/status").json();
    let all = status["providers"].as_array().unwrap().iter();
    let mut of = all.filter(|it| it["issuer"] == issuer && it["table"] == table);
    of.next().unwrap_or_else(|| panic!("{status}")).clone()
}

/// The value of a metric of a provider, as it is written.
fn metric(admin: SocketAddr, name: &str, labels: &str) -> Option<String> {
    let text = ask_admin(admin, "/metrics").text();
    let line = format!("influx_gateway_provider_{name}{{{labels}}} ");
    text.lines().find_map(|it| it.strip_prefix(&line)).map(str::to_owned)
}

#[test]
fn a_provider_that_cannot_be_asked_is_named_with_the_reason() {
    let closed = format!("http://{}", closed_port());
    let idps: Vec<_> = (0..5).map(|_| Idp::start()).collect();
    let [good, status, discovery, keys, long] = &idps[..] else { unreachable!() };
    status.say(Says::Bytes("500 Internal Server Error", "no".to_owned()));
    keys.say(Says::Keys(Vec::new()));
    long.say(Says::Bytes("200 OK", " ".repeat(300 * 1024)));
    // Another than it says itself.
    let other = format!("{}/", discovery.issuer);
    // One waits for a request, and the other for a handshake.
    let silent = good.issuer.replace("http://", "https://");
    let unknown =
        SecureUpstream::answering(&Authority::new().pair("127.0.0.1"), None, |_| String::new());
    let tls = format!("https://{}", unknown.address);
    let expected = [
        (&*good.issuer, None),
        (&*closed, Some("unreachable")),
        (&*tls, Some("tls")),
        (&*silent, Some("timeout")),
        (&*status.issuer, Some("status")),
        (&*other, Some("discovery")),
        (&*keys.issuer, Some("keys")),
        (&*long.issuer, Some("answer")),
    ];
    let tables = expected.map(|(issuer, _)| jwt(issuer, "")).concat();
    let (gateway, admin) = start_with(&tables, &Value::Null);
    for (issuer, reason) in expected {
        let is_known = || {
            let provider = provider(admin, "jwt", issuer);
            !provider["last_read"].is_null() || !provider["reason"].is_null()
        };
        wait_until("the provider has been asked", is_known);
        let provider = provider(admin, "jwt", issuer);
        let text = |key: &str| provider[key].as_str();
        assert_eq!(text("reason"), reason, "{provider}");
        assert_eq!(text("failing_since").is_some(), reason.is_some(), "{provider}");
        assert_eq!(text("last_read").is_some(), reason.is_none(), "{provider}");
        assert_eq!(provider["keys"], u64::from(reason.is_none()), "{provider}");
        assert_eq!((&provider["id"], &provider["discovered"]), (&Value::Null, &Value::Null));
        let labels = format!("table=\"jwt\",issuer=\"{issuer}\"");
        let of = |name: &str| metric(admin, name, &labels);
        let up = if reason.is_none() { "1" } else { "0" };
        assert_eq!((of("up").as_deref(), of("keys").as_deref()), (Some(up), Some(up)), "{issuer}");
        assert_eq!(of("last_read_timestamp_seconds").is_some(), reason.is_none(), "{issuer}");
        for why in
            ["unreachable", "tls", "timeout", "answer", "status", "discovery", "keys", "file"]
        {
            let labels = format!("{labels},reason=\"{why}\"");
            let failures = metric(admin, "failures_total", &labels).unwrap();
            assert_eq!(failures != "0", reason == Some(why), "{issuer} {why}");
        }
    }
    let mut status = program();
    status.arg("status").arg("--config").arg(gateway.folder().join("gateway.toml"));
    let config = gateway.folder().join("gateway.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("listen = \"127.0.0.1:0\"", &format!("listen = \"{admin}\"")))
        .unwrap();
    let said = String::from_utf8(output_of(&mut status, "").stdout).unwrap();
    let line = |issuer: &str| {
        let start = format!("provider  jwt {issuer}: ");
        let lines = said.lines().filter_map(|line| line.strip_prefix(&start));
        lines.map(str::to_owned).next().unwrap_or_else(|| panic!("{issuer}: {said}"))
    };
    assert!(line(&good.issuer).starts_with("keys: 1, last read 20"), "{said}");
    let failing = line(&closed);
    assert!(
        failing.starts_with("keys: 0, failing since 20") && failing.ends_with(": unreachable"),
        "{said}"
    );
}

#[test]
fn keys_that_were_there_stay_while_a_provider_fails() {
    let idp = Idp::start();
    let (gateway, admin) = start_with(&jwt(&idp.issuer, ""), &Value::Null);
    wait_for_keys(&gateway, &idp.issuer);
    let stranger = Signer::new("P-384");
    let unknown = || {
        let header = json!({ "alg": "ES256", "kid": "unknown", "typ": "JWT" });
        ask(&gateway, &stranger.sign(&header, &idp.claims()))
    };
    idp.say(Says::Bytes("503 Service Unavailable", String::new()));
    // It is asked again, for a key that is not known.
    assert_eq!(unknown().status, 401);
    let first = provider(admin, "jwt", &idp.issuer);
    assert_eq!((&first["keys"], &first["reason"]), (&json!(1), &json!("status")), "{first}");
    assert!(first["last_read"].is_string() && first["failing_since"].is_string(), "{first}");
    let labels = format!("table=\"jwt\",issuer=\"{}\"", idp.issuer);
    assert_eq!(metric(admin, "up", &labels).as_deref(), Some("0"));
    // It tries by itself, after five seconds.
    idp.say(Says::Keys(vec![idp.signer.jwk(), stranger.jwk()]));
    wait_until("it is well again", || provider(admin, "jwt", &idp.issuer)["reason"].is_null());
    let again = provider(admin, "jwt", &idp.issuer);
    assert_eq!((&again["keys"], &again["failing_since"]), (&json!(2), &Value::Null), "{again}");
    assert_eq!(metric(admin, "up", &labels).as_deref(), Some("1"));
}

#[test]
fn keys_of_a_file_are_told_of_too() {
    let idp = Idp::start();
    let keys = json!({ "keys": [idp.signer.jwk()] });
    let (gateway, admin) = start_with(&jwt(&idp.issuer, "keys = \"keys.json\""), &keys);
    let told = provider(admin, "jwt", &idp.issuer);
    assert_eq!((&told["keys"], &told["reason"]), (&json!(1), &Value::Null), "{told}");
    let write = |text: &str| {
        fs::write(gateway.folder().join("keys.json"), text).unwrap();
        gateway.signal("HUP");
    };
    write("{}");
    wait_until("the file is refused", || provider(admin, "jwt", &idp.issuer)["reason"] == "file");
    assert_eq!(provider(admin, "jwt", &idp.issuer)["keys"], 1);
    write(&json!({ "keys": [idp.signer.jwk(), Signer::new("P-384").jwk()] }).to_string());
    wait_until("the file is taken", || provider(admin, "jwt", &idp.issuer)["keys"] == 2);
    assert!(provider(admin, "jwt", &idp.issuer)["reason"].is_null());
    assert_eq!(idp.times_asked(), 0);
}
