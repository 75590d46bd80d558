//! `WebSocket`s that are open while another process takes over.

use super::*;
use crate::explorer::PAGES;
use crate::websocket::{echo, echoes, open};

#[test]
fn a_websocket_is_closed_in_order_and_another_one_is_opened_at_the_new_process() {
    let (explorer, ended) = echo();
    let config = format!("{PAGES}[ui]\nurl = \"http://{}\"\n", explorer.address);
    let stage = Stage::with(closed_port(), "0s", &config);
    let session = stage.gateway().sign_in("ada");
    let mut old = open(stage.gateway(), &session);
    echoes(&mut old, b"hello");
    let new = stage.upgrade();
    // At once, while the old one may still be there.
    let mut next = open(&new, &session);
    echoes(&mut next, b"hello");
    // By itself: nobody says anything on it. The end of the stream, and no reset.
    assert_eq!(old.stream.read(&mut [0]).unwrap(), 0);
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(13));
    let (code, log) = stage.old.gateway.wait();
    assert_eq!(code, Some(0));
    assert!(log.contains("path=/ws status=101 "), "{log}");
    assert!(log.contains("all requests are answered") && !log.contains(" ERROR "), "{log}");
    // Here it stays, until its session ends.
    for _ in 0..20 {
        echoes(&mut next, &vec![7; 60_000]);
    }
    assert_eq!(sign_out(&mut new.connect(), &session).status, 204);
    assert!(next.is_closed());
    assert_eq!(ended.recv_timeout(PATIENCE), Ok(13 + 20 * 60_008));
}
