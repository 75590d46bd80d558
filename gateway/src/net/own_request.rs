//! What requests of the gateway's own have in common, whomever they are sent to.

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode};
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType};

use crate::limits::MOST_INTERIM_ANSWERS;

/// The `User-Agent` of the gateway's own requests.
pub const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("influx-gateway/", env!("CARGO_PKG_VERSION")));

/// Reads the head of the answer. Those before it, of status 1xx, say only that it will come: Pingora hands
/// them out too, and has no body to read until the answer's own head is there. An error if there are more than
/// [`MOST_INTERIM_ANSWERS`].
pub async fn read_head(session: &mut HttpSession<()>) -> pingora::Result<()> {
    for _ in 0..=MOST_INTERIM_ANSWERS {
        session.read_response_header().await?;
        match session.response_header().map(|head| head.status) {
            Some(StatusCode::SWITCHING_PROTOCOLS) if asks_for_another(session) => return Ok(()),
            Some(StatusCode::SWITCHING_PROTOCOLS) => {
                return Error::e_explain(ErrorType::ReadError, "another protocol, not asked for");
            }
            Some(status) if status.is_informational() => {}
            _ => return Ok(()),
        }
    }
    Error::e_explain(ErrorType::ReadError, "interim answers without end")
}

/// Whether the request was for another protocol.
fn asks_for_another(session: &HttpSession<()>) -> bool {
    matches!(session, HttpSession::H1(session) if session.is_upgrade_req())
}

/// Reads the body of the answer: an error if it has more than `most` bytes.
pub async fn read_body(session: &mut HttpSession<()>, most: usize) -> pingora::Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = session.read_response_body().await? {
        if body.len() + chunk.len() > most {
            return Error::e_explain(ErrorType::ReadError, "the response is too long");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
