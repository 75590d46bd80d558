//! Finds the end of each request in the bytes of a connection.

use bytes::{BufMut, BytesMut};
use zeroize::Zeroize;

use crate::api::chunks::{Broken, Chunks};
use crate::api::framing::{self, Body, HeadLimits, HeadScan};
use crate::api::rejection::Rejection;

/// Knows what the next byte of a connection belongs to.
pub struct Framer {
    place: State,
    /// How many empty lines came since the last request.
    empty_lines: u8,
}

enum State {
    /// In a head, or before one.
    Head(HeadScan),
    Length(u64),
    Chunks(Chunks),
}

/// Old clients end a body with a line end that its length does not count. So many empty lines before a
/// request are nothing (RFC 9112 section 2.2).
const EMPTY_LINES: u8 = 4;

/// How many bytes a head has that is nothing but its end.
const EMPTY_LINE: usize = 2;

impl Framer {
    /// Before the first request.
    pub fn new() -> Self {
        Self { place: State::Head(HeadScan::default()), empty_lines: 0 }
    }

    /// Whether the next byte belongs to the body of a request.
    pub fn is_in_body(&self) -> bool {
        !matches!(self.place, State::Head(_))
    }

    /// Takes the next request off the beginning of `bytes`, once its head is whole: the head and as
    /// much of the body as there is. What is left in `bytes` belongs to later requests.
    ///
    /// `bytes` must be those that were left the last time, and more.
    pub fn next(
        &mut self,
        bytes: &mut BytesMut,
        limits: &HeadLimits,
    ) -> Result<Option<BytesMut>, Rejection> {
        let State::Head(scan) = &mut self.place else { return Err(Rejection::Unreadable) };
        let Some(end) = scan.scan(bytes, limits)? else { return Ok(None) };
        if end == EMPTY_LINE {
            self.skip_empty_line(bytes)?;
            return self.next(bytes, limits);
        }
        let (head, rest) = bytes.split_at(end);
        let checked = framing::check(head, limits)?;
        let target = checked.target;
        let encoded = if target.is_plain() { None } else { Some(target.encoded()?) };
        self.place = State::after_head(checked.body);
        self.empty_lines = 0;
        // Of a body that is broken already nothing is passed on.
        let body = self.body(rest).map_err(|Broken| Rejection::Unreadable)?;
        let request = take(bytes, end + body);
        Ok(Some(match encoded {
            None => request,
            Some(target) => with_target(request, &target),
        }))
    }

    /// How many of `bytes` belong to the body of the request that was taken; the others, if there are,
    /// come after it.
    pub fn body(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let (count, is_over) = match &mut self.place {
            State::Head(_) => return Ok(0),
            State::Length(left) => {
                let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= count as u64;
                (count, *left == 0)
            }
            State::Chunks(chunks) => (chunks.follow(bytes)?, chunks.is_done()),
        };
        if is_over {
            self.place = State::Head(HeadScan::default());
        }
        Ok(count)
    }

    fn skip_empty_line(&mut self, bytes: &mut BytesMut) -> Result<(), Rejection> {
        if self.empty_lines == EMPTY_LINES {
            return Err(Rejection::Unreadable);
        }
        self.empty_lines += 1;
        self.place = State::Head(HeadScan::default());
        take(bytes, EMPTY_LINE);
        Ok(())
    }
}

/// The first `count` of `bytes`, without a copy. Where nothing is left, no buffer is: an idle
/// connection holds none.
pub(super) fn take(bytes: &mut BytesMut, count: usize) -> BytesMut {
    if count == bytes.len() { std::mem::take(bytes) } else { bytes.split_to(count) }
}

/// `request` with another target.
fn with_target(mut request: BytesMut, target: &[u8]) -> BytesMut {
    let mut words = request.splitn(3, |&byte| byte == b' ');
    let (method, _) = (words.next().unwrap_or_default(), words.next());
    let rest = words.next().unwrap_or_default();
    let mut rewritten = BytesMut::with_capacity(request.len() + target.len());
    for word in [method, target] {
        rewritten.put_slice(word);
        rewritten.put_u8(b' ');
    }
    rewritten.put_slice(rest);
    // There is a session's token in many a head, and this copy of it is not needed any more.
    request.zeroize();
    rewritten
}

impl State {
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
    use pingora::http::RequestHeader;
    use proptest::prelude::*;

    const LIMITS: HeadLimits =
        HeadLimits { bytes: 1024, fields: 10, target: 512, websockets: false };

