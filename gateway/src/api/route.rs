//! Which requests are ours, which go on, and which go nowhere.

use http::Method;

/// The methods that are read at all, for `Allow`.
pub const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// Whether `method` is one of [`METHODS`].
pub fn is_known(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET
            | Method::HEAD
            | Method::POST
            | Method::PUT
            | Method::PATCH
            | Method::DELETE
            | Method::OPTIONS
    )
}

/// What is forwarded besides the API.
#[derive(Clone, Debug)]
pub struct Forwarding {
    /// Exact paths outside the API, forwarded without a session, `GET` and `HEAD` only.
    pub public: Vec<String>,
    /// Whether `POST /api/v2/setup` is, which makes the first user of a fresh InfluxDB.
    pub setup: bool,
    /// Whether InfluxDB's own pages are.
    pub ui: bool,
    /// Whether `/query` and `/write` are.
    pub unversioned: Unversioned,
}

/// What becomes of `/query` and `/write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unversioned {
    /// They are not forwarded.
    Closed,
    /// They are InfluxDB 1's, which authenticate by themselves.
    OnTheirOwn,
    /// They are InfluxDB 3's, an API like `/api/v2`; and so is `/api/v3/`.
    Api,
}

/// Where a request goes. The query never takes part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// `POST /api/v2/signin`.
    SignIn(Door),
    /// `POST /api/v2/signout`.
    SignOut(Door),
    /// `GET /api/v2/me`.
    Me,
    /// A new password for a user.
    Password(Account<'a>, Proof),
    /// `OPTIONS` of a local endpoint, which has this method.
    Options(&'static str),
    /// An endpoint asked with another method than this.
    WrongMethod(Door, &'static str),
    /// Below a local endpoint, where there is nothing.
    NoSuchPage,
    /// The set-up of a fresh InfluxDB, which is not to be had through the gateway.
    SetupClosed,
    /// The rest of InfluxDB's API: forwarded on behalf of somebody.
    Api,
    /// Forwarded on behalf of nobody.
    Public,
    /// Neither ours nor the upstream's business.
    Elsewhere,
}

/// Whether an endpoint wants authentication first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// No: the endpoint authenticates by itself.
    Open,
    /// Yes: InfluxDB exempts the exact path only, so a trailing slash makes the difference.
    Guarded,
}

/// Whose password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account<'a> {
    /// That of whoever asks.
    Own,
    /// That of the user with this id.
    Of(&'a str),
}

/// What is asked for besides the session when a password is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The old password: `PUT`.
    OldPassword,
    /// Nothing: `POST`.
    Session,
}

impl<'a> Route<'a> {
    /// The route of `method` and `path`.
    pub fn of(method: &Method, path: &'a str, forwarding: &Forwarding) -> Self {
        match path.strip_prefix("/api/v2") {
            Some(below) => api(method, below, forwarding),
            None => outside(method, path, forwarding),
        }
    }
}

/// The API; `below` is what follows `/api/v2`.
fn api<'a>(method: &Method, below: &'a str, forwarding: &Forwarding) -> Route<'a> {
    let (endpoint, door) = match below.strip_suffix('/') {
        Some(endpoint) => (endpoint, Door::Guarded),
        None => (below, Door::Open),
    };
    match endpoint {
        "/signin" => only("POST", method, Route::SignIn(door)),
        "/signout" => only("POST", method, Route::SignOut(door)),
        "/me" => only("GET", method, Route::Me),
        "/me/password" => only("PUT", method, Route::Password(Account::Own, Proof::OldPassword)),
        _ if ["/signin/", "/signout/", "/me/"].iter().any(|head| below.starts_with(head)) => {
            Route::NoSuchPage
        }
        "/setup" if door == Door::Open => setup(method, forwarding),
        _ => match password_of(endpoint) {
            Some(id) => password_of_user(method, id),
            None => rest(method, below),
        },
    }
}

/// What InfluxDB answers without authentication, and what it does not.
fn rest(method: &Method, below: &str) -> Route<'static> {
    match (method.as_str(), below) {
        ("OPTIONS", _) | ("GET", "" | "/swagger.json") => Route::Public,
        _ => Route::Api,
    }
}

fn setup(method: &Method, forwarding: &Forwarding) -> Route<'static> {
    match method.as_str() {
        "GET" => Route::Public,
        "POST" | "OPTIONS" if forwarding.setup => Route::Public,
        "POST" => Route::SetupClosed,
        _ => other_than("GET, POST", method),
    }
}

/// The id in `/users/{id}/password`: one segment of the path.
fn password_of(endpoint: &str) -> Option<&str> {
    let id = endpoint.strip_prefix("/users/")?.strip_suffix("/password")?;
    (!id.contains('/')).then_some(id)
}

