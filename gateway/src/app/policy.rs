//! The rules about requests, as the configuration has them.

use std::sync::Arc;

use http::HeaderValue;

use crate::api::cookie::CookieRules;
use crate::api::csrf::AllowedOrigins;
use crate::api::framing::HeadLimits;
use crate::api::hosts::AnsweredHosts;
use crate::api::page::{Page, Provider};
use crate::auth::credential::Shared;
use crate::config::{Config, buttons};
use crate::gateway::client_info::TrustedProxies;
use crate::gateway::policy::Policy;

/// What a change of which needs a restart, as `table` or `table.key`. Everything else counts as soon as the file is
/// read again.
pub const NEEDS_RESTART: [&str; 50] = [
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
    "oidc",
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

/// Those of `keys`, each with its table, a change of which needs a restart.
pub fn needing_restart(keys: impl IntoIterator<Item = String>) -> Vec<String> {
    let is_in = |key: &str, listed: &str| {
        key.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let needs = |key: &String| NEEDS_RESTART.iter().any(|listed| is_in(key, listed));
    keys.into_iter().filter(needs).collect()
}

/// Who signs users in. A configuration that is read again may say another thing, which needs a restart.
pub struct Doors {
    passwords: bool,
    providers: Vec<Provider>,
}

impl Doors {
    /// Those of `config`.
    pub fn of(config: &Config) -> Self {
        let passwords = !config.users.are_of_providers();
        Self { passwords, providers: buttons(&config.providers) }
    }

    /// The same with the providers of `config`.
    pub fn beside(&self, config: &Config) -> Self {
        Self { passwords: self.passwords, providers: buttons(&config.providers) }
    }
}

/// The policy of `config`, users being signed in by these `doors`; requests without a token of their own go upstream with the
/// `shared` one.
pub fn of(config: &Config, doors: &Doors, shared: Arc<Shared>) -> Policy {
    let listen = &config.listen;
    let page = config.page.clone().map(|page| Page {
        passwords: doors.passwords,
        providers: doors.providers.clone(),
        ..page
    });
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
