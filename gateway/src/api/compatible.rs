//! Credentials in requests to InfluxDB 1's endpoints, which never use a session.
//!
//! `Token token` and `Token name:token`, `Basic` of a name and a token, and `u` and `p` in the query.

use std::borrow::Cow;

use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Uri};
use memchr::memchr2;
use zeroize::Zeroizing;

use super::authorization;
use crate::session::token::SessionToken;
use crate::user::gateway_token::{self, Presented};

/// More than one credential, or one that could be read in two ways: which of them the upstream goes by
/// is not ours to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ambiguous;

/// Whether `request` brings any credential, good or bad, or something like one.
pub fn brings_any(request: &Parts) -> bool {
    let query = request.uri.query().unwrap_or_default();
    request.headers.contains_key(AUTHORIZATION)
        || pairs(query).any(|(name, _)| matches!(&*name, b"u" | b"p"))
}

/// Whether a token is in the query.
pub fn is_in_query(request: &Parts) -> bool {
    pairs(request.uri.query().unwrap_or_default()).any(|(name, _)| *name == *b"p")
}

/// Each token in the query, as `Authorization: Token`.
pub fn in_query(request: &Parts) -> impl Iterator<Item = HeaderValue> {
    let tokens = pairs(request.uri.query().unwrap_or_default()).filter(|(name, _)| **name == *b"p");
    tokens.filter_map(|(_, token)| as_header(&token).ok())
}

/// The gateway token that `request` brings, wherever that is; `None` if it brings none. Beside one there is no other
/// credential.
pub fn gateway_token(request: &Parts) -> Result<Option<Presented>, Ambiguous> {
    let query = request.uri.query().unwrap_or_default();
    let header = request.headers.get(AUTHORIZATION);
    let in_header = header.and_then(|header| match in_header(&request.headers) {
        Ok(Some(credential)) => {
            Presented::in_credential(&credential).or_else(|| authorization::gateway_token(header))
        }
        Ok(None) | Err(Ambiguous) => authorization::gateway_token(header),
    });
    let (mut found, mut count) = (in_header, usize::from(header.is_some()));
    for (name, value) in pairs(query) {
        let presented = match &*name {
            b"p" => Presented::in_credential(&value),
            b"u" => Presented::within(&value),
            _ => continue,
        };
        count += usize::from(*name == *b"p");
        found = found.or(presented);
    }
    if found.is_some() && count > 1 { Err(Ambiguous) } else { Ok(found) }
}

/// What `request` brings as a token, as far as that has the form of a session cookie's value.
pub fn session_tokens(request: &Parts) -> Vec<SessionToken> {
    let query = request.uri.query().unwrap_or_default();
    let in_query = pairs(query).filter(|(name, _)| **name == *b"p");
    let in_query = in_query.filter_map(|(_, value)| SessionToken::parse(&value));
    let in_header = in_header(&request.headers).ok().flatten();
    in_query.chain(in_header.and_then(|it| SessionToken::parse(&it))).collect()
}

/// Whether a gateway token is in the query, where it would go upstream: names and tokens do not, where they are `read`.
pub fn leaks_gateway_token(request: &Parts, are_read: bool) -> bool {
    let query = request.uri.query().unwrap_or_default();
    // Without one of these there is none in it, which is soon seen.
    memchr2(b'_', b'%', query.as_bytes()).is_some()
        && pairs(query).any(|(name, value)| {
            let is_read = are_read && matches!(&*name, b"u" | b"p");
            !is_read && [name, value].iter().any(|text| gateway_token::holds_token(text))
        })
}

/// `target` without names and tokens in its query.
pub fn without_credentials(target: &Uri) -> Uri {
    let query = target.query().unwrap_or_default();
    let is_kept = |piece: &&str| {
        let bare = piece.trim_end_matches(['&', ';']);
        !pairs(bare).any(|(name, _)| matches!(&*name, b"u" | b"p"))
    };
    let kept: String = query.split_inclusive(['&', ';']).filter(is_kept).collect();
    if kept.len() == query.len() {
        return target.clone();
    }
    let kept = kept.trim_end_matches(['&', ';']);
    let mark = if kept.is_empty() { "" } else { "?" };
    // What is left of a target is one.
    [target.path(), mark, kept].concat().parse().unwrap_or_default()
}

