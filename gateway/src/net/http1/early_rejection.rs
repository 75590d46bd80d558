//! Rejections that are written and logged before Pingora has a request.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf, BytesMut};
use http::HeaderValue;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use pingora::protocols::http::date::get_cached_date;
use pingora::protocols::{SocketDigest, Stream};
use tokio::io::AsyncWrite;

use super::fields;
use crate::api::rejection::Rejection;
use crate::gateway::Gateway;
use crate::gateway::access_log::Entry;
use crate::gateway::request_id::RequestId;
use crate::gateway::response_headers::Recipient;
use crate::metrics::label::{Method, RouteClass, StatusClass};
use crate::metrics::{Answered, METRICS};
use crate::net::{socket, tls};

/// A rejection that is being written, when Pingora has no request that it could answer.
pub struct EarlyRejection {
    rejection: Rejection,
    id: RequestId,
    tls: Option<&'static str>,
    started: Instant,
    /// What is not written yet.
    left: BytesMut,
    body_bytes: usize,
}

impl EarlyRejection {
    /// The answer to a request that began at `started`, on `stream`.
    pub fn new(rejection: Rejection, gateway: &Gateway, stream: &Stream, started: Instant) -> Self {
        let id = RequestId::make();
        let tls = stream.get_ssl_digest().map(|connection| tls::version(&connection));
        let to = Recipient { id: &id, over_tls: tls.is_some(), headers: None };
        let mut response = gateway.complete(rejection, &gateway.policy(), &to);
        let body_bytes = response.body().len();
        let headers = response.headers_mut();
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body_bytes));
        headers.insert(DATE, get_cached_date());
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let mut left = BytesMut::with_capacity(1024);
        left.extend_from_slice(format!("HTTP/1.1 {}\r\n", response.status()).as_bytes());
        fields::put(&mut left, response.headers());
        left.extend_from_slice(response.body());
        Self { rejection, id, tls, started, left, body_bytes }
    }

    /// Writes it, and is ready when all of it is written.
    pub fn poll_write(
        &mut self,
        mut stream: Pin<&mut Stream>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.left.has_remaining() {
            match ready!(stream.as_mut().poll_write(context, &self.left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.left.advance(written),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes it.
    pub async fn write(&mut self, stream: &mut Stream) -> io::Result<()> {
        poll_fn(|context| self.poll_write(Pin::new(stream), context)).await
    }

    /// One line for it, under the id that the answer has; and one more of its kind.
    pub fn log(&self, socket: Option<&SocketDigest>) {
        let (status, _, message) = self.rejection.table();
        let now = Instant::now();
        let time = now.saturating_duration_since(self.started);
        METRICS.answered(&Answered {
            route: RouteClass::Other,
            method: Method::Other,
            status: StatusClass::of(status.as_u16()),
            whole: time,
            own: time,
            upstream: None,
            received: 0,
            sent: self.body_bytes as u64,
        });
        let address = socket::peer_address(socket);
        let client = address.map(|ip| ip.to_canonical().to_string());
        log::debug!("{}: {message}", client.as_deref().unwrap_or("-"));
        Entry {
            client: client.as_ref().map(String::as_bytes),
            user: None,
            session: None,
            jti: None,
            token: None,
            grpc_status: None,
            method: None,
            path: None,
            status: status.as_u16(),
            bytes: self.body_bytes as u64,
            at: now,
            took: time,
            request_id: self.id.as_bytes(),
            trace_id: None,
            compared: None,
            upstream: None,
            upstream_time: None,
            tls: self.tls,
            received: 0,
        }
        .log();
    }
}
