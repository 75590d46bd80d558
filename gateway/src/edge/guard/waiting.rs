//! Waiting for the next request on a connection.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::time::Sleep;

use super::{Guard, State};
use crate::api::rejection::Rejection;

impl Guard {
    /// Waits for the next request: its whole head and what came of its body, and not a byte more.
    /// `None` if none will come, or has not begun when `patience` is over.
    pub async fn next_request(&mut self, mut patience: Pin<&mut Sleep>) -> Option<BytesMut> {
        self.mind_no_bell();
        poll_fn(|context| self.poll_next_request(context, patience.as_mut())).await
    }

    fn poll_next_request(
        &mut self,
        context: &mut Context<'_>,
        patience: Pin<&mut Sleep>,
    ) -> Poll<Option<BytesMut>> {
        while matches!(self.place, State::Open) {
            match self.look() {
                Ok(Some(request)) => return Poll::Ready(Some(request)),
                Ok(None) => {}
                Err(rejection) => {
                    self.refuse(rejection);
                    break;
                }
            }
            match self.read_more(context) {
                // Of half a head nothing is passed on.
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending if self.inbox.is_empty() => {
                    return patience.poll(context).map(|()| None);
                }
                Poll::Pending if self.is_late(context) => self.refuse(Rejection::ClientTimedOut),
                Poll::Pending => return Poll::Pending,
            }
        }
        // Whether or not the client takes the refusal, nothing comes after it.
        self.poll_refusal(context).map(|_| None)
    }

    /// Looks for the next request in what has been read.
    fn look(&mut self) -> Result<Option<BytesMut>, Rejection> {
        if self.inbox.is_empty() {
            return Ok(None);
        }
        let request = self.framer.next(&mut self.inbox, &self.rules.head)?;
        if request.is_some() || self.inbox.is_empty() {
            // It is whole, or was nothing but an empty line.
            self.deadline = None;
        }
        Ok(request)
    }
}
