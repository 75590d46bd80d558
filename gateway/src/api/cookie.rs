//! The session cookie: how it is set, how it is read, and how it is removed from forwarded requests.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use memchr::memchr;
use zeroize::Zeroizing;

use super::split::split;
use crate::session::token::SessionToken;

/// How the session cookie is written.
#[derive(Clone, Debug)]
pub struct CookieRules {
    /// The cookie's name; a token of RFC 6265.
    pub name: String,
    /// The `Path` attribute.
    pub path: String,
    /// When the `Secure` attribute is set.
    pub secure: Secure,
    /// The `SameSite` attribute.
    pub same_site: SameSite,
    /// Whether a hint goes along with it, for pages that it is not sent for.
    pub hints: bool,
}

/// When the cookie is marked `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secure {
    /// If the request came over TLS.
    Auto,
    /// On every answer, as behind a terminator of TLS.
    Always,
    /// On none.
    Never,
}

/// The `SameSite` attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Sent by the site itself only.
    Strict,
    /// Sent also when a link leads here.
    Lax,
    /// Sent by every site.
    None,
}

impl CookieRules {
    /// `Set-Cookie` for a new session.
    ///
    /// Without `Expires`: the record decides when the session ends, and a date would end it in
    /// browsers while it is in use.
    pub fn set(&self, token: &SessionToken, over_tls: bool) -> HeaderValue {
        let text = Zeroizing::new(format!(
            "{}={}; Path={}{}",
            self.name,
            *token.text(),
            self.path,
            self.attributes(over_tls)
        ));
        let mut value = header_value(&text);
        value.set_sensitive(true);
        value
    }

    /// `Set-Cookie` that makes the client forget the cookie: the same attributes, in the past.
    pub fn delete(&self, over_tls: bool) -> HeaderValue {
        self.delete_at(&self.path, over_tls)
    }

    /// The same for the path that the cookie may have had before `path` was changed, if the request
    /// brings one of the name: browsers keep both, and send that of the longer path first, which
    /// decides. Where ours is the longer there is nothing to clear, and clients are spared a second
    /// `Set-Cookie`: some take the last, and curl 7.88 forgets neither.
    pub fn delete_elsewhere(&self, request: &HeaderMap, over_tls: bool) -> Option<HeaderValue> {
        // Of names with this prefix, browsers take none with another path.
        let may_hide = OF_INFLUXDB.starts_with(&self.path)
            && self.path != OF_INFLUXDB
            && !self.name.starts_with("__Host-");
        let is_it = |name: &[u8]| name == self.name.as_bytes();
        let is_brought = |line: &HeaderValue| holds(line.as_bytes(), is_it);
        (may_hide && request.get_all(COOKIE).iter().any(is_brought))
            .then(|| self.delete_at(OF_INFLUXDB, over_tls))
    }

    fn delete_at(&self, path: &str, over_tls: bool) -> HeaderValue {
        header_value(&format!(
            "{}=; Path={path}; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0{}",
            self.name,
            self.attributes(over_tls)
        ))
    }

    /// The session token that the request presents.
    ///
    /// Read as InfluxDB reads it: all `Cookie` headers in turn, the name case-sensitive, the first
    /// cookie of the name decides, double quotes around the value do not count, members that are
    /// no cookies (some clients send attributes along) are passed over.
    pub fn token(&self, headers: &HeaderMap) -> Option<SessionToken> {
        let lines = headers.get_all(COOKIE).iter();
        let value = lines
            .flat_map(|line| split(line.as_bytes(), b';'))
            .filter_map(|member| value_of(member, &self.name))
            .find_map(unquoted)?;
        SessionToken::parse(value)
    }

    /// Whether cookies of an answer over TLS or not are `Secure`.
    pub fn is_secure(&self, over_tls: bool) -> bool {
        match self.secure {
            Secure::Always => true,
            Secure::Never => false,
            Secure::Auto => over_tls,
        }
    }

    fn attributes(&self, over_tls: bool) -> String {
        let secure = self.is_secure(over_tls);
        let same_site = match self.same_site {
            SameSite::Strict => "Strict",
            SameSite::Lax => "Lax",
            SameSite::None => "None",
        };
        format!("; HttpOnly{}; SameSite={same_site}", if secure { "; Secure" } else { "" })
    }
}

/// The path that InfluxDB gives its session cookie, and the gateway by default.
pub const OF_INFLUXDB: &str = "/api/";

/// The name that InfluxDB gives its session cookie.
pub const INFLUXDB: &str = "influxdb-oss-session";

