//! Routing: which requests the gateway answers itself, which it forwards, and which it refuses.

mod class;
mod flight;
mod me;
mod page;
mod password;
mod places;
mod provider;
mod ui;
mod unversioned;

use http::Method;

pub use flight::FLIGHT;
pub use page::PageFile;
pub use password::{PasswordOwner, PasswordProof};
use places::{below, is_page};
pub use places::{is_below, is_compatible, why_not_page, why_not_public};
pub use provider::{ProviderRoute, ProviderStep};
pub use ui::Ui;
use unversioned::{COMPATIBLE, influxdb_3, is_of_influxdb_3, is_private_api, on_its_own};

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
    /// Whether what makes the first user of a fresh InfluxDB is.
    pub setup: bool,
    /// Whether what makes or shows credentials is, for users who have no API token of their own.
    pub credentials: bool,
    /// Who may have InfluxDB's own pages.
    pub ui: Ui,
    /// Where the gateway's own page is, from slash to slash; `None` if there is none.
    pub page: Option<String>,
    /// Whether `/query` and `/write` are.
    pub unversioned: Unversioned,
    /// Whether calls of Arrow Flight are.
    pub grpc: bool,
}

/// What happens to requests for InfluxDB 1's endpoints, above all `/query` and `/write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unversioned {
    /// They are not forwarded.
    Closed,
    /// They take credentials of their own, and never the session.
    OnTheirOwn,
    /// They are InfluxDB 3's, which take credentials of their own or the session; and `/api/v3/` is an
    /// API like `/api/v2`.
    Api,
}

/// Where a request goes. The query never takes part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// `POST /api/v2/signin`.
    SignIn(Authentication),
    /// `POST /api/v2/signout`.
    SignOut(Authentication),
    /// `GET /api/v2/me`.
    Me,
    /// `/api/v2/me/sessions` and what is below.
    Sessions(OwnSessions<'a>),
    /// `GET /api/v2/me/provider`.
    MyProvider,
    /// `/api/v2/me/page`: the same as a page, for browsers without JavaScript.
    SessionsPage,
    /// A new password for a user.
    Password(PasswordOwner<'a>, PasswordProof),
    /// `OPTIONS` of a local endpoint, which has this method.
    Options(&'static str),
    /// An endpoint asked with another method than this.
    WrongMethod(Authentication, &'static str),
    /// Below a local endpoint, where there is nothing.
    NoSuchPage,
    /// The set-up of a fresh InfluxDB, which is not to be had through the gateway.
    SetupClosed,
    /// Whether the gateway is alive.
    Health,
    /// The gateway's own page, if there is one.
    Page(PageFile),
    /// Signing in by a provider, if there is one.
    Provider(ProviderRoute<'a>),
    /// The rest of InfluxDB's API: forwarded on behalf of somebody.
    Api,
    /// One of InfluxDB 1's endpoints: forwarded with the credentials that it takes.
    OnItsOwn(PublicRoute),
    /// The same; on behalf of whoever has a session, if it brings none.
    OnItsOwnOrApi(PublicRoute),
    /// One of InfluxDB's own pages, or what belongs to them: forwarded on behalf of whoever has a session.
    Ui,
    /// Forwarded on behalf of nobody.
    Public(PublicRoute),
    /// A call of Arrow Flight: forwarded over HTTP/2 on behalf of somebody.
    Flight,
    /// A call of a method that there is not.
    NotImplemented,
    /// Where calls go, and no call.
    NoCall,
    /// Neither ours nor the upstream's business.
    Elsewhere,
}

/// Whether an endpoint wants authentication first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// No: the endpoint authenticates by itself.
    Exempt,
    /// Yes: InfluxDB exempts the exact path only, so a trailing slash makes the difference.
    Required,
}

/// What is asked of the sessions of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnSessions<'a> {
    /// Which there are: `GET`.
    List,
    /// To end all but the one that asks: `DELETE`.
    EndOthers,
    /// To end the one of this fingerprint: `DELETE /api/v2/me/sessions/{fingerprint}`.
    EndOne(&'a str),
}

/// A route on which requests are forwarded on behalf of nobody. Only [`Route::of`] makes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicRoute(());

const PUBLIC: Route<'static> = Route::Public(PublicRoute(()));
const ON_ITS_OWN: Route<'static> = Route::OnItsOwn(PublicRoute(()));
const ON_ITS_OWN_OR_API: Route<'static> = Route::OnItsOwnOrApi(PublicRoute(()));

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
        Some(endpoint) => (endpoint, Authentication::Required),
        None => (below, Authentication::Exempt),
    };
    match endpoint {
        "/signin" => only("POST", method, Route::SignIn(door)),
        "/signout" => only("POST", method, Route::SignOut(door)),
        _ if let Some(route) = me::of(method, endpoint, forwarding) => route,
        _ if ["/signin/", "/signout/", "/me/"].iter().any(|head| below.starts_with(head)) => {
            // No method is allowed there.
            if method == Method::OPTIONS { Route::Options("") } else { Route::NoSuchPage }
        }
        "/setup" => setup(method, door, forwarding),
        _ => match password_of(endpoint) {
            Some(id) => password_of_user(method, id),
            None => rest(method, below),
        },
    }
}

/// What InfluxDB answers without authentication, and what it does not.
fn rest(method: &Method, below: &str) -> Route<'static> {
    match (method.as_str(), below) {
        ("OPTIONS", _) | ("GET", "" | "/swagger.json") => PUBLIC,
        _ => Route::Api,
    }
}

