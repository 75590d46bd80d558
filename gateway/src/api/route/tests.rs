//! Where paths lead.

use super::*;
use proptest::prelude::*;

/// Some public route.
pub(crate) const A_PUBLIC_ROUTE: PublicRoute = PublicRoute(());

fn forwarding(setup: bool, ui: bool, v1: bool) -> Forwarding {
    let public = vec!["/health".to_owned(), "/ping".to_owned()];
    let unversioned = if v1 { Unversioned::OnTheirOwn } else { Unversioned::Closed };
    let ui = if ui { Ui::Everybody } else { Ui::Closed };
    Forwarding { public, setup, credentials: false, ui, page: None, unversioned, grpc: false }
}

fn check(forwarding: &Forwarding, table: &[(&str, &str, Route<'_>)]) {
    for (method, path, expected) in table {
        let route = Route::of(&method.parse().unwrap(), path, forwarding);
        assert_eq!(route, *expected, "{method} {path}");
    }
}

const fn wrong(allow: &'static str) -> Route<'static> {
    Route::WrongMethod(Authentication::Required, allow)
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
    let own = Route::Password(PasswordOwner::Own, PasswordProof::OldPassword);
    check(
        &forwarding(false, false, false),
        &[
            ("POST", "/api/v2/signin", Route::SignIn(Authentication::Exempt)),
            ("POST", "/api/v2/signin/", Route::SignIn(Authentication::Required)),
            ("GET", "/api/v2/signin", wrong("POST")),
            ("OPTIONS", "/api/v2/signin", Route::Options("POST")),
            ("POST", "/api/v2/signin/foo", Route::NoSuchPage),
            ("OPTIONS", "/api/v2/signin/foo", Route::Options("")),
            ("POST", "/api/v2/signinX", Route::Api),
            ("POST", "/api/v2/SIGNIN", Route::Api),
            ("POST", "/api/v2/signout", Route::SignOut(Authentication::Exempt)),
            ("DELETE", "/api/v2/signout", wrong("POST")),
            ("GET", "/api/v2/me", Route::Me),
            ("GET", "/api/v2/me/", Route::Me),
            ("HEAD", "/api/v2/me", wrong("GET")),
            ("GET", "/api/v2/me/x", Route::NoSuchPage),
            ("GET", "/api/v2/me/provider", Route::MyProvider),
            ("POST", "/api/v2/me/provider", wrong("GET")),
            ("GET", "/api/v2/me/sessions", Route::Sessions(OwnSessions::List)),
            ("DELETE", "/api/v2/me/sessions/", Route::Sessions(OwnSessions::EndOthers)),
            ("DELETE", "/api/v2/me/sessions/ab", Route::Sessions(OwnSessions::EndOne("ab"))),
            ("GET", "/api/v2/me/sessions/ab", wrong("DELETE")),
            ("PUT", "/api/v2/me/sessions", wrong("GET, DELETE")),
            ("OPTIONS", "/api/v2/me/sessions", Route::Options("GET, DELETE")),
            ("DELETE", "/api/v2/me/sessions/ab/c", Route::NoSuchPage),
            ("PUT", "/api/v2/me/password", own),
            ("POST", "/api/v2/me/password", wrong("PUT")),
            (
                "POST",
                "/api/v2/users/7/password",
                Route::Password(PasswordOwner::Of("7"), PasswordProof::Session),
            ),
            (
                "PUT",
                "/api/v2/users/7/password",
                Route::Password(PasswordOwner::Of("7"), PasswordProof::OldPassword),
            ),
            ("GET", "/api/v2/users/7/password", wrong("POST, PUT")),
            ("POST", "/api/v2/users/7/8/password", Route::Api),
            ("PUT", "/api/v2/setup", wrong("GET, POST")),
            ("OPTIONS", "/api/v2/setup", Route::Options("GET, POST")),
            ("PATCH", "/api/v2/users/7", Route::Api),
            ("POST", "/api/v2/write", Route::Api),
            ("OPTIONS", "/api/v2/write", PUBLIC),
            ("GET", "/api/v2", PUBLIC),
            ("GET", "/api/v2/", Route::Api),
            ("HEAD", "/api/v2", Route::Api),
            ("GET", "/api/v2/swagger.json", PUBLIC),
            ("GET", "/api/v2/setup", PUBLIC),
            ("GET", "/api/v2/setup/", Route::Api),
            ("POST", "/api/v2/setup", Route::SetupClosed),
            ("POST", "/api/v2/setup/", Route::SetupClosed),
            ("PUT", "/api/v2/setup/", wrong("GET, POST")),
            ("POST", "/api/v2/setup/user", Route::Api),
            ("GET", "/api/v2private/notebooks", Route::Api),
        ],
    );
    check(
        &forwarding(true, false, false),
        &[
            ("POST", "/api/v2/setup", PUBLIC),
            ("OPTIONS", "/api/v2/setup", PUBLIC),
            ("POST", "/api/v2/setup/", Route::Api),
            ("OPTIONS", "/api/v2/setup/", Route::Options("GET, POST")),
        ],
    );
}

#[test]
fn outside_the_api() {
    let reads = Route::WrongMethod(Authentication::Exempt, "GET, HEAD");
    check(
        &forwarding(false, false, false),
        &[
            ("GET", "/health", PUBLIC),
            ("HEAD", "/ping", PUBLIC),
            ("POST", "/health", reads),
            ("GET", "/health/", Route::Elsewhere),
            ("GET", "/", Route::Elsewhere),
            ("GET", "/metrics", Route::Elsewhere),
            ("POST", "/write", Route::Elsewhere),
            ("GET", "/API/v2/me", Route::Elsewhere),
            ("POST", "//api/v2/signin", Route::Elsewhere),
            ("GET", "/private/x", Route::Elsewhere),
            ("GET", "/private/legacy/authorizationsX", Route::Elsewhere),
            ("GET", "/private/legacy/authorizations", Route::Api),
            ("POST", "/private/legacy/authorizations/1/password", Route::Api),
            ("OPTIONS", "/private/legacy/authorizations", PUBLIC),
            ("POST", "/api/v1/prom/write", Route::Elsewhere),
            ("GET", "/gateway/health", Route::Health),
            ("HEAD", "/gateway/health", Route::Health),
            ("POST", "/gateway/health", reads),
            ("OPTIONS", "/gateway/health", Route::Options("GET, HEAD")),
            ("GET", "/gateway/health/", Route::Elsewhere),
            ("GET", "/gateway/", Route::Elsewhere),
            ("GET", "/gateway", Route::Elsewhere),
            ("OPTIONS", "/gateway/x", Route::Elsewhere),
        ],
    );
    check(
        &forwarding(false, true, false),
        &[
            ("GET", "/", PUBLIC),
            ("GET", "/orgs/1/dashboards", PUBLIC),
            ("HEAD", "/signin", PUBLIC),
            ("GET", "/metricsX", PUBLIC),
            ("POST", "/signin", reads),
            ("GET", "/metrics", Route::Elsewhere),
            ("GET", "/metrics/", Route::Elsewhere),
            ("GET", "/debug/pprof/heap", Route::Elsewhere),
            ("GET", "/api/v3/query_sql", Route::Elsewhere),
            ("GET", "/api", Route::Elsewhere),
            ("GET", "/private/x", Route::Elsewhere),
            ("GET", "/query", Route::Elsewhere),
            ("GET", "/v1x", Route::Elsewhere),
            ("GET", "/gateway", Route::Elsewhere),
            ("GET", "/gateway/x", Route::Elsewhere),
            ("GET", "/gateways", PUBLIC),
        ],
    );
    check(
        &forwarding(false, false, true),
        &[
            ("GET", "/query", ON_ITS_OWN),
            ("POST", "/query", ON_ITS_OWN),
            ("HEAD", "/query", ON_ITS_OWN),
            ("OPTIONS", "/query", ON_ITS_OWN),
            ("PUT", "/query", Route::WrongMethod(Authentication::Exempt, "GET, POST")),
            ("POST", "/write", ON_ITS_OWN),
            ("HEAD", "/write", ON_ITS_OWN),
            ("POST", "/api/v1/prom/write", ON_ITS_OWN),
            ("POST", "/api/v1/prom/write/", Route::Elsewhere),
            ("GET", "/write", Route::WrongMethod(Authentication::Exempt, "POST")),
            ("GET", "/query/x", Route::Elsewhere),
            ("GET", "/", Route::Elsewhere),
        ],
    );
}

#[test]
fn the_gateways_own_page() {
    let none = forwarding(false, true, false);
    check(
        &none,
        &[
            ("GET", "/gateway/", Route::Elsewhere),
            ("GET", "/account/", PUBLIC),
            ("GET", "/api/v2/me/page", Route::NoSuchPage),
        ],
    );
    check(
        &Forwarding { page: Some("/gateway/".to_owned()), ..none.clone() },
        &[
            ("GET", "/gateway/", Route::Page(PageFile::Index)),
            ("GET", "/gateway", Route::Page(PageFile::Index)),
            ("POST", "/gateway/signin", Route::Page(PageFile::SignIn)),
            ("GET", "/gateway/logo", Route::Page(PageFile::Logo)),
            ("GET", "/gateway/app.css/", Route::Elsewhere),
            ("GET", "/gateway/health", Route::Health),
            ("GET", "/gateways/", PUBLIC),
            ("GET", "/api/v2/me/page", Route::SessionsPage),
            ("POST", "/api/v2/me/page", Route::SessionsPage),
            ("DELETE", "/api/v2/me/page", wrong("GET, POST")),
            ("OPTIONS", "/api/v2/me/page", Route::Options("GET, POST")),
            ("GET", "/api/v2/me/page/x", Route::NoSuchPage),
        ],
    );
    check(
        &Forwarding { page: Some("/my/account/".to_owned()), ..none },
        &[
            ("GET", "/my/account", Route::Page(PageFile::Index)),
            ("GET", "/my/account/app.js", Route::Page(PageFile::Script)),
            ("GET", "/my/account/x", Route::Elsewhere),
            ("GET", "/my/accounts", PUBLIC),
            ("GET", "/my/", PUBLIC),
            ("GET", "/gateway/", Route::Elsewhere),
            ("GET", "/gateway/health", Route::Health),
        ],
    );
}

#[test]
fn the_page_takes_nothing_away_from_others() {
    for fine in ["/gateway/", "/account/", "/a/b-c/d_e.f~/"] {
        assert_eq!(why_not_page(fine), None, "{fine}");
    }
    for wrong in [
        "",
        "/",
        "//",
        "///",
        "account",
        "/account",
        "account/",
        "/a//b/",
        "/a b/",
        "/a%20/",
        "/ä/",
        "/../",
        "/a/./",
        "/a?/",
        "/gateway/page/",
        "/gateway/oidc/",
        "/api/",
        "/api/v2/x/",
        "/v1/",
        "/query/",
        "/write/x/",
        "/metrics/",
        "/debug/",
        "/private/",
    ] {
        assert!(why_not_page(wrong).is_some(), "{wrong}");
    }
}

#[test]
fn influxdb_3() {
    let unversioned = Unversioned::Api;
    let forwarding = Forwarding { unversioned, ..forwarding(false, false, false) };
    check(
        &forwarding,
        &[
            ("POST", "/api/v3/query_sql", Route::Api),
            ("GET", "/query", ON_ITS_OWN_OR_API),
            ("POST", "/write", ON_ITS_OWN_OR_API),
            ("OPTIONS", "/write", PUBLIC),
            ("POST", "/api/v2/write", Route::Api),
            ("POST", "/api/v3/configure/token/admin", Route::SetupClosed),
            ("POST", "/api/v3/configure/token/admin/", Route::SetupClosed),
            ("POST", "/api/v3/configure/user", Route::SetupClosed),
            ("POST", "/api/v3/configure/users", Route::Api),
            ("DELETE", "/api/v3/configure/token/admin", wrong("POST")),
            ("POST", "/api/v3/configure/token/admin/regenerate", Route::Api),
            ("GET", "/private/legacy/authorizations", Route::Elsewhere),
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
            prop_assert_ne!(route, PUBLIC);
        }
    }
}
