//! What a JWT looks like: this is how it is told from an API token of InfluxDB's.

use memchr::memchr_iter;
use serde_json::{Map, Value};

/// A token of a JWT's form, and what it claims; nothing of that has been verified.
pub struct Unverified<'a> {
    pub(super) token: &'a str,
    pub(super) claims: Map<String, Value>,
}

impl<'a> Unverified<'a> {
    /// `None` if it has another form, or its claims cannot be read.
    pub fn parse(token: &'a [u8]) -> Option<Self> {
        if !is_jwt(token) {
            return None;
        }
        let token = std::str::from_utf8(token).ok()?;
        let claims = jsonwebtoken::dangerous::insecure_decode_claims(token).ok()?;
        Some(Self { token, claims })
    }

    /// Who says that they have issued it.
    pub fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }
}

/// Whether `token` is three parts of base64url, of which the last may be empty. Tokens of InfluxDB's have no point, which
/// is the first that is looked for.
pub fn is_jwt(token: &[u8]) -> bool {
    let mut points = memchr_iter(b'.', token);
    let (Some(first), Some(second), None) = (points.next(), points.next(), points.next()) else {
        return false;
    };
    let is_base64url =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    first > 0 && second > first + 1 && token.iter().all(is_base64url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_parts_are_a_jwt_and_nothing_else_is() {
        for (token, expected) in [
            ("a.b.c", true),
            ("a.b.", true),
            ("aZ0-_.b.c", true),
            ("", false),
            ("abc==", false),
            ("a.b", false),
            ("a.b.c.d", false),
            (".b.c", false),
            ("a..c", false),
            ("a.b.c=", false),
            ("a b.c.d", false),
            ("a+.b.c", false),
        ] {
            assert_eq!(is_jwt(token.as_bytes()), expected, "{token}");
        }
    }
}
