//! A name as somebody typed it, and the account that a failed sign-in with it counts for.

use unicode_normalization::UnicodeNormalization;

use super::name::Username;

/// A name as it came with a sign-in: any bytes. Only a [`Username`] can be signed in.
#[derive(Clone)]
pub struct LoginName(String);

impl LoginName {
    /// Longer names are cut, in characters: no user has one.
    const MOST: usize = 255;

    /// The name in `bytes`: UTF-8, or otherwise Latin-1, the other encoding that browsers used.
    pub fn of(bytes: &[u8]) -> Self {
        Self(match std::str::from_utf8(bytes) {
            Ok(text) => text.chars().take(Self::MOST).collect(),
            Err(_) => bytes.iter().copied().map(char::from).take(Self::MOST).collect(),
        })
    }

    /// The text. It may hold any character, so it has to be escaped before it is printed.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What all spellings of a name have in common: guesses at any of them count together, and a users
/// file has room for one of them only.
///
/// The rule: Unicode's normal form KC (so that é is é however it is composed, and ﬁ is fi), then
/// upper and lower case made one, then blanks and control characters taken away. It never decides
/// who is signed in: for that a name must be as in the directory, byte for byte, as with InfluxDB.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct CanonicalName(String);

impl CanonicalName {
    fn of(text: &str) -> Self {
        let composed: String = text.nfkc().collect();
        // By way of capitals, where ß is SS and both sigmas are one; but ẞ is a capital of its own.
        let folded = composed.to_lowercase().to_uppercase().to_lowercase();
        let is_kept = |c: &char| !c.is_whitespace() && !c.is_control() && !is_invisible(*c);
        Self(folded.nfkc().filter(is_kept).collect())
    }

    /// The spelling that stands for all.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that show nothing: joiners, directional marks, the byte order mark, soft hyphens.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

impl From<&LoginName> for CanonicalName {
    fn from(name: &LoginName) -> Self {
        Self::of(&name.0)
    }
}

impl From<&Username> for CanonicalName {
    fn from(name: &Username) -> Self {
        Self::of(name.as_str())
    }
}

impl From<&Username> for LoginName {
    fn from(name: &Username) -> Self {
        Self::of(name.as_str().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(bytes: &[u8]) -> CanonicalName {
        (&LoginName::of(bytes)).into()
    }

    #[test]
    fn b_04_spellings_of_a_name_count_as_one() {
        let check = |name: &str, spellings: &[&[u8]]| {
            for spelling in spellings {
                assert_eq!(canonical(spelling), canonical(name.as_bytes()), "{spelling:?}");
            }
        };
        check("alice", &[b"Alice", b"ALICE", b"alice ", b" alice", b"al\0ice", b"alice\r\n"]);
        check("alice", &["al\u{200b}ice".as_bytes(), "ａｌｉｃｅ".as_bytes(), b"alice\xa0"]);
        check("josé", &["jose\u{301}".as_bytes(), "JOSÉ".as_bytes(), b"jos\xe9"]);
        check("straße", &["STRASSE".as_bytes(), "STRAẞE".as_bytes()]);
        check("σίσυφος", &["ΣΊΣΥΦΟΣ".as_bytes()]);
        let different: [&[u8]; 5] = [b"alice", b"alicia", b"a1ice", b"alice.", "аlice".as_bytes()];
        for (index, one) in different.iter().enumerate() {
            for other in &different[..index] {
                assert_ne!(canonical(one), canonical(other));
            }
        }
    }

    proptest! {
        #[test]
        fn case_and_padding_never_matter(name in "[a-zA-Z0-9@._-]{1,40}", pad in "[ \t\r\n]{0,3}") {
            let padded = format!("{pad}{}{pad}", name.to_uppercase());
            prop_assert_eq!(canonical(padded.as_bytes()), canonical(name.as_bytes()));
        }

        #[test]
        fn anything_is_a_typed_name(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let name = LoginName::of(&bytes);
            prop_assert!(name.as_str().chars().count() <= 255);
            let _ = canonical(&bytes);
        }
    }
}
