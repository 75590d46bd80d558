//! The rules for what the gateway forwards for a role.

mod routes;

use http::Method;

/// The access of a user of the users file.
///
/// It bounds what the user does with the API token that the gateway injects, which may be more
/// powerful than the user should be. The stricter is the lesser.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Looks and queries.
    Read,
    /// Looks, queries, writes and deletes points.
    Write,
    /// Whatever the token may do.
    Full,
}

/// The right that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// To read data, and what describes it.
    Read,
    /// To change points.
    Write,
    /// To do whatever there is no other right for, what nobody knows included.
    Everything,
    /// To make or to see credentials, which would outlive the session and the user.
    Credentials,
}

impl Access {
    /// All there is, the strictest first.
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Full];

    /// The word in the users file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Full => "full",
        }
    }

    /// Whether a request that needs `right` is within the access.
    ///
    /// Credentials are within full access only if the user is `trusted` with them: by having an
    /// API token of their own, which InfluxDB bounds, or by the configuration.
    pub fn allows(self, right: Right, trusted: bool) -> bool {
        match right {
            Right::Read => true,
            Right::Write => self != Self::Read,
            Right::Everything => self == Self::Full,
            Right::Credentials => self == Self::Full && trusted,
        }
    }
}

impl Right {
    /// The right that a request of this method and path needs.
    pub fn of(method: &Method, path: &str) -> Self {
        // InfluxDB takes no notice of a slash at the end.
        let path = path.strip_suffix('/').unwrap_or(path);
        let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let is_of = |routes: &[&str]| routes.iter().any(|route| is(path, route));
        let is_post = method == Method::POST;
        if concerns_credentials(path, changes) {
            Self::Credentials
        } else if (!changes && is_of(&routes::READS)) || (is_post && is_of(&routes::QUERIES)) {
            Self::Read
        } else if is_post && is_of(&routes::WRITES) {
            Self::Write
        } else {
            Self::Everything
        }
    }

    /// Whether a request needs [`Right::Credentials`]; nothing else is looked for.
    pub fn is_credentials(method: &Method, path: &str) -> bool {
        let changes = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        concerns_credentials(path, changes)
    }
}

fn concerns_credentials(path: &str, changes: bool) -> bool {
    // Everybody's requests pass here: two bytes tell nearly all of them apart.
    match path.as_bytes() {
        [_, _, _, _, _, _, b'3', ..] => {}
        [_, _, _, _, _, _, _, _, a, b, ..] if routes::BEGINNINGS[routes::mixed(*a, *b)] => {}
        _ => return false,
    }
    let is_below = |routes: &[&str]| routes.iter().any(|route| is_below(path, route));
    if let Some(below) = path.strip_prefix(routes::INFLUXDB_3) {
        let of_tokens = below.split('/').any(|segment| routes::TOKENS.contains(&segment));
        return of_tokens || (changes && is_below(&routes::ACCOUNTS_3));
    }
    is_below(&routes::CREDENTIALS) || (changes && is_below(&routes::ACCOUNTS))
}

/// Whether `path` is that of `route`.
fn is(path: &str, route: &str) -> bool {
    rest(path, route).is_some_and(str::is_empty)
}

