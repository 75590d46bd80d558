//! A JWT that expires while a request is under way.

use std::fs;

use super::idp::Idp;
use crate::clock;
use crate::cut_off::listener;
use crate::support::*;

#[test]
fn a_jwt_that_has_expired_ends_a_body_that_keeps_coming() {
    let idp = Idp::start();
    let (upstream, heads, rests) = listener("");
    let limits = "token_file = \"shared.token\"\n[limits]\nbody = \"1day\"\n";
    let grant = "[[grant]]\ngroup = \"writers\"\naccess = \"write\"\n";
    let config = [limits, &super::jwt(&idp.issuer, ""), grant].concat();
    let folder = Gateway::prepare(&format!("http://{upstream}"), &config, &users(&["ada"]));
    fs::write(folder.path().join("shared.token"), "shared").unwrap();
    let gateway = clock::start_in(folder);
    super::wait_for_keys(&gateway, &idp.issuer);
    let line = super::bearer(&idp.token(&idp.claims()));
    let mut client = gateway.connect();
    let head = request("POST", "/api/v2/write", &[&line, "Transfer-Encoding: chunked"]);
    client.write((head + "5\r\nfirst\r\n").as_bytes());
    heads.recv_timeout(PATIENCE).unwrap();
    clock::pass(&gateway, 7200);
    client.write(b"6\r\nsecond\r\n0\r\n\r\n");
    assert_eq!(client.read().status, 401);
    let (rest, _) = rests.recv_timeout(PATIENCE).unwrap();
    let rest = String::from_utf8(rest).unwrap();
    assert!(!rest.contains("second"), "{rest}");
}
