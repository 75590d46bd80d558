//! Ends a connection with a rejection: writes it, hangs up, and lets the client read it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pingora::protocols::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::EarlyRejection;

/// After a rejection, so much is still read and dropped: a connection closed with bytes unread would
/// be reset, and the rejection lost.
const IGNORED: usize = 256 * 1024;

/// How much is read at once.
const PIECE: usize = 4096;

/// For so long.
const LINGER: Duration = Duration::from_secs(1);

/// A connection that ends with a rejection.
pub struct Rejecting {
    rejection: EarlyRejection,
    step: Step,
}

enum Step {
    /// The rejection is being written.
    Writing,
    /// It has been written.
    Written,
    /// We have hung up. What still comes is not listened to.
    HungUp { ignored: usize, until: Pin<Box<Sleep>> },
}

impl Rejecting {
    /// Ends with `rejection`.
    pub fn new(rejection: EarlyRejection) -> Self {
        Self { rejection, step: Step::Writing }
    }

    /// Says no; then hangs up. Ready when the connection can be dropped.
    pub fn poll(&mut self, io: &mut Stream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.step {
                Step::Writing => {
                    let written = ready!(self.rejection.poll_write(Pin::new(io), context));
                    self.rejection.log(io.get_socket_digest().as_deref());
                    self.step = Step::Written;
                    written?;
                }
                Step::Written => {
                    // Only our half: the client may still be sending.
                    ready!(Pin::new(&mut *io).poll_shutdown(context))?;
                    let until = Box::pin(tokio::time::sleep(LINGER));
                    self.step = Step::HungUp { ignored: 0, until };
                }
                Step::HungUp { ignored, until } => {
                    let mut piece = [0; PIECE];
                    let mut buf = ReadBuf::new(&mut piece);
                    let read = Pin::new(&mut *io).poll_read(context, &mut buf);
                    let count = buf.filled().len();
                    *ignored += count;
                    let is_over =
                        matches!(read, Poll::Ready(_)) && count == 0 || *ignored > IGNORED;
                    if is_over || until.as_mut().poll(context).is_ready() {
                        return Poll::Ready(Ok(()));
                    }
                    ready!(read)?;
                }
            }
        }
    }
}
