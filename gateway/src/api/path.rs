//! Unambiguous paths: the gateway decides by the same path that the upstream sees.

use super::rejection::Rejection;
use super::split::split;

/// Checks the path of a request: no two servers read it differently.
///
/// Refused are dot segments and empty segments, an encoded slash, backslash or control, encoded
/// characters that need no encoding (each would be a second spelling of a path), parameters
/// (`;`), and whatever is no path character at all. The query is not looked at.
pub fn check(path: &str) -> Result<(), Rejection> {
    if !path.starts_with('/') || !has_only_plain_characters(path) || has_odd_segment(path) {
        return Err(Rejection::BadPath);
    }
    Ok(())
}

/// Only the last segment may be empty: a slash at the end.
fn has_odd_segment(path: &str) -> bool {
    let below = &path.as_bytes()[1..];
    let segments = below.strip_suffix(b"/").unwrap_or(below);
    let is_odd = |segment: &[u8]| matches!(segment, b"" | b"." | b"..");
    !below.is_empty() && split(segments, b'/').any(is_odd)
}

fn has_only_plain_characters(path: &str) -> bool {
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let is_plain = match byte {
            b'%' => {
                let digits = (bytes.next().and_then(hex), bytes.next().and_then(hex));
                matches!(digits, (Some(high), Some(low)) if needs_encoding(high * 16 + low))
            }
            _ => PLAIN[usize::from(byte)],
        };
        if !is_plain {
            return false;
        }
    }
    true
}

/// The bytes that may stand in a path as they are (RFC 3986 section 3.3, without the semicolon): a
/// table, since every byte of every path is looked up.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let all = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@/";
    let mut index = 0;
    while index < all.len() {
        plain[all[index] as usize] = true;
        index += 1;
    }
    plain
};

/// Whether a byte may be written encoded: it could not stand for itself, and nobody would take it
/// for part of the path's structure.
fn needs_encoding(byte: u8) -> bool {
    !is_unreserved(byte) && byte >= 0x20 && byte != 0x7f && !b"/\\%;#?.".contains(&byte)
}

/// What stands for itself wherever it stands (RFC 3986 section 2.3).
pub(super) fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// `byte` as it is written where it may not stand for itself.
pub(super) fn percent_encoded(byte: u8) -> [u8; 3] {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    [b'%', DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_of_one_reading() {
        for path in [
            "/",
            "/api/v2/me",
            "/api/v2/me/",
            "/api/v2/buckets/0a1b",
            "/a.b/c..d/...",
            "/orgs/a%20b",
            "/%C3%A9",
            "/a:b@c!$&'()*+,=~-_.",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_of_two_readings() {
        for path in [
            "",
            "api",
            "*",
            "//",
            "//api/v2/me",
            "/api//v2/me",
            "/api/v2/me//",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/a/..",
            "/%2e%2e/a",
            "/%2E/a",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00b",
            "/a%0d%0ab",
            "/%61pi/v2",
            "/api/v2/%6de",
            "/a;b",
            "/a%3bb",
            "/a%3fb",
            "/a%23b",
            "/a%25b",
            "/a%252fb",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a b",
            "/a\"b",
            "/a<b",
            "/a{b}",
            "/a|b",
            "/a^b",
            "/a`b",
            "/é",
            "/a%7f",
            "/%7ea",
        ] {
            assert_eq!(check(path), Err(Rejection::BadPath), "{path}");
        }
    }

    proptest! {
        /// Decoded or not, once or twice, an accepted path has the same segments.
        #[test]
        fn an_accepted_path_has_the_same_segments_decoded(path in "/([a-c./%25eEfF;\\\\-]{0,6}/?){0,4}") {
            if check(&path).is_ok() {
                let once = decode(path.as_bytes());
                prop_assert_eq!(decode(&once), once.clone());
                let segments = |bytes: &[u8]| bytes.split(|&b| b == b'/').count();
                prop_assert_eq!(segments(path.as_bytes()), segments(&once));
                prop_assert!(!once.contains(&b'\\') && !once.contains(&0));
            }
        }
    }

    fn decode(bytes: &[u8]) -> Vec<u8> {
        let (mut decoded, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let pair = (
                bytes.get(at + 1).copied().and_then(hex),
                bytes.get(at + 2).copied().and_then(hex),
            );
            match (bytes[at], pair) {
                (b'%', (Some(high), Some(low))) => {
                    decoded.push(high * 16 + low);
                    at += 3;
                }
                (byte, _) => {
                    decoded.push(byte);
                    at += 1;
                }
            }
        }
        decoded
    }
}
