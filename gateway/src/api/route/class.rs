//! Which class of requests a route belongs to, for counting.

use super::places::is_page;
use super::{Forwarding, PageFile, ProviderStep, Route, Ui};
use crate::metrics::label::RouteClass;

impl Route<'_> {
    /// The class of a request on this route, which `path` led to.
    pub fn class(self, path: &str, forwarding: &Forwarding) -> RouteClass {
        match self {
            Self::Provider(asked) if asked.step == ProviderStep::BackchannelLogout => {
                RouteClass::SignOut
            }
            Self::SignIn(_) | Self::Page(PageFile::SignIn) | Self::Provider(_) => {
                RouteClass::SignIn
            }
            Self::SignOut(_) => RouteClass::SignOut,
            Self::Me | Self::Sessions(_) | Self::SessionsPage | Self::MyProvider => RouteClass::Me,
            Self::Password(..) => RouteClass::Password,
            Self::Api => match path {
                "/api/v2/write" | "/api/v3/write_lp" => RouteClass::Write,
                "/api/v2/query" | "/api/v3/query_sql" | "/api/v3/query_influxql" => {
                    RouteClass::Query
                }
                _ => RouteClass::Api,
            },
            Self::OnItsOwn(_) | Self::OnItsOwnOrApi(_) => RouteClass::V1,
            Self::Ui => RouteClass::Ui,
            Self::Public(_) if is_ui(path, forwarding) => RouteClass::Ui,
            Self::Public(_) => RouteClass::Public,
            Self::Health => RouteClass::Health,
            Self::Flight => RouteClass::Grpc,
            Self::Options(_)
            | Self::WrongMethod(..)
            | Self::NoSuchPage
            | Self::Page(_)
            | Self::SetupClosed
            | Self::NotImplemented
            | Self::NoCall
            | Self::Elsewhere => RouteClass::Other,
        }
    }
}

fn is_ui(path: &str, forwarding: &Forwarding) -> bool {
    let is_open = forwarding.ui == Ui::Everybody && is_page(path);
    is_open && !forwarding.public.iter().any(|open| open == path)
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;
    use crate::api::route::Unversioned;

    #[test]
    fn each_route_belongs_to_a_class() {
        let public = vec!["/health".to_owned()];
        let unversioned = Unversioned::OnTheirOwn;
        let forwarding = Forwarding {
            public,
            setup: true,
            credentials: false,
            ui: Ui::Everybody,
            page: None,
            unversioned,
            grpc: false,
        };
        for (method, path, class) in [
            (Method::POST, "/api/v2/signin", RouteClass::SignIn),
            (Method::POST, "/api/v2/signout/", RouteClass::SignOut),
            (Method::GET, "/api/v2/me", RouteClass::Me),
            (Method::DELETE, "/api/v2/me/sessions/5f3a09c1", RouteClass::Me),
            (Method::PUT, "/api/v2/me/password", RouteClass::Password),
            (Method::POST, "/api/v2/write", RouteClass::Write),
            (Method::POST, "/api/v2/query", RouteClass::Query),
            (Method::POST, "/api/v2/query/ast", RouteClass::Api),
            (Method::POST, "/api/v2/setup", RouteClass::Public),
            (Method::GET, "/health", RouteClass::Public),
            (Method::GET, "/", RouteClass::Ui),
            (Method::GET, "/signin", RouteClass::Ui),
            (Method::POST, "/write", RouteClass::V1),
            (Method::GET, "/gateway/health", RouteClass::Health),
            (Method::GET, "/gateway/x", RouteClass::Other),
            (Method::GET, "/metrics", RouteClass::Other),
            (Method::GET, "/api/v2/signin", RouteClass::Other),
            (Method::OPTIONS, "/api/v2/me", RouteClass::Other),
        ] {
            let route = Route::of(&method, path, &forwarding);
            assert_eq!(route.class(path, &forwarding), class, "{method} {path}");
            // For who has a session, a page is counted the same.
            let ui = Ui::Sessions { is_apart: false };
            let forwarding = Forwarding { ui, ..forwarding.clone() };
            let route = Route::of(&method, path, &forwarding);
            assert_eq!(route.class(path, &forwarding), class, "{method} {path}");
        }
    }
}