fn password_of_user<'a>(method: &Method, id: &'a str) -> Route<'a> {
    match method.as_str() {
        "POST" => Route::Password(Account::Of(id), Proof::Session),
        "PUT" => Route::Password(Account::Of(id), Proof::OldPassword),
        _ => other_than("POST, PUT", method),
    }
}

fn only<'a>(wanted: &'static str, method: &Method, route: Route<'a>) -> Route<'a> {
    if method == wanted { route } else { other_than(wanted, method) }
}

/// A local endpoint asked with a `method` that it does not have.
fn other_than(allow: &'static str, method: &Method) -> Route<'static> {
    match *method {
        Method::OPTIONS => Route::Options(allow),
        _ => Route::WrongMethod(Door::Guarded, allow),
    }
}

/// Everything that is not the API.
fn outside<'a>(method: &Method, path: &str, forwarding: &Forwarding) -> Route<'a> {
    let allowed = match path {
        _ if forwarding.unversioned == Unversioned::Api && is_of_influxdb_3(path) => {
            return Route::Api;
        }
        "/query" if forwarding.unversioned == Unversioned::OnTheirOwn => "GET, POST",
        "/write" if forwarding.unversioned == Unversioned::OnTheirOwn => "POST",
        _ if forwarding.public.iter().any(|open| open == path) => "GET, HEAD",
        _ if forwarding.ui && is_page(path) => "GET, HEAD",
        _ => return Route::Elsewhere,
    };
    if allowed.split(", ").any(|allowed| allowed == method.as_str()) {
        Route::Public
    } else {
        Route::WrongMethod(Door::Open, allowed)
    }
}

fn is_of_influxdb_3(path: &str) -> bool {
    path == "/query" || path == "/write" || path.starts_with("/api/v3/")
}

/// Whether InfluxDB's own pages have `path`: not what is an API of some version, and not what
/// tells of the server's insides.
fn is_page(path: &str) -> bool {
    const NO_PAGES: [&str; 6] = ["/api", "/debug", "/metrics", "/private", "/query", "/write"];
    let is_below = |head: &str| {
        path.strip_prefix(head).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    // InfluxDB reads everything that begins with /v1 as an API.
    path.starts_with('/') && !path.starts_with("/v1") && !NO_PAGES.iter().any(|head| is_below(head))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn forwarding(setup: bool, ui: bool, v1: bool) -> Forwarding {
        let public = vec!["/health".to_owned(), "/ping".to_owned()];
        let unversioned = if v1 { Unversioned::OnTheirOwn } else { Unversioned::Closed };
        Forwarding { public, setup, ui, unversioned }
    }

    fn check(forwarding: &Forwarding, table: &[(&str, &str, Route<'_>)]) {
        for (method, path, expected) in table {
            let route = Route::of(&method.parse().unwrap(), path, forwarding);
            assert_eq!(route, *expected, "{method} {path}");
        }
    }

    const fn wrong(allow: &'static str) -> Route<'static> {
        Route::WrongMethod(Door::Guarded, allow)
    }

    #[test]
    fn methods() {
        for method in METHODS.split(", ") {
            assert!(is_known(&method.parse().unwrap()), "{method}");
        }
        for method in ["TRACE", "CONNECT", "get", "PROPFIND"] {
            assert!(!is_known(&method.parse().unwrap()), "{method}");
        }
    }

    #[test]
    fn the_api() {
        let own = Route::Password(Account::Own, Proof::OldPassword);
        check(
            &forwarding(false, false, false),
            &[
                ("POST", "/api/v2/signin", Route::SignIn(Door::Open)),
                ("POST", "/api/v2/signin/", Route::SignIn(Door::Guarded)),
                ("GET", "/api/v2/signin", wrong("POST")),
                ("OPTIONS", "/api/v2/signin", Route::Options("POST")),
                ("POST", "/api/v2/signin/foo", Route::NoSuchPage),
                ("POST", "/api/v2/signinX", Route::Api),
                ("POST", "/api/v2/SIGNIN", Route::Api),
                ("POST", "/api/v2/signout", Route::SignOut(Door::Open)),
                ("DELETE", "/api/v2/signout", wrong("POST")),
                ("GET", "/api/v2/me", Route::Me),
                ("GET", "/api/v2/me/", Route::Me),
                ("HEAD", "/api/v2/me", wrong("GET")),
                ("GET", "/api/v2/me/x", Route::NoSuchPage),
                ("PUT", "/api/v2/me/password", own),
                ("POST", "/api/v2/me/password", wrong("PUT")),
                (
                    "POST",
                    "/api/v2/users/7/password",
                    Route::Password(Account::Of("7"), Proof::Session),
                ),
                (
                    "PUT",
                    "/api/v2/users/7/password",
                    Route::Password(Account::Of("7"), Proof::OldPassword),
                ),
                ("GET", "/api/v2/users/7/password", wrong("POST, PUT")),
                ("POST", "/api/v2/users/7/8/password", Route::Api),
                ("PUT", "/api/v2/setup", wrong("GET, POST")),
                ("OPTIONS", "/api/v2/setup", Route::Options("GET, POST")),
                ("PATCH", "/api/v2/users/7", Route::Api),
                ("POST", "/api/v2/write", Route::Api),
                ("OPTIONS", "/api/v2/write", Route::Public),
                ("GET", "/api/v2", Route::Public),
                ("GET", "/api/v2/", Route::Api),
                ("HEAD", "/api/v2", Route::Api),
                ("GET", "/api/v2/swagger.json", Route::Public),
                ("GET", "/api/v2/setup", Route::Public),
                ("GET", "/api/v2/setup/", Route::Api),
                ("POST", "/api/v2/setup", Route::SetupClosed),
                ("GET", "/api/v2private/notebooks", Route::Api),
            ],
        );
        check(&forwarding(true, false, false), &[("POST", "/api/v2/setup", Route::Public)]);
    }

    #[test]
    fn outside_the_api() {
        let reads = Route::WrongMethod(Door::Open, "GET, HEAD");
        check(
            &forwarding(false, false, false),
            &[
                ("GET", "/health", Route::Public),
                ("HEAD", "/ping", Route::Public),
                ("POST", "/health", reads),
                ("GET", "/health/", Route::Elsewhere),
                ("GET", "/", Route::Elsewhere),
                ("GET", "/metrics", Route::Elsewhere),
                ("POST", "/write", Route::Elsewhere),
                ("GET", "/API/v2/me", Route::Elsewhere),
                ("POST", "//api/v2/signin", Route::Elsewhere),
            ],
        );
        check(
            &forwarding(false, true, false),
            &[
                ("GET", "/", Route::Public),
                ("GET", "/orgs/1/dashboards", Route::Public),
                ("HEAD", "/signin", Route::Public),
                ("GET", "/metricsX", Route::Public),
                ("POST", "/signin", reads),
                ("GET", "/metrics", Route::Elsewhere),
                ("GET", "/metrics/", Route::Elsewhere),
                ("GET", "/debug/pprof/heap", Route::Elsewhere),
                ("GET", "/api/v3/query_sql", Route::Elsewhere),
                ("GET", "/api", Route::Elsewhere),
                ("GET", "/private/x", Route::Elsewhere),
                ("GET", "/query", Route::Elsewhere),
                ("GET", "/v1x", Route::Elsewhere),
            ],
        );
        check(
            &forwarding(false, false, true),
            &[
                ("GET", "/query", Route::Public),
                ("POST", "/query", Route::Public),
                ("POST", "/write", Route::Public),
                ("GET", "/write", Route::WrongMethod(Door::Open, "POST")),
                ("GET", "/query/x", Route::Elsewhere),
                ("GET", "/", Route::Elsewhere),
            ],
        );
    }

    #[test]
    fn influxdb_3() {
        let unversioned = Unversioned::Api;
        let forwarding = Forwarding { unversioned, ..forwarding(false, false, false) };
        check(
            &forwarding,
            &[
                ("POST", "/api/v3/query_sql", Route::Api),
                ("GET", "/query", Route::Api),
                ("POST", "/write", Route::Api),
                ("POST", "/api/v2/write", Route::Api),
                ("GET", "/api/v3", Route::Elsewhere),
                ("GET", "/metrics", Route::Elsewhere),
            ],
        );
    }

    proptest! {
        /// Nothing leaves the gateway but the API and what was made public.
        #[test]
        fn only_the_api_goes_upstream(path in "/[a-z0-9/._%-]{0,20}") {
            let closed = forwarding(false, false, false);
            let route = Route::of(&Method::GET, &path, &closed);
            if path != "/health" && path != "/ping" && !path.starts_with("/api/v2") {
                prop_assert_eq!(route, Route::Elsewhere);
            }
        }

        /// Whatever may be forwarded for nobody, the rest of the API is not.
        #[test]
        fn the_api_is_never_public(path in "/api/v2[a-z/]{1,20}", method in "GET|POST|PUT|DELETE") {
            let wide_open = forwarding(true, true, true);
            let route = Route::of(&method.parse().unwrap(), &path, &wide_open);
            if path != "/api/v2/setup" {
                prop_assert_ne!(route, Route::Public);
            }
        }
    }
}
