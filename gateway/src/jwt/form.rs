//! What a JWT looks like: this is how it is told from an API token of InfluxDB's.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use memchr::{memchr, memchr_iter};
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

/// What of an `Authorization` has a JWT's form, where a token may stand: behind `Token` or `Bearer`, and behind a name as with
/// clients of InfluxDB 1, which write `Token name:token` or both as `Basic`.
pub fn in_authorization(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let (scheme, rest) = value.split_at(memchr(b' ', value)?);
    let rest = rest.trim_ascii();
    let is = |word: &[u8]| scheme.eq_ignore_ascii_case(word);
    let token = if is(b"Basic") {
        Cow::Owned(behind(b":", &STANDARD.decode(rest).ok()?).to_vec())
    } else if is(b"Token") || is(b"Bearer") {
        Cow::Borrowed(behind(b":", rest))
    } else {
        return None;
    };
    is_jwt(&token).then_some(token)
}

/// The same, wherever it stands at the end of an `Authorization`: by whatever scheme, or by none.
pub fn within(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let end = behind(b": \t", value.trim_ascii());
    in_authorization(value).or_else(|| is_jwt(end).then_some(Cow::Borrowed(end)))
}

/// What stands behind the last of these bytes.
fn behind<'a>(bytes: &[u8], text: &'a [u8]) -> &'a [u8] {
    let last = text.iter().rposition(|byte| bytes.contains(byte));
    &text[last.map_or(0, |at| at + 1)..]
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
    use proptest::prelude::*;

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

    #[test]
    fn a_jwt_is_found_wherever_it_stands() {
        // printf x:a.b.c | base64
        for (authorization, expected) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("token  a.b.c ", Some("a.b.c")),
            ("Digest a.b.c", None),
            ("Bearer\ta.b.c", None),
            ("Token x:a.b.c", Some("a.b.c")),
            ("Token x:y:a.b.c", Some("a.b.c")),
            ("Basic eDphLmIuYw==", Some("a.b.c")),
            ("basic  eDphLmIuYw== ", Some("a.b.c")),
            ("Basic eDphLmIuYw", None),
            ("Basic a.b.c", None),
            ("Basic eDp5", None),
            ("Token a.b.c:x", None),
            ("Token abc==", None),
            ("a.b.c", None),
            ("", None),
        ] {
            let found = in_authorization(authorization.as_bytes());
            assert_eq!(found.as_deref(), expected.map(str::as_bytes), "{authorization}");
        }
    }

    #[test]
    fn a_jwt_is_noticed_where_it_does_not_count() {
        for text in [
            "Digest a.b.c",
            "Bearer\ta.b.c",
            "Token x a.b.c",
            "a.b.c",
            "Basic a.b.c",
            "Basic eDphLmIuYw==",
        ] {
            assert_eq!(within(text.as_bytes()).as_deref(), Some(&b"a.b.c"[..]), "{text}");
        }
        for other in ["Token abc==", "Basic eDp5", "a.b.c x", "Token a.b", ""] {
            assert!(within(other.as_bytes()).is_none(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_jwt_behind_any_name_is_found(name in proptest::collection::vec(any::<u8>(), 0..20)) {
            let pair = STANDARD.encode([&name[..], b":a.b.c"].concat());
            let found = in_authorization(format!("Basic {pair}").as_bytes()).map(Cow::into_owned);
            prop_assert_eq!(found, Some(b"a.b.c".to_vec()));
        }

        #[test]
        fn looking_for_one_is_total(value in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(in_authorization(&value).is_none_or(|token| is_jwt(&token)));
            prop_assert!(within(&value).is_none_or(|token| is_jwt(&token)));
        }
    }
}
