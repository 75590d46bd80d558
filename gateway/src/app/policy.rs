//! The rules about requests, as the configuration has them.

use std::sync::Arc;

use http::HeaderValue;

use crate::api::cookie::CookieRules;
use crate::api::csrf::AllowedOrigins;
use crate::api::framing::HeadLimits;
use crate::api::hosts::AnsweredHosts;
use crate::auth::credential::Shared;
use crate::config::Config;
use crate::gateway::client_info::TrustedProxies;
use crate::gateway::policy::Policy;
use crate::toml_reader::array_of;

/// What a change of which needs a restart: `table` or `table.key`, and `[[table]]` for more or fewer tables of that name.
/// Everything else counts as soon as the file is read again.
pub const NEEDS_RESTART: [&str; 64] = [
    "admin.listen",
    "admin.ready_needs_upstream",
    "admin.token_file",
    "audit",
    "grant",
    "identity.token_prefix",
    "jwt",
    "limits.http2_resets",
    "limits.http2_streams",
    "limits.keepalive",
    "limits.requests",
    "limits.upstream_ask",
    "limits.upstream_connect",
    "limits.upstream_idle",
    "limits.upstream_ping",
    "limits.upstream_read",
    "limits.upstream_write",
    "listen.http",
    "listen.https",
    "log.file",
    "log.format",
    "[[oidc]]",
    "oidc.algorithms",
    "oidc.ca_file",
    "oidc.client_id",
    "oidc.client_secret_file",
    "oidc.id",
    "oidc.groups",
    "oidc.issuer",
    "oidc.keys",
    "oidc.leeway",
    "oidc.max_age",
    "oidc.redirect",
    "oidc.require",
    "oidc.types",
    "oidc.user",
    "server",
    "session.idle",
    "session.lifetime",
    "session.near_cache",
    "session.store",
    "session.store_ca_file",
    "session.store_key",
    "session.store_prefix",
    "session.store_timeout",
    "session.touch_interval",
    "signin.hash_lanes",
    "signin.hash_memory_kib",
    "signin.hash_passes",
    "signin.hash_queue",
    "signin.hash_wait",
    "signin.hash_workers",
    "tracing",
    "ui",
    "upstream.ca_file",
    "upstream.client_certificate",
    "upstream.client_key",
    "upstream.kind",
    "upstream.token_file",
    "upstream.url",
    "users.file",
    "users.renew",
    "users.source",
    "users.tokens",
];

/// How many providers sign users in.
const OIDC_TABLES: &str = "[[oidc]]";

/// What tells one provider from another.
const OIDC_ID: &str = "oidc.id";

/// Those of `keys`, each with its table, a change of which needs a restart.
pub fn needing_restart(keys: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut keys: Vec<_> = keys.into_iter().collect();
    if keys.iter().any(|key| key == OIDC_ID) {
        // Another id is another provider, of which nothing is in force.
        keys.retain(|key| !key.starts_with("oidc."));
        keys.insert(0, OIDC_TABLES.to_owned());
    }
    keys.retain(|key| needs_restart(key));
    keys
}

/// Whether a change of `key`, with its table, needs a restart.
pub fn needs_restart(key: &str) -> bool {
    let is_below = |rest: &str| rest.is_empty() || rest.starts_with('.');
    let name = array_of(key).unwrap_or(key);
    let is_in = |listed: &str| key == listed || name.strip_prefix(listed).is_some_and(is_below);
    NEEDS_RESTART.iter().any(|listed| is_in(listed))
}

/// The policy of `config`; requests without a token of their own go upstream with the `shared` one.
pub fn of(config: &Config, shared: Arc<Shared>) -> Policy {
    let listen = &config.listen;
    let page = config.page.clone();
    let hsts = listen.hsts.map(|time| format!("max-age={}", time.as_secs()));
    let hints = page.as_ref().is_some_and(|page| !page.providers.is_empty());
    Policy {
        cookie: CookieRules { hints, ..config.cookie.clone() },
        forwarding: config.forwarding.clone(),
        identity: config.identity.headers.clone(),
        shared,
        limits: config.limits,
        head: HeadLimits {
            websockets: config.forwarding.ui.is_by_session(),
            ..(&config.limits).into()
        },
        trusted: TrustedProxies::new(listen.trusted_proxies.clone()),
        hosts: AnsweredHosts::new(listen.hosts.clone()),
        origins: AllowedOrigins::new(listen.allowed_origins.clone()),
        counts_users: config.metrics.per_user,
        password_by_session: config.users.password_by_session,
        h2c: listen.speaks_h2c(config.upstream.grpc),
        page: page.map(Arc::new),
        hsts: hsts.and_then(|text| HeaderValue::from_str(&text).ok()),
    }
}
