//! HTTP/2 frames that hold header fields (RFC 9113 section 4).

use super::hpack::{Blocks, Broken};

/// Follows one connection from its first byte.
#[derive(Debug, Default)]
pub struct Frames {
    place: State,
    blocks: Blocks,
    /// Nothing can be said of it any more.
    is_broken: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In what a client says first, of which so much is left.
    Preface(usize),
    /// In the nine bytes before a frame.
    Head { bytes: [u8; HEAD], count: usize },
    /// In what stands before a block of fields.
    BeforeBlock { frame: Frame, bytes: [u8; 6], count: usize },
    /// In a block of fields, of which so much is left, and after it padding.
    Block { left: usize, padding: usize, is_last: bool },
    /// In what need not be looked at.
    Skipped(usize),
}

/// A frame that has a block of fields.
#[derive(Clone, Copy, Debug)]
struct Frame {
    length: usize,
    stream: u32,
    is_last: bool,
    is_padded: bool,
    has_priority: bool,
}

/// What a client of HTTP/2 says first (section 3.4), in bytes.
const PREFACE: usize = 24;

const HEAD: usize = 9;

/// Kinds of frames with fields that a client may send, and their flags.
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

impl Default for State {
    fn default() -> Self {
        Self::Preface(PREFACE)
    }
}

impl Frames {
    /// Whether the client has not said yet that it speaks HTTP/2.
    pub fn is_in_preface(&self) -> bool {
        matches!(self.place, State::Preface(_))
    }

    /// Whether nothing more may be passed on: what came last cannot be followed, and whoever reads it
    /// cannot either and says so.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Follows `bytes`; changes those that may not be passed on as they are.
    pub fn follow(&mut self, bytes: &mut [u8]) {
        if !self.is_broken {
            self.is_broken = self.try_follow(bytes).is_err();
        }
    }

    fn try_follow(&mut self, mut bytes: &mut [u8]) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let taken = self.step(bytes)?;
            bytes = &mut bytes[taken..];
        }
        Ok(())
    }

    /// Follows some of the `bytes`, of which there are; returns how many. None where a place has ended.
    fn step(&mut self, bytes: &mut [u8]) -> Result<usize, Broken> {
        let (place, taken) = match self.place {
            State::Preface(left) => match skip(left, bytes) {
                (0, taken) => (State::HEAD, taken),
                (left, taken) => (State::Preface(left), taken),
            },
            State::Skipped(left) => match skip(left, bytes) {
                (0, taken) => (State::HEAD, taken),
                (left, taken) => (State::Skipped(left), taken),
            },
            State::Head { count: 0, .. } if let Some(head) = bytes.first_chunk() => {
                (State::in_frame(*head), HEAD)
            }
            State::Head { bytes: mut head, count } => {
                head[count] = bytes[0];
                let is_whole = count + 1 == HEAD;
                let next = || State::Head { bytes: head, count: count + 1 };
                (if is_whole { State::in_frame(head) } else { next() }, 1)
            }
            State::BeforeBlock { frame, count, .. } if count == frame.before_block() => {
                (frame.block(self.place)?, 0)
            }
            State::BeforeBlock { frame, bytes: mut before, count } => {
                before[count] = bytes[0];
                (State::BeforeBlock { frame, bytes: before, count: count + 1 }, 1)
            }
            State::Block { left: 0, padding, is_last } => {
                if is_last && self.blocks.is_in_field() {
                    return Err(Broken);
                }
                (State::Skipped(padding), 0)
            }
            State::Block { left, padding, is_last } => {
                let count = left.min(bytes.len());
                self.blocks.follow(&mut bytes[..count])?;
                (State::Block { left: left - count, padding, is_last }, count)
            }
        };
        self.place = place;
        Ok(taken)
    }
}

/// How much is left of `left` bytes after `bytes`, and how many of these they took.
fn skip(left: usize, bytes: &[u8]) -> (usize, usize) {
    let taken = left.min(bytes.len());
    (left - taken, taken)
}

impl State {
    const HEAD: Self = Self::Head { bytes: [0; HEAD], count: 0 };

    fn in_frame(head: [u8; HEAD]) -> Self {
        let [a, b, c, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        let frame = Frame {
            length,
            stream: u32::from_be_bytes(stream) & STREAM,
            is_last: flags & END_HEADERS != 0,
            is_padded: kind == HEADERS && flags & PADDED != 0,
            has_priority: kind == HEADERS && flags & PRIORITY != 0,
        };
        match kind {
            HEADERS | CONTINUATION => Self::BeforeBlock { frame, bytes: [0; 6], count: 0 },
            _ => Self::Skipped(length),
        }
    }
}

/// The bits of a stream's number.
const STREAM: u32 = 0x7fff_ffff;

impl Frame {
    /// How many bytes stand before the block.
    fn before_block(&self) -> usize {
        usize::from(self.is_padded) + if self.has_priority { 5 } else { 0 }
    }

