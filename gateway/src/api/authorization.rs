//! The `Authorization` header, read as InfluxDB reads it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use crate::session::token::SessionToken;
use crate::user::credentials::Credentials;
use crate::user::gateway_token::Presented;
use crate::user::login_name::LoginName;
use crate::user::name::Username;
use crate::user::password::Password;

/// The API token that the request brings, with its scheme: `Token …` or `Bearer …` in any letter
/// case.
///
/// Only the first `Authorization` header counts. A bare scheme without a token does not.
pub fn token(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(AUTHORIZATION).filter(|header| is_token(header))
}

/// Whether there is an API token in `header`, as [`token`] reads it.
pub fn is_token(header: &HeaderValue) -> bool {
    behind_scheme(header).is_some()
}

/// What `header` holds of a gateway token: one as `Token` or `Bearer`, or something like one anywhere else in it, which
/// is refused.
pub fn gateway_token(header: &HeaderValue) -> Option<Presented> {
    match (behind_scheme(header), decoded(header)) {
        (Some(token), _) => Presented::in_credential(token.trim_ascii_start()),
        (None, Some(pair)) => Presented::within(&pair),
        (None, None) => Presented::within(header.as_bytes()),
    }
}

/// What `header` brings as an API token, if that has the form of a session cookie's value.
pub fn session_token(header: &HeaderValue) -> Option<SessionToken> {
    SessionToken::parse(behind_scheme(header)?.trim_ascii_start())
}

fn behind_scheme(header: &HeaderValue) -> Option<&[u8]> {
    let value = header.as_bytes().trim_ascii_end();
    after_scheme(value, b"Token ").or_else(|| after_scheme(value, b"Bearer "))
}

/// The credentials of `Authorization: Basic`; `None` for anything else.
///
/// One blank after the scheme, standard base64 with padding, split at the first colon. The
/// decoded bytes need not be text: clients do not agree on an encoding. A name longer than any of
/// InfluxDB's is none, nor is a password of more than [`MOST_BYTES`]: nothing is hashed for it.
pub fn basic(headers: &HeaderMap) -> Option<Credentials> {
    let header = headers.get(AUTHORIZATION)?;
    let decoded = decoded_basic(headers)?;
    let colon = decoded.iter().position(|&byte| byte == b':')?;
    let (name, password) = (&decoded[..colon], &decoded[colon + 1..]);
    credentials(name, password, header)
}

/// The same of a name and a password that came by themselves. No name has a colon: `Basic` could not tell it.
pub fn typed(name: &[u8], password: &[u8]) -> Option<Credentials> {
    if name.contains(&b':') {
        return None;
    }
    let pair = Zeroizing::new([name, b":", password].concat());
    let header = Zeroizing::new(format!("Basic {}", *Zeroizing::new(STANDARD.encode(&*pair))));
    credentials(name, password, &HeaderValue::from_str(&header).ok()?)
}

fn credentials(name: &[u8], password: &[u8], header: &HeaderValue) -> Option<Credentials> {
    if name.len() > Username::MOST_BYTES || password.len() > MOST_BYTES {
        return None;
    }
    Some(Credentials {
        typed: LoginName::of(name),
        name: std::str::from_utf8(name).ok().and_then(|name| name.parse().ok()),
        password: Password::new(password.to_vec()),
        header: sensitive(header),
    })
}

/// What `Authorization: Basic` holds, with a colon in it.
pub(super) fn decoded_basic(headers: &HeaderMap) -> Option<Zeroizing<Vec<u8>>> {
    decoded(headers.get(AUTHORIZATION)?)
}

fn decoded(header: &HeaderValue) -> Option<Zeroizing<Vec<u8>>> {
    let value = header.as_bytes().trim_ascii_end();
    let encoded = after_scheme(value, b"Basic ")?;
    if encoded.len() > (Username::MOST_BYTES + 1 + MOST_BYTES).div_ceil(3) * 4 {
        return None;
    }
    let decoded = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    decoded.contains(&b':').then_some(decoded)
}

/// Whether the request brings `Authorization: Basic`, whatever it holds.
pub fn is_basic(headers: &HeaderMap) -> bool {
    headers
        .get(AUTHORIZATION)
        .is_some_and(|header| after_scheme(header.as_bytes(), b"Basic ").is_some())
}

/// The most bytes of a password.
pub const MOST_BYTES: usize = 4096;

fn sensitive(header: &HeaderValue) -> HeaderValue {
    let mut header = header.clone();
    header.set_sensitive(true);
    header
}

fn after_scheme<'a>(value: &'a [u8], scheme: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = value.split_at_checked(scheme.len())?;
    (head.eq_ignore_ascii_case(scheme) && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(value: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap())])
    }

    #[test]
    fn basic_is_read_as_go_reads_it() {
        let check = |value: &str, expected: Option<(&str, usize)>| {
            let read = basic(&headers(value.as_bytes()));
            let read = read.map(|read| {
                (read.name.map(|name| name.to_string()).unwrap_or_default(), read.password.len())
            });
            let expected = expected.map(|(name, length)| (name.to_owned(), length));
            assert_eq!(read, expected, "{value}");
        };
        check("Basic YWRhOnB3", Some(("ada", 2)));
        check("basic YWRhOnB3", Some(("ada", 2)));
        check("Basic YWRhOnB3  ", Some(("ada", 2)));
        check("Basic YWRhOmE6Yg==", Some(("ada", 3)));
        check("Basic YWRhOg==", Some(("ada", 0)));
        check("Basic OnB3", Some(("", 2)));
        check("Basic /zp4", Some(("", 1)));
        for wrong in [
            "Basic",
            "Basic ",
            "Basic  YWRhOnB3",
            "Basic YWRhOg",
            "Basic YWRh",
            "Token x",
            "YWRhOnB3",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn tokens_are_recognised_in_any_letter_case() {
        for token in ["Token x", "token x", "Bearer x", "BEARER x", "Token  x"] {
            assert!(super::token(&headers(token.as_bytes())).is_some(), "{token}");
        }
        for other in ["Tokenx", "Token", "Token ", "Basic YWRhOnB3", "", " Token x"] {
            assert!(token(&headers(other.as_bytes())).is_none(), "{other:?}");
        }
        assert!(token(&HeaderMap::new()).is_none());
    }

    #[test]
    fn only_the_first_header_counts() {
        let mut two = headers(b"Basic YWRhOnB3");
        two.append(AUTHORIZATION, HeaderValue::from_static("Token x"));
        assert!(token(&two).is_none());
        assert!(basic(&two).is_some());
    }

    proptest! {
        #[test]
        fn any_name_and_password_come_through(
            name in "[!-+\\--9;-~]{1,20}",
            password in proptest::collection::vec(any::<u8>(), 0..50),
        ) {
            let pair = [name.as_bytes(), b":", &password].concat();
            let header = format!("Basic {}", STANDARD.encode(pair));
            let read = basic(&headers(header.as_bytes())).unwrap();
            let read_name = read.name.unwrap();
            prop_assert_eq!(read_name.as_str(), name.as_str());
            prop_assert_eq!(read.password.len(), password.len());
        }

        #[test]
        fn reading_is_total(value in proptest::collection::vec(0x20..=0xff_u8, 0..100)) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
                prop_assert!(basic(&headers).is_none() || token(&headers).is_none());
            }
        }
    }
}
