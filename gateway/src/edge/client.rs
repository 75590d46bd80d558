//! The gateway's own requests to the upstream: small ones, answered whole.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType};

use super::upstream::Upstream;

/// A longer answer is not one to these questions.
const MOST_BYTES: usize = 64 * 1024;

/// For the whole exchange.
const PATIENCE: Duration = Duration::from_secs(10);

/// How the gateway calls itself when it asks by itself.
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("influx-gateway/", env!("CARGO_PKG_VERSION")));

/// Asks the upstream on the gateway's own connections, apart from those of requests.
#[derive(Default)]
pub struct Client {
    /// Made when first used: it reads the system's certificates.
    connector: OnceLock<Connector<()>>,
}

/// What the upstream answered.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

impl Client {
    /// Sends a request without a body and reads the whole answer.
    pub async fn ask(
        &self,
        upstream: &Upstream,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> pingora::Result<Answer> {
        let exchange = self.exchange(upstream, method, path, headers);
        match tokio::time::timeout(PATIENCE, exchange).await {
            Ok(answer) => answer,
            Err(_) => Error::e_explain(ErrorType::ReadTimedout, "the upstream took too long"),
        }
    }

    async fn exchange(
        &self,
        upstream: &Upstream,
        method: Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
    ) -> pingora::Result<Answer> {
        let mut request = RequestHeader::build(method, path.as_bytes(), None)?;
        request.insert_header(HOST, upstream.authority())?;
        request.insert_header(USER_AGENT, AGENT)?;
        request.insert_header(CONTENT_LENGTH, "0")?;
        for (name, value) in headers {
            request.insert_header(name, value)?;
        }
        let peer = upstream.peer(0)?;
        let connector = self.connector.get_or_init(|| Connector::new(None));
        let (mut session, _reused) = connector.get_http_session(&*peer).await?;
        session.write_request_header(Box::new(request)).await?;
        session.finish_request_body().await?;
        session.read_response_header().await?;
        let (status, headers) = match session.response_header() {
            Some(header) => (header.status, header.headers.clone()),
            None => return Error::e_explain(ErrorType::ReadError, "no response"),
        };
        let body = read_body(&mut session).await?;
        connector.release_http_session(session, &*peer, peer.options.idle_timeout).await;
        Ok(Answer { status, headers, body })
    }
}

async fn read_body(session: &mut HttpSession<()>) -> pingora::Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = session.read_response_body().await? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Error::e_explain(ErrorType::ReadError, "the response is too long");
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}
