//! Pingora's side: reads a request, has it answered, writes the answer.

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http::{Response as Answer, StatusCode};
use pingora::apps::http_app::ServeHttp;
use pingora::protocols::http::ServerSession;

use super::response::{Refusal, complete};
use super::{Admin, Request};
use crate::api::Response;
use crate::api::framing::declared_length;
use crate::gateway::request_id::RequestId;

/// Answers the requests of operators.
pub struct AdminService(pub Arc<Admin>);

#[async_trait]
impl ServeHttp for AdminService {
    async fn response(&self, session: &mut ServerSession) -> Answer<Vec<u8>> {
        let address = session.client_addr().and_then(|address| address.as_inet());
        let address = address.map(std::net::SocketAddr::ip);
        let head = session.req_header();
        let refused =
            |refusal: Refusal, headers| complete(Response::from(refusal), &RequestId::of(headers));
        let has_body = head.headers.contains_key(TRANSFER_ENCODING)
            || declared_length(&head.headers).is_some_and(|length| length > 0);
        let response = if has_body {
            // Nothing here has one. It is not read, so that nothing can come after it.
            let response = refused(Refusal::NO_BODY, &head.headers);
            session.set_keepalive(None);
            response
        } else {
            match std::str::from_utf8(head.raw_path()) {
                Ok(target) => {
                    let (method, headers) = (&head.method, &head.headers);
                    self.0.answer(&Request { method, target, headers, address }).await
                }
                Err(_) => refused(Refusal::NOT_FOUND, &head.headers),
            }
        };
        let (mut parts, body) = response.into_parts();
        if parts.status != StatusCode::NO_CONTENT {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
        }
        Answer::from_parts(parts, body.into())
    }
}
