//! Bytes as hex digits, two for each.

/// Lower-case digits.
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The digits of `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from(DIGITS[usize::from(digit)]));
        }
    }
    hex
}

/// The digits of four bytes, without taking memory.
pub fn of_four(bytes: [u8; 4]) -> [u8; 8] {
    let bits = u32::from_be_bytes(bytes);
    std::array::from_fn(|place| DIGITS[(bits >> (28 - 4 * place) & 15) as usize])
}

/// The bytes whose digits those are; `None` if they are not what [`encode`] writes.
pub fn decode(hex: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let byte = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
    hex.chunks(2).map(byte).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digits_are_of_their_bytes() {
        assert_eq!(encode(&[0, 10, 255]), "000aff");
        for wrong in ["0", "0g", "0A", "é", "0x00"] {
            assert_eq!(decode(wrong.as_bytes()), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn bytes_survive_their_digits(bytes: Vec<u8>) {
            prop_assert_eq!(decode(encode(&bytes).as_bytes()), Some(bytes));
        }

        #[test]
        fn reading_digits_is_total(hex: Vec<u8>) {
            let _ = decode(&hex);
        }
    }
}
