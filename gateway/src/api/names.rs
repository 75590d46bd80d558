//! Sets of header names in which all spellings of a name are equal.

/// Names of headers, and beginnings of names.
///
/// Upstreams that map headers to variables read `-`, `_` and `.` as the same character, some whatever is no letter and no
/// digit, so a look-alike is as good as the header itself.
#[derive(Clone, Debug)]
pub struct Names {
    /// By their first letter, the last for those without: nearly every header of nearly every
    /// request is none of them, and fails here.
    by_first: [Vec<Pattern>; 27],
}

/// A name, or with a star at its end all that begin like it.
#[derive(Clone, Debug)]
struct Pattern {
    head: String,
    is_prefix: bool,
}

impl Names {
    /// The set of `patterns`: names, or beginnings of names that end with a star.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        let mut by_first = std::array::from_fn(|_| Vec::new());
        for text in patterns {
            let head = text.strip_suffix('*');
            let is_prefix = head.is_some();
            let head = head.unwrap_or(text).to_ascii_lowercase();
            let first = &mut by_first[first(&head)];
            first.push(Pattern { head, is_prefix });
        }
        Self { by_first }
    }

    /// Whether `name`, in lower case, is one of them.
    pub fn contain(&self, name: &str) -> bool {
        self.by_first[first(name)].iter().any(|pattern| pattern.matches(name))
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        let head = if self.is_prefix { name.get(..self.head.len()) } else { Some(name) };
        head.is_some_and(|head| alike(head, &self.head))
    }
}

fn first(name: &str) -> usize {
    let letter = name.as_bytes().first().map_or(26, |first| first.wrapping_sub(b'a'));
    usize::from(letter.min(26))
}

/// Whether two header names, both in lower case, differ in their separators only.
pub fn alike(name: &str, other: &str) -> bool {
    name.len() == other.len()
        && name
            .bytes()
            .zip(other.bytes())
            .all(|(a, b)| a == b || !(a.is_ascii_alphanumeric() || b.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_spelling_is_in_the_set() {
        let names = Names::new(["X-Auth-User", "remote-*", "0-odd"]);
        for name in [
            "x-auth-user",
            "x_auth.user",
            "x~auth+user",
            "remote!user",
            "remote-user",
            "remote_",
            "remote.a-b",
            "0_odd",
        ] {
            assert!(names.contain(name), "{name}");
        }
        for name in ["x-auth-users", "xauthuser", "remote", "remoteuser", "", "é", "0"] {
            assert!(!names.contain(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn a_set_holds_what_a_search_finds(
            patterns in proptest::collection::vec("[a-c][a-c_.-]{0,3}[*]?", 0..6),
            name in "[a-c0-9_.-]{0,5}",
        ) {
            let fold = |text: &str| text.replace(['_', '.'], "-");
            let is_one = |pattern: &String| match pattern.strip_suffix('*') {
                Some(head) => fold(&name).starts_with(&fold(head)),
                None => fold(&name) == fold(pattern),
            };
            let names = Names::new(patterns.iter().map(String::as_str));
            prop_assert_eq!(names.contain(&name), patterns.iter().any(is_one));
        }
    }
}
