//! Keys that need a restart, changed together with others: what is in force then is something that `check` would take.

use std::fs;
use std::process::Output;

use crate::secure::{Authority, Pair};
use crate::support::*;

const ADMIN: &str = "[admin]\nlisten = \"unix:admin.sock\"\n";

/// A gateway by this configuration and one for operators, and what the configuration says.
fn start(upstream: &Upstream, config: &str) -> (Gateway, String) {
    let url = format!("http://{}", upstream.address);
    let folder = Gateway::prepare(&url, &(config.to_owned() + ADMIN), &users(&["ada"]));
    let text = fs::read_to_string(folder.path().join("gateway.toml")).unwrap();
    (Gateway::start_in(folder), text)
}

/// Puts `text` in the place of the configuration, and has it read.
fn reload(gateway: &Gateway, text: &str) -> Output {
    let path = gateway.folder().join("gateway.toml");
    fs::write(gateway.folder().join("new"), text).unwrap();
    fs::rename(gateway.folder().join("new"), &path).unwrap();
    output_of(program().args(["reload", "--config"]).arg(path), "")
}

fn told(output: &Output) -> String {
    String::from_utf8([&*output.stdout, &*output.stderr].concat()).unwrap()
}

fn takes(gateway: &Gateway, text: &str, keys: &str) {
    let output = reload(gateway, text);
    assert!(output.status.success(), "{output:?}");
    assert!(told(&output).contains(&format!("needs a restart: {keys}\n")), "{output:?}");
}

fn refuses(gateway: &Gateway, text: &str, fault: &str, keys: &str) {
    let path = gateway.folder().join("other.toml");
    fs::write(&path, text).unwrap();
    let check = output_of(program().args(["check", "--config"]).arg(path), "");
    assert!(check.status.success(), "by itself it is good: {check:?}");
    let output = reload(gateway, text);
    assert_eq!(output.status.code(), Some(78), "{output:?}");
    let told = told(&output);
    assert!(told.contains(fault) && told.contains(&format!(": {keys};")), "{told}");
    assert!(gateway.has_logged(fault), "{}", gateway.log());
}

fn status(gateway: &Gateway, path: &str, session: &str) -> u16 {
    gateway.connect().send(&get(path, &[session])).status
}

#[test]
fn another_kind_of_upstream_opens_and_closes_nothing_before_the_restart() {
    let upstream = Upstream::start();
    for (kind, other, open) in [("influxdb2", "influxdb3", 404), ("influxdb3", "influxdb2", 200)] {
        let (gateway, text) = start(&upstream, &format!("kind = \"{kind}\"\n"));
        let session = cookie(&gateway.sign_in("ada"));
        let paths = ["/api/v3/query_sql?q=x", "/query?q=x"];
        for change in ["", "hosts = [\"gateway.test\"]\n"] {
            let text =
                text.replace(kind, other).replace("[listen]\n", &format!("[listen]\n{change}"));
            takes(&gateway, &text, "upstream.kind");
            for path in paths {
                assert_eq!(status(&gateway, path, &session), open, "{kind}: {path}");
            }
        }
        let elsewhere = b"GET /gateway/health HTTP/1.1\r\nHost: b.test\r\n\r\n";
        let elsewhere = String::from_utf8_lossy(elsewhere);
        assert_eq!(gateway.connect().send(&elsewhere).status, 421, "all else is in force");
    }
}

#[test]
fn what_needs_a_key_that_needs_a_restart_is_refused_before_it() {
    let upstream = Upstream::start();
    let (gateway, text) = start(&upstream, "kind = \"influxdb2\"\n");
    let flight = text.replace("\"influxdb2\"", "\"influxdb3\"\ngrpc = true");
    let fault = "gateway.toml:6: upstream.grpc: only InfluxDB 3 speaks gRPC";
    refuses(&gateway, &flight, fault, "upstream.kind");
    // HTTP/2 without TLS is for gRPC.
    let answer = gateway.connect().send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(answer.status >= 400, "{answer:?}");

    let Pair { certificate, key } = Authority::new().pair("gateway.test");
    for (name, text) in [("c.pem", certificate), ("k.pem", key)] {
        fs::write(gateway.folder().join(name), text).unwrap();
    }
    let https =
        "[[listen.https]]\naddress = \"127.0.0.1:0\"\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
    let across = format!("{text}{https}[cookie]\nsame_site = \"none\"\n");
    refuses(&gateway, &across, "cookie.same_site: ", "[[listen.https]]");
    let signed_in = gateway.connect().send(&post("/api/v2/signin", &[&basic("ada", PASSWORD)]));
    assert!(!signed_in.header("set-cookie").unwrap().contains("None"), "{signed_in:?}");
    // Without it, all else is taken.
    takes(&gateway, &(text + https), "[[listen.https]]");
}

#[test]
fn the_first_provider_opens_no_page_before_the_restart() {
    let upstream = Upstream::start();
    let (gateway, text) = start(&upstream, "");
    fs::write(gateway.folder().join("secret"), "a-secret-of-the-client").unwrap();
    let provider = "[[oidc]]\nid = \"corp\"\nname = \"Corp\"\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"gateway\"\n\
                    client_secret_file = \"secret\"\nredirect = \"http://127.0.0.1/gateway/oidc/corp/callback\"\n\
                    [[grant]]\nuser = \"eva\"\n";
    takes(&gateway, &(text.clone() + provider), "[[grant]], [[oidc]]");
    assert_ne!(status(&gateway, "/gateway/", "x: y"), 200);
    takes(&gateway, &(text + provider + "[page]\nenabled = true\n"), "[[grant]], [[oidc]]");
    let page = gateway.connect().send(&get("/gateway/", &[]));
    assert!(page.status == 200 && !page.text().contains("Corp"), "{page:?}");
}

/// The configuration in force is what operators are shown.
#[test]
fn operators_are_shown_what_is_in_force() {
    let upstream = Upstream::start();
    let (gateway, text) = start(&upstream, "[session]\nidle = \"5m\"\n");
    let changed = text.replace("\"5m\"", "\"6m\"\nmax_sessions = 7")
        + "[tracing]\nendpoint = \"http://127.0.0.1:9/v1/traces\"\n";
    takes(&gateway, &changed, "session.idle, tracing.endpoint");
    let path = gateway.folder().join("admin.sock");
    let shown =
        ask_unix(&path, "GET /config HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let body = shown.split_once("\r\n\r\n").unwrap().1;
    let shown: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(shown["session"]["idle"], "5m", "{shown}");
    assert_eq!(shown["session"]["max_sessions"], 7);
    assert_eq!(shown["tracing"]["endpoint"], serde_json::Value::Null);
}

fn ask_unix(path: &std::path::Path, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