/// The one token that `request` brings, wherever that is, as `Authorization: Token`; `None` if there
/// is none.
pub fn only_token(request: &Parts) -> Result<Option<HeaderValue>, Ambiguous> {
    let query = request.uri.query().unwrap_or_default();
    let values_of = |wanted: &[u8]| -> Vec<_> {
        let pairs = pairs(query).filter(|(name, _)| **name == *wanted);
        pairs.map(|(_, value)| value.into_owned()).map(Zeroizing::new).collect()
    };
    let (names, mut tokens) = (values_of(b"u"), values_of(b"p"));
    if names.len() > 1 {
        return Err(Ambiguous);
    }
    tokens.extend(in_header(&request.headers)?);
    match &tokens[..] {
        [] => Ok(None),
        [token] => as_header(token).map(Some),
        [_, _, ..] => Err(Ambiguous),
    }
}

fn as_header(token: &[u8]) -> Result<HeaderValue, Ambiguous> {
    let mut value = Zeroizing::new(b"Token ".to_vec());
    value.extend_from_slice(token);
    let mut header = HeaderValue::from_bytes(&value).map_err(|_| Ambiguous)?;
    header.set_sensitive(true);
    Ok(header)
}

/// The token in `Authorization`, without the name that may stand before it.
fn in_header(headers: &HeaderMap) -> Result<Option<Zeroizing<Vec<u8>>>, Ambiguous> {
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let pair = authorization::decoded_basic(headers).or_else(|| {
        let (_scheme, token) = authorization::token(headers)?.as_bytes().split_at_checked(6)?;
        Some(Zeroizing::new(token.trim_ascii().to_vec()))
    });
    let Some(pair) = pair else {
        return if header.is_empty() { Ok(None) } else { Err(Ambiguous) };
    };
    let start = pair.iter().position(|&byte| byte == b':').map_or(0, |colon| colon + 1);
    Ok(Some(Zeroizing::new(pair[start..].to_vec())))
}

