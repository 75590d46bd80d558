use std::net::SocketAddr;

use super::server::Server;
use crate::support::*;

/// Two gateways that share a Redis, in front of an upstream that answers who asks.
pub(crate) struct Stage {
    pub(crate) upstream: Upstream,
    pub(crate) gateways: [Gateway; 2],
    pub(crate) redis: Server,
}

impl Stage {
    pub(crate) fn start() -> Self {
        Self::start_with("")
    }

    /// With these keys of `[session]`.
    pub(crate) fn start_with(keys: &str) -> Self {
        let redis = Server::start();
        let url = redis.url();
        Self::before(redis, &url, keys)
    }

    /// With Redis, reached by `url`.
    pub(crate) fn before(redis: Server, url: &str, keys: &str) -> Self {
        let upstream = Upstream::start();
        let gateways = [(); 2].map(|()| gateway(upstream.address, url, keys));
        Self { upstream, gateways, redis }
    }
}

/// A configuration with the session store at `url`, which is waited for as long as a busy machine needs,
/// unless `keys` say otherwise.
pub(crate) fn config(url: &str, keys: &str) -> String {
    let patience = if keys.contains("store_timeout") { "" } else { "store_timeout = \"10s\"\n" };
    format!("[session]\nstore = \"{url}\"\n{patience}{keys}\n")
}

/// A gateway with the users `ada` and `bob`.
pub(crate) fn gateway(upstream: SocketAddr, url: &str, keys: &str) -> Gateway {
    Gateway::start_with(upstream, &config(url, keys), &users(&["ada", "bob"]))
}

/// What a request that needs the session gets.
pub(crate) fn visit(gateway: &Gateway, session: &str) -> Answer {
    gateway.connect().send(&get("/api/v2/me", &[&cookie(session)]))
}

pub(crate) fn status(gateway: &Gateway, session: &str) -> u16 {
    visit(gateway, session).status
}

pub(crate) fn sign_in(gateway: &Gateway, name: &str) -> Answer {
    gateway.connect().send(&post("/api/v2/signin", &[&basic(name, PASSWORD)]))
}

pub(crate) fn sign_out(gateway: &Gateway, session: &str) -> Answer {
    gateway.connect().send(&post("/api/v2/signout", &[&cookie(session)]))
}

/// That nothing is known of a session, which is no reason to give up its cookie.
pub(crate) fn check_unknown(answer: &Answer) {
    assert_eq!((answer.status, &answer.json()["code"]), (503, &"unavailable".into()), "{answer:?}");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    assert!(answer.all("set-cookie").is_empty(), "{answer:?}");
}
