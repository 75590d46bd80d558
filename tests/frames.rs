use std::collections::BTreeMap;
use std::io::{Read, Write};

use crate::secure::{SecureGateway, SecureStream, connect};
use crate::support::*;

/// Kinds of frames (RFC 9113 section 6).
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Flags of frames; `ACK` is that of SETTINGS and PING.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A field of a head, as it is written.
pub(crate) type Field<'a> = (&'a str, &'a str);

/// One frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A block of fields, each byte for byte, without compression: whatever a client could write.
pub(crate) fn block(fields: &[Field<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        // A literal, never indexed.
        bytes.push(0x10);
        for text in [latin_1(name), latin_1(value)] {
            integer(&mut bytes, text.len());
            bytes.extend(text);
        }
    }
    bytes
}

/// The bytes of a text in which each character is one.
fn latin_1(text: &str) -> Vec<u8> {
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

/// A length in seven bits and more (RFC 7541 section 5.1).
fn integer(bytes: &mut Vec<u8>, value: usize) {
    let Some(mut rest) = value.checked_sub(127) else {
        return bytes.push(u8::try_from(value).unwrap());
    };
    bytes.push(127);
    while rest >= 128 {
        bytes.push(u8::try_from(rest % 128).unwrap() | 128);
        rest /= 128;
    }
    bytes.push(u8::try_from(rest).unwrap());
}

/// A frame that came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// How a stream ended.
#[derive(Debug)]
pub(crate) enum End {
    /// With an answer.
    Answered(Answer),
    /// It was reset, for this reason.
    Reset(u32),
    /// The connection is gone.
    Gone,
}

impl End {
    pub(crate) fn answer(self) -> Answer {
        match self {
            Self::Answered(answer) => answer,
            other => panic!("no answer: {other:?}"),
        }
    }

    /// Whether the request was told to be none, or not to be allowed.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Answered(answer) => (400..500).contains(&answer.status),
            Self::Reset(_) | Self::Gone => true,
        }
    }
}

/// A connection that speaks HTTP/2, and whatever else it is told to.
pub(crate) struct Connection {
    stream: SecureStream,
    next: u32,
    decoder: httlib_hpack::Decoder<'static>,
}

impl Connection {
    /// Shakes hands, with these settings (identifier and value).
    pub(crate) fn open(secure: &SecureGateway, settings: &[(u16, u32)]) -> Self {
        let settings: Vec<u8> = settings
            .iter()
            .flat_map(|(name, value)| [&name.to_be_bytes()[..], &value.to_be_bytes()].concat())
            .collect();
        Self::open_with(secure, &[PREFACE, &frame(SETTINGS, 0, 0, &settings)].concat())
    }

    /// Shakes hands as far as TLS goes, and begins with these bytes.
    pub(crate) fn open_with(secure: &SecureGateway, bytes: &[u8]) -> Self {
        let protocols: &[&[u8]] = &[b"h2"];
        let roots = secure.authority.roots();
        let stream = connect(secure.https, roots, protocols, rustls::ALL_VERSIONS).unwrap();
        let mut connection = Self { stream, next: 1, decoder: httlib_hpack::Decoder::default() };
        connection.write(bytes);
        connection
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert!(self.try_write(bytes), "the connection takes what is written");
    }

