//! HPACK (RFC 7541), read for one purpose: to find a `#` in a path.
//!
//! The `http` crate cuts a path at a `#`, before Pingora or anybody else sees it, and what is left would
//! be another request than the client's. So the `#` becomes a `>` here, which is as long in either
//! spelling and stands in no URI: such a request is reset as malformed. All else stays as it is.

use std::collections::VecDeque;

use super::huffman::Huffman;

/// Follows the blocks of one connection, which share a table.
#[derive(Debug, Default)]
pub struct Blocks {
    place: State,
    table: DynamicTable,
}

/// No block is written like this: nothing can be said of what follows.
#[derive(Debug)]
pub struct Broken;

#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Before a field.
    #[default]
    Start,
    /// In a number that did not fit its first byte.
    Number { what: Number, value: u32, shift: u32 },
    /// Before a name (`None`), or before the value of a name.
    BeforeText { is_kept: bool, name: Option<Name> },
    /// In a name or a value, of which so many bytes are left.
    Text { text: Text, left: u32 },
}

/// What a number counts.
#[derive(Clone, Copy, Debug)]
enum Number {
    /// A field of the table.
    Field,
    /// The room in the table.
    Room,
    /// A name of the table.
    Name { is_kept: bool },
    /// The bytes of a text.
    Bytes(Text),
}

/// A name or a value that is being read.
#[derive(Clone, Copy, Debug)]
struct Text {
    /// Whether the field is for the table.
    is_kept: bool,
    /// The name that it is the value of; `None` if it is a name itself.
    name: Option<Name>,
    huffman: Option<Huffman>,
    /// How many characters it had so far, and whether they are those of [`PATH`].
    length: u32,
    begins_path: bool,
}

/// What is kept of a name.
#[derive(Clone, Copy, Debug)]
struct Name {
    length: u32,
    is_path: bool,
}

const PATH: &[u8] = b":path";

impl Blocks {
    /// Whether a field has begun and not ended.
    pub fn is_in_field(&self) -> bool {
        !matches!(self.place, State::Start)
    }

    /// Follows the next bytes of a block, and changes those that end a `#` in a path.
    pub fn follow(&mut self, mut bytes: &mut [u8]) -> Result<(), Broken> {
        while let Some(byte) = bytes.first_mut() {
            let taken = match self.place {
                State::Text { text, left } if text.is_opaque() => {
                    self.skip(text, left, bytes.len())
                }
                _ => self.step(byte).map(|()| 1)?,
            };
            bytes = &mut bytes[taken..];
        }
        Ok(())
    }

    /// Passes over an opaque text, of which so much is left and so much has come; returns how much that was.
    fn skip(&mut self, mut text: Text, left: u32, come: usize) -> usize {
        let taken = left.min(u32::try_from(come).unwrap_or(u32::MAX));
        text.length += taken;
        self.place = self.text(text, left - taken);
        taken as usize
    }

    /// Follows one byte.
    fn step(&mut self, byte: &mut u8) -> Result<(), Broken> {
        self.place = match self.place {
            State::Start => self.start(*byte)?,
            State::Number { what, value, shift } => {
                let value = value + (u32::from(*byte & 0x7f) << shift);
                match (*byte & 0x80, shift) {
                    (0, _) => self.number(what, value)?,
                    // Whoever reads it afterwards takes no more either.
                    (_, 21) => return Err(Broken),
                    _ => State::Number { what, value, shift: shift + 7 },
                }
            }
            State::BeforeText { is_kept, name } => {
                let huffman = (*byte & 0x80 != 0).then(Huffman::default);
                let text = Text { is_kept, name, huffman, length: 0, begins_path: true };
                self.prefix(Number::Bytes(text), *byte, 7)?
            }
            State::Text { mut text, left } => {
                text.follow(byte)?;
                self.text(text, left - 1)
            }
        };
        Ok(())
    }

    /// The first byte of a field.
    fn start(&mut self, byte: u8) -> Result<State, Broken> {
        match byte {
            0x80.. => self.prefix(Number::Field, byte, 7),
            0x40.. => self.prefix(Number::Name { is_kept: true }, byte, 6),
            0x20.. => self.prefix(Number::Room, byte, 5),
            _ => self.prefix(Number::Name { is_kept: false }, byte, 4),
        }
    }

    /// A number that begins in the last `bits` of `byte`.
    fn prefix(&mut self, what: Number, byte: u8, bits: u32) -> Result<State, Broken> {
        let most = (1 << bits) - 1;
        match u32::from(byte) & most {
            value if value == most => Ok(State::Number { what, value, shift: 0 }),
            value => self.number(what, value),
        }
    }

