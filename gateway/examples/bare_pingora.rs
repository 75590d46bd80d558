//! Pingora set up as the gateway sets it up, from the gateway's own configuration file, and doing
//! none of the gateway's work: everything is forwarded. What that work costs is the difference
//! between the two, and `docs/performance.md` has it.
//!
//! `cargo run --release --features internals --example bare_pingora -- gateway.toml` listens on the file's first
//! address.

use std::path::Path;

use async_trait::async_trait;
use influx_gateway::internals::{Bound, Limits, Loaded, Upstream, bind, load};
use pingora::Result;
use pingora::apps::HttpServerOptions;
use pingora::modules::http::HttpModules;
use pingora::prelude::HttpPeer;
use pingora::server::Server;
use pingora_proxy::{ProxyHttp, Session, http_proxy};

struct Bare {
    peer: HttpPeer,
    limits: Limits,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    fn init_downstream_modules(&self, _: &mut HttpModules) {}

    /// The same patience with clients as the gateway's.
    async fn early_request_filter(&self, downstream: &mut Session, (): &mut ()) -> Result<()> {
        let connection = downstream.as_downstream_mut();
        connection.set_keepalive(Some(self.limits.keepalive.as_secs()));
        connection.set_read_timeout(Some(self.limits.body));
        connection.set_write_timeout(Some(self.limits.body));
        connection.set_total_drain_timeout(Some(self.limits.body));
        connection.set_pipelining_enabled(true);
        Ok(())
    }

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(self.peer.clone()))
    }
}

fn main() {
    let file = std::env::args().nth(1).expect("the gateway's configuration file");
    let Ok(Loaded { config, .. }) = load(Path::new(&file)) else {
        panic!("{file}: `influx-gateway check --config {file}` says what is wrong")
    };
    let listener = bind(config.listen.http[0]).expect("the address is free");
    let upstream = Upstream::new(&config.upstream.authority, None, &config.limits, Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let target = runtime.expect("a runtime of one thread").block_on(upstream.target());
    let peer = target.expect("upstream.url has an IP address").peer.clone();

    let mut server = Server::new_with_opt_and_conf(None, config.server);
    server.bootstrap();
    let mut proxy = http_proxy(&server.configuration, Bare { peer, limits: config.limits });
    let mut options = HttpServerOptions::default();
    options.keepalive_request_limit = u32::try_from(config.limits.requests - 1).ok();
    proxy.server_options = Some(options);
    let mut proxy = Some(proxy);
    server.add_service(Bound::new("bare", vec![listener], |_| {
        proxy.take().expect("there is one listener")
    }));
    server.run_forever();
}