    /// Writes, if the other side still takes it.
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).and_then(|()| self.stream.flush()).is_ok()
    }

    /// The number of a new stream.
    pub(crate) fn next_stream(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// Sends a head and, if there is one, a body; returns the stream.
    pub(crate) fn send(&mut self, fields: &[Field<'_>], body: Option<&[u8]>) -> u32 {
        let stream = self.next_stream();
        let ends = if body.is_none() { END_STREAM } else { 0 };
        let head = frame(HEADERS, END_HEADERS | ends, stream, &block(fields));
        let body = body.map(|body| frame(DATA, END_STREAM, stream, body)).unwrap_or_default();
        // A head that is refused may end the connection: what comes of it is read.
        self.try_write(&[head, body].concat());
        stream
    }

    /// Sends a request without a body and reads its answer.
    pub(crate) fn ask(&mut self, method: &str, path: &str, fields: &[Field<'_>]) -> Answer {
        let stream = self.send(&[&head(method, path)[..], fields].concat(), None);
        self.finish(stream).answer()
    }

    /// The next frame; `None` when there are no more.
    pub(crate) fn read(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        if let Err(error) = self.stream.read_exact(&mut head) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "neither a frame nor the end");
            return None;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Reads until `stream` has ended, and acknowledges what must be. The window of the connection
    /// is opened again by as much as came. Trailers are after the headers.
    pub(crate) fn finish(&mut self, stream: u32) -> End {
        let mut answer: Option<Answer> = None;
        while let Some(frame) = self.read() {
            self.acknowledge(&frame);
            let fields = (frame.kind == HEADERS).then(|| self.decode(&frame.payload));
            if frame.stream != stream {
                continue;
            }
            match (frame.kind, fields) {
                (HEADERS, Some(headers)) => match &mut answer {
                    None => answer = Some(answer_of(headers)),
                    Some(answer) => answer.headers.extend(headers),
                },
                (DATA, _) => {
                    let body = &mut answer.as_mut().expect("a head before the body").body;
                    body.extend(&frame.payload);
                    let more = u32::try_from(frame.payload.len()).unwrap().to_be_bytes();
                    if frame.payload.is_empty() {
                        // Nothing to make room for.
                    } else {
                        self.try_write(&self::frame(WINDOW_UPDATE, 0, 0, &more));
                        self.try_write(&self::frame(WINDOW_UPDATE, 0, stream, &more));
                    }
                }
                (RST_STREAM, _) => {
                    // After a whole answer it only says that the rest of the request is not wanted.
                    let reason = u32::from_be_bytes(frame.payload[..4].try_into().unwrap());
                    return answer.map_or(End::Reset(reason), End::Answered);
                }
                _ => {}
            }
            if let (HEADERS | DATA, END_STREAM) = (frame.kind, frame.flags & END_STREAM) {
                return End::Answered(answer.expect("a head before the end"));
            }
        }
        End::Gone
    }

    /// Answers what must be answered.
    pub(crate) fn acknowledge(&mut self, frame: &Frame) {
        let payload = match frame.kind {
            SETTINGS => &[][..],
            PING => &frame.payload,
            _ => return,
        };
        if frame.flags & ACK == 0 {
            self.try_write(&self::frame(frame.kind, ACK, 0, payload));
        }
    }

    /// Reads until each of `streams` has ended with an answer, in whatever order; returns the answers
    /// in that of `streams`. The bodies must fit into the windows.
    pub(crate) fn answers(&mut self, streams: &[u32]) -> Vec<Answer> {
        let mut answers: BTreeMap<u32, Answer> = BTreeMap::new();
        let mut open = streams.len();
        while open > 0 {
            let frame = self.read().expect("an answer on every stream");
            match frame.kind {
                SETTINGS if frame.flags & ACK == 0 => {
                    self.try_write(&self::frame(SETTINGS, ACK, 0, &[]));
                }
                HEADERS => {
                    let answer = answer_of(self.decode(&frame.payload));
                    assert!(answers.insert(frame.stream, answer).is_none(), "two heads: {frame:?}");
                }
                DATA => {
                    let answer = answers.get_mut(&frame.stream).expect("a head before the body");
                    answer.body.extend(&frame.payload);
                }
                RST_STREAM | GOAWAY => panic!("{frame:?}"),
                _ => {}
            }
            if let (HEADERS | DATA, END_STREAM) = (frame.kind, frame.flags & END_STREAM) {
                open -= 1;
            }
        }
        streams.iter().map(|stream| answers.remove(stream).expect("an answer")).collect()
    }

    /// Reads until the connection ends, and returns the reason of the last GOAWAY.
    pub(crate) fn goes_away(&mut self) -> Option<u32> {
        let mut reason = None;
        while let Some(frame) = self.read() {
            self.acknowledge(&frame);
            if frame.kind == GOAWAY {
                reason = Some(u32::from_be_bytes(frame.payload[4..8].try_into().unwrap()));
            }
        }
        reason
    }

    fn decode(&mut self, block: &[u8]) -> Vec<(String, String)> {
        let (mut block, mut fields) = (block.to_vec(), Vec::new());
        self.decoder.decode(&mut block, &mut fields).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        fields.into_iter().map(|(name, value, _)| (text(name), text(value))).collect()
    }
}

fn answer_of(fields: Vec<(String, String)>) -> Answer {
    let (pseudo, headers): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|(name, _)| name.starts_with(':'));
    Answer { status: pseudo[0].1.parse().unwrap(), headers, body: Vec::new() }
}

/// The first fields of an ordinary request.
pub(crate) fn head<'a>(method: &'a str, path: &'a str) -> [Field<'a>; 4] {
    [(":method", method), (":scheme", "https"), (":authority", "gateway.test"), (":path", path)]
}
