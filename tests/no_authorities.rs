use std::process::Command;

use crate::secure::Authority;
use crate::support::*;
use crate::tls::SecureUpstream;

/// The program where the system has no certificates of authorities.
fn bare() -> Command {
    let mut command = program();
    command.env("SSL_CERT_FILE", "/nonexistent/ca.crt").env_remove("SSL_CERT_DIR");
    command
}

#[test]
fn an_upstream_without_tls_or_with_a_ca_file_needs_none_of_the_systems() {
    let upstream = Upstream::start();
    let url = format!("http://{}", upstream.address);
    let gateway = Gateway::start_by(bare(), Gateway::prepare(&url, "", &users(&["ada"])));
    let line = cookie(&gateway.sign_in("ada"));
    assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&line])).text(), "ada");

    let authority = Authority::new();
    let upstream = SecureUpstream::start(&authority.pair("127.0.0.1"), None);
    let url = format!("https://{}", upstream.address);
    let folder = Gateway::prepare(&url, "ca_file = \"ca.crt\"", &users(&["ada"]));
    std::fs::write(folder.path().join("ca.crt"), authority.certificate()).unwrap();
    let gateway = Gateway::start_by(bare(), folder);
    let line = cookie(&gateway.sign_in("ada"));
    assert_eq!(gateway.connect().send(&get("/api/v2/buckets", &[&line])).text(), "ada");
}

/// Whatever else is spoken to over TLS: all at once, without a connection.
#[test]
fn a_session_store_and_a_collector_that_need_them_are_told_too() {
    let config = "[session]\nstore = \"rediss://127.0.0.1:1\"\n\
                  [tracing]\nendpoint = \"https://127.0.0.1:1/v1/traces\"\n";
    let folder = Gateway::prepare("http://127.0.0.1:1", config, &users(&["ada"]));
    let output =
        output_of(bare().args(["check", "--config"]).arg(folder.path().join("gateway.toml")), "");
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(78), "{text}");
    for words in [
        "session.store_ca_file: not set, so the certificate of the session store is checked against the system's",
        "tracing.endpoint: the certificate of an https:// collector is checked against the system's",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_collector_without_tls_needs_none_of_the_systems() {
    let collector = Upstream::behaving(|_, stream| answer(stream, "200 OK", ""));
    let config = format!("[tracing]\nendpoint = \"http://{}/v1/traces\"\n", collector.address);
    let folder = Gateway::prepare("http://127.0.0.1:1", &config, &users(&["ada"]));
    let gateway = Gateway::start_by(bare(), folder);
    gateway.sign_in("ada");
    assert!(!gateway.stop().contains("panicked"));
    assert_eq!(collector.seen_by_clients().len(), 1);
}

#[test]
fn an_upstream_that_needs_them_is_told_with_the_remedy() {
    let folder = Gateway::prepare("https://127.0.0.1:1", "", &users(&["ada"]));
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    let path = folder.path().join("gateway.toml");
    let told = |mut command: Command, name: &str| {
        let output = output_of(command.args([name, "--config"]).arg(&path), "");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    for name in ["check", "run"] {
        let (code, text) = told(bare(), name);
        assert_eq!(code, Some(78), "{name}: {text}");
        let remedy = "gateway.toml: upstream.ca_file: not set, so the certificate of the https:// upstream is \
                      checked against the system's authorities, which cannot be read: ";
        for words in [remedy, "/nonexistent/ca.crt", "; set it, or install ca-certificates"] {
            assert!(text.contains(words), "{name}, {words}: {text}");
        }
        assert!(!text.contains("panicked"), "{name}: {text}");
        let mut empty = bare();
        empty.env("SSL_CERT_FILE", folder.path().join("empty.pem"));
        let (code, text) = told(empty, name);
        assert_eq!(code, Some(78), "{name}: {text}");
        assert!(text.contains("which cannot be read: there are none; set it"), "{name}: {text}");
    }
    let (code, text) = told(bare(), "diagnose");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("install ca-certificates") && !text.contains("panicked"), "{text}");
}
