//! Which request headers only the gateway may set.

use http::HeaderName;

/// The headers that carry the resolved user upstream.
#[derive(Clone, Debug)]
pub struct IdentityHeaders {
    /// Carries the user's name.
    pub name: HeaderName,
    /// Carries the user's id, if wanted.
    pub id: Option<HeaderName>,
}

/// Headers that say where a request came from, or what it really means. The gateway sets the
/// first three itself; from a client they are hearsay.
const HEARSAY: [&str; 12] = [
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-forwarded-method",
    "forwarded",
    "x-real-ip",
    "x-original-url",
    "x-rewrite-url",
    "x-http-method-override",
];

impl IdentityHeaders {
    /// Whether a client's header of this name must not go upstream: an identity header or one of
    /// those that say where a request came from, in any spelling.
    ///
    /// Upstreams that map headers to variables read `-`, `_` and `.` as the same character, so
    /// a look-alike is as good as the header itself.
    pub fn forbids(&self, name: &HeaderName) -> bool {
        // Nearly every header of nearly every request fails the first comparison.
        let own = |header: &HeaderName| alike(name.as_str(), header.as_str());
        own(&self.name)
            || self.id.as_ref().is_some_and(own)
            || HEARSAY.iter().any(|hearsay| alike(name.as_str(), hearsay))
    }
}

/// Whether two header names, both in lower case, differ in their separators only.
fn alike(name: &str, other: &str) -> bool {
    name.len() == other.len()
        && name.bytes().zip(other.bytes()).all(|(a, b)| {
            a == b || (matches!(a, b'-' | b'_' | b'.') && matches!(b, b'-' | b'_' | b'.'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_forbidden() {
        let headers = IdentityHeaders {
            name: HeaderName::from_static("x-auth-user"),
            id: Some(HeaderName::from_static("x_auth.user-id")),
        };
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
            "Forwarded",
            "X-Real-IP",
            "X-Original-URL",
        ] {
            assert!(forbids(name), "{name}");
        }
        for name in ["X-Auth-Users", "XAuthUser", "User", "X-Forwarded", "Host", "Accept"] {
            assert!(!forbids(name), "{name}");
        }
    }
}
