//! Strict parsing of chunked bodies, to know where they end (RFC 9112 section 7.1).

use super::framing::TOKEN;

/// Where in a chunked body we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the size of a chunk, of which so many digits were read.
    Size { size: u64, digits: u8 },
    /// In what may follow the size, so many bytes of it.
    Extension { size: u64, bytes: usize, part: Part },
    /// After the carriage return that ends the line of the size.
    SizeEnd { size: u64 },
    /// In the data, of which so much is left.
    Data(u64),
    /// After the data: before its carriage return, and after that.
    DataEnd { has_cr: bool },
    /// In the trailer, so many bytes of it.
    Trailer { bytes: usize, part: Line },
    /// After the end.
    Done,
}

/// Where in an extension (RFC 9112 section 7.1.1): `;name`, `;name=value`, `;name="value"`, and blanks
/// around `;` and `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Before the name.
    Start,
    Name,
    /// After a blank that follows the name.
    AfterName,
    /// After the equals sign.
    BeforeValue,
    Value,
    Quoted,
    /// After a backslash in quotes.
    Escaped,
    /// After the closing quote.
    Closed,
    /// After a blank that follows the value.
    AfterValue,
}

/// Where in a line of the trailer, which is written as a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Start,
    Name,
    Value,
    /// After a carriage return, which ends a field or, on an empty line, the body.
    End {
        is_last: bool,
    },
}

/// Follows a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunks(State);

/// The body is not chunked as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// The most bytes of extensions and trailers that are accepted. Pingora drops them.
const MOST_EXTENSION: usize = 256;
const MOST_TRAILER: usize = 4096;

impl Chunks {
    /// At the beginning of a body.
    pub const START: Self = Self(State::Size { size: 0, digits: 0 });

    /// Whether the body has ended.
    pub fn is_done(&self) -> bool {
        self.0 == State::Done
    }

    /// Follows `bytes`; returns how many of them belong to the body, which are all until its end.
    pub fn follow(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            if let State::Data(left) = self.0 {
                let rest = (bytes.len() - at) as u64;
                let taken = left.min(rest);
                at += usize::try_from(taken).map_err(|_| Broken)?;
                self.0 = match left - taken {
                    0 => State::DataEnd { has_cr: false },
                    left => State::Data(left),
                };
            } else {
                self.0 = self.0.step(bytes[at])?;
                at += 1;
            }
        }
        Ok(at)
    }
}

impl State {
    /// The place after one byte outside data.
    fn step(self, byte: u8) -> Result<Self, Broken> {
        match (self, byte) {
            (Self::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                // Fifteen digits cannot overflow, and nobody has more.
                let fits = digits < 15;
                let more = Self::Size { size: size * 16 + digit, digits: digits + 1 };
                if fits { Ok(more) } else { Err(Broken) }
            }
            (Self::Size { digits: 0, .. }, _) => Err(Broken),
            (Self::Size { size, .. }, b'\r') => Ok(Self::SizeEnd { size }),
            (Self::Size { size, .. }, b';') => {
                Ok(Self::Extension { size, bytes: 0, part: Part::Start })
            }
            (Self::Extension { size, part, .. }, b'\r') if part.may_end() => {
                Ok(Self::SizeEnd { size })
            }
            (Self::Extension { size, bytes, part }, _) if bytes < MOST_EXTENSION => {
                Ok(Self::Extension { size, bytes: bytes + 1, part: part.step(byte)? })
            }
            (Self::SizeEnd { size: 0 }, b'\n') => Ok(Self::Trailer { bytes: 0, part: Line::Start }),
            (Self::SizeEnd { size }, b'\n') => Ok(Self::Data(size)),
            (Self::DataEnd { has_cr: false }, b'\r') => Ok(Self::DataEnd { has_cr: true }),
            (Self::DataEnd { has_cr: true }, b'\n') => Ok(Self::Size { size: 0, digits: 0 }),
            (Self::Trailer { part: Line::End { is_last: true }, .. }, b'\n') => Ok(Self::Done),
            (Self::Trailer { bytes, part }, _) if bytes < MOST_TRAILER => {
                Ok(Self::Trailer { bytes: bytes + 1, part: part.step(byte)? })
            }
            _ => Err(Broken),
        }
    }
}

impl Part {
    /// Whether the extension may end here.
    fn may_end(self) -> bool {
        matches!(self, Self::Name | Self::Value | Self::Closed)
    }

