//! Which request headers only the gateway may set.

use http::HeaderName;

use super::names::{Names, alike};

/// The headers that carry the user upstream, and those that clients must not send because they look similar.
#[derive(Clone, Debug)]
pub struct IdentityHeaders {
    /// Carries the user's name.
    pub name: HeaderName,
    /// Carries the user's id, if wanted.
    pub id: Option<HeaderName>,
    forbidden: Names,
}

/// Headers about the origin or the real meaning of a request. The gateway sets some of them itself; from a client they
/// cannot be trusted.
const HEARSAY: [&str; 33] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-protocol",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-forwarded-host",
    "x-forwarded-server",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-path",
    "x-forwarded-uri",
    "x-forwarded-method",
    "x-forwarded-client-cert",
    "x-forwarded-tls-client-cert*",
    "forwarded*",
    "front-end-https",
    "x-url-scheme",
    "x-scheme",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-*",
    "x-originating-*",
    "x-rewrite-url",
    "x-http-method*",
    "x-method-override",
    "x-host",
    "true-client-ip",
    "client-ip",
    "cf-connecting-ip*",
    "fastly-client-ip",
    "fly-client-ip",
    "x-envoy-*",
];

/// Headers by which other gateways, proxies and sign-in services name the user.
const IDENTITIES: [&str; 46] = [
    // The gateway's own by default, and what oauth2-proxy, Traefik and others have beside it.
    "x-forwarded-*",
    // CGI's variable REMOTE_USER, Authelia, Kubernetes.
    "remote-*",
    "x-remote-*",
    "impersonate-*",
    // oauth2-proxy, Keycloak's gatekeeper.
    "x-auth-request-*",
    "x-auth-user",
    "x-auth-userid",
    "x-auth-user-id",
    "x-auth-username",
    "x-auth-name",
    "x-auth-subject",
    "x-auth-email",
    "x-auth-roles",
    "x-auth-groups",
    "x-authenticated-*",
    // Grafana, Gitea and whoever followed them.
    "x-webauth-*",
    "x-proxy-user",
    "x-proxy-role",
    "x-user",
    "x-user-id",
    "x-user-name",
    "x-user-email",
    "x-user-groups",
    "x-user-roles",
    "x-username",
    "x-email",
    // Products, and the clouds.
    "x-authentik-*",
    "x-pomerium-*",
    "x-vouch-*",
    "x-consumer-*",
    "x-credential-*",
    "x-goog-authenticated-user-*",
    "x-goog-iap-*",
    "x-amzn-oidc-*",
    "x-amzn-mtls-*",
    "x-ms-client-principal*",
    "x-ms-token-*",
    "cf-access-*",
    "tailscale-*",
    "sm-*",
    "smuser",
    "iv-*",
    "oam-*",
    // Certificates that somebody else has checked.
    "x-ssl-*",
    "ssl-client-*",
    "client-cert*",
];

/// Headers that others write, in requests or in answers: clients, other proxies, InfluxDB, the
/// gateway. As an identity they would break requests, be overwritten, or be removed on the way.
const TAKEN: [&str; 46] = [
    "accept*",
    "access-control-*",
    "age",
    "allow",
    "alt-svc",
    "authentication-info",
    "authorization",
    "cache-control",
    "clear-site-data",
    "connection",
    "content-*",
    "cookie*",
    "cross-origin-*",
    "date",
    "dnt",
    "early-data",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "http2-settings",
    "if-*",
    "keep-alive",
    "last-modified",
    "link",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "priority",
    "proxy-*",
    "range",
    "referer",
    "retry-after",
    "sec-*",
    "server*",
    "set-cookie*",
    "strict-transport-security",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade*",
    "user-agent",
    "vary",
    "via",
];

