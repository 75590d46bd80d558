//! Pingora as it comes: everything is forwarded, nothing is decided. What the gateway is compared
//! with in `docs/security.md` and `docs/performance.md`.
//!
//! `cargo run --example stock_pingora -- 127.0.0.1:18090 127.0.0.1:18091` listens on the first
//! address and forwards to the second.

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora::Result;
use pingora::prelude::HttpPeer;
use pingora::server::Server;
use pingora_proxy::{ProxyHttp, Session, http_proxy_service};

struct Stock {
    upstream: SocketAddr,
}

#[async_trait]
impl ProxyHttp for Stock {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

fn main() {
    let mut addresses = std::env::args().skip(1);
    let mut address = || addresses.next().expect("two addresses: to listen on, to forward to");
    let (listen, upstream) = (address(), address());
    let upstream = upstream.parse().expect("the second is an IP address and a port");

    let mut server = Server::new(None).expect("Pingora's own defaults are valid");
    server.bootstrap();
    let mut service = http_proxy_service(&server.configuration, Stock { upstream });
    service.add_tcp(&listen);
    server.add_service(service);
    server.run_forever();
}
