//! A session of a provider's user whose life ends while a request is under way.

use std::io::Write;
use std::time::{Duration, Instant};

use super::browser::Browser;
use super::provider::Provider;
use super::{LOGIN, start_for};
use crate::support::*;

#[test]
fn it_ends_a_body_that_keeps_coming() {
    let (provider, upstream) = (Provider::start(), Upstream::start());
    let gateway = start_for(&provider, &upstream, "refresh = \"off\"\nlifetime = \"2s\"");
    let mut browser = Browser::new(&gateway);
    browser.sign_in(&provider, LOGIN);
    let line = cookie(&format!("influxdb-oss-session={}", browser.session()));
    let mut client = gateway.connect();
    client
        .write(request("POST", "/api/v2/query", &[&line, "Transfer-Encoding: chunked"]).as_bytes());
    let began = Instant::now();
    let mut stream = client.stream.try_clone().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    while stream.peek(&mut [0]).is_err() {
        assert!(began.elapsed() < PATIENCE, "it goes on");
        // It may be over by now.
        let _ = stream.write_all(b"1\r\n.\r\n");
    }
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(client.read().status, 401);
}
