//! Follows the bytes of a connection from request to request.

use crate::api::chunks::Chunks;
use crate::api::framing::{self, Body, HeadLimits, HeadScan};
use crate::api::rejection::Rejection;

/// Knows what the next byte of a connection belongs to.
pub(super) struct Framer {
    place: Place,
}

enum Place {
    Head(HeadScan),
    Length(u64),
    Chunks(Chunks),
}

/// What was seen of some bytes.
pub(super) struct Look {
    /// So many of them belong to requests that can be read.
    pub(super) passed: usize,
    /// So many heads ended in them.
    pub(super) heads: u64,
    /// Why nothing that follows may be passed on; `None`: a head that is not whole, at most.
    pub(super) stop: Option<Stop>,
}

/// Why nothing more is passed on.
pub(super) enum Stop {
    /// A request that cannot be read.
    Refused(Rejection),
    /// A body that is not what its head said.
    Broken,
}

impl Framer {
    /// Before the first request.
    pub(super) fn new() -> Self {
        Self { place: Place::Head(HeadScan::default()) }
    }

    /// Whether the next byte belongs to a head.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.place, Place::Head(_))
    }

    /// Looks at `bytes`, which follow what was passed on before.
    pub(super) fn look(&mut self, bytes: &[u8], limits: &HeadLimits) -> Look {
        let mut look = Look { passed: 0, heads: 0, stop: None };
        while look.passed < bytes.len() {
            let rest = &bytes[look.passed..];
            match self.step(rest, limits) {
                Ok(None) => break,
                Ok(Some(taken)) => {
                    look.heads += u64::from(taken.ended_head);
                    look.passed += taken.bytes;
                }
                Err(stop) => {
                    look.stop = Some(stop);
                    break;
                }
            }
        }
        look
    }

    /// One head or one piece of a body at the beginning of `rest`; `None` if a head is not whole.
    fn step(&mut self, rest: &[u8], limits: &HeadLimits) -> Result<Option<Taken>, Stop> {
        match &mut self.place {
            Place::Head(scan) => {
                let Some(end) = scan.scan(rest, limits).map_err(Stop::Refused)? else {
                    return Ok(None);
                };
                let body = framing::check(&rest[..end], limits).map_err(Stop::Refused)?;
                self.place = Place::after_head(body);
                Ok(Some(Taken { bytes: end, ended_head: true }))
            }
            Place::Length(left) => {
                let bytes = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                *left -= bytes as u64;
                if *left == 0 {
                    *self = Self::new();
                }
                Ok(Some(Taken { bytes, ended_head: false }))
            }
            Place::Chunks(chunks) => {
                let bytes = chunks.follow(rest).map_err(|_broken| Stop::Broken)?;
                if chunks.is_done() {
                    *self = Self::new();
                }
                Ok(Some(Taken { bytes, ended_head: false }))
            }
        }
    }
}

struct Taken {
    bytes: usize,
    ended_head: bool,
}

impl Place {
    fn after_head(body: Body) -> Self {
        match body {
            Body::Length(0) => Self::Head(HeadScan::default()),
            Body::Length(length) => Self::Length(length),
            Body::Chunked => Self::Chunks(Chunks::START),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: HeadLimits = HeadLimits { bytes: 1024, fields: 10, target: 512 };

    /// Follows `bytes` cut into pieces of `size`, as a connection would deliver them.
    fn follow(bytes: &[u8], size: usize) -> (usize, u64, bool) {
        let (mut framer, mut inbox) = (Framer::new(), Vec::new());
        let (mut passed, mut heads) = (0, 0);
        for piece in bytes.chunks(size) {
            inbox.extend_from_slice(piece);
            let look = framer.look(&inbox, &LIMITS);
            inbox.drain(..look.passed);
            passed += look.passed;
            heads += look.heads;
            if look.stop.is_some() {
                return (passed, heads, true);
            }
        }
        (passed, heads, false)
    }

    #[test]
    fn requests_follow_each_other() {
        let get = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        let post = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";
        let chunked =
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        let good = [get, post, chunked, get].concat();
        assert_eq!(follow(good.as_bytes(), 1000), (good.len(), 4, false));
        let smuggled = [post, "x", get].concat();
        assert_eq!(follow(smuggled.as_bytes(), 1000), (post.len() + 1 + get.len(), 2, false));
        let bad = [post, "GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(follow(bad.as_bytes(), 1000), (post.len(), 1, true));
    }

    proptest! {
        /// However the network cuts a connection into pieces, it is read the same.
        #[test]
        fn pieces_do_not_matter(
            requests in proptest::collection::vec(
                "(GET|POST) /[a-z]{0,5} HTTP/1\\.1\r\nHost: h\r\n(Content-Length: [0-5]\r\n|Transfer-Encoding: chunked\r\n)?\r\n(abc|1\r\na\r\n0\r\n\r\n)?",
                1..4
            ),
            size in 1_usize..50,
        ) {
            let bytes = requests.concat().into_bytes();
            let (in_pieces, at_once) = (follow(&bytes, size), follow(&bytes, bytes.len()));
            prop_assert_eq!((in_pieces.1, in_pieces.2), (at_once.1, at_once.2));
            // Of a body that is broken, more or less may have been passed on by then.
            prop_assert!(in_pieces.2 || in_pieces.0 == at_once.0);
        }
    }
}