/// `line`, a `Cookie` header, without the cookies whose name `is_gone`; the rest byte for byte. `None`
/// when nothing is left.
pub fn without(line: &[u8], is_gone: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
    let mut others = split(line, b';').filter(|member| !is_gone(name_of(member)));
    let mut rest = others.next()?.trim_ascii_start().to_vec();
    for member in others {
        rest.push(b';');
        rest.extend_from_slice(member);
    }
    rest.truncate(rest.trim_ascii_end().len());
    (!rest.is_empty()).then_some(rest)
}

/// Whether `line`, a `Cookie` header, holds a cookie whose name `is_it`.
pub fn holds(line: &[u8], is_it: impl Fn(&[u8]) -> bool) -> bool {
    split(line, b';').any(|member| is_it(name_of(member)))
}

/// The name in `pair`, a `name=value`. A name without `=` is a cookie too, with an empty value.
pub fn name_of(pair: &[u8]) -> &[u8] {
    parted(pair).0
}

fn value_of<'a>(member: &'a [u8], wanted: &str) -> Option<&'a [u8]> {
    let (name, value) = parted(member.trim_ascii());
    (name == wanted.as_bytes()).then_some(value)
}

fn parted(pair: &[u8]) -> (&[u8], &[u8]) {
    let equals = memchr(b'=', pair).unwrap_or(pair.len());
    (pair[..equals].trim_ascii(), pair.get(equals + 1..).unwrap_or_default())
}

fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text)
        .expect("name and path of the cookie are checked by the configuration")
}