/// With a slash behind it, InfluxDB wants somebody to ask, and does the same.
fn setup(method: &Method, door: Authentication, forwarding: &Forwarding) -> Route<'static> {
    match (method.as_str(), door) {
        ("POST", _) if !forwarding.setup => Route::SetupClosed,
        ("GET" | "POST", Authentication::Required) => Route::Api,
        ("GET" | "POST", Authentication::Exempt) => PUBLIC,
        ("OPTIONS", Authentication::Exempt) if forwarding.setup => PUBLIC,
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
        "POST" => Route::Password(PasswordOwner::Of(id), PasswordProof::Session),
        "PUT" => Route::Password(PasswordOwner::Of(id), PasswordProof::OldPassword),
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
        _ => Route::WrongMethod(Authentication::Required, allow),
    }
}

/// Everything that is not InfluxDB 2's API.
fn outside<'a>(method: &Method, path: &'a str, forwarding: &Forwarding) -> Route<'a> {
    if let Some(route) = own(method, path, forwarding.page.as_deref()) {
        return route;
    }
    let allowed = match (path, forwarding.unversioned) {
        (path, Unversioned::Api) if is_of_influxdb_3(path) => {
            return influxdb_3(method, path, forwarding);
        }
        (path, Unversioned::Closed | Unversioned::OnTheirOwn) if is_private_api(path) => {
            return if method == Method::OPTIONS { PUBLIC } else { Route::Api };
        }
        (path, Unversioned::OnTheirOwn) if COMPATIBLE.contains(&path) => {
            return on_its_own(method, path);
        }
        _ if forwarding.public.iter().any(|open| open == path) => "GET, HEAD",
        _ if forwarding.ui == Ui::Everybody && is_page(path) => "GET, HEAD",
        _ if forwarding.ui.has(path) => return Route::Ui,
        _ => return Route::Elsewhere,
    };
    if allowed.split(", ").any(|allowed| allowed == method.as_str()) {
        PUBLIC
    } else {
        Route::WrongMethod(Authentication::Exempt, allowed)
    }
}

/// What the gateway has for itself: `/gateway/`, and its `page`, which may be elsewhere.
fn own<'a>(method: &Method, path: &'a str, page: Option<&str>) -> Option<Route<'a>> {
    let health = |method: &Method| match *method {
        Method::GET | Method::HEAD => Route::Health,
        Method::OPTIONS => Route::Options("GET, HEAD"),
        _ => Route::WrongMethod(Authentication::Exempt, "GET, HEAD"),
    };
    if path == "/gateway/health" {
        return Some(health(method));
    }
    if let Some(asked) = below(path, "/gateway/").and_then(ProviderRoute::of) {
        return Some(Route::Provider(asked));
    }
    let file = page.and_then(|page| below(path, page)).map(PageFile::of);
    let file = file.or_else(|| is_below(path, "/gateway/").then_some(None))?;
    Some(file.map_or(Route::Elsewhere, Route::Page))
}

#[cfg(test)]
pub(crate) mod tests;
