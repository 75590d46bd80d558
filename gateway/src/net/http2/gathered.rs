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

/// No more than this waits: the beginning of a large frame, and small frames before it.
const MOST: usize = 2048;

/// Bytes that were written and wait.
#[derive(Debug, Default)]
pub struct Gathered(BytesMut);

impl Gathered {
    /// Takes of `bytes` what waits, or is written to `io`; how many these are.
    pub fn poll_write<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        while self.0.len() + bytes.len() > MOST {
            let slices = [IoSlice::new(&self.0), IoSlice::new(bytes)];
            let count = ready!(Pin::new(&mut *io).poll_write_vectored(context, &slices))?;
            if count > self.0.len() {
                let written = count - self.0.len();
                self.0.clear();
                return Poll::Ready(Ok(written));
            }
            self.advance(count)?;
        }
        self.0.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Writes what waits to `io`, and flushes that.
    pub fn poll_flush<W: AsyncWrite + Unpin>(
        &mut self,
        io: &mut W,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.0.is_empty() {
            let count = ready!(Pin::new(&mut *io).poll_write(context, &self.0))?;
            self.advance(count)?;
        }
        Pin::new(io).poll_flush(context)
    }

    /// So many of the bytes that waited have been written.
    fn advance(&mut self, count: usize) -> io::Result<()> {
        if count == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.0.advance(count);
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
        let (mut gathered, mut io) = (Gathered::default(), Narrow { most, writes: Vec::new() });
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
    fn a_connection_that_takes_nothing_is_broken() {
        let (mut gathered, mut io) = (Gathered::default(), Narrow { most: 0, writes: Vec::new() });
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
