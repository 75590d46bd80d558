//! Bytes that have to be looked at before they may be passed on: heads, until they are whole.

use std::io;
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, ReadBuf};
use zeroize::Zeroize;

use super::{Guard, PIECE, Place};
use crate::api::rejection::Rejection;

impl Guard {
    /// Reads more into the inbox, whose bytes so far could not be passed on.
    fn read_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [const { MaybeUninit::uninit() }; PIECE];
        let mut buf = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buf))?;
        self.inbox.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Reads until bytes of the inbox may be passed on; there are none if no more will be.
    pub(super) fn clear(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.cleared == 0 {
            match self.place {
                Place::Open if self.inbox.is_empty() || self.framer.is_in_head() => {
                    match self.read_more(context)? {
                        // The client is gone; of half a head nothing is passed on.
                        Poll::Ready(0) => return Poll::Ready(Ok(())),
                        Poll::Ready(_) => {}
                        Poll::Pending if self.inbox.is_empty() => return Poll::Pending,
                        Poll::Pending if self.is_late(context) => {
                            self.place = Place::Refused(Rejection::ClientTimedOut);
                        }
                        Poll::Pending => return Poll::Pending,
                    }
                }
                Place::Open => {}
                Place::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Place::Refused(_) | Place::Answering(_) | Place::Answered { .. } => {
                    return self.refuse(context);
                }
                Place::Http2 { .. } => return Poll::Ready(Ok(())),
            }
            let inbox = mem::take(&mut self.inbox);
            self.cleared = self.look(&inbox);
            self.inbox = inbox;
        }
        Poll::Ready(Ok(()))
    }

    /// The bytes that may be passed on, for whoever takes them as they are: without a copy.
    pub fn take_cleared(&mut self) -> Option<BytesMut> {
        let cleared = mem::take(&mut self.cleared);
        match self.inbox.len() {
            _ if cleared == 0 => None,
            all if all == cleared => Some(mem::take(&mut self.inbox)),
            _ => Some(self.inbox.split_to(cleared)),
        }
    }

    /// Passes cleared bytes of the inbox on.
    pub(super) fn hand_over(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.cleared.min(buf.remaining());
        buf.put_slice(&self.inbox[..count]);
        // There is a session's token in many a head, and this copy of it is not needed any more.
        self.inbox[..count].zeroize();
        self.inbox.advance(count);
        self.cleared -= count;
        if self.inbox.is_empty() {
            // An idle connection holds no buffer.
            self.inbox = BytesMut::new();
        }
    }
}
