//! Calls of gRPC: the methods of Arrow Flight that are forwarded, and what there is not.

use http::{HeaderMap, Method, Uri};

use super::{Forwarding, Route};
use crate::api::grpc;

/// Arrow Flight's service, before the name of a method.
pub const FLIGHT: &str = "/arrow.flight.protocol.FlightService/";

/// Its methods that are forwarded; what each does is in the table of rights.
const METHODS: [&str; 9] = [
    "Handshake",
    "GetFlightInfo",
    "GetSchema",
    "DoGet",
    "ListFlights",
    "ListActions",
    "DoPut",
    "DoExchange",
    "DoAction",
];

impl<'a> Route<'a> {
    /// The route of a request of HTTP/2, which may be a call.
    pub fn of_http_2(
        method: &Method,
        uri: &'a Uri,
        headers: &HeaderMap,
        forwarding: &Forwarding,
    ) -> Self {
        let path = uri.path();
        let name = path.strip_prefix(FLIGHT).filter(|_| forwarding.grpc);
        match (grpc::is_call(headers), name) {
            (false, None) => Self::of(method, path, forwarding),
            (false, Some(_)) => Self::NoCall,
            (true, Some(name))
                if METHODS.contains(&name)
                    && method == Method::POST
                    && uri.query().is_none()
                    && grpc::is_plain_call(headers) =>
            {
                Self::Flight
            }
            (true, _) => Self::NotImplemented,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http::header::CONTENT_TYPE;

    use super::*;
    use crate::api::route::{Ui, Unversioned};

    #[test]
    fn exact_methods_are_forwarded_and_nothing_else_is() {
        let forwarding = |grpc| Forwarding {
            public: Vec::new(),
            setup: false,
            credentials: false,
            ui: Ui::Everybody,
            page: None,
            unversioned: Unversioned::Api,
            grpc,
        };
        let of = |grpc, path: &str, media_type: &'static str| {
            let headers =
                HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
            let uri = path.parse().unwrap();
            format!("{:?}", Route::of_http_2(&Method::POST, &uri, &headers, &forwarding(grpc)))
        };
        let call = "application/grpc";
        for name in METHODS {
            assert_eq!(of(true, &format!("{FLIGHT}{name}"), call), "Flight");
            assert_eq!(of(false, &format!("{FLIGHT}{name}"), call), "NotImplemented");
            assert_eq!(of(true, &format!("{FLIGHT}{name}"), "application/json"), "NoCall");
            for other in ["/", "x", "/x", "?", "?x", "%20"] {
                assert_eq!(of(true, &format!("{FLIGHT}{name}{other}"), call), "NotImplemented");
            }
        }
        for path in [
            "/arrow.flight.protocol.FlightService/PollFlightInfo",
            "/arrow.flight.protocol.FlightService/doget",
            "/arrow.flight.protocol.FlightService",
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            "/grpc.health.v1.Health/Check",
            "/api/v3/query_sql",
        ] {
            assert_eq!(of(true, path, call), "NotImplemented", "{path}");
        }
        assert_eq!(of(true, &format!("{FLIGHT}DoGet"), "application/grpc-web"), "NotImplemented");
        assert_eq!(of(true, "/api/v3/query_sql", "application/json"), "Api");
        let uri = "/arrow.flight.protocol.FlightService/DoGet".parse().unwrap();
        let get = Route::of_http_2(
            &Method::GET,
            &uri,
            &HeaderMap::from_iter([(CONTENT_TYPE, grpc::GRPC)]),
            &forwarding(true),
        );
        assert_eq!(get, Route::NotImplemented);
    }
}
