//! The head of the upstream's answer.

use http::header::STRICT_TRANSPORT_SECURITY;
use pingora::http::ResponseHeader;

use super::context::Context;
use super::{Downstream, cors};

/// Completes the headers: for pages of other origins, for browsers of this host, and with the request's id.
pub fn complete(
    downstream: &Downstream,
    response: &mut ResponseHeader,
    context: &Context,
) -> pingora::Result<()> {
    cors::share(&context.policy.origins, &downstream.req_header().headers, response)?;
    // What the upstream says of its own host is nothing for browsers of this one.
    response.remove_header(&STRICT_TRANSPORT_SECURITY);
    if let Some(hsts) = context.policy.hsts(context.client.over_tls) {
        response.insert_header(STRICT_TRANSPORT_SECURITY, hsts)?;
    }
    response.insert_header("X-Request-Id", context.client.request_id.header_value())
}
