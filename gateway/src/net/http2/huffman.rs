//! The Huffman code of HTTP/2 (RFC 7541 appendix B), read bit by bit.

/// Reads one text.
#[derive(Clone, Copy, Debug, Default)]
pub struct Huffman {
    /// The bits of the character that is being read, and how many they are.
    code: u32,
    length: usize,
}

/// The text is not in this code.
pub struct NoSuchCode;

impl Huffman {
    /// Takes the next bit; the character that ends with it, if one does.
    pub fn bit(&mut self, bit: bool) -> Result<Option<u8>, NoSuchCode> {
        self.code = self.code << 1 | u32::from(bit);
        self.length += 1;
        if self.length > LONGEST {
            return Err(NoSuchCode);
        }
        let place = self.code.wrapping_sub(CODE.first[self.length]);
        if place >= CODE.count[self.length] {
            return Ok(None);
        }
        let character = CODE.characters[CODE.offset[self.length] + place as usize];
        *self = Self::default();
        Ok(Some(character))
    }
}

const LONGEST: usize = 30;

/// How many bits each character has. The shorter a code, and the lower the character, the lower its
/// bits: they follow from the lengths.
const LENGTHS: [u8; 256] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
];

/// The code by the lengths of its characters.
struct Code {
    /// All characters, those with the shortest codes first.
    characters: [u8; 256],
    /// Where those of a length begin among them, how many they are, and the code of the first.
    offset: [usize; LONGEST + 1],
    count: [u32; LONGEST + 1],
    first: [u32; LONGEST + 1],
}

static CODE: Code = {
    let mut code = Code {
        characters: [0; 256],
        offset: [0; LONGEST + 1],
        count: [0; LONGEST + 1],
        first: [0; LONGEST + 1],
    };
    let (mut length, mut next, mut filled) = (1, 0, 0);
    while length <= LONGEST {
        next <<= 1;
        code.offset[length] = filled;
        code.first[length] = next;
        let mut character = 0_u8;
        loop {
            if LENGTHS[character as usize] as usize == length {
                code.characters[filled] = character;
                filled += 1;
                next += 1;
            }
            if character == u8::MAX {
                break;
            }
            character += 1;
        }
        code.count[length] = next - code.first[length];
        length += 1;
    }
    code
};