/// The names and values of a query, decoded. Some separate them by `;` as well.
fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, [u8]>, Cow<'_, [u8]>)> {
    query.split(['&', ';']).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// What is percent-encoded, as forms are: `+` is a blank.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text.as_bytes());
    }
    let hex = |byte: Option<&u8>| byte.and_then(|&byte| char::from(byte).to_digit(16));
    let (bytes, mut decoded, mut at) = (text.as_bytes(), Vec::with_capacity(text.len()), 0);
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match (byte, hex(bytes.get(at)), hex(bytes.get(at + 1))) {
            (b'%', Some(high), Some(low)) => {
                decoded.extend(u8::try_from(high * 16 + low));
                at += 2;
            }
            (b'+', ..) => decoded.push(b' '),
            (byte, ..) => decoded.push(byte),
        }
    }
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::user::gateway_token::GatewayToken;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    fn request(query: &str, authorization: &str) -> Parts {
        let mut request = http::Request::get(format!("/query?{query}"));
        if !authorization.is_empty() {
            request = request.header(AUTHORIZATION, authorization);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn where_a_token_can_be() {
        for (query, authorization, expected) in [
            ("db=d", "", Ok(None)),
            ("db=d", "Token t", Ok(Some("Token t"))),
            ("db=d", "Token u:t", Ok(Some("Token t"))),
            ("db=d", "Token u:t:x", Ok(Some("Token t:x"))),
            ("db=d", "bearer t", Ok(Some("Token t"))),
            ("db=d", "Basic dTp0", Ok(Some("Token t"))),
            ("db=d", "Basic OnQ=", Ok(Some("Token t"))),
            ("db=d", "Basic dTo=", Ok(Some("Token "))),
            ("db=d", "Basic !", Err(Ambiguous)),
            ("db=d", "Digest t", Err(Ambiguous)),
            ("u=u&p=t", "", Ok(Some("Token t"))),
            ("p=t", "", Ok(Some("Token t"))),
            ("%70=%74", "", Ok(Some("Token t"))),
            ("p=a+b%2bc", "", Ok(Some("Token a b+c"))),
            ("p=%0a", "", Err(Ambiguous)),
            ("u=u", "", Ok(None)),
            ("p=t&p=t", "", Err(Ambiguous)),
            ("u=a&u=b&p=t", "", Err(Ambiguous)),
            ("a=b;p=t&p=x", "", Err(Ambiguous)),
            ("p=t", "Token t", Err(Ambiguous)),
            ("p=", "Basic dTp0", Err(Ambiguous)),
            ("u=u", "Token t", Ok(Some("Token t"))),
        ] {
            let token = only_token(&request(query, authorization));
            let text = |header: Option<HeaderValue>| header.map(|h| h.to_str().unwrap().to_owned());
            let expected = expected.map(|text| text.map(str::to_owned));
            assert_eq!(token.map(text), expected, "{query} {authorization}");
        }
    }

    #[test]
    fn where_a_gateway_token_can_be() {
        let token = GatewayToken::generate();
        let (whole, text) = (Presented::Whole(token.digest()), token.text());
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let bad = Ok(Some(Presented::Malformed));
        for (query, authorization, expected) in [
            ("db=d", String::new(), Ok(None)),
            ("db=d&p=t", String::new(), Ok(None)),
            ("db=d", "Token t".to_owned(), Ok(None)),
            ("p=t", "Token t".to_owned(), Ok(None)),
            ("db=d", format!("Token {text}"), Ok(Some(whole))),
            ("db=d&u=x", format!("bearer {text}"), Ok(Some(whole))),
            ("db=d", format!("Token any:{text}"), Ok(Some(whole))),
            ("db=d", basic(&format!("any:{text}")), Ok(Some(whole))),
            ("db=d", basic(&format!(":{text}")), Ok(Some(whole))),
            ("db=d", basic(&format!("{text}:x")), bad),
            ("db=d", basic(&format!("a:b:{text}")), bad),
            ("db=d", format!("Digest {text}"), bad),
            (&format!("p={text}"), String::new(), Ok(Some(whole))),
            (&format!("p={text}x"), String::new(), bad),
            (&format!("u={text}&p=x"), String::new(), bad),
            (&format!("p={text}&p=x"), String::new(), Err(Ambiguous)),
            (&format!("p=x&p={text}"), String::new(), Err(Ambiguous)),
            (&format!("p={text}"), "Token t".to_owned(), Err(Ambiguous)),
            ("p=x", format!("Token {text}"), Err(Ambiguous)),
        ] {
            let found = gateway_token(&request(query, &authorization));
            assert_eq!(found, expected, "{query} {authorization}");
        }
    }

    #[test]
    fn what_is_like_a_credential() {
        for (query, authorization, any, in_query) in [
            ("q=p", "", false, false),
            ("pp=1&P=1&a=p", "", false, false),
            ("u=1", "", true, false),
            ("p", "", true, true),
            ("p=", "", true, true),
            ("a;p=1", "", true, true),
            ("%70=1", "", true, true),
            ("a", "Digest x", true, false),
        ] {
            let request = request(query, authorization);
            let found = (brings_any(&request), is_in_query(&request));
            assert_eq!(found, (any, in_query), "{query} {authorization}");
        }
    }

    proptest! {
        /// However it is spelled, a token in the query is found.
        #[test]
        fn every_spelling_is_found(before in "[a-z=&;%+]{0,8}", name in "p|%70", value in "[a-z%+]{0,4}") {
            let request = request(&format!("{before}&{name}={value}"), "");
            prop_assert!(brings_any(&request) && is_in_query(&request));
            prop_assert_ne!(only_token(&request), Ok(None));
            prop_assert!(in_query(&request).next().is_some());
        }

        /// However a gateway token is spelled in the query, it is found and does not stay there; all else does.
        #[test]
        fn no_gateway_token_stays_in_a_target(
            before in "([a-oq-t]{1,3}=[a-z%+]{0,4}[&;]){0,3}",
            name in "p|%70",
            first in "i|%69|%49",
            after in "([&;][a-oq-t]{1,3}=[a-z%+]{0,4}){0,3}",
        ) {
            let key = "A".repeat(43);
            let request = request(&format!("{before}{name}={first}gw_{key}&u=any{after}"), "");
            let found = gateway_token(&request);
            // A capital makes another token of it, which is none of ours.
            prop_assert_eq!(found.is_ok_and(|it| it.is_some()), first != "%49");
            let left = without_credentials(&request.uri);
            let expected = format!("{before}{}", after.trim_start_matches(['&', ';']));
            let expected = expected.trim_end_matches(['&', ';']);
            prop_assert_eq!(left.query().unwrap_or_default(), expected);
            prop_assert_eq!(left.path(), "/query");
        }
    }
}