/// The value without double quotes; `None` for bytes that no cookie may have.
fn unquoted(value: &[u8]) -> Option<&[u8]> {
    let inner = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let value = inner.unwrap_or(value);
    // Without a branch for each byte, so that compilers look at many at once.
    let is_odd = |byte: u8| !(b' '..=b'~').contains(&byte) || byte == b'"' || byte == b'\\';
    let is_valid = value.iter().fold(0, |odd, &byte| odd | u8::from(is_odd(byte))) == 0;
    is_valid.then_some(value)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn rules() -> CookieRules {
        CookieRules {
            name: "influxdb-oss-session".to_owned(),
            path: "/api/".to_owned(),
            secure: Secure::Auto,
            same_site: SameSite::Strict,
            hints: false,
        }
    }

    fn is_influxdbs(name: &[u8]) -> bool {
        name == INFLUXDB.as_bytes()
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let value = |line: &&str| (COOKIE, HeaderValue::from_str(line).unwrap());
        lines.iter().map(value).collect()
    }

    #[test]
    fn s_09_attributes_follow_the_rules_and_a_deletion_repeats_them() {
        let token = SessionToken::parse(&[b'A'; 43]).unwrap();
        let text = |value: HeaderValue| value.to_str().unwrap().to_owned();
        let value = "A".repeat(43);
        assert_eq!(
            text(rules().set(&token, false)),
            format!("influxdb-oss-session={value}; Path=/api/; HttpOnly; SameSite=Strict")
        );
        assert_eq!(
            text(rules().set(&token, true)),
            format!("influxdb-oss-session={value}; Path=/api/; HttpOnly; Secure; SameSite=Strict")
        );
        assert_eq!(
            text(rules().delete(false)),
            "influxdb-oss-session=; Path=/api/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; \
             HttpOnly; SameSite=Strict"
        );
        let never = CookieRules { secure: Secure::Never, same_site: SameSite::Lax, ..rules() };
        assert!(text(never.set(&token, true)).ends_with("; HttpOnly; SameSite=Lax"));
        let always = CookieRules { secure: Secure::Always, same_site: SameSite::None, ..rules() };
        assert!(text(always.delete(false)).ends_with("; HttpOnly; Secure; SameSite=None"));
    }

    #[test]
    fn s_12_the_cookie_is_found_as_influxdb_finds_it() {
        let (a, b) = ("a".repeat(42) + "A", "b".repeat(42) + "A");
        let name = "influxdb-oss-session";
        let check = |lines: &[String], expected: Option<&str>| {
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let token = rules().token(&headers(&lines));
            assert_eq!(
                token.map(|token| token.text().to_string()).as_deref(),
                expected,
                "{lines:?}"
            );
        };
        check(&[format!("{name}={a}")], Some(&a));
        check(&[format!("x=1; {name}={a}; y=2")], Some(&a));
        check(&["x=1".to_owned(), format!("{name}={a}")], Some(&a));
        check(&[format!("{name}=\"{a}\"")], Some(&a));
        check(
            &[format!("{name}={a}; Path=/api/; Expires=Sun, 22 Nov 2026 06:09:07 GMT; HttpOnly")],
            Some(&a),
        );
        check(&[format!("Expires=Sun, 22 Nov; HttpOnly=; Path=/api/; {name}=\"{a}\"")], Some(&a));
        check(&[format!("{name}={a}; {name}={b}")], Some(&a));
        check(&[format!("{name}=junk; {name}={b}")], None);
        check(&[format!("{name}=a\\b; {name}={b}")], Some(&b));
        check(&[format!("INFLUXDB-OSS-SESSION={a}")], None);
        check(&[format!("session={a}")], None);
        check(&[format!("{name}=")], None);
        check(&[format!("{name}={a}=")], None);
        check(&[name.to_owned()], None);
        check(&[format!("{name}; {name}={b}")], None);
        check(&[], None);
    }

    /// The store is asked by a token only, and of these none is made.
    #[test]
    fn s_13_a_malformed_value_is_no_token_and_nothing_is_looked_up_for_it() {
        let good = "a".repeat(42) + "A";
        let check = |value: &[u8]| {
            let line = [b"influxdb-oss-session=", value].concat();
            // What cannot be a header at all does not come so far.
            let Ok(line) = HeaderValue::from_bytes(&line) else { return };
            let token = rules().token(&HeaderMap::from_iter([(COOKIE, line)]));
            assert!(token.is_none(), "{}", value.escape_ascii());
        };
        check(b"");
        check(b"\"\"");
        check(&good.as_bytes()[..42]);
        for length in [44, 86, 4 << 10, 64 << 10, 1 << 20] {
            check(&good.as_bytes().repeat(length / 43 + 1)[..length]);
        }
        // The last character of 43 has two bits that must be zero.
        check(&[&good.as_bytes()[..42], b"B"].concat());
        for byte in (0..=u8::MAX).filter(|byte| !byte.is_ascii_alphanumeric()) {
            if !b"-_".contains(&byte) {
                let mut value = good.clone().into_bytes();
                value[20] = byte;
                check(&value);
            }
        }
    }

    #[test]
    fn s_18_the_cookie_that_is_set_cannot_be_printed() {
        let token = SessionToken::generate();
        let set = rules().set(&token, true);
        assert!(set.is_sensitive());
        let headers = HeaderMap::from_iter([(http::header::SET_COOKIE, set)]);
        assert!(!format!("{headers:?}").contains(token.text().as_str()));
    }

    #[test]
    fn other_cookies_go_through_byte_for_byte() {
        let check = |line: &str, expected: Option<&str>| {
            let rest = without(line.as_bytes(), is_influxdbs);
            let expected = expected.map(|text| text.as_bytes().to_vec());
            assert_eq!(rest, expected, "{line}");
        };
        check("influxdb-oss-session=x", None);
        check("a=1; influxdb-oss-session=x; b=\"2\"", Some("a=1; b=\"2\""));
        check("influxdb-oss-session=x; a=1", Some("a=1"));
        check("influxdb-oss-session=x; influxdb-oss-session=y; a=1;b=2", Some("a=1;b=2"));
        check("influxdb-oss-session; a=1", Some("a=1"));
        check(" influxdb-oss-session =x; Influxdb-oss-session=z", Some("Influxdb-oss-session=z"));
    }

    proptest! {
        #[test]
        fn nothing_of_the_cookie_stays(line in "([a-z]{0,2}=?[a-z]?;? ?|influxdb-oss-session=x; ?){0,9}") {
            let rest = without(line.as_bytes(), is_influxdbs).unwrap_or_default();
            prop_assert!(!holds(&rest, is_influxdbs));
            if !holds(line.as_bytes(), is_influxdbs) {
                prop_assert_eq!(rest, line.trim().as_bytes());
            }
        }

        #[test]
        fn a_token_is_found_among_junk(before in "[a-z=\" ,/]{0,20}", after in "[ -~]{0,40}") {
            let token = SessionToken::generate();
            let line = format!("{before};influxdb-oss-session={};{after}", *token.text());
            let found = rules().token(&headers(&[&line]));
            prop_assert!(found.is_some_and(|found| found.id() == token.id()));
        }

        #[test]
        fn s_13_reading_is_total(line in proptest::collection::vec(0x20..=0xff_u8, 0..200)) {
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                let _ = rules().token(&HeaderMap::from_iter([(COOKIE, value)]));
                let _ = without(&line, is_influxdbs);
            }
        }
    }
}
