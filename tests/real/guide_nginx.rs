use std::net::SocketAddr;
use std::process::Command;

use crate::influxd::{BUCKET, Influxd, ORG};
use crate::nginx::Nginx;
use crate::pages::behind_nginx;
use crate::support::*;

const HOST: &str = "influx.example.com";

/// Asks nginx at `address`, from another address than nginx has; the head and body of the answer.
fn ask(address: SocketAddr, target: &str, arguments: &[&str]) -> String {
    let route = format!("{HOST}:443:127.0.0.1:{}", address.port());
    let output = Command::new("curl")
        .args(["-sik", "--interface", "127.0.0.2", "--connect-to", &route])
        .args(arguments)
        .arg(format!("https://{HOST}{target}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn nginx_as_documented_tells_the_gateway_who_asks_for_what() {
    let influxd = Influxd::start();
    influxd.add_user("ada");
    let example = repository().join("docs/examples/behind-nginx.toml");
    let example = std::fs::read_to_string(example).unwrap();
    let listen: Vec<_> = example.lines().filter(|line| line.contains(" = [")).skip(1).collect();
    assert_eq!(listen.len(), 2, "{example}");
    let gateway = behind_nginx(&influxd, &listen.join("\n"), "");
    let nginx = Nginx::start_as_documented(closed_port(), gateway.address);

    let credentials = format!("ada:{PASSWORD}");
    let sign_in = |origin: &str| {
        let origin = format!("Origin: {origin}");
        ask(nginx.address, "/api/v2/signin", &["-X", "POST", "-u", &credentials, "-H", &origin])
    };
    let answer = sign_in(&format!("https://{HOST}"));
    assert!(answer.starts_with("HTTP/2 204"), "{answer}");
    let line = answer.lines().find(|line| line.starts_with("set-cookie:")).unwrap();
    assert!(line.contains("; Secure"), "TLS at nginx: {line}");
    let refused = sign_in("https://eve.test");
    assert!(refused.starts_with("HTTP/2 403") && refused.contains("cross-site"), "{refused}");

    // More than nginx takes by itself.
    let session = line.split([' ', ';']).nth(1).unwrap();
    let cookie = format!("Cookie: {session}");
    let body = gateway.folder().join("body");
    std::fs::write(&body, "air value=1\n".repeat(200_000)).unwrap();
    let body = format!("@{}", body.display());
    let write = format!("/api/v2/write?org={ORG}&bucket={BUCKET}");
    let answer = ask(nginx.address, &write, &["-H", &cookie, "--data-binary", &body]);
    assert!(answer.starts_with("HTTP/2 204"), "{answer}");
    assert_eq!(gateway.stop().matches(" client=127.0.0.2 ").count(), 3, "the client's own address");
}
