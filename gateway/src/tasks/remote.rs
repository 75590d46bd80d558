//! Another server than the upstream, asked over HTTP.
//!
//! Nothing is read from the environment: what is sent, and where to, is what the configuration says.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use http::{StatusCode, Uri};
use pingora::connectors::ConnectorOptions;
use pingora::connectors::http::Connector;
use pingora::http::RequestHeader;
use pingora::prelude::HttpPeer;
use pingora::protocols::http::client::HttpSession;
use pingora::{Error, ErrorType};

use crate::net::own_request::{self, AGENT};
use crate::net::tls::pem;
use crate::server_address;

/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(60);

/// How many unused connections are kept.
const KEPT: usize = 4;

/// A server at a URL.
pub struct Remote {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
    timeout: Duration,
    ca_file: Option<PathBuf>,
    /// Whether a connection is kept for the next request.
    is_kept: bool,
    /// Made when first used: over TLS, it reads certificates of authorities.
    connector: OnceLock<Connector<()>>,
}

/// Why there is no answer.
pub struct NoAnswer {
    /// In which way.
    pub kind: Silence,
    /// For people to read.
    pub what: String,
}

/// In which way there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nobody is there.
    Unreachable,
    /// Somebody is, who is not known by a certificate.
    Tls,
    /// It takes too long.
    Timeout,
    /// It cannot be read, is broken off, or is too long.
    Unreadable,
}

impl From<NoAnswer> for String {
    fn from(no_answer: NoAnswer) -> Self {
        no_answer.what
    }
}

impl From<Box<Error>> for NoAnswer {
    fn from(error: Box<Error>) -> Self {
        let kind = match error.etype() {
            ErrorType::ConnectTimedout
            | ErrorType::TLSHandshakeTimedout
            | ErrorType::ReadTimedout
            | ErrorType::WriteTimedout => Silence::Timeout,
            ErrorType::TLSHandshakeFailure | ErrorType::InvalidCert | ErrorType::HandshakeError => {
                Silence::Tls
            }
            ErrorType::ConnectRefused
            | ErrorType::ConnectNoRoute
            | ErrorType::ConnectError
            | ErrorType::SocketError => Silence::Unreachable,
            _ => Silence::Unreadable,
        };
        Self { kind, what: error.to_string() }
    }
}

impl Remote {
    /// The one at `uri`, which has so long for each request. Its certificate, if it has one, is verified: by those in
    /// `ca_file`, or by the system's.
    pub fn new(uri: Uri, timeout: Duration, ca_file: Option<PathBuf>) -> Self {
        let host = server_address::bare(uri.host().unwrap_or_default()).to_owned();
        let tls = uri.scheme_str() == Some("https");
        // Whoever has read the URL has refused one without.
        let port = uri.authority().and_then(|it| server_address::port(it, tls)).unwrap_or_default();
        Self { uri, host, port, tls, timeout, ca_file, is_kept: true, connector: OnceLock::new() }
    }

    /// The same, for requests that must not be sent twice: each has a connection of its own. One that was used before may
    /// turn out to be closed, and nobody knows then whether the request was read.
    pub fn for_single_requests(self) -> Self {
        Self { is_kept: false, ..self }
    }

    /// Its host and port, as they were written.
    pub fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }

    /// The path that is asked for.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// Sends a request: status and body of the answer, of at most so many bytes; or why there is none, for people to read.
    /// Redirections are not followed.
    pub async fn ask(
        &self,
        head: RequestHeader,
        body: Bytes,
        most_bytes: usize,
    ) -> Result<(StatusCode, Bytes), NoAnswer> {
        if self.connector.get().is_none() {
            let known = self.check_authorities();
            known.map_err(|what| NoAnswer { kind: Silence::Tls, what })?;
        }
        match tokio::time::timeout(self.timeout, self.exchange(head, body, most_bytes)).await {
            Ok(answer) => answer.map_err(NoAnswer::from),
            Err(_elapsed) => {
                let limit = humantime::format_duration(self.timeout);
                let what = format!("no answer in time, which is {limit}");
                Err(NoAnswer { kind: Silence::Timeout, what })
            }
        }
    }

    /// Whether the file of certificates can be read, if there is one: Pingora panics at what is no certificate.
    fn check_authorities(&self) -> Result<(), String> {
        let Some(file) = &self.ca_file else { return Ok(()) };
        let content = std::fs::read(file).map_err(|error| error.to_string());
        let read = content.and_then(|content| pem::authorities(&content).map(drop));
        read.map_err(|what| format!("{}: {what}", file.display()))
    }

    async fn exchange(
        &self,
        mut head: RequestHeader,
        body: Bytes,
        most_bytes: usize,
    ) -> pingora::Result<(StatusCode, Bytes)> {
        head.insert_header(HOST, self.authority())?;
        head.insert_header(USER_AGENT, AGENT)?;
        head.insert_header(CONTENT_LENGTH, body.len())?;
        let (mut session, peer) = loop {
            let (mut session, peer, is_reused) = self.connect().await?;
            match send(&mut session, head.clone(), body.clone()).await {
                Ok(()) => break (session, peer),
                // One that was kept may turn out to be closed.
                Err(error) if is_reused => log::debug!("{}: {error}", self.authority()),
                Err(error) => return Err(error),
            }
        };
        let status = session.response_header().map(|head| head.status);
        let answer = own_request::read_body(&mut session, most_bytes).await?;
        if self.is_kept {
            let connector = self.connector();
            connector.release_http_session(session, &peer, peer.options.idle_timeout).await;
        }
        let status = status.ok_or_else(|| Error::explain(ErrorType::ReadError, "no response"))?;
        Ok((status, answer))
    }

    fn connector(&self) -> &Connector<()> {
        self.connector.get_or_init(|| {
            let mut options = ConnectorOptions::new(KEPT);
            let ca_file = self.ca_file.as_ref().map(|file| file.display().to_string());
            // Over HTTP it verifies nobody, and a machine need not have certificates of authorities.
            options.ca_file = ca_file.or_else(|| (!self.tls).then(|| "/dev/null".to_owned()));
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
    if !body.is_empty() {
        session.write_request_body(body, true).await?;
    }
    session.finish_request_body().await?;
    own_request::read_head(session).await
}
