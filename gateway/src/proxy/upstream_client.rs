//! The gateway's own requests to the upstream: small ones, answered whole.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::prelude::HttpPeer;
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType};

use super::upstream::{Upstream, count_connection};
use crate::directory::influxdb::{Unreachable, UpstreamClient};
use crate::net::own_request::{self, AGENT};

/// The longest answer that is read: enough for the longest name with each byte escaped.
const MOST_BYTES: usize = 256 * 1024;

/// How often a request is sent at most: a connection that was kept may turn out to be closed.
const MOST_ATTEMPTS: usize = 4;

/// How many unused connections are kept.
const KEPT: usize = 128;

/// Sends the gateway's own requests to the upstream, on connections of their own.
pub struct OwnRequests {
    upstream: Arc<Upstream>,
    /// Made when first used: it may read the system's certificates.
    connector: OnceLock<Connector<()>>,
}

impl OwnRequests {
    /// Asks `upstream`.
    pub fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream, connector: OnceLock::new() }
    }

    /// Asks; why there is no answer, for people to read.
    pub async fn try_ask(&self, request: Request<()>) -> Result<http::Response<Bytes>, String> {
        match tokio::time::timeout(self.upstream.patience(), self.exchange(request)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_elapsed) => Err("no answer in time".to_owned()),
        }
    }

    async fn exchange(&self, request: Request<()>) -> pingora::Result<http::Response<Bytes>> {
        let (parts, ()) = request.into_parts();
        let target = parts.uri.path().as_bytes();
        let mut head = RequestHeader::build(parts.method, target, Some(parts.headers.len() + 3))?;
        head.insert_header(HOST, self.upstream.authority())?;
        head.insert_header(USER_AGENT, AGENT)?;
        head.insert_header(CONTENT_LENGTH, "0")?;
        for (name, value) in &parts.headers {
            head.insert_header(name, value)?;
        }
        let (mut session, peer) = self.begin(&head, false).await?;
        let head = session.response_header();
        let head = head.ok_or_else(|| Error::explain(ErrorType::ReadError, "no response"))?;
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = head.status;
        response.headers_mut().clone_from(&head.headers);
        *response.body_mut() = own_request::read_body(&mut session, MOST_BYTES).await?;
        self.release(session, &peer).await;
        Ok(response)
    }

    /// Sends a request that has no body, and reads as far as the head of the answer. One that
    /// `may_repeat` is sent once more where a connection that was kept turns out to be closed.
    pub async fn begin(
        &self,
        request: &RequestHeader,
        may_repeat: bool,
    ) -> pingora::Result<(HttpSession<()>, Box<HttpPeer>)> {
        let mut attempts = 0;
        loop {
            let (mut session, peer, is_reused) = self.connect().await?;
            session.set_read_timeout(peer.options.read_timeout);
            session.set_write_timeout(peer.options.write_timeout);
            attempts += 1;
            match send(&mut session, request.clone()).await {
                Ok(()) => return Ok((session, peer)),
                Err(_) if is_reused && may_repeat && attempts < MOST_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps the connection for the next request, if it may be.
    pub async fn release(&self, session: HttpSession<()>, peer: &HttpPeer) {
        self.connector().release_http_session(session, peer, peer.options.idle_timeout).await;
    }

    fn connector(&self) -> &Connector<()> {
        self.connector.get_or_init(|| {
            let mut options = ConnectorOptions::new(KEPT);
            options.ca_file = self.upstream.authorities();
            Connector::new(Some(options))
        })
    }

    /// A connection to whichever of the upstream's addresses has one, to which, and whether it was
    /// used before. Nothing has been sent by then.
    async fn connect(&self) -> pingora::Result<(HttpSession<()>, Box<HttpPeer>, bool)> {
        let mut attempts = 0;
        loop {
            let peer = self.upstream.peer().await?;
            let connected = self.connector().get_http_session(&*peer).await;
            let error = match connected.inspect(|(_, is_reused)| count_connection(*is_reused)) {
                Ok((session, is_reused)) => match self.upstream.check(&peer, session.digest()) {
                    Ok(()) => return Ok((session, peer, is_reused)),
                    Err(error) => error,
                },
                Err(error) => error,
            };
            attempts += 1;
            if !self.upstream.may_try_again(&peer, &error, attempts) {
                return Err(error);
            }
        }
    }
}

#[async_trait]
impl UpstreamClient for OwnRequests {
    async fn ask(&self, request: Request<()>) -> Result<http::Response<Bytes>, Unreachable> {
        let path = request.uri().path().to_owned();
        self.try_ask(request).await.map_err(|what| {
            log::debug!("the upstream was asked for {path}: {what}");
            Unreachable
        })
    }
}

/// Sends a request that has no body, and waits for the head of its answer.
async fn send(session: &mut HttpSession<()>, request: RequestHeader) -> pingora::Result<()> {
    session.write_request_header(Box::new(request)).await?;
    session.finish_request_body().await?;
    own_request::read_head(session).await
}
