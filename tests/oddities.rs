use std::io::Write;

use crate::frames::{Connection, head};
use crate::secure::SecureGateway;
use crate::support::*;

/// The client of its own token, whom the gateway forwards without asking.
const TOKEN: &str = "Authorization: Token x";

/// All that a client of HTTP/1.0 is answered, up to the end of the connection.
fn ask_old(gateway: &Gateway, headers: &[&str], body: &str) -> (Answer, String) {
    let length = format!("Content-Length: {}", body.len());
    let headers = [headers, &[TOKEN, &length]].concat().join("\r\n");
    let text = format!("POST /api/v2/query HTTP/1.0\r\n{headers}\r\n\r\n{body}");
    let mut client = gateway.connect();
    client.write(text.as_bytes());
    let answer = client.read_head();
    let body = String::from_utf8(client.read_rest()).unwrap();
    (answer, body)
}

#[test]
fn f_02_a_client_of_http_1_0_gets_no_chunks() {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
    let lengthy = "Content-Length: 6\r\n\r\nhello!";
    let closed = "Connection: close\r\n\r\nhello!";
    for (rest, headers) in [
        (chunked, &[][..]),
        (chunked, &["Connection: keep-alive"]),
        (chunked, &["Host: gateway.test", "Connection: close"]),
        (lengthy, &[]),
        (closed, &["Connection: keep-alive"]),
    ] {
        let upstream = Upstream::behaving(move |seen, stream| {
            let interim = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
            assert_eq!(seen.header("expect"), None);
            stream.write_all(format!("{interim}HTTP/1.1 200 OK\r\n{rest}").as_bytes()).unwrap();
            !rest.starts_with("Connection")
        });
        let gateway = Gateway::start(upstream.address);
        // It knows of no interim answers, so it cannot mean what the header says.
        let headers = [headers, &["Expect: 100-continue"]].concat();
        let (answer, body) = ask_old(&gateway, &headers, "q");
        assert_eq!((answer.status, body.as_str()), (200, "hello!"), "{rest:?} {headers:?}");
        assert_eq!(answer.header("transfer-encoding"), None, "{rest:?} {headers:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{rest:?} {headers:?}");
        assert_eq!(upstream.next().body, b"q");
    }
}

#[test]
fn f_02_a_client_of_http_1_1_gets_them_still() {
    let upstream = Upstream::behaving(|_, stream| {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        stream.write_all(text.as_bytes()).is_ok()
    });
    let gateway = Gateway::start(upstream.address);
    let mut client = gateway.connect();
    for _ in 0..2 {
        let answer = client.send(&get("/api/v2/query", &[TOKEN]));
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
        assert_eq!(answer.text(), "hello");
    }
}

#[test]
fn f_04_an_answer_of_another_protocol_is_none() {
    let upstream = Upstream::behaving(move |seen, stream| {
        let has_body = seen.line().contains("more");
        let text = if seen.line().contains("odd") {
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        };
        stream.write_all(text.as_bytes()).unwrap();
        if has_body {
            // What would be for the client in the other protocol, or the answer to another request.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nleak");
        }
        true
    });
    let secure = SecureGateway::start(upstream.address);
    let gateway = &secure.gateway;
    for target in ["/api/v2/query?odd", "/api/v2/query?odd&more"] {
        for text in [
            get(target, &[TOKEN]),
            with_body("POST", target, &[TOKEN], "m v=1"),
            get(target, &[TOKEN]).replace("1.1", "1.0"),
        ] {
            let answer = gateway.connect().send(&text);
            assert_eq!((answer.status, &answer.json()["code"]), (502, &"unavailable".into()));
            let fine = gateway.connect().send(&get("/api/v2/query", &[TOKEN]));
            assert_eq!((fine.status, fine.text()), (200, "ok".to_owned()));
        }
        let mut connection = Connection::open(&secure, &[]);
        let token = [("authorization", "Token x")];
        let stream = connection.send(&[&head("GET", target)[..], &token].concat(), None);
        assert_eq!(connection.finish(stream).answer().status, 502);
    }
}
