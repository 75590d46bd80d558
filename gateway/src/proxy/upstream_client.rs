//! Requests that the gateway sends to the upstream by itself: its own, small ones which are answered whole; and those that it
//! [passes on](super::exchange) without Pingora's help.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use bytes::Bytes;
use http::Request;
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::http::RequestHeader;
use pingora::protocols::Stream;
use pingora::protocols::http::client::HttpSession;
use pingora::protocols::http::v1::client::HttpSession as Http1Session;
use pingora::server::configuration::ServerConf;
use pingora::{Error, ErrorType};

use super::calls::Calls;
use super::upstream::idle::Idle;
use super::upstream::{Target, Upstream, count_connection, once_more};
use crate::directory::influxdb::{Unreachable, UpstreamClient};
use crate::net::own_request::{self, AGENT};

/// The longest answer that is read: enough for the longest name with each byte escaped.
const MOST_BYTES: usize = 256 * 1024;

/// Sends requests to the upstream by itself, on connections of its own.
pub struct OwnRequests {
    upstream: Arc<Upstream>,
    options: ConnectorOptions,
    /// How often one is tried to be sent, the first time included.
    attempts: usize,
    /// Made when first used: it may read the system's certificates.
    connector: OnceLock<TransportConnector>,
    idle: Idle,
    calls: Calls,
}

/// A connection to the upstream, on which nothing has been sent yet.
pub struct Connected {
    /// For one request and its answer.
    pub session: HttpSession<()>,
    /// Where it goes.
    pub target: Arc<Target>,
    /// Whether it was used before.
    pub is_reused: bool,
}

impl OwnRequests {
    /// Asks `upstream`, over connections as `conf` wants them.
    pub fn new(upstream: Arc<Upstream>, conf: &ServerConf) -> Self {
        let mut options = ConnectorOptions::from_server_conf(conf);
        options.ca_file = upstream.authorities();
        Self {
            calls: Calls::new(Arc::clone(&upstream), options.clone(), conf.max_retries),
            upstream,
            attempts: conf.max_retries,
            connector: OnceLock::new(),
            idle: Idle::new(options.keepalive_pool_size),
            options,
        }
    }

    /// Connections for calls of gRPC.
    pub fn calls(&self) -> &Calls {
        &self.calls
    }

    /// How often a request is tried to be sent, the first time included.
    pub fn attempts(&self) -> usize {
        self.attempts
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
        let connected = self.connect_to_any(true, usize::MAX).await?;
        let Connected { mut session, target, .. } = connected;
        send(&mut session, head, Bytes::new()).await?;
        own_request::read_head(&mut session).await?;
        let head = session.response_header();
        let head = head.ok_or_else(|| Error::explain(ErrorType::ReadError, "no response"))?;
        let mut response = http::Response::new(Bytes::new());
        *response.status_mut() = head.status;
        response.headers_mut().clone_from(&head.headers);
        *response.body_mut() = own_request::read_body(&mut session, MOST_BYTES).await?;
        self.release(session, &target).await;
        Ok(response)
    }

    /// A connection for a request that is forwarded, as often as those are tried to be sent: see [`Self::attempts`]. One that
    /// was used before, if there is one and it `may_be_used`.
    pub async fn connect(&self, may_be_used: bool) -> pingora::Result<Connected> {
        self.connect_to_any(may_be_used, self.attempts).await
    }

    /// A connection to whichever of the upstream's addresses has one, after so many attempts at `most`.
    async fn connect_to_any(&self, may_be_used: bool, most: usize) -> pingora::Result<Connected> {
        let mut attempts = 0;
        loop {
            let target = self.upstream.target().await?;
            let used = if may_be_used { self.idle.take(target.key) } else { None };
            let is_reused = used.is_some();
            let connected = match used {
                Some(stream) => Ok(stream),
                None => Box::pin(self.connector().new_stream(&target.peer)).await,
            };
            let error = match connected.map(|stream| session(stream, &target)) {
                Ok(session) => {
                    count_connection(is_reused);
                    match self.upstream.check(&target.peer, session.digest()) {
                        Ok(()) => return Ok(Connected { session, target, is_reused }),
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            attempts += 1;
            once_more(&self.upstream, &target.peer, error, attempts, most)?;
        }
    }

    /// Keeps the connection for the next request, if it may be.
    pub async fn release(&self, session: HttpSession<()>, target: &Target) {
        let HttpSession::H1(mut session) = session else { return };
        session.respect_keepalive();
        if let Some(stream) = session.reuse().await
            && let Some(patience) = target.peer.options.idle_timeout
        {
            self.idle.put(stream, target.key, patience);
        }
    }

    fn connector(&self) -> &TransportConnector {
        self.connector.get_or_init(|| TransportConnector::new(Some(self.options.clone())))
    }
}

/// For one request over `stream`.
fn session(stream: Stream, target: &Target) -> HttpSession<()> {
    let mut session = Http1Session::new_with_options(stream, &target.peer);
    session.read_timeout = target.peer.options.read_timeout;
    session.write_timeout = target.peer.options.write_timeout;
    HttpSession::H1(session)
}

/// Sends a request with this `body`.
pub async fn send(
    session: &mut HttpSession<()>,
    request: RequestHeader,
    body: Bytes,
) -> pingora::Result<()> {
    session.write_request_header(Box::new(request)).await?;
    if !body.is_empty() {
        session.write_request_body(body, true).await?;
    }
    session.finish_request_body().await
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
