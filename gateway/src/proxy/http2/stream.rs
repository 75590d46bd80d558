//! One request of HTTP/2 and its answer, as Pingora's phases see it.
//!
//! Pingora's own has no time limit for what it reads, goes on reading when the answer has long been whole, and takes a
//! request with trailers for one that never ends, whose client it does not hear any more. So the phases get this one,
//! which has Pingora's inside.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;
use http::HeaderMap;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::Digest;
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::body_buffer::FixedBuffer;
use pingora::protocols::http::custom::CustomMessageWrite;
use pingora::protocols::http::custom::server::Session;
use pingora::protocols::http::v2::server::HttpSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::{Error, ErrorType, Result};
use tokio::time::{Instant, timeout_at};

use super::ahead::Ahead;
use crate::proxy::rest;

/// So much of a body is kept for another attempt, as Pingora has it.
const TO_REPEAT: usize = 64 * 1024;

/// One request and its answer.
pub struct Http2Stream {
    inner: HttpSession,
    /// What was read of the body before anybody has asked.
    ahead: Ahead,
    /// What was read of it since, if it may have to be sent once more.
    repeatable: Option<FixedBuffer>,
    /// Whether the body has ended. What may be left are trailers, of which nobody is told.
    is_whole: bool,
    /// How long a piece of the body may take; `None`: any time.
    patience: Option<Duration>,
    /// Until when the piece that is waited for must be there.
    deadline: Option<Instant>,
    /// Until when the rest of the body may come, since the answer is over.
    last: Option<Instant>,
}

/// Messages of protocols that are not HTTP: there are none.
type Messages = Box<dyn Stream<Item = Result<Bytes>> + Unpin + Send + Sync + 'static>;

impl Http2Stream {
    /// The same as `inner` has it.
    pub fn new(inner: HttpSession) -> Self {
        Self {
            inner,
            ahead: Ahead::default(),
            repeatable: None,
            is_whole: false,
            patience: None,
            deadline: None,
            last: None,
        }
    }

    /// Reads what has come of the body, up to a bound, for whoever asks for it. Returns whether that is all of it.
    pub async fn look_ahead(&mut self) -> bool {
        self.is_whole = !self.has_come() && self.ahead.read(&mut self.inner).await;
        self.has_come()
    }

    /// Whether no more of the body is to come.
    fn has_come(&self) -> bool {
        self.is_whole || self.inner.is_body_done()
    }

    fn is_done(&self) -> bool {
        self.ahead.is_empty() && self.has_come()
    }

    /// The answer is over, if `is_last` was written of it.
    fn written(&mut self, is_last: bool) {
        if is_last && self.last.is_none() && !self.is_done() {
            self.last = Some(Instant::now() + rest::GRACE);
        }
    }

    /// The next piece of the body; `None` at its end.
    async fn read(&mut self) -> Result<Option<Bytes>> {
        let piece = match self.ahead.take() {
            Some(piece) => Some(piece),
            None if self.is_whole => None,
            None => self.read_on().await?,
        };
        if let (Some(piece), Some(repeatable)) = (&piece, &mut self.repeatable) {
            repeatable.write_to_buffer(piece);
        }
        Ok(piece)
    }

    /// The next piece that was not read ahead.
    async fn read_on(&mut self) -> Result<Option<Bytes>> {
        let deadline = self.deadline();
        if self.last.is_some_and(|last| last <= Instant::now()) {
            return rest::unwanted();
        }
        let piece = self.inner.read_body_bytes();
        let piece = match deadline {
            None => piece.await,
            Some(deadline) => match timeout_at(deadline, piece).await {
                Ok(piece) => piece,
                Err(_late) if self.last.is_some() => return rest::unwanted(),
                Err(_late) => {
                    return Error::e_explain(ErrorType::ReadTimedout, "a piece of the body");
                }
            },
        };
        self.deadline = None;
        self.is_whole = matches!(piece, Ok(None));
        piece
    }

    /// Until when it waits. As long as the piece has not come this stays, however often it is read anew.
    fn deadline(&mut self) -> Option<Instant> {
        if self.last.is_some() {
            return self.last;
        }
        let patience = self.patience?;
        Some(*self.deadline.get_or_insert_with(|| Instant::now() + patience))
    }
}

#[async_trait]
impl Session for Http2Stream {
    fn req_header(&self) -> &RequestHeader {
        self.inner.req_header()
    }

    fn req_header_mut(&mut self) -> &mut RequestHeader {
        self.inner.req_header_mut()
    }