/// The same, of those that only this business knows.
const TAKEN_HERE: [&str; 19] = [
    "baggage",
    "cluster-uuid",
    "influx-debug-id",
    "referrer-policy",
    "trace-id",
    "traceparent",
    "tracestate",
    "uber-trace-id",
    "warning",
    "www-authenticate",
    "x-content-type-options",
    "x-correlation-id",
    "x-frame-options",
    "x-influx*",
    "x-platform-*",
    "x-request-id",
    "x-requested-with",
    "x-xss-protection",
    "zap-trace-span",
];

/// What a request falls apart without, and what has rules of its own.
const NEEDED: [&str; 11] = [
    "authorization",
    "connection",
    "content-length",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

impl IdentityHeaders {
    /// The user in `name` and `id`. Clients may send neither, nor what other proxies would tell
    /// of a user, nor what is in `strip`: names, or beginnings of names that end with a star.
    pub fn new(name: HeaderName, id: Option<HeaderName>, strip: &[String]) -> Self {
        let own = [Some(&name), id.as_ref()].into_iter().flatten().map(HeaderName::as_str);
        let known = HEARSAY.into_iter().chain(IDENTITIES);
        let forbidden = Names::new(own.chain(known).chain(strip.iter().map(String::as_str)));
        Self { name, id, forbidden }
    }

    /// Whether a client's header of this name must not go upstream: an identity header or one of
    /// those that say where a request came from, in any spelling.
    pub fn forbids(&self, name: &HeaderName) -> bool {
        self.forbidden.contain(name.as_str())
    }
}

/// Whether somebody else writes headers of this name, so that it can carry no identity.
pub fn is_taken(name: &HeaderName) -> bool {
    let taken = TAKEN.into_iter().chain(TAKEN_HERE).chain(HEARSAY);
    Names::new(taken).contain(name.as_str())
}

/// Whether `pattern`, a name or the beginning of names that ends with a star, stands for a header
/// that a request cannot be without.
pub fn is_needed(pattern: &str) -> bool {
    let names = Names::new([pattern]);
    pattern == "*" || NEEDED.into_iter().any(|needed| names.contain(needed))
}

/// Whether two headers become the same variable, as in CGI.
pub fn are_one(name: &HeaderName, other: &HeaderName) -> bool {
    alike(name.as_str(), other.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_forbidden() {
        let headers = IdentityHeaders::new(
            HeaderName::from_static("x-auth-user"),
            Some(HeaderName::from_static("x_auth.user-id")),
            &["X-Corp-User".to_owned(), "X-Team-*".to_owned()],
        );
        let forbids = |name: &str| headers.forbids(&name.parse().unwrap());
        for name in [
            "X-Auth-User",
            "x-auth-user",
            "X_Auth_User",
            "X.Auth.User",
            "x-auth_user",
            "X-Auth-User-Id",
            "x_auth_user_id",
            "X-Forwarded-For",
            "X_Forwarded_For",
            "X-Forwarded-Groups",
            "Forwarded",
            "X-Real-IP",
            "X-Original-URL",
            "Remote_User",
            "X_CORP.USER",
            "X_Team_Lead",
        ] {
            assert!(forbids(name), "{name}");
        }
        for name in [
            "X-Auth-Users",
            "XAuthUser",
            "User",
            "X-Forwarded",
            "Host",
            "Accept",
            "X-Corp-Users",
            "X-Team",
            "Remote",
            "Referer",
            "Cookie",
            "Content-Type",
            "Zap-Trace-Span",
            "X-Request-Id",
            "X-Grafana-User",
        ] {
            assert!(!forbids(name), "{name}");
        }
    }

    #[test]
    fn what_a_request_needs_is_never_stripped() {
        for pattern in ["Host", "content_length", "Content-*", "*", "c*", "Transfer.Encoding"] {
            assert!(is_needed(pattern), "{pattern}");
        }
        for pattern in ["X-User", "Remote-*", "Content-Languages", "Cookies"] {
            assert!(!is_needed(pattern), "{pattern}");
        }
    }
}
