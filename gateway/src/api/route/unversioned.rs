//! What InfluxDB has besides `/api/v2`: the endpoints of InfluxDB 1 and 3.

use http::Method;

use super::{Authentication, Forwarding, ON_ITS_OWN, ON_ITS_OWN_OR_API, PUBLIC, Route};

/// Whether `path` is the one API of InfluxDB 2 that is not below `/api/v2`: the passwords and tokens for
/// InfluxDB 1's endpoints.
pub(super) fn is_private_api(path: &str) -> bool {
    path.strip_prefix("/private/legacy/authorizations")
        .is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// InfluxDB 1's endpoints: queries, writes, and both by Prometheus.
pub(super) const COMPATIBLE: [&str; 4] =
    ["/query", "/write", "/api/v1/prom/read", "/api/v1/prom/write"];

/// One of [`COMPATIBLE`]. What comes of `HEAD` and `OPTIONS` is InfluxDB's to say.
pub(super) fn on_its_own(method: &Method, path: &str) -> Route<'static> {
    match (method.as_str(), path) {
        ("POST" | "HEAD" | "OPTIONS", _) | ("GET", "/query") => ON_ITS_OWN,
        (_, "/query") => Route::WrongMethod(Authentication::Exempt, "GET, POST"),
        _ => Route::WrongMethod(Authentication::Exempt, "POST"),
    }
}

/// What makes the first administrator's token, and the first user of an Enterprise that has users.
const FIRST: [&str; 2] = ["/token/admin", "/configure/user"];

pub(super) fn is_of_influxdb_3(path: &str) -> bool {
    path == "/query" || path == "/write" || path.starts_with("/api/v3/")
}

pub(super) fn influxdb_3(method: &Method, path: &str, forwarding: &Forwarding) -> Route<'static> {
    // The first to ask becomes the administrator, whoever it is.
    let endpoint = path.strip_suffix('/').unwrap_or(path);
    let makes_administrator = FIRST.iter().any(|first| endpoint.ends_with(first));
    match *method {
        Method::OPTIONS => PUBLIC,
        Method::POST if makes_administrator && !forwarding.setup => Route::SetupClosed,
        Method::POST if makes_administrator => PUBLIC,
        _ if makes_administrator => Route::WrongMethod(Authentication::Required, "POST"),
        _ if COMPATIBLE.contains(&path) => ON_ITS_OWN_OR_API,
        _ => Route::Api,
    }
}
