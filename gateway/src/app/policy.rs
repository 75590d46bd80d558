//! The rules about requests, as the configuration has them.

use std::sync::Arc;

use http::HeaderValue;

use crate::api::csrf::AllowedOrigins;
use crate::api::hosts::AnsweredHosts;
use crate::auth::credential::Shared;
use crate::config::Config;
use crate::gateway::client_info::TrustedProxies;
use crate::gateway::policy::Policy;

/// What a change of which needs a restart, as `table` or `table.key`. Everything else is read with each
/// request, or is in files that are read again when they change.
pub const NEEDS_RESTART: [&str; 28] = [
    "admin.listen",
    "admin.ready_needs_upstream",
    "audit",
    "limits.connections",
    "limits.connections_per_client",
    "limits.http2_resets",
    "limits.http2_streams",
    "limits.keepalive",
    "limits.requests",
    "limits.upstream_ask",
    "limits.upstream_connect",
    "limits.upstream_connections",
    "limits.upstream_connections_per_client",
    "limits.upstream_idle",
    "limits.upstream_read",
    "limits.upstream_write",
    "listen.http",
    "listen.https",
    "server",
    "session",
    "signin",
    "upstream.ca_file",
    "upstream.client_certificate",
    "upstream.client_key",
    "upstream.kind",
    "upstream.token_file",
    "upstream.url",
    "users",
];

/// The policy of `config`; requests without a token of their own go upstream with the `shared` one.
pub fn of(config: &Config, shared: Arc<Shared>) -> Policy {
    let listen = &config.listen;
    let hsts = listen.hsts.map(|time| format!("max-age={}", time.as_secs()));
    Policy {
        cookie: config.cookie.clone(),
        forwarding: config.forwarding.clone(),
        identity: config.identity.headers.clone(),
        shared,
        limits: config.limits,
        head: (&config.limits).into(),
        trusted: TrustedProxies::new(listen.trusted_proxies.clone()),
        hosts: AnsweredHosts::new(listen.hosts.clone()),
        origins: AllowedOrigins::new(listen.allowed_origins.clone()),
        password_by_session: config.users.password_by_session,
        hsts: hsts.and_then(|text| HeaderValue::from_str(&text).ok()),
    }
}