    /// Follows `bytes` cut into pieces of `size`, as a connection would deliver them; returns the
    /// requests, and whether the last was refused.
    fn follow(bytes: &[u8], size: usize) -> (Vec<String>, bool) {
        let (mut framer, mut inbox) = (Framer::new(), BytesMut::new());
        let mut requests: Vec<BytesMut> = Vec::new();
        for piece in bytes.chunks(size) {
            inbox.extend_from_slice(piece);
            while !inbox.is_empty() {
                if framer.is_in_body() {
                    let Ok(count) = framer.body(&inbox) else {
                        requests.pop();
                        return (texts(&requests), true);
                    };
                    let body = take(&mut inbox, count);
                    requests.last_mut().expect("a head").extend_from_slice(&body);
                } else {
                    match framer.next(&mut inbox, &LIMITS) {
                        Ok(Some(request)) => requests.push(request),
                        Ok(None) => break,
                        Err(_) => return (texts(&requests), true),
                    }
                }
            }
        }
        (texts(&requests), false)
    }

    fn texts(requests: &[BytesMut]) -> Vec<String> {
        requests.iter().map(|request| String::from_utf8_lossy(request).into_owned()).collect()
    }

    const GET: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc";

    #[test]
    fn requests_follow_each_other() {
        let chunked =
            "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n";
        let good = [GET, POST, chunked, GET];
        for size in 1..50 {
            let requests = good.map(str::to_owned).to_vec();
            assert_eq!(follow(good.concat().as_bytes(), size), (requests, false), "{size}");
        }
        let smuggled = [POST, "x", GET].concat();
        let requests = vec![POST.to_owned(), format!("x{GET}")];
        assert_eq!(follow(smuggled.as_bytes(), 1000), (requests, false));
        let bad = [POST, "GET / HTTP/1.1\r\n\r\n"].concat();
        assert_eq!(follow(bad.as_bytes(), 1000), (vec![POST.to_owned()], true));
        let broken = [GET, &chunked.replace("\r\n0", "\r\nx")].concat();
        assert_eq!(follow(broken.as_bytes(), 1000), (vec![GET.to_owned()], true));
    }

    #[test]
    fn four_empty_lines_are_nothing() {
        for size in 1..20 {
            for lines in 0..8 {
                let text = [POST, &"\r\n".repeat(lines), GET, "\r\n\r\n", GET].concat();
                let fine = (vec![POST.to_owned(), GET.to_owned(), GET.to_owned()], false);
                let refused = (vec![POST.to_owned()], true);
                let expected = if lines <= 4 { fine } else { refused };
                assert_eq!(follow(text.as_bytes(), size), expected, "{lines} lines in {size}");
            }
        }
        for odd in ["\n", "\r\r\n", " \r\n", "\r\n\n", "\r\n \r\n"] {
            let (requests, is_refused) = follow([odd, GET].concat().as_bytes(), 1000);
            assert!(requests.is_empty() && is_refused, "{odd:?}: {requests:?}");
        }
    }

    #[test]
    fn a_query_is_encoded() {
        let (written, read) =
            (POST.replace("/ ", "/?q=\"\u{e9}\" "), POST.replace("/ ", "/?q=%22%C3%A9%22 "));
        for size in 1..50 {
            let requests = vec![read.clone(), GET.to_owned()];
            assert_eq!(follow([&written, GET].concat().as_bytes(), size), (requests, false));
        }
    }

    proptest! {
        /// However the network cuts a connection into pieces, it is read the same.
        #[test]
        fn pieces_do_not_matter(
            requests in proptest::collection::vec(
                "(\r\n){0,2}(GET|POST) /[a-z\"]{0,5} HTTP/1\\.1\r\nHost: h\r\n(Content-Length: [0-5]\r\n|Transfer-Encoding: chunked\r\n)?\r\n(abc|1\r\na\r\n0\r\n\r\n)?",
                1..4
            ),
            size in 1_usize..50,
        ) {
            let bytes = requests.concat().into_bytes();
            prop_assert_eq!(follow(&bytes, size), follow(&bytes, bytes.len()));
        }

        /// What is passed on Pingora can hold: it never has to say no by itself.
        #[test]
        fn pingora_takes_every_target(target in "(http://h(:80)?)?[/?a-z%{}|\\\\^\\[\\]'\"<>` é:@*-]{0,20}") {
            let head = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
            if let (requests, false) = follow(head.as_bytes(), head.len())
                && let Some(target) = requests.first().and_then(|head| head.split(' ').nth(1))
            {
                let request = RequestHeader::build("GET", target.as_bytes(), None).unwrap();
                prop_assert_eq!(request.raw_path(), target.as_bytes());
            }
        }
    }
}
