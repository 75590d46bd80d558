//! Which requests are ours, which go on, and which go nowhere.

use http::Method;

/// Where a request goes. The query never takes part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `POST /api/v2/signin`.
    SignIn(Door),
    /// `POST /api/v2/signout`.
    SignOut(Door),
    /// `GET /api/v2/me`.
    Me,
    /// An endpoint asked with another method than this.
    WrongMethod(Door, &'static str),
    /// Below a local endpoint, where there is nothing.
    NoSuchPage,
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

impl Route {
    /// The route of `method` and `path`; `public` are the paths forwarded without a session.
    pub fn of(method: &Method, path: &str, public: &[String]) -> Self {
        let Some(below) = path.strip_prefix("/api/v2") else {
            let is_read = method == Method::GET || method == Method::HEAD;
            return match public.iter().any(|open| open == path) {
                true if is_read => Self::Public,
                true => Self::WrongMethod(Door::Open, "GET, HEAD"),
                false => Self::Elsewhere,
            };
        };
        let (endpoint, door) = match below.strip_suffix('/') {
            Some(endpoint) => (endpoint, Door::Guarded),
            None => (below, Door::Open),
        };
        match endpoint {
            "/signin" => Self::only(&Method::POST, method, "POST", Self::SignIn(door)),
            "/signout" => Self::only(&Method::POST, method, "POST", Self::SignOut(door)),
            "/me" => Self::only(&Method::GET, method, "GET", Self::Me),
            _ if below.starts_with("/signin/") || below.starts_with("/signout/") => {
                Self::NoSuchPage
            }
            _ => Self::Api,
        }
    }

    fn only(wanted: &Method, method: &Method, allow: &'static str, route: Self) -> Self {
        if method == wanted { route } else { Self::WrongMethod(Door::Guarded, allow) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn route(method: &str, path: &str) -> Route {
        let public = ["/health".to_owned(), "/ping".to_owned()];
        Route::of(&method.parse().unwrap(), path, &public)
    }

    #[test]
    fn the_table_of_routes() {
        for (method, path, expected) in [
            ("POST", "/api/v2/signin", Route::SignIn(Door::Open)),
            ("POST", "/api/v2/signin/", Route::SignIn(Door::Guarded)),
            ("GET", "/api/v2/signin", Route::WrongMethod(Door::Guarded, "POST")),
            ("POST", "/api/v2/signin/foo", Route::NoSuchPage),
            ("POST", "/api/v2/signinX", Route::Api),
            ("POST", "/api/v2/SIGNIN", Route::Api),
            ("POST", "/api/v2/signout", Route::SignOut(Door::Open)),
            ("DELETE", "/api/v2/signout", Route::WrongMethod(Door::Guarded, "POST")),
            ("GET", "/api/v2/me", Route::Me),
            ("GET", "/api/v2/me/", Route::Me),
            ("HEAD", "/api/v2/me", Route::WrongMethod(Door::Guarded, "GET")),
            ("PUT", "/api/v2/me/password", Route::Api),
            ("POST", "/api/v2/write", Route::Api),
            ("GET", "/api/v2", Route::Api),
            ("GET", "/api/v2private/notebooks", Route::Api),
            ("GET", "/health", Route::Public),
            ("HEAD", "/ping", Route::Public),
            ("POST", "/health", Route::WrongMethod(Door::Open, "GET, HEAD")),
            ("GET", "/health/", Route::Elsewhere),
            ("GET", "/", Route::Elsewhere),
            ("GET", "/metrics", Route::Elsewhere),
            ("POST", "/write", Route::Elsewhere),
            ("GET", "/API/v2/me", Route::Elsewhere),
            ("POST", "//api/v2/signin", Route::Elsewhere),
        ] {
            assert_eq!(route(method, path), expected, "{method} {path}");
        }
    }

    proptest! {
        /// Nothing leaves the gateway but the API and what was made public.
        #[test]
        fn only_the_api_goes_upstream(path in "/[a-z0-9/._%-]{0,20}") {
            let route = route("GET", &path);
            if path != "/health" && path != "/ping" && !path.starts_with("/api/v2") {
                prop_assert_eq!(route, Route::Elsewhere);
            }
        }
    }
}
