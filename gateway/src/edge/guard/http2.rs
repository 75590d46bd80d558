//! HTTP/2 connections: checks their preface and the paths of their requests.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pingora::protocols::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use super::{ConnectionRules, Guard, State};

impl Guard {
    /// Guards `io`, on which HTTP/2 is spoken: its beginning must come in the time of a head, for
    /// which Pingora would wait for ever.
    pub fn for_http_2(io: Stream, rules: Arc<ConnectionRules>) -> Self {
        Self { place: State::Http2(Box::default()), ..Self::new(io, rules) }
    }

    /// Reads HTTP/2. A preface that is late is one that never comes.
    pub(super) fn read_http_2(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let State::Http2(frames) = &mut self.place else { return Poll::Ready(Ok(())) };
        if frames.is_broken() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(context, buf);
        frames.follow(&mut buf.filled_mut()[before..]);
        let is_waiting = frames.is_in_preface();
        match read {
            Poll::Pending if is_waiting && self.is_late(context) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) if !is_waiting => {
                self.deadline = None;
                read
            }
            read => read,
        }
    }
}