    /// The place after what stands before the block.
    fn block(&self, place: State) -> Result<State, Broken> {
        let State::BeforeBlock { bytes, .. } = place else { return Err(Broken) };
        let padding = if self.is_padded { usize::from(bytes[0]) } else { 0 };
        let rest = self.length.checked_sub(self.before_block()).ok_or(Broken)?;
        let left = rest.checked_sub(padding).ok_or(Broken)?;
        if self.has_priority {
            let at = usize::from(self.is_padded);
            let on = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
            if u32::from_be_bytes(on) & STREAM == self.stream {
                // A stream that waits for itself is reset without a look at its fields.
                return Ok(State::Skipped(rest));
            }
        }
        Ok(State::Block { left, padding, is_last: self.is_last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    /// A literal path, never for the table.
    fn path(path: &str) -> Vec<u8> {
        [&[0x14, u8::try_from(path.len()).unwrap()], path.as_bytes()].concat()
    }

    /// What is left of `frames` after a preface, cut into pieces of every size.
    fn follow(frames: &[Vec<u8>]) -> (Vec<u8>, bool) {
        let whole = [&[b'P'; PREFACE][..], &frames.concat()].concat();
        let in_pieces = |size: usize| {
            let (mut bytes, mut followed) = (whole.clone(), Frames::default());
            for piece in bytes.chunks_mut(size) {
                followed.follow(piece);
            }
            (bytes[PREFACE..].to_vec(), followed.is_broken())
        };
        let at_once = in_pieces(whole.len());
        for size in 1..whole.len() {
            assert_eq!(in_pieces(size).1, at_once.1, "{size}");
            assert!(at_once.1 || in_pieces(size).0 == at_once.0, "{size}");
        }
        at_once
    }

    #[test]
    fn fields_are_found_in_frames() {
        let (odd, clean) = (path("/a#b"), path("/a>b"));
        let padded = |path: &[u8]| [&[2], path, b"##"].concat();
        let weighted = |path: &[u8]| [&[0, 0, 0, 3, 9], path].concat();
        let both = |path: &[u8]| [&[1, 0x80, 0, 0, 3, 9], path, b"#"].concat();
        for (flags, block) in [
            (END_HEADERS, &(|path: &[u8]| path.to_vec()) as &dyn Fn(&[u8]) -> Vec<u8>),
            (END_HEADERS | PADDED, &padded),
            (END_HEADERS | PRIORITY, &weighted),
            (END_HEADERS | PADDED | PRIORITY, &both),
        ] {
            let data = frame(0, PADDED, b"####");
            let written = |path| [data.clone(), frame(HEADERS, flags, &block(path)), data.clone()];
            assert_eq!(follow(&written(&odd)), (written(&clean).concat(), false), "{flags}");
        }
        for cut in 0..=odd.len() {
            let written = |path: &[u8]| {
                let (start, end) = path.split_at(cut);
                [frame(HEADERS, 0, start), frame(CONTINUATION, END_HEADERS, end)]
            };
            assert_eq!(follow(&written(&odd)), (written(&clean).concat(), false), "{cut}");
        }
    }

    #[test]
    fn what_is_no_frame_is_the_last() {
        let fine = frame(HEADERS, END_HEADERS, &path("/"));
        for odd in [
            frame(HEADERS, END_HEADERS | PADDED, &[9, 1, 1]),
            frame(HEADERS, END_HEADERS | PADDED, &[]),
            frame(HEADERS, END_HEADERS | PRIORITY, &[0, 0, 0]),
            frame(HEADERS, END_HEADERS, &[0x14, 9, b'/']),
            frame(HEADERS, END_HEADERS, &[0x7f, 0xff, 0xff, 0xff, 0xff, 0xff]),
            frame(HEADERS, END_HEADERS, &[0x7f, 0x20]),
            frame(HEADERS, END_HEADERS, &[0x3f, 0xe2, 0x1f]),
        ] {
            assert!(follow(&[fine.clone(), odd.clone(), fine.clone(), fine.clone()]).1, "{odd:?}");
        }
        let itself =
            frame(HEADERS, END_HEADERS | PRIORITY, &[&[0, 0, 0, 1, 9], &*path("/#")].concat());
        assert_eq!(follow(&[itself.clone(), fine.clone()]), ([itself, fine].concat(), false));
    }
}
