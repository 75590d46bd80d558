//! The picture at the head of the page.

use bytes::Bytes;

/// A picture of one of the formats that all browsers have, told by its content.
#[derive(Clone, Debug)]
pub struct Logo {
    /// Its media type.
    pub kind: &'static str,
    /// The file.
    pub content: Bytes,
}

/// How large it may be, in bytes: all other files of the page together are smaller.
const MOST_BYTES: usize = 64 * 1024;

impl Logo {
    /// The picture in a file of this `content`; or what is wrong with it.
    pub fn of(content: &[u8]) -> Result<Self, String> {
        if content.len() > MOST_BYTES {
            let found = content.len();
            return Err(format!(
                "expected at most {MOST_BYTES} bytes, found {found}; make it smaller"
            ));
        }
        let kind = match content {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            other if is_svg(other) => "image/svg+xml",
            _ => return Err("expected a picture: PNG, JPEG, WebP or SVG in UTF-8".to_owned()),
        };
        Ok(Self { kind, content: Bytes::copy_from_slice(content) })
    }
}

/// Whether this is text whose first element is `svg`. A document type with declarations of its own is refused: they can
/// make much of little.
fn is_svg(content: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(content) else { return false };
    let mut rest = text.trim_start_matches('\u{feff}');
    loop {
        rest = rest.trim_ascii_start();
        let skipped = [("<?", "?>"), ("<!--", "-->"), ("<!DOCTYPE", ">")].into_iter().find_map(
            |(head, end)| {
                let (inner, after) = rest.strip_prefix(head)?.split_once(end)?;
                (head != "<!DOCTYPE" || !inner.contains('[')).then_some(after)
            },
        );
        let Some(after) = skipped else { break };
        rest = after;
    }
    let after = rest.strip_prefix("<svg").and_then(|rest| rest.bytes().next());
    after.is_some_and(|byte| byte.is_ascii_whitespace() || b">/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pictures_are_told_by_their_content() {
        let kind = |content: &[u8]| Logo::of(content).ok().map(|logo| logo.kind);
        assert_eq!(kind(b"\x89PNG\r\n\x1a\n..."), Some("image/png"));
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Some("image/jpeg"));
        assert_eq!(kind(b"RIFF\0\0\0\0WEBPVP8 "), Some("image/webp"));
        for svg in [
            "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
            "\u{feff}<?xml version=\"1.0\"?>\n<!-- a > b -->\n<!DOCTYPE svg PUBLIC \"x\" \"y\">\n<svg>",
            "<svg\n>",
        ] {
            assert_eq!(kind(svg.as_bytes()), Some("image/svg+xml"), "{svg}");
        }
        for wrong in [
            &b""[..],
            b"GIF89a",
            b"<html><svg/></html>",
            b"<svgx>",
            b"<svg",
            b"<!-- <svg>",
            b"<!DOCTYPE svg [<!ENTITY a \"aa\">]><svg>",
            b"\xff\xd8",
            b"<svg>\xff",
            b"RIFF\0\0\0\0WAVE",
        ] {
            assert!(kind(wrong).is_none(), "{}", wrong.escape_ascii());
        }
    }

    #[test]
    fn a_picture_is_small() {
        let of = |bytes: usize| Logo::of(&[b"\xff\xd8\xff".to_vec(), vec![0; bytes - 3]].concat());
        assert!(of(65_536).is_ok());
        let fault = of(65_537).unwrap_err();
        assert_eq!(fault, "expected at most 65536 bytes, found 65537; make it smaller");
    }

    proptest! {
        #[test]
        fn anything_is_a_picture_or_refused(content in any::<Vec<u8>>()) {
            if let Ok(logo) = Logo::of(&content) {
                prop_assert!(logo.kind.starts_with("image/") && logo.content == content);
            }
        }

        #[test]
        fn text_is_a_picture_if_svg_is_its_first_element(text in "(<(\\?|!--|!DOCTYPE|svg|html)?| |x|>|\\?>|-->){0,12}") {
            let is_svg = Logo::of(text.as_bytes()).is_ok();
            prop_assert!(!is_svg || text.contains("<svg"));
        }
    }
}
