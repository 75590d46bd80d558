//! The rules about requests. They can be replaced while the gateway runs; each request is judged by
//! those that were in force when it came.

use std::sync::Arc;

use http::HeaderValue;

use super::client_info::TrustedProxies;
use crate::api::cookie::CookieRules;
use crate::api::csrf::AllowedOrigins;
use crate::api::framing::HeadLimits;
use crate::api::hosts::AnsweredHosts;
use crate::api::identity::IdentityHeaders;
use crate::api::page::Page;
use crate::api::route::Forwarding;
use crate::auth::credential::Shared;
use crate::limits::Limits;

/// All rules that are read with a request. Immutable: a change is another policy.
pub struct Policy {
    /// The session cookie.
    pub cookie: CookieRules,
    /// What is forwarded besides the API.
    pub forwarding: Forwarding,
    /// The headers that carry the user upstream.
    pub identity: IdentityHeaders,
    /// The token for users who have none of their own.
    pub shared: Arc<Shared>,
    /// Limits.
    pub limits: Limits,
    /// Those on the head of a request.
    pub head: HeadLimits,
    /// The proxies that are believed what they say about their clients.
    pub trusted: TrustedProxies,
    /// The hosts that are answered.
    pub hosts: AnsweredHosts,
    /// The origins whose pages may use a session, besides our own.
    pub origins: AllowedOrigins,
    /// Whether a session alone may set a new password.
    pub password_by_session: bool,
    /// Whether requests are counted for each user too.
    pub counts_users: bool,
    /// The gateway's own page, if there is one.
    pub page: Option<Arc<Page>>,
    /// Whether HTTP/2 is spoken without TLS too.
    pub h2c: bool,
    /// `Strict-Transport-Security` of answers over TLS.
    pub hsts: Option<HeaderValue>,
}

impl Policy {
    /// `Strict-Transport-Security` of an answer over TLS or not.
    pub fn hsts(&self, over_tls: bool) -> Option<&HeaderValue> {
        self.hsts.as_ref().filter(|_| over_tls)
    }
}