    fn number(&mut self, what: Number, value: u32) -> Result<State, Broken> {
        match what {
            // Its value has been looked at when it came into the table.
            Number::Field => Ok(State::Start),
            Number::Room => self.table.resize(value).map(|()| State::Start),
            Number::Name { is_kept } => {
                let name = if value == 0 { None } else { Some(self.table.name(value)?) };
                Ok(State::BeforeText { is_kept, name })
            }
            Number::Bytes(text) => Ok(self.text(text, value)),
        }
    }

    /// A text of which so many bytes are left, none perhaps.
    fn text(&mut self, text: Text, left: u32) -> State {
        match (left, text.name) {
            (1.., _) => State::Text { text, left },
            (0, None) => State::BeforeText { is_kept: text.is_kept, name: Some(text.as_name()) },
            (0, Some(name)) => {
                if text.is_kept {
                    self.table.insert(name, text.length);
                }
                State::Start
            }
        }
    }
}

impl Text {
    /// Whether nothing in it matters but, for the table, its length. In Huffman's code that is not how many
    /// bytes it has.
    fn is_opaque(&self) -> bool {
        let is_value = self.name.is_some_and(|name| !name.is_path);
        is_value && (self.huffman.is_none() || !self.is_kept)
    }

    fn follow(&mut self, byte: &mut u8) -> Result<(), Broken> {
        let Some(mut huffman) = self.huffman else {
            if self.character(*byte) {
                *byte = b'>';
            }
            return Ok(());
        };
        for place in (0..8).rev() {
            let bit = 1 << place;
            let character = huffman.bit(*byte & bit != 0).map_err(|_| Broken)?;
            if character.is_some_and(|character| self.character(character)) {
                // The code of `>` is the next after that of `#`: they differ in their last bit.
                *byte |= bit;
            }
        }
        self.huffman = Some(huffman);
        Ok(())
    }

    /// Counts a character; whether it begins a fragment.
    fn character(&mut self, character: u8) -> bool {
        let expected = PATH.get(self.length as usize);
        self.begins_path = self.begins_path && expected == Some(&character);
        self.length += 1;
        character == b'#' && self.name.is_some_and(|name| name.is_path)
    }

    fn as_name(&self) -> Name {
        let is_path = self.begins_path && self.length as usize == PATH.len();
        Name { length: self.length, is_path }
    }
}

/// The fields that later ones may refer to: of their texts only how long they are.
#[derive(Debug)]
struct DynamicTable {
    /// Names of fields, and the room that these take; the latest first.
    fields: VecDeque<(Name, u32)>,
    taken: u32,
    room: u32,
}

/// The room that there is at first and at most: what is said nothing of in our settings.
const ROOM: u32 = 4096;

/// What a field takes besides its texts.
const FIELD: u32 = 32;

/// How long the names are that every table begins with (appendix A), of which two are paths.
const NAMES: [u8; 61] = [
    10, 7, 7, 5, 5, 7, 7, 7, 7, 7, 7, 7, 7, 7, 14, 15, 15, 13, 6, 27, 3, 5, 13, 13, 19, 16, 16, 14,
    16, 13, 12, 6, 4, 4, 6, 7, 4, 4, 8, 17, 13, 8, 19, 13, 4, 8, 12, 18, 19, 5, 7, 7, 11, 6, 10,
    25, 17, 10, 4, 3, 16,
];

impl Default for DynamicTable {
    fn default() -> Self {
        Self { fields: VecDeque::new(), taken: 0, room: ROOM }
    }
}

impl DynamicTable {
    /// The name number `index`, from 1.
    fn name(&self, index: u32) -> Result<Name, Broken> {
        let at = index as usize - 1;
        match NAMES.get(at) {
            Some(&length) => Ok(Name { length: length.into(), is_path: matches!(index, 4 | 5) }),
            None => self.fields.get(at - NAMES.len()).map(|(name, _)| *name).ok_or(Broken),
        }
    }

    fn insert(&mut self, name: Name, value: u32) {
        let size = name.length.saturating_add(value).saturating_add(FIELD);
        self.make_room(size);
        if size <= self.room {
            self.fields.push_front((name, size));
            self.taken += size;
        }
    }

    fn resize(&mut self, room: u32) -> Result<(), Broken> {
        if room > ROOM {
            return Err(Broken);
        }
        self.room = room;
        self.make_room(0);
        Ok(())
    }

    fn make_room(&mut self, size: u32) {
        while self.taken.saturating_add(size) > self.room
            && let Some((_, oldest)) = self.fields.pop_back()
        {
            self.taken -= oldest;
        }
    }
}

#[cfg(test)]
mod tests;
