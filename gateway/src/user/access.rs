//! What a user may have the gateway forward: rules as data.

use http::Method;

/// The access of a user of the users file.
///
/// It bounds what the user does with the API token that the gateway injects, which may be more
/// powerful than the user should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Looks and queries.
    Read,
    /// Looks, queries, writes and deletes points.
    Write,
    /// Whatever the token may do.
    Full,
}

/// `POST` requests that change nothing: queries carry their text in the body.
const QUERIES: [&str; 6] = [
    "/api/v2/query",
    "/api/v2/query/analyze",
    "/api/v2/query/ast",
    "/api/v2/query/suggestions",
    "/api/v3/query_influxql",
    "/api/v3/query_sql",
];

/// `POST` requests that change points and nothing else.
const WRITES: [&str; 4] = ["/api/v2/delete", "/api/v2/write", "/api/v3/write_lp", "/write"];

impl Access {
    /// Whether a request of this method and path is within the access. What is not listed is not.
    pub fn allows(self, method: &Method, path: &str) -> bool {
        let is_safe = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
        let is_post_of = |paths: &[&str]| method == Method::POST && paths.contains(&path);
        match self {
            Self::Read => is_safe || is_post_of(&QUERIES),
            Self::Write => is_safe || is_post_of(&QUERIES) || is_post_of(&WRITES),
            Self::Full => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_access() {
        for (method, path, read, write) in [
            ("GET", "/api/v2/buckets", true, true),
            ("HEAD", "/api/v2/buckets", true, true),
            ("OPTIONS", "/api/v2/buckets", true, true),
            ("POST", "/api/v2/query", true, true),
            ("POST", "/api/v2/query/ast", true, true),
            ("POST", "/api/v2/query/analyze", true, true),
            ("POST", "/api/v2/query/suggestions", true, true),
            ("POST", "/api/v2/write", false, true),
            ("POST", "/api/v2/delete", false, true),
            ("PUT", "/api/v2/write", false, false),
            ("DELETE", "/api/v2/query", false, false),
            ("POST", "/api/v2/query/", false, false),
            ("POST", "/api/v2/query/other", false, false),
            ("POST", "/api/v2/writes", false, false),
            ("POST", "/api/v2/buckets", false, false),
            ("PATCH", "/api/v2/buckets/1", false, false),
            ("DELETE", "/api/v2/buckets/1", false, false),
            ("POST", "/api/v2/authorizations", false, false),
            ("POST", "/api/v3/query_sql", true, true),
            ("POST", "/api/v3/write_lp", false, true),
            ("POST", "/api/v3/configure/token/admin", false, false),
            ("POST", "/write", false, true),
            ("POST", "/query", false, false),
            ("PROPFIND", "/api/v2/buckets", false, false),
        ] {
            let method = method.parse().unwrap();
            let allowed =
                [Access::Read, Access::Write, Access::Full].map(|a| a.allows(&method, path));
            assert_eq!(allowed, [read, write, true], "{method} {path}");
        }
    }
}
