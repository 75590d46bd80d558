//! The head of the upstream's answer.

use http::StatusCode;
use http::header::STRICT_TRANSPORT_SECURITY;
use pingora::http::ResponseHeader;

use super::context::Context;
use super::{Downstream, Proxy, cors};
use crate::api::forward::Forward;
use crate::gateway::user_changes;

/// Acts on the status: a 401 or 403 has the session checked, and what was done to a user is done here too.
pub async fn heed(proxy: &Proxy, status: StatusCode, context: &mut Context) {
    let (auth, is_apart) = (proxy.gateway.auth(), context.is_apart());
    context.measured.answer(status, is_apart);
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
        && !is_apart
        && let Some(session) = context.forward.as_ref().and_then(Forward::session)
    {
        auth.doubt(session);
        proxy.missing_tokens.note(status, session, &context.policy.shared);
    }
    if let Some(forward) = &mut context.forward {
        user_changes::conclude(auth, forward, status, &context.client).await;
    }
}

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
