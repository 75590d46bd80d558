//! The user's name.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use http::HeaderValue;

/// A user's name: 1 to 255 visible ASCII characters without colon and comma.
///
/// A colon would split `Authorization: Basic`, a comma could be read as two names in a list of
/// header values. Names are compared byte for byte, as InfluxDB does. Because of the rule, a name
/// can always be written as the value of a header.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Username(Arc<str>);

impl Username {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as the value of the identity header.
    pub fn header_value(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("a name is visible ASCII, which is a header value")
    }
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

    proptest! {
        #[test]
        fn every_name_is_a_header_value(text in any::<String>()) {
            if let Ok(name) = text.parse::<Username>() {
                let value = name.header_value();
                prop_assert_eq!(value.as_bytes(), text.as_bytes());
            }
        }
    }
}
