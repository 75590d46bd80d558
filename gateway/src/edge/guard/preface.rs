//! HTTP/2 frames its requests by itself; only its beginning is watched.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use pingora::protocols::Stream;
use tokio::io::{AsyncRead, ReadBuf};

use super::{Guard, Place, Rules};

/// What a client of HTTP/2 says first (RFC 9113 section 3.4), in bytes.
const PREFACE: usize = 24;

impl Guard {
    /// Guards `io`, on which HTTP/2 is spoken: its beginning must come in the time of a head, for
    /// which Pingora would wait for ever.
    pub fn for_http_2(io: Stream, rules: Rules) -> Self {
        Self { place: Place::Http2 { preface: PREFACE }, ..Self::new(io, rules) }
    }

    /// Reads HTTP/2. A preface that is late is one that never comes.
    pub(super) fn read_http_2(
        &mut self,
        context: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        preface: usize,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.io).poll_read(context, buf) {
            Poll::Pending if preface > 0 && self.is_late(context) => Poll::Ready(Ok(())),
            Poll::Ready(Ok(())) if preface > 0 => {
                let preface = preface.saturating_sub(buf.filled().len() - before);
                self.place = Place::Http2 { preface };
                if preface == 0 {
                    self.deadline = None;
                }
                Poll::Ready(Ok(()))
            }
            read => read,
        }
    }
}
