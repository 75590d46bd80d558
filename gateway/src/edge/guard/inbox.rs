//! A read buffer for bytes that come early. It shows when a client has left.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::{Guard, PIECE};

/// So many bytes of later requests are kept while one is answered. Whoever sends more is not watched
/// any more until their turn comes, and waits.
const AHEAD: usize = 16 * 1024;

impl Guard {
    /// Reads more into the inbox; how much it was, 0 if the client has said its last.
    pub(super) fn read_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [const { MaybeUninit::uninit() }; PIECE];
        let mut buf = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(&mut self.io).poll_read(context, &mut buf))?;
        self.inbox.extend_from_slice(buf.filled());
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Watches the client while its request, all of which has been passed on, is answered. Is ready
    /// when it is gone, as a read is at the end; of what it sends meanwhile nobody gets a byte.
    pub(super) fn watch(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.inbox.len() < AHEAD {
            if ready!(self.read_more(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        // Nobody wakes this task: the end of the answer does.
        Poll::Pending
    }
}