    /// The part after one byte, which is no return.
    fn step(self, byte: u8) -> Result<Self, Broken> {
        let is_of_token = TOKEN[usize::from(byte)];
        match (self, byte) {
            (Self::Start | Self::Name, _) if is_of_token => Ok(Self::Name),
            (Self::BeforeValue | Self::Value, _) if is_of_token => Ok(Self::Value),
            (
                Self::Start | Self::AfterName | Self::BeforeValue | Self::AfterValue,
                b' ' | b'\t',
            ) => Ok(self),
            (Self::Name, b' ' | b'\t') => Ok(Self::AfterName),
            (Self::Value | Self::Closed, b' ' | b'\t') => Ok(Self::AfterValue),
            (Self::Name | Self::AfterName, b'=') => Ok(Self::BeforeValue),
            (Self::Quoted, b'\\') => Ok(Self::Escaped),
            (Self::Quoted, b'"') => Ok(Self::Closed),
            (Self::BeforeValue, b'"') | (Self::Quoted | Self::Escaped, b'\t' | 0x20..=0x7e) => {
                Ok(Self::Quoted)
            }
            (
                Self::Name | Self::AfterName | Self::Value | Self::Closed | Self::AfterValue,
                b';',
            ) => Ok(Self::Start),
            _ => Err(Broken),
        }
    }
}

impl Line {
    /// The place after one byte, but for the last.
    fn step(self, byte: u8) -> Result<Self, Broken> {
        match (self, byte) {
            (Self::Start, b'\r') => Ok(Self::End { is_last: true }),
            (Self::Start | Self::Name, _) if TOKEN[usize::from(byte)] => Ok(Self::Name),
            (Self::Value, b'\r') => Ok(Self::End { is_last: false }),
            (Self::Name, b':') | (Self::Value, b'\t' | 0x20..=0x7e | 0x80..) => Ok(Self::Value),
            (Self::End { is_last: false }, b'\n') => Ok(Self::Start),
            _ => Err(Broken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn follow(text: &str) -> Result<(usize, bool), Broken> {
        let mut chunks = Chunks::START;
        chunks.follow(text.as_bytes()).map(|taken| (taken, chunks.is_done()))
    }

    #[test]
    fn the_end_is_found() {
        for (body, rest) in [
            ("0\r\n\r\n", "GET /"),
            ("3\r\nabc\r\n0\r\n\r\n", ""),
            ("A;x=y\r\n0123456789\r\n00\r\nT: v\r\nU:\r\n\r\n", "x"),
            ("0;a\r\n\r\n", ""),
            ("0;a;b=c;d=\"e;\\\" f\";g\r\n\r\n", ""),
            ("0; a \t= b ; c = \"\" ;d\r\n\r\n", ""),
        ] {
            assert_eq!(follow(&format!("{body}{rest}")), Ok((body.len(), true)), "{body:?}");
        }
        assert_eq!(follow("3\r\nab"), Ok((5, false)));
    }

    #[test]
    fn what_is_not_chunked_is_broken() {
        let long = format!("1;{}\r\n", "x".repeat(300));
        for text in [
            "\r\n",
            "+5\r\n",
            "-1\r\n",
            "0x5\r\n",
            " 5\r\n",
            "5 \r\n",
            "g\r\n",
            "5\n",
            "5\rx",
            ";\r\n",
            "fffffffffffffffff\r\n",
            "3\r\nabcd",
            "3\r\nabc\n",
            "3\r\nabc\r0",
            "0\r\nT: v\n",
            "0\r\n\0",
            "1;\0\r\n",
            "0\r\n\rx",
            "0\r\nT\r\n",
            "0\r\n: v\r\n",
            "0\r\n v\r\n",
            "0\r\nT : v\r\n",
            "0\r\nT: v\r\n w\r\n",
            "0\r\nGET / HTTP/1.1\r\n",
            "1;\r\n",
            "1; \r\n",
            "1;;\r\n",
            "1;a;\r\n",
            "1;=\r\n",
            "1;=b\r\n",
            "1;a=\r\n",
            "1;a= \r\n",
            "1;a \r\n",
            "1;a b\r\n",
            "1;a=b c\r\n",
            "1;a==b\r\n",
            "1;a=b=c\r\n",
            "1;a=\"b\r\n",
            "1;a=\"b\\\r\n",
            "1;a=\"b\"c\r\n",
            "1;a=b\"\r\n",
            "1;\"a\"\r\n",
            "1;a,b\r\n",
            "1;a/b\r\n",
            "1;(a)\r\n",
            "1;\u{e9}\r\n",
            &long,
        ] {
            assert_eq!(follow(text), Err(Broken), "{text:?}");
        }
    }

    proptest! {
        /// Whatever the pieces in which a body arrives, its end is the same.
        #[test]
        fn pieces_do_not_matter(
            data in proptest::collection::vec("[a-z\r\n]{1,20}", 0..5),
            cut in 0_usize..40,
        ) {
            let chunk = |chunk: &String| format!("{:x}\r\n{chunk}\r\n", chunk.len());
            let body = data.iter().map(chunk).collect::<Vec<_>>().concat() + "0\r\n\r\n";
            let text = format!("{body}next");
            let mut chunks = Chunks::START;
            let (first, second) = text.as_bytes().split_at(cut.min(text.len()));
            let taken = chunks.follow(first).unwrap();
            let taken = taken + if taken == first.len() { chunks.follow(second).unwrap() } else { 0 };
            prop_assert_eq!((taken, chunks.is_done()), (body.len(), true));
        }

        #[test]
        fn following_is_total(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Chunks::START.clone().follow(&bytes);
        }
    }
}