    async fn read_body_bytes(&mut self) -> Result<Option<Bytes>> {
        self.read().await
    }

    async fn read_body_or_idle(&mut self, no_body_expected: bool) -> Result<Option<Bytes>> {
        if no_body_expected || self.is_done() {
            self.inner.read_body_or_idle(true).await
        } else {
            self.read().await
        }
    }

    async fn drain_request_body(&mut self) -> Result<()> {
        if self.is_done() { Ok(()) } else { self.inner.drain_request_body().await }
    }

    async fn write_response_header(&mut self, head: Box<ResponseHeader>, end: bool) -> Result<()> {
        self.inner.write_response_header(head, end)?;
        self.written(end);
        Ok(())
    }

    async fn write_response_header_ref(&mut self, head: &ResponseHeader, end: bool) -> Result<()> {
        self.write_response_header(Box::new(head.clone()), end).await
    }

    async fn write_body(&mut self, data: Bytes, end: bool) -> Result<()> {
        self.inner.write_body(data, end).await?;
        self.written(end);
        Ok(())
    }

    async fn write_trailers(&mut self, trailers: HeaderMap) -> Result<()> {
        self.inner.write_trailers(trailers)?;
        self.written(true);
        Ok(())
    }

    async fn response_duplex_vec(&mut self, tasks: Vec<HttpTask>) -> Result<bool> {
        let is_over = self.inner.response_duplex_vec(tasks).await?;
        self.written(is_over);
        Ok(is_over)
    }

    fn set_read_timeout(&mut self, timeout: Option<Duration>) {
        self.patience = timeout;
        self.deadline = None;
    }

    fn get_read_timeout(&self) -> Option<Duration> {
        self.patience
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_write_timeout(timeout);
    }

    fn get_write_timeout(&self) -> Option<Duration> {
        self.inner.get_write_timeout()
    }

    fn set_total_drain_timeout(&mut self, timeout: Option<Duration>) {
        self.inner.set_total_drain_timeout(timeout);
    }

    fn get_total_drain_timeout(&self) -> Option<Duration> {
        self.inner.get_total_drain_timeout()
    }

    fn request_summary(&self) -> String {
        self.inner.request_summary()
    }

    fn response_written(&self) -> Option<&ResponseHeader> {
        self.inner.response_written()
    }

    async fn shutdown(&mut self, _code: u32, _context: &str) {
        self.inner.shutdown();
    }

    fn is_body_done(&mut self) -> bool {
        self.is_done()
    }

    async fn finish(&mut self) -> Result<()> {
        self.inner.finish()?;
        self.written(true);
        Ok(())
    }

    fn is_body_empty(&mut self) -> bool {
        self.inner.is_body_empty()
    }

    fn body_bytes_sent(&self) -> usize {
        self.inner.body_bytes_sent()
    }

    fn body_bytes_read(&self) -> usize {
        self.inner.body_bytes_read()
    }

    fn digest(&self) -> Option<&Digest> {
        self.inner.digest()
    }

    fn digest_mut(&mut self) -> Option<&mut Digest> {
        self.inner.digest_mut()
    }

    fn client_addr(&self) -> Option<&SocketAddr> {
        self.inner.client_addr()
    }

    fn server_addr(&self) -> Option<&SocketAddr> {
        self.inner.server_addr()
    }

    fn pseudo_raw_h1_request_header(&self) -> Bytes {
        self.inner.pseudo_raw_h1_request_header()
    }

    fn enable_retry_buffering(&mut self) {
        self.repeatable.get_or_insert_with(|| FixedBuffer::new(TO_REPEAT));
    }

    fn retry_buffer_truncated(&self) -> bool {
        self.repeatable.as_ref().is_some_and(FixedBuffer::is_truncated)
    }

    fn get_retry_buffer(&self) -> Option<Bytes> {
        let repeatable = self.repeatable.as_ref().filter(|it| !it.is_truncated());
        repeatable.and_then(FixedBuffer::get_buffer)
    }

    async fn finish_custom(&mut self) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_reader(&mut self) -> Option<Messages> {
        None
    }

    fn restore_custom_message_reader(&mut self, _reader: Messages) -> Result<()> {
        Ok(())
    }

    fn take_custom_message_writer(&mut self) -> Option<Box<dyn CustomMessageWrite>> {
        None
    }

    fn restore_custom_message_writer(&mut self, _: Box<dyn CustomMessageWrite>) -> Result<()> {
        Ok(())
    }
}
