//! The request target: a path that must be unambiguous, and a query that may be written loosely.

use super::path;
use super::rejection::Rejection;
use crate::limits::MOST_TARGET_BYTES;

/// The target of a request, as it is in the request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    bytes: &'a [u8],
    /// Whether all of it is what a URI has.
    is_plain: bool,
}

impl<'a> Target<'a> {
    /// A target in one of the two forms that are read here: a path, or a URI of `http` or `https`
    /// (RFC 9112 sections 3.2.1 and 3.2.2).
    ///
    /// Before the query only what a URI has. In the query also what many clients leave as it is and
    /// InfluxDB reads (quotes, angle brackets, whatever is not ASCII), for [`Target::encoded`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Rejection> {
        let is_known_form = bytes.starts_with(b"/") || after_scheme(bytes).is_some();
        let is_plain = are_all(bytes, &OF_URI);
        if !is_known_form || !(is_plain || has_odd_query_only(bytes)) {
            return Err(Rejection::BadTarget);
        }
        Ok(Self { bytes, is_plain })
    }

    /// Whether it may be passed on as it is.
    pub fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The target with all that a URI does not have percent-encoded, which says the same.
    pub fn encoded(&self) -> Result<Vec<u8>, Rejection> {
        let mut encoded = Vec::with_capacity(self.bytes.len() * 3);
        for &byte in self.bytes {
            if OF_URI[usize::from(byte)] {
                encoded.push(byte);
            } else {
                encoded.extend_from_slice(&path::percent_encoded(byte));
            }
        }
        if encoded.len() > MOST_TARGET_BYTES { Err(Rejection::TargetTooLong) } else { Ok(encoded) }
    }

    /// The authority of a target in absolute form.
    pub fn authority(&self) -> Option<&'a [u8]> {
        after_scheme(self.bytes)?.split(|&byte| byte == b'/' || byte == b'?').next()
    }
}

/// What follows the scheme of a target in absolute form.
fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    target.strip_prefix(b"http://").or_else(|| target.strip_prefix(b"https://"))
}

fn has_odd_query_only(target: &[u8]) -> bool {
    let query = target.iter().position(|&byte| byte == b'?').unwrap_or(target.len());
    are_all(&target[..query], &OF_URI) && are_all(&target[query..], &OF_QUERY)
}

/// Whether all `bytes` are in `table`: tables, since every byte of every head is looked up.
pub(super) fn are_all(bytes: &[u8], table: &[bool; 256]) -> bool {
    bytes.iter().all(|&byte| table[usize::from(byte)])
}

/// The characters that may stand in a target: what a URI has, without a fragment.
static OF_URI: [bool; 256] = {
    let mut of_uri = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        of_uri[byte] = true;
        byte += 1;
    }
    set(of_uri, b"\"<>#`", false)
};

/// What may stand in a query besides: all but controls, blanks and what begins a fragment.
static OF_QUERY: [bool; 256] = {
    let mut of_query = [false; 256];
    let mut byte = 0x21;
    while byte < 0x100 {
        of_query[byte] = byte != 0x7f;
        byte += 1;
    }
    set(of_query, b"#", false)
};

pub(super) const fn set(mut table: [bool; 256], bytes: &[u8], value: bool) -> [bool; 256] {
    let mut index = 0;
    while index < bytes.len() {
        table[bytes[index] as usize] = value;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(target: &[u8]) -> Result<String, Rejection> {
        let target = Target::parse(target)?;
        let encoded = String::from_utf8(target.encoded()?).unwrap();
        assert_eq!(target.is_plain(), encoded.as_bytes() == target.bytes, "{encoded}");
        Ok(encoded)
    }

    #[test]
    fn what_a_query_leaves_as_it_is_says_the_same_encoded() {
        for (target, expected) in [
            ("/query?q=SELECT+*+FROM+\"m\"", "/query?q=SELECT+*+FROM+%22m%22"),
            ("/query?q=a>1&b<2", "/query?q=a%3E1&b%3C2"),
            ("/query?q=`x`", "/query?q=%60x%60"),
            ("/query?q=gr\u{fc}n", "/query?q=gr%C3%BCn"),
            ("/query?q=%22{}|\\^[]'?/", "/query?q=%22{}|\\^[]'?/"),
            ("http://h/a?q=\"", "http://h/a?q=%22"),
            ("http://h?q=\"", "http://h?q=%22"),
            ("/", "/"),
        ] {
            assert_eq!(encoded(target.as_bytes()).as_deref(), Ok(expected), "{target}");
        }
        assert_eq!(encoded(b"/a?\xff").as_deref(), Ok("/a?%FF"));
        let long = [b"/?", &*vec![0xe9; 30_000]].concat();
        assert_eq!(encoded(&long), Err(Rejection::TargetTooLong));
    }

    #[test]
    fn before_the_query_and_of_controls_nothing_is_encoded() {
        for target in [
            "/\"",
            "/a>b",
            "/a<b?x",
            "/`?x",
            "/\u{fc}?q=1",
            "http://h\u{fc}/?q",
            "/#",
            "/?#",
            "/?a#b",
            "/? ",
            "/?\t",
            "/?\u{7f}",
            "*",
            "",
            "?q",
            "a",
        ] {
            assert_eq!(encoded(target.as_bytes()), Err(Rejection::BadTarget), "{target:?}");
        }
    }

    proptest! {
        /// Whatever is accepted is a URI for the `http` crate once it is encoded, and says the same.
        #[test]
        fn an_encoded_target_is_a_uri(target in proptest::collection::vec(any::<u8>(), 0..40)) {
            let target = [b"/?", &target[..]].concat();
            if let Ok(encoded) = encoded(&target) {
                let uri: http::Uri = encoded.parse().unwrap();
                prop_assert_eq!(uri.path_and_query().unwrap().as_str(), &encoded);
            }
        }
    }
}
