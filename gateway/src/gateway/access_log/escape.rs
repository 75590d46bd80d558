//! What clients make up, as it is logged.

use std::borrow::Cow;
use std::io::Write;

/// What is logged of anything that a client makes up.
const MOST_BYTES: usize = 1024;

/// `text` with everything but visible ASCII percent-encoded: no client can end the line, add a
/// field to it, or turn a terminal's colours on. Beyond `MOST_BYTES` it is cut, and how many bytes
/// the whole has is added.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut escaped = Vec::with_capacity(MOST_BYTES + 16);
    put_by_byte(&mut escaped, text);
    Cow::Owned(String::from_utf8_lossy(&escaped).into_owned())
}

/// Appends the same.
pub(super) fn put_escaped(out: &mut Vec<u8>, text: &str) {
    if is_plain(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        put_by_byte(out, text);
    }
}

#[cold]
fn put_by_byte(out: &mut Vec<u8>, text: &str) {
    let start = out.len();
    for byte in text.bytes() {
        let end = out.len();
        put_byte(out, byte);
        if out.len() - start > MOST_BYTES {
            out.truncate(end);
            let _ = write!(out, "..[{}]", text.len());
            break;
        }
    }
}

/// Appends the same of one byte.
pub(super) fn put_byte(out: &mut Vec<u8>, byte: u8) {
    if byte.is_ascii_graphic() {
        out.push(byte);
    } else {
        let _ = write!(out, "%{byte:02X}");
    }
}

fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (eights, rest) = bytes.as_chunks();
    // Of a longer text the last eight, some of them once more, are quicker than the rest one by one.
    let is_rest_plain = || match bytes.last_chunk() {
        Some(eight) => are_graphic(*eight),
        None => rest.iter().all(u8::is_ascii_graphic),
    };
    text.len() <= MOST_BYTES && eights.iter().all(|eight| are_graphic(*eight)) && is_rest_plain()
}

/// Whether all are visible ASCII. Eight at once, by the highest bit of each: that of the byte itself is not set; it is
/// when what lacks from `!` to 128 is added; it is not when one is.
fn are_graphic(bytes: [u8; 8]) -> bool {
    let each = |byte: u8| u64::from_ne_bytes([byte; 8]);
    let all = u64::from_ne_bytes(bytes);
    let at_least = all.wrapping_add(each(128 - b'!'));
    let more = all.wrapping_add(each(128 - (b'~' + 1)));
    (at_least & !more & !all & each(128)) == each(128)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_byte_is_looked_at_in_each_place() {
        for (byte, place) in (0..=u8::MAX).flat_map(|byte| (0..8).map(move |place| (byte, place))) {
            let mut bytes = *b"!/api~v2";
            bytes[place] = byte;
            assert_eq!(are_graphic(bytes), byte.is_ascii_graphic(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn eight_bytes_are_graphic_if_each_of_them_is(bytes: [u8; 8]) {
            prop_assert_eq!(are_graphic(bytes), bytes.iter().all(u8::is_ascii_graphic));
        }
    }

    #[test]
    fn nothing_can_forge_a_line() {
        assert_eq!(escaped("/api/v2/query"), "/api/v2/query");
        assert_eq!(
            escaped("/a b\r\nuser=x\u{1b}[31m\u{202e}"),
            "/a%20b%0D%0Auser=x%1B[31m%E2%80%AE"
        );
    }

    #[test]
    fn f_23_what_is_long_is_cut_between_two_characters() {
        let whole = "a".repeat(MOST_BYTES);
        assert_eq!(escaped(&whole), whole);
        assert_eq!(escaped(&format!("{whole}b")), format!("{whole}..[1025]"));
        let short = &whole[..MOST_BYTES - 2];
        assert_eq!(escaped(&format!("{short}é")), format!("{short}..[1024]"));
        assert_eq!(escaped(&format!("{short}\u{7f}")), format!("{short}..[1023]"));
    }
}
