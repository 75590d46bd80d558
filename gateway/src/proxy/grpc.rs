//! Calls of gRPC on their way: over HTTP/2 to the upstream, with their status in trailers.

use std::sync::Arc;
use std::time::Duration;

use http::header::{PROXY_AUTHORIZATION, TE, TRAILER, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use pingora::http::RequestHeader;
use pingora::prelude::HttpPeer;
use pingora::protocols::TcpKeepalive;
use pingora::{Error, ErrorType};

use super::Downstream;
use super::context::Context;
use super::upstream::Watched;
use crate::api::Response;
use crate::api::grpc::{self, GRPC_STATUS};
use crate::api::identity::IdentityHeaders;
use crate::api::rejection::Rejection;

/// The error when the upstream speaks HTTP/1 only.
const NO_HTTP_2: ErrorType = ErrorType::Custom("the upstream does not speak HTTP/2");

/// How many calls share a connection to the upstream. None of them has to wait for another, whose client does not read:
/// the window of a connection is all of theirs.
const STREAMS: u32 = 16;

/// How much of an answer the upstream may send ahead of its client, in bytes: all that a client costs that does not
/// read, besides what is in sockets.
const WINDOW: u32 = 1 << 20;

/// By the system's own probes a host that is gone is known within a minute, whether or not there are pings.
const PROBES: TcpKeepalive = TcpKeepalive {
    idle: Duration::from_secs(30),
    interval: Duration::from_secs(10),
    count: 3,
    user_timeout: Duration::from_secs(60),
};

/// Headers that say something of one hop only.
const OF_ONE_HOP: [HeaderName; 6] = [
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHORIZATION,
    TRAILER,
    UPGRADE,
];

/// `peer`, for a call. How long it is silent, is nothing to go by: a query may compute for as long as it likes.
pub fn peer(mut peer: HttpPeer, watched: Option<&Watched>) -> HttpPeer {
    let options = &mut peer.options;
    if let Some(watched) = watched {
        options.custom_l4 = Some(Arc::new(watched.clone()));
    }
    options.set_http_version(2, 2);
    options.read_timeout = None;
    options.tcp_keepalive = Some(PROBES);
    options.max_h2_streams = STREAMS as usize;
    options.h2_stream_window_size = Some(WINDOW);
    options.h2_connection_window_size = Some(STREAMS * WINDOW);
    peer
}

/// The error when the upstream speaks HTTP/1 only.
pub fn no_http_2<T>() -> pingora::Result<T> {
    Error::e_explain(NO_HTTP_2, "gRPC needs it: by ALPN with TLS, at once without")
        .map_err(|error: Box<Error>| error.into_up())
}

/// Makes `request`, which has its identity by now, a call.
pub fn prepare(request: &mut RequestHeader, identity: &IdentityHeaders) -> pingora::Result<()> {
    if request.version != Version::HTTP_2 {
        return no_http_2();
    }
    // What holds bytes has such an end, and is the same header for whoever takes it for text.
    let is_twin = |name: &HeaderName| {
        let bare = name.as_str().strip_suffix("-bin").and_then(|bare| bare.parse().ok());
        bare.is_some_and(|bare: HeaderName| identity.forbids(&bare))
    };
    let twins: Vec<_> = request.headers.keys().filter(|name| is_twin(name)).cloned().collect();
    for name in OF_ONE_HOP.iter().chain(&twins) {
        request.remove_header(name);
    }
    request.insert_header(TE, HeaderValue::from_static("trailers"))
}

/// Notes the status in `fields`, which are the answer's trailers, or its head if it has nothing else; and takes an
/// identity out of trailers, should it be echoed.
pub fn end(fields: &mut HeaderMap, context: &mut Context) {
    let identity = &context.policy.identity;
    fields.remove(&identity.name);
    if let Some(id) = &identity.id {
        fields.remove(id);
    }
    note(fields, context);
}

/// Notes the status in `fields`, if there is one.
pub fn note(fields: &HeaderMap, context: &mut Context) {
    let status = fields.get(GRPC_STATUS).and_then(|status| status.to_str().ok());
    if let Some(status) = status.and_then(|status| status.parse().ok()) {
        context.grpc_status = Some(status);
    }
}

/// `rejection`, as whoever has asked reads it.
pub fn refusal(rejection: Rejection, context: &mut Context) -> Response {
    if !context.is_call {
        return rejection.into();
    }
    context.grpc_status = Some(grpc::status(rejection));
    grpc::refusal(rejection)
}

/// Ends an answer that has begun with the status of `rejection`: the client reads that, and not of a stream that broke.
pub async fn break_off(downstream: &mut Downstream, rejection: Rejection, context: &mut Context) {
    context.grpc_status = Some(grpc::status(rejection));
    let trailers = grpc::trailers(rejection);
    // Of a client that is gone nothing more can be wanted.
    let _ = downstream.as_downstream_mut().write_response_trailers(trailers).await;
}
