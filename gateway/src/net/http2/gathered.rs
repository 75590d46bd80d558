//! What `h2` writes to a client, until it flushes.
//!
//! To a connection that takes several slices at once `h2` gives nothing more before a flush once there is a DATA frame of
//! 256 bytes: the trailers of a small answer, and the answers of other streams, were written by themselves. To one that
//! takes one slice it gives frames of less than 1024 bytes in a row, and larger ones in two slices: the frame's beginning,
//! and the rest. So the beginning waits here for the rest.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::AsyncWrite;

use crate::net::open_requests::{OpenRequest, OpenRequests};

/// No more than this waits: the beginning of a large frame, and small frames before it.
const MOST: usize = 2048;

/// Bytes that were written and wait.
pub struct Gathered {
    held: BytesMut,
    /// Where a request counts whose answer the client does not take yet.
    open: OpenRequests,
    unsent: Option<OpenRequest>,
}

impl Gathered {
    /// Nothing waits yet. What the client does not take counts among the `open` requests.
    pub fn new(open: OpenRequests) -> Self {
        Self { held: BytesMut::new(), open, unsent: None }
    }

    /// Takes of `bytes` what waits, or is written to `io`; how many these are.
    pub fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = self.try_write(io, context, bytes);
        if written.is_pending() {
            self.wait();
        }
        written
    }

    fn try_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        while self.held.len() + bytes.len() > MOST {
            let slices = [IoSlice::new(&self.held), IoSlice::new(bytes)];
            let count = ready!(Pin::new(&mut *io).poll_write_vectored(context, &slices))?;
            if count > self.held.len() {
                let written = count - self.held.len();
                self.held.clear();
                return Poll::Ready(Ok(written));
            }
            self.advance(count)?;
        }
        self.held.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Writes what waits to `io`, and flushes that.
    pub fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let flushed = self.try_flush(io, context);
        match flushed {
            Poll::Pending => self.wait(),
            Poll::Ready(_) => self.unsent = None,
        }
        flushed
    }

    fn try_flush<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.held.is_empty() {
            let count = ready!(Pin::new(&mut *io).poll_write(context, &self.held))?;
            self.advance(count)?;
        }
        Pin::new(io).poll_flush(context)
    }

    /// The client has to take something before all is flushed.
    fn wait(&mut self) {
        self.unsent.get_or_insert_with(|| self.open.begin());
    }

    /// So many of the bytes that waited have been written.
    fn advance(&mut self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.held.advance(count);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Takes so many bytes at once; what it has got, by writes.
    struct Narrow {
        most: usize,
        writes: Vec<Vec<u8>>,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            self: Pin<&mut Self>,
            context: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.poll_write_vectored(context, &[IoSlice::new(bytes)])
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            slices: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let mut write =
                slices.iter().flat_map(|slice| slice.iter().copied()).collect::<Vec<_>>();
            write.truncate(self.most);
            self.writes.push(write.clone());
            Poll::Ready(Ok(write.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// The writes that come of `pieces` and a flush, if so many bytes are taken at once at most.
    fn written(most: usize, pieces: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let (mut gathered, mut io) =
            (Gathered::new(OpenRequests::default()), Narrow { most, writes: Vec::new() });
        let mut context = Context::from_waker(std::task::Waker::noop());
        for piece in pieces {
            let mut rest = &piece[..];
            while !rest.is_empty() {
                let Poll::Ready(Ok(count)) = gathered.poll_write(&mut io, &mut context, rest)
                else {
                    panic!("{} bytes are not taken", rest.len());
                };
                rest = &rest[count..];
            }
        }
        assert!(gathered.poll_flush(&mut io, &mut context).is_ready());
        io.writes
    }

    #[test]
    fn what_is_small_waits_for_the_flush_and_a_beginning_for_its_rest() {
        let [head, body, trailers, beginning, rest] =
            [30, 300, 10, 1033, 15_000].map(|size| vec![7; size]);
        assert_eq!(written(usize::MAX, &[head, body, trailers]), [vec![7; 340]]);
        assert_eq!(written(usize::MAX, &[beginning, rest]), [vec![7; 16_033]]);
    }

    #[test]
    fn what_is_not_taken_is_an_open_request() {
        let (client, mut io) = tokio::io::duplex(1000);
        let open = OpenRequests::default();
        let mut gathered = Gathered::new(open.clone());
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(gathered.poll_write(&mut io, &mut context, &[7; 1500]).is_ready());
        assert_eq!(open.count(), 0, "nothing was flushed yet");
        assert!(gathered.poll_flush(&mut io, &mut context).is_pending());
        assert_eq!(open.count(), 1);
        assert!(gathered.poll_write(&mut io, &mut context, &[7; 1500]).is_ready());
        assert!(gathered.poll_write(&mut io, &mut context, &[7; 1500]).is_pending());
        assert_eq!(open.count(), 1);
        drop(client);
        assert!(gathered.poll_flush(&mut io, &mut context).is_ready());
        assert_eq!(open.count(), 0);
    }

    #[test]
    fn a_connection_that_takes_nothing_is_broken() {
        let (mut gathered, mut io) =
            (Gathered::new(OpenRequests::default()), Narrow { most: 0, writes: Vec::new() });
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(gathered.poll_write(&mut io, &mut context, &[7; 10]).is_ready());
        let large = gathered.poll_write(&mut io, &mut context, &[7; 10_000]);
        assert!(matches!(large, Poll::Ready(Err(_))));
        assert!(matches!(gathered.poll_flush(&mut io, &mut context), Poll::Ready(Err(_))));
    }

    proptest! {
        #[test]
        fn all_is_written_in_its_order(
            most in 1_usize..5000,
            sizes in proptest::collection::vec(prop_oneof![1_usize..40, 1_usize..5000], 0..20),
        ) {
            let mut next = 0_u8;
            let mut piece = |size| (0..size).map(|_| { next = next.wrapping_add(1); next }).collect::<Vec<_>>();
            let pieces = sizes.into_iter().map(&mut piece).collect::<Vec<_>>();
            prop_assert_eq!(written(most, &pieces).concat(), pieces.concat());
        }
    }
}
