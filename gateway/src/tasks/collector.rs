//! An OpenTelemetry collector, asked over HTTP.
//!
//! Nothing is read from the environment: what is sent, and where to, is what the configuration says.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderValue, Method, Uri};
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::prelude::HttpPeer;
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType};

use crate::net::own_request::{self, AGENT};

/// The longest answer that is read.
const MOST_BYTES: usize = 64 * 1024;

/// How many connections are kept: batches are sent one after the other.
const KEPT: usize = 1;

/// How long a connection is kept for the next batch.
const IDLE: Duration = Duration::from_secs(60);

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");

/// Where spans are sent.
pub struct Collector {
    endpoint: Uri,
    host: String,
    port: u16,
    tls: bool,
    timeout: Duration,
    /// Made when first used: over TLS, it reads the system's certificates.
    connector: OnceLock<Connector<()>>,
}

impl Collector {
    /// The one at `endpoint`, which has so long for each request. Its certificate, if it has one, is verified.
    pub fn new(endpoint: Uri, timeout: Duration) -> Self {
        let host = endpoint.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = endpoint.scheme_str() == Some("https");
        let port = endpoint.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Self { endpoint, host, port, tls, timeout, connector: OnceLock::new() }
    }

    /// Its host and port, as they were written.
    pub fn authority(&self) -> &str {
        self.endpoint.authority().map_or("", |authority| authority.as_str())
    }

    /// Sends `body`; the body of the answer, or why there is none of status 2xx, for people to read.
    pub async fn post(&self, body: Bytes) -> Result<Bytes, String> {
        match tokio::time::timeout(self.timeout, self.exchange(body)).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_elapsed) => Err("no answer in time (tracing.timeout)".to_owned()),
        }
    }

    async fn exchange(&self, body: Bytes) -> pingora::Result<Bytes> {
        let path = self.endpoint.path().as_bytes();
        let mut head = RequestHeader::build(Method::POST, path, Some(4))?;
        head.insert_header(HOST, self.authority())?;
        head.insert_header(USER_AGENT, AGENT)?;
        head.insert_header(CONTENT_TYPE, PROTOBUF)?;
        head.insert_header(CONTENT_LENGTH, body.len())?;
        let (mut session, peer) = loop {
            let (mut session, peer, is_reused) = self.connect().await?;
            match send(&mut session, head.clone(), body.clone()).await {
                Ok(()) => break (session, peer),
                // One that was kept may turn out to be closed.
                Err(error) if is_reused => log::debug!("tracing: {error}"),
                Err(error) => return Err(error),
            }
        };
        let status = session.response_header().map(|head| head.status);
        let answer = own_request::read_body(&mut session, MOST_BYTES).await?;
        let connector = self.connector();
        connector.release_http_session(session, &peer, peer.options.idle_timeout).await;
        match status {
            Some(status) if status.is_success() => Ok(answer),
            Some(status) => {
                Error::e_explain(ErrorType::HTTPStatus(status.as_u16()), "of the answer")
            }
            None => Error::e_explain(ErrorType::ReadError, "no response"),
        }
    }

    fn connector(&self) -> &Connector<()> {
        self.connector.get_or_init(|| {
            let mut options = ConnectorOptions::new(KEPT);
            // Over HTTP it verifies nobody, and a machine need not have certificates of authorities.
            options.ca_file = (!self.tls).then(|| "/dev/null".to_owned());
            Connector::new(Some(options))
        })
    }

    /// A connection to the first of the host's addresses that has one, to which, and whether it was used before.
    async fn connect(&self) -> pingora::Result<(HttpSession<()>, HttpPeer, bool)> {
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found = found.map_err(|error| {
            Error::because(ErrorType::ConnectError, "the host cannot be looked up", error)
        })?;
        let mut last = Error::explain(ErrorType::ConnectError, "the host has no address");
        for address in found {
            let peer = self.peer(address);
            match self.connector().get_http_session(&peer).await {
                Ok((session, is_reused)) => return Ok((session, peer, is_reused)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn peer(&self, address: SocketAddr) -> HttpPeer {
        let mut peer = HttpPeer::new(address, self.tls, self.host.clone());
        let options = &mut peer.options;
        options.connection_timeout = Some(self.timeout);
        options.total_connection_timeout = Some(self.timeout);
        options.read_timeout = Some(self.timeout);
        options.write_timeout = Some(self.timeout);
        options.idle_timeout = Some(IDLE);
        peer
    }
}

/// Sends a request, and waits for the head of the answer.
async fn send(
    session: &mut HttpSession<()>,
    head: RequestHeader,
    body: Bytes,
) -> pingora::Result<()> {
    session.write_request_header(Box::new(head)).await?;
    session.write_request_body(body, true).await?;
    session.finish_request_body().await?;
    own_request::read_head(session).await
}
