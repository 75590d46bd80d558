//! Pieces of a body that were read before anybody has asked for them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::Poll;

use bytes::Bytes;
use pingora::protocols::http::v2::server::HttpSession;

/// So much is read ahead at most, in bytes and in pieces.
const AHEAD: usize = 64 * 1024;
const PIECES: usize = 16;

/// What was read ahead.
#[derive(Default)]
pub struct Ahead {
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl Ahead {
    /// Whether there is nothing left of it.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Reads what has come of the body of `request`, and waits for nobody. Returns whether its end was read.
    pub async fn read(&mut self, request: &mut HttpSession) -> bool {
        while !self.is_full() && !request.is_body_done() {
            match poll_fn(|cx| Poll::Ready(request.poll_read_body_bytes(cx))).await {
                Poll::Ready(Some(Ok(piece))) => self.put(piece),
                Poll::Ready(None) => return true,
                // Of an error whoever reads is told again.
                Poll::Ready(Some(Err(_))) | Poll::Pending => return false,
            }
        }
        request.is_body_done()
    }

    /// Whether no more is to be read ahead.
    fn is_full(&self) -> bool {
        self.length >= AHEAD || self.pieces.len() >= PIECES
    }

    /// Keeps another piece.
    fn put(&mut self, piece: Bytes) {
        self.length += piece.len();
        self.pieces.push_back(piece);
    }

    /// The next piece, for who asks.
    pub fn take(&mut self) -> Option<Bytes> {
        self.pieces.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_ahead_comes_in_its_order_and_is_bounded() {
        let mut ahead = Ahead::default();
        assert!(ahead.is_empty() && !ahead.is_full());
        ahead.put(Bytes::from_static(b"a"));
        ahead.put(Bytes::from_static(b"b"));
        assert_eq!(ahead.take().as_deref(), Some(&b"a"[..]));
        assert_eq!(ahead.take().as_deref(), Some(&b"b"[..]));
        assert_eq!(ahead.take(), None);
        ahead.put(Bytes::from(vec![0; AHEAD]));
        assert!(ahead.is_full());
        let mut ahead = Ahead::default();
        (0..PIECES).for_each(|_| ahead.put(Bytes::new()));
        assert!(ahead.is_full());
    }
}
