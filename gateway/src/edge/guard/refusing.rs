//! Refuses a request that cannot be read, and closes the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::{Guard, PIECE, State};
use crate::api::rejection::Rejection;
use crate::edge::refusal::EarlyRejection;

/// After a refusal, so much is still read and dropped: a connection closed with bytes unread would
/// be reset, and the refusal lost.
const IGNORED: usize = 256 * 1024;

/// For so long.
const LINGER: Duration = Duration::from_secs(1);

impl Guard {
    /// Has `rejection` said instead of the next request being read: all before it are answered.
    pub(super) fn refuse(&mut self, rejection: Rejection) {
        let now = Instant::now();
        let began = self.deadline.take().and_then(|deadline| {
            deadline.deadline().checked_sub(self.rules.head_time).map(|began| began.min(now))
        });
        let over_tls = self.io.get_ssl_digest().is_some();
        let started = began.unwrap_or(now).into_std();
        let refusal = EarlyRejection::new(rejection, &self.rules.manners, over_tls, started);
        self.place = State::Refused(Box::new(refusal));
    }

    /// Says no; then hangs up.
    pub(super) fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            match &mut self.place {
                State::Refused(refusal) => {
                    let written = ready!(refusal.poll_write(Pin::new(&mut self.io), context));
                    refusal.log(self.io.get_socket_digest().as_deref());
                    self.place = State::Said;
                    written?;
                }
                State::Said => {
                    // Only our half: the client may still be sending.
                    ready!(Pin::new(&mut self.io).poll_shutdown(context))?;
                    self.deadline = Some(Box::pin(tokio::time::sleep(LINGER)));
                    self.place = State::HungUp { ignored: 0 };
                }
                State::HungUp { ignored } => {
                    let mut piece = [0; PIECE];
                    let mut buf = ReadBuf::new(&mut piece);
                    let read = Pin::new(&mut self.io).poll_read(context, &mut buf);
                    let count = buf.filled().len();
                    *ignored += count;
                    let is_over =
                        matches!(read, Poll::Ready(_)) && count == 0 || *ignored > IGNORED;
                    if is_over || self.is_late(context) {
                        return Poll::Ready(Ok(()));
                    }
                    ready!(read)?;
                }
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
