use std::fs;

use serde_json::Value;

use crate::support::*;

/// Users of every access; the last has a token of their own. In front of nothing that is asked.
fn folder(upstream: &str, keys: &str) -> tempfile::TempDir {
    let list = users(&["reader", "writer", "olga"])
        .replace("name = \"reader\"", "access = \"read\"\nname = \"reader\"")
        .replace("name = \"writer\"", "access = \"write\"\nname = \"writer\"")
        .replace("name = \"olga\"", "token = \"of-olga\"\nname = \"olga\"");
    let folder =
        Gateway::prepare(upstream, &format!("token_file = \"shared.token\"\n{keys}"), &list);
    fs::write(folder.path().join("shared.token"), "of-all").unwrap();
    fs::write(folder.path().join("client.token"), "of-client").unwrap();
    folder
}

/// What the program says with these arguments, and its exit code.
fn explain(folder: &tempfile::TempDir, arguments: &[&str]) -> (i32, String) {
    let mut command = program();
    command.arg("explain").arg("--config").arg(folder.path().join("gateway.toml")).args(arguments);
    let output = output_of(&mut command, "");
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn explained(folder: &tempfile::TempDir, arguments: &[&str]) -> Value {
    let (code, text) = explain(folder, &[&["--json"], arguments].concat());
    assert_eq!(code, 0, "{text}");
    serde_json::from_str(&text).unwrap()
}

#[test]
fn explain_decides_as_the_gateway_does() {
    let upstream = Upstream::start();
    let gateway = Gateway::start_in(folder(&format!("http://{}", upstream.address), ""));
    let sessions = ["reader", "writer", "olga"].map(|name| (name, gateway.sign_in(name)));
    let dry = folder("http://127.0.0.1:1", "");
    let mut client = gateway.connect();
    for (method, path, header) in [
        ("GET", "/api/v2/buckets?org=a", ""),
        ("POST", "/api/v2/write", ""),
        ("POST", "/api/v2/buckets", ""),
        ("POST", "/api/v2/authorizations", ""),
        ("GET", "/api/v2/me", ""),
        ("PATCH", "/api/v2/me", ""),
        ("POST", "/api/v2/signin", ""),
        ("POST", "/api/v2/setup", ""),
        ("GET", "/api/v2/../x", ""),
        ("GET", "/elsewhere", ""),
        ("GET", "/health", ""),
        ("BREW", "/api/v2/buckets", ""),
        ("POST", "/api/v2/write", "Origin: https://eve.test"),
        ("GET", "/api/v2/buckets", "Transfer-Encoding: gzip"),
    ] {
        let headers: Vec<_> = [header].into_iter().filter(|header| !header.is_empty()).collect();
        let options: Vec<_> = headers.iter().flat_map(|header| ["-H", header]).collect();
        for (name, session) in &sessions {
            let told = explained(&dry, &[&[method, path, "--user", name], &options[..]].concat());
            let decision = told["decision"].as_str().unwrap();
            let session = cookie(session);
            let sent = [&headers[..], &[&*session]].concat();
            let answer = client.send(&request(method, path, &sent));
            let is_forwarded = !upstream.saw_nothing();
            let expected = if is_forwarded { "forwarded to" } else { &*answer.status.to_string() };
            assert!(decision.contains(expected), "{name} {method} {path}: {answer:?}, {told}");
            client = gateway.connect();
        }
    }
}

#[test]
fn explain_names_the_credential_and_shows_none() {
    let folder = folder("http://127.0.0.1:1", "");
    let all = |arguments: &[&str]| {
        let told = explained(&folder, arguments);
        let text = told.to_string();
        for secret in ["of-all", "of-olga", "of-client"] {
            assert!(!text.contains(secret), "{text}");
        }
        told["credential"].as_str().unwrap_or("-").to_owned()
    };
    let buckets = ["GET", "/api/v2/buckets"];
    let token = folder.path().join("client.token").display().to_string();
    assert_eq!(
        all(&[&buckets[..], &["--user", "reader"]].concat()),
        "the shared API token (upstream.token_file)"
    );
    assert_eq!(
        all(&[&buckets[..], &["--user", "olga"]].concat()),
        "the user's own API token, of the users file"
    );
    assert_eq!(
        all(&[&buckets[..], &["--token", &token]].concat()),
        "that of the client, as it came"
    );
    assert_eq!(all(&buckets), "-");
}

#[test]
fn explain_says_which_headers_go_and_come() {
    let folder = folder("http://127.0.0.1:1", "");
    let headers = ["-H", "X-Forwarded-User: eve", "-H", "Cookie: a=b", "-H", "X-Mine: 1"];
    let told = explained(
        &folder,
        &[&["GET", "/api/v2/buckets", "--user", "reader", "--from", "192.0.2.7"], &headers[..]]
            .concat(),
    );
    let set = told["headers_set"].to_string();
    assert!(set.contains("x-forwarded-user: reader") && set.contains("x-forwarded-for: 192.0.2.7"));
    assert!(
        set.contains("authorization: <redacted>") && set.contains("cookie: <redacted>"),
        "{set}"
    );
    assert_eq!(told["headers_removed"], serde_json::json!(["host", "x-forwarded-user", "cookie"]));
    let (_, text) = explain(&folder, &["GET", "/api/v2/buckets"]);
    assert!(text.contains("decision        rejected: 401 Unauthorized"), "{text}");
    assert!(text.contains("why             there is no live session"), "{text}");
}

#[test]
fn explain_refuses_what_is_no_request() {
    let folder = folder("http://127.0.0.1:1", "");
    for (arguments, expected) in [
        (&["GET", "/", "--user", "nobody"][..], (78, "there is no user nobody")),
        (&["GET", "/", "-H", "no header"], (64, "expected a header")),
        (&["GET", "/", "-H", "a: b\r\nc: d"], (64, "a line break")),
        (&["GET"], (64, "<PATH>")),
        (&["GET", "/", "--token", "nowhere"], (78, "cannot read nowhere")),
    ] {
        let (code, text) = explain(&folder, arguments);
        assert_eq!(code, expected.0, "{text}");
        assert!(text.contains(expected.1), "{text}");
    }
}

/// Where HTTP/2 is not spoken, what looks like a call of gRPC is a request like any other.
#[test]
fn explain_takes_a_call_for_one_where_http_2_is_spoken() {
    let upstream = Upstream::start();
    let url = format!("http://{}", upstream.address);
    let call = ["GET", "/health", "-H", "Content-Type: application/grpc"];
    let decision = |folder: &tempfile::TempDir, options: &[&str]| {
        explained(folder, &[&call[..], options].concat())["decision"].as_str().unwrap().to_owned()
    };
    let plain = folder(&url, "");
    assert!(decision(&plain, &[]).starts_with("forwarded to http://"));
    assert!(decision(&plain, &["--tls"]).contains("404"));
    let grpc = folder(&url, "kind = \"influxdb3\"\ngrpc = true\n");
    assert!(decision(&grpc, &[]).contains("404"));
    let gateway = Gateway::start_in(plain);
    let asked = get("/health", &["Content-Type: application/grpc"]);
    assert_eq!(gateway.connect().send(&asked).status, 200);
}
