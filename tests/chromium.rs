use std::io::Write as _;
use std::process::Command;

use crate::secure::SecureGateway;
use crate::support::*;

/// An upstream that tells pages of any origin what InfluxDB tells them, and says who asks.
fn influxdb() -> Upstream {
    Upstream::behaving(|seen, stream| {
        let user = seen.header("x-forwarded-user").unwrap_or("nobody");
        let origin = seen.header("origin").unwrap_or("null");
        let allow = format!("Access-Control-Allow-Origin: {origin}\r\n");
        let length = user.len();
        write!(stream, "HTTP/1.1 200 OK\r\n{allow}Content-Length: {length}\r\n\r\n{user}").is_ok()
    })
}

/// Somebody else's empty page.
fn page() -> Upstream {
    Upstream::behaving(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15";
        write!(stream, "{head}\r\n\r\n<!doctype html>").is_ok()
    })
}

/// Its origin, which browsers take for another site than `127.0.0.1`.
fn origin(page: &Upstream) -> String {
    format!("http://localhost:{}", page.address.port())
}

#[test]
fn f_48_in_chromium_a_page_of_an_allowed_origin_uses_a_session_and_no_other_page_does() {
    let (allowed_page, other_page) = (page(), page());
    let (allowed, other) = (origin(&allowed_page), origin(&other_page));
    let upstream = influxdb();
    let listen = format!("allowed_origins = [\"{allowed}\"]");
    let config = "[cookie]\nsame_site = \"none\"\n";
    let secure = SecureGateway::start_with(upstream.address, &listen, config);
    let output = Command::new("node")
        .arg(repository().join("tests/clients/javascript/other_origin.mjs"))
        .env("GATEWAY_URL", format!("https://{}", secure.https))
        .env("GATEWAY_USER", "ada")
        .env("GATEWAY_PASSWORD", PASSWORD)
        .env("ALLOWED_PAGE", &allowed)
        .env("OTHER_PAGE", &other)
        .output()
        .expect("node is there; `make test-tools` installs it");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(
        text(&output.stdout),
        "allowed: 204, 200 ada, 200 ada, 200 ada, 200 ada, 405\n\
         cookie: None, secure true\n\
         other: refused, refused, refused, 0, 0, refused\n\
         after: 200 ada, 204, 401"
    );
    let lines: Vec<_> =
        upstream.seen_by_clients().iter().map(|seen| seen.line().to_owned()).collect();
    assert_eq!(
        lines,
        [
            "GET /api/v2/buckets HTTP/1.1",
            "DELETE /api/v2/buckets/1 HTTP/1.1",
            "POST /api/v2/write HTTP/1.1",
            // Another page may ask, and is not told; nor is its preflight answered as it wishes.
            "GET /api/v2/buckets HTTP/1.1",
            "OPTIONS /api/v2/buckets/2 HTTP/1.1",
            "GET /api/v2/buckets HTTP/1.1",
        ]
    );
}
