//! Whose a path is: the gateway's own, an API's, a page of InfluxDB's.

use super::unversioned::COMPATIBLE;

/// What follows `folder` in `path`, from its last slash on; empty for the folder without it.
pub(super) fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

/// Whether `path` is `folder`, or below it.
pub fn is_below(path: &str, folder: &str) -> bool {
    below(path, folder).is_some()
}

/// Whether InfluxDB's own pages have `path`: not what is an API of some version, and not what
/// tells of the server's insides.
pub(super) fn is_page(path: &str) -> bool {
    const NO_PAGES: [&str; 6] = ["/api", "/debug", "/metrics", "/private", "/query", "/write"];
    // InfluxDB reads everything that begins with /v1 as an API, and gRPC of InfluxDB 3 is one.
    path.starts_with('/')
        && !["/v1", "/arrow.flight."].iter().any(|head| path.starts_with(head))
        && !NO_PAGES.iter().any(|head| is_below(path, head))
}

/// Whether `path` is that of one of InfluxDB 1's endpoints, which take credentials in the query too.
pub fn is_compatible(path: &str) -> bool {
    COMPATIBLE.contains(&path)
}

/// Why `path` cannot be forwarded to everybody; `None` if it can.
pub fn why_not_public(path: &str) -> Option<&'static str> {
    let apis = ["/api/v2", "/api/v3/", "/private/"];
    if is_below(path, "/gateway/") {
        Some("is the gateway's own")
    } else if apis.iter().any(|api| path.starts_with(api)) {
        Some("is part of the API, which needs a session")
    } else if COMPATIBLE.contains(&path) {
        Some("is part of the API of InfluxDB 1, which forward.v1 opens")
    } else {
        None
    }
}

/// Why the gateway's own page cannot be at `path`; `None` if it can.
pub fn why_not_page(path: &str) -> Option<&'static str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let is_dots = |segment| segment == "." || segment == "..";
    let inner = path.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let is_folder = inner.is_some_and(|inner| !inner.is_empty() && !inner.starts_with('/'));
    if !is_folder || !path.bytes().all(is_plain) || path.contains("//") || path.len() > 64 {
        Some("is not a plain path from slash to slash, of up to 64 characters")
    } else if path.split('/').any(is_dots) {
        Some("says where it is only when it is tidied")
    } else if path != "/gateway/" && is_below(path, "/gateway/") {
        Some("is below what the gateway has for itself")
    } else if !is_page(path) {
        Some("is, or may be, part of an API of InfluxDB's")
    } else {
        None
    }
}
