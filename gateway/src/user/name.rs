//! The user's name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderValue;

/// A user's name. Names are compared byte for byte, as InfluxDB does.
///
/// In a users file, 1 to 255 visible ASCII characters without colon and comma: a colon would split
/// `Authorization: Basic`, a comma could be read as two names in a list of header values.
/// InfluxDB's own users may have any name; as a header it is percent-encoded where it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Username(Arc<str>);

impl Username {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// InfluxDB's own bound of a name, in bytes: it is a key of its database. A name that is longer
    /// as a header's value cannot be sent on either.
    pub const MOST_BYTES: usize = 32_768;

    /// The name of a user of InfluxDB's, whatever it is; `None` if it is empty or too long to be
    /// sent on.
    pub fn of_influxdb(text: &str) -> Option<Self> {
        let is_short = text.len() <= Self::MOST_BYTES / 3;
        let is_right =
            is_short || text.bytes().map(encoded_length).sum::<usize>() <= Self::MOST_BYTES;
        (!text.is_empty() && is_right).then(|| Self(Arc::from(text)))
    }

    /// The name with small letters for the capitals of ASCII: the same for names that differ in letter case alone.
    pub fn in_small_letters(&self) -> Self {
        if self.0.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Self(Arc::from(self.0.to_ascii_lowercase()))
        } else {
            self.clone()
        }
    }

    /// The name as the value of the identity header: visible ASCII but comma and `%` stands for
    /// itself, every other byte is `%` and two hex digits. Different names stay different.
    pub fn header_value(&self) -> HeaderValue {
        let text = if self.0.bytes().all(is_plain) {
            HeaderValue::from_str(&self.0)
        } else {
            let encode = |byte: u8| {
                if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            };
            HeaderValue::from_str(&self.0.bytes().map(encode).collect::<String>())
        };
        text.expect("visible ASCII is a header value")
    }
}

/// A prefix for the names of tokens' owners, beside a users file. It keeps them apart from the names in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPrefix(String);

impl TokenPrefix {
    /// The name of `owner` behind the prefix.
    pub fn of(&self, owner: &Username) -> Username {
        Username(Arc::from(format!("{}{}", self.0, owner.0)))
    }

    /// Whether `name` could be taken for one behind the prefix, in whatever letter case.
    pub fn could_begin(&self, name: &Username) -> bool {
        let head = name.0.as_bytes().get(..self.0.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(self.0.as_bytes()))
    }
}

impl FromStr for TokenPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b',' && byte != b'%';
        if (1..=64).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a prefix is 1 to 64 visible ASCII characters without comma and %; write for \
                 example \"influxdb:\""
                .to_owned())
        }
    }
}

impl fmt::Display for TokenPrefix {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b',' && byte != b'%'
}

/// In a header's value.
fn encoded_length(byte: u8) -> usize {
    if is_plain(byte) { 1 } else { 3 }
}

impl FromStr for Username {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b':' && byte != b',';
        if (1..=255).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(Arc::from(text)))
        } else {
            Err("a name is 1 to 255 visible ASCII characters without colon and comma".to_owned())
        }
    }
}

impl fmt::Display for Username {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_could_split_a_header_are_refused() {
        let too_long = "n".repeat(256);
        for wrong in ["", "a:b", "a,b", "a b", "a\r\nb", "a\0", "é", " a", "a\t", &too_long] {
            assert!(wrong.parse::<Username>().is_err(), "{wrong:?}");
        }
        for right in ["a", "ada@example.com", "a_b-c.d", "<&>", &too_long[..255]] {
            assert_eq!(right.parse::<Username>().unwrap().as_str(), right);
        }
    }

    #[test]
    fn odd_names_are_percent_encoded() {
        for (name, header) in [
            ("ada", "ada"),
            ("Jane Doe", "Jane%20Doe"),
            ("a,b", "a%2Cb"),
            ("50%", "50%25"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(Username::of_influxdb(name).unwrap().header_value(), header);
        }
        assert_eq!(Username::of_influxdb(""), None);
    }

    #[test]
    fn f_51_a_name_is_as_long_as_influxdb_has_it_and_a_header_can_carry_it() {
        let most = Username::MOST_BYTES;
        let header = |text: &str| Username::of_influxdb(text).map(|name| name.header_value().len());
        for (character, count, expected) in [
            ("x", 300, Some(300)),
            ("é", 300, Some(1800)),
            ("x", most, Some(most)),
            ("x", most + 1, None),
            (" ", most / 3, Some(most / 3 * 3)),
            (" ", most / 3 + 1, None),
        ] {
            assert_eq!(header(&character.repeat(count)), expected, "{count} × {character:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_a_header_value_of_its_own(a in ".{1,30}", b in ".{1,30}") {
            let header = |text: &str| Username::of_influxdb(text).map(|name| name.header_value());
            if let (Some(header_a), Some(header_b)) = (header(&a), header(&b)) {
                prop_assert!(header_a.as_bytes().iter().all(u8::is_ascii_graphic));
                prop_assert_eq!(header_a == header_b, a == b);
            }
        }
    }
}