/// Whether `path` is that of `route`, or below it.
fn is_below(path: &str, route: &str) -> bool {
    rest(path, route).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What follows in `path` when `route` has been taken off.
fn rest<'a>(path: &'a str, route: &str) -> Option<&'a str> {
    let (mut rest, mut pieces) = (path, route.split('*'));
    rest = rest.strip_prefix(pieces.next()?)?;
    for piece in pieces {
        let end = rest.find('/').unwrap_or(rest.len());
        rest = rest.get(end..).filter(|_| end > 0)?.strip_prefix(piece)?;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn routes_with_and_without_names() {
        for (path, route, expected) in [
            ("/a", "/a", Some("")),
            ("/a/b", "/a", Some("/b")),
            ("/ab", "/a", Some("b")),
            ("/b", "/a", None),
            ("/a/1", "/a/*", Some("")),
            ("/a/", "/a/*", None),
            ("/a", "/a/*", None),
            ("/a/1/b", "/a/*", Some("/b")),
            ("/a/1/b", "/a/*/b", Some("")),
            ("/a/1/bc", "/a/*/b", Some("c")),
            ("/a//b", "/a/*/b", None),
            ("/a/1/2/b", "/a/*/b", None),
            ("/a/1/b/2", "/a/*/b/*", Some("")),
        ] {
            assert_eq!(rest(path, route), expected, "{path} {route}");
        }
    }

    #[test]
    fn every_route_has_its_own_right() {
        let of = |method: Method, route: &str| Right::of(&method, &route.replace('*', "1"));
        for route in routes::READS {
            assert_eq!(of(Method::GET, route), Right::Read, "{route}");
            assert_eq!(of(Method::HEAD, route), Right::Read, "{route}");
            assert_ne!(of(Method::DELETE, route), Right::Read, "{route}");
            assert!(!Right::is_credentials(&Method::GET, route), "{route}");
        }
        for route in routes::QUERIES {
            assert_eq!(of(Method::POST, route), Right::Read, "{route}");
            assert_eq!(of(Method::PUT, route), Right::Everything, "{route}");
        }
        for route in routes::WRITES {
            assert_eq!(of(Method::POST, route), Right::Write, "{route}");
            assert_eq!(of(Method::GET, route), Right::Everything, "{route}");
        }
        for route in routes::CREDENTIALS {
            for below in ["", "/", "/x", "/x/y"] {
                let path = format!("{route}{below}");
                assert_eq!(of(Method::GET, &path), Right::Credentials, "{path}");
                assert_eq!(of(Method::POST, &path), Right::Credentials, "{path}");
            }
            assert_eq!(of(Method::GET, &format!("{route}x")), Right::Everything, "{route}");
        }
        for route in routes::ACCOUNTS.into_iter().chain(routes::ACCOUNTS_3) {
            assert_eq!(of(Method::POST, route), Right::Credentials, "{route}");
            assert_ne!(of(Method::GET, route), Right::Credentials, "{route}");
        }
    }

    #[test]
    fn the_table_of_access() {
        for (method, path, read, write, full) in [
            ("GET", "/api/v2/buckets", true, true, true),
            ("HEAD", "/api/v2/buckets", true, true, true),
            ("OPTIONS", "/api/v2/buckets", true, true, true),
            ("GET", "/api/v2/buckets/", true, true, true),
            ("GET", "/api/v2/buckets/1/members", false, false, true),
            ("POST", "/api/v2/query", true, true, true),
            ("POST", "/api/v2/query/ast", true, true, true),
            ("POST", "/api/v2/write", false, true, true),
            ("POST", "/api/v2/delete", false, true, true),
            ("PUT", "/api/v2/write", false, false, true),
            ("DELETE", "/api/v2/query", false, false, true),
            ("POST", "/api/v2/query/other", false, false, true),
            ("POST", "/api/v2/writes", false, false, true),
            ("POST", "/api/v2/buckets", false, false, true),
            ("POST", "/api/v2/tasks", false, false, true),
            ("GET", "/api/v2/authorizations", false, false, false),
            ("POST", "/api/v2/authorizations/", false, false, false),
            ("GET", "/api/v2/users", false, false, true),
            ("PATCH", "/api/v2/users/1", false, false, false),
            ("POST", "/api/v2/setup/user", false, false, false),
            ("GET", "/api/v2/orgs/1/secrets", false, false, false),
            ("POST", "/api/v3/query_sql", true, true, true),
            ("POST", "/api/v3/write_lp", false, true, true),
            ("GET", "/api/v3/engine/a/b", false, false, true),
            ("POST", "/api/v3/configure/token/named_admin", false, false, false),
            ("POST", "/api/v3/authorize/refresh", false, false, false),
            ("GET", "/api/v3/users", false, false, true),
            ("PATCH", "/api/v3/users/1", false, false, false),
            ("PUT", "/api/v3/users/1/roles", false, false, false),
            ("GET", "/api/v3/users_by_name/ada", false, false, true),
            ("POST", "/api/v3/roles", false, false, false),
            ("POST", "/api/v3/engine/users", false, false, true),
            ("POST", "/write", false, true, true),
            ("POST", "/arrow.flight.protocol.FlightService/DoGet", true, true, true),
            ("POST", "/arrow.flight.protocol.FlightService/DoPut", false, false, true),
            ("POST", "/arrow.flight.protocol.FlightService/DoExchange", false, false, true),
            ("POST", "/arrow.flight.protocol.FlightService/DoAction", false, false, true),
            ("POST", "/query", false, false, true),
            ("PROPFIND", "/api/v2/buckets", false, false, true),
        ] {
            let right = Right::of(&method.parse().unwrap(), path);
            let of = [Access::Read, Access::Write, Access::Full].map(|a| a.allows(right, false));
            assert_eq!(of, [read, write, full], "{method} {path}");
            assert!(Access::Full.allows(right, true), "{method} {path}");
            assert!(!Access::Write.allows(right, true) || write, "{method} {path}");
        }
    }

    proptest! {
        /// Whoever only reads changes nothing, and a slash at the end changes no right.
        #[test]
        fn reading_is_reading(
            method in "GET|HEAD|POST|PUT|PATCH|DELETE",
            path in "/(api/v2|api/v3|private)(/(buckets|query|write|users|token|legacy|[a-z]{1,3})){0,4}",
        ) {
            let method: Method = method.parse().unwrap();
            let right = Right::of(&method, &path);
            prop_assert_eq!(Right::of(&method, &format!("{path}/")), right);
            prop_assert_eq!(Right::is_credentials(&method, &path), right == Right::Credentials);
            if right == Right::Read && !matches!(method, Method::GET | Method::HEAD) {
                prop_assert!(path.contains("/query"), "{} {}", method, path);
            }
            if right == Right::Write {
                prop_assert!(method == Method::POST && path.contains("/write"));
            }
        }
    }
}
