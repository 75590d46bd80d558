//! Cookies of sign-ins that have begun. The session's own cookie does not come along when a provider sends a browser back;
//! these do (`SameSite=Lax`), and give nobody any authority.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::api::split::split;
use crate::auth::oidc::state::LIFE;

/// So many sign-ins may be under way in one browser. Beyond them, the one that was begun first is given up.
pub const MOST: usize = 4;

/// A name of this prefix is taken from nobody but this very host, over TLS, for all its paths.
const OVER_TLS: &str = "__Host-influx-oidc-";
const PLAIN: &str = "influx-oidc-";

/// How the cookies are written.
#[derive(Clone, Copy)]
pub struct StateCookies {
    /// Whether browsers come back over TLS.
    pub over_tls: bool,
}

impl StateCookies {
    /// `Set-Cookie` for the sign-in of this `mark`.
    pub fn set(self, mark: &str, value: &str) -> Option<HeaderValue> {
        self.written(mark, value, &format!("; Max-Age={LIFE}"))
    }

    /// `Set-Cookie` that makes the browser forget it.
    pub fn delete(self, mark: &str) -> Option<HeaderValue> {
        self.written(mark, "", "; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0")
    }

    fn written(self, mark: &str, value: &str, life: &str) -> Option<HeaderValue> {
        let (prefix, secure) = if self.over_tls { (OVER_TLS, "; Secure") } else { (PLAIN, "") };
        let text = format!("{prefix}{mark}={value}; Path=/{life}; HttpOnly{secure}; SameSite=Lax");
        let mut value = HeaderValue::try_from(text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// All that a browser brings: their marks and values. The first of a name counts.
    pub fn all(self, headers: &HeaderMap) -> Vec<(&str, &[u8])> {
        let prefix = if self.over_tls { OVER_TLS } else { PLAIN };
        let mut found: Vec<(&str, &[u8])> = Vec::new();
        let lines = headers.get_all(COOKIE).iter();
        for member in lines.flat_map(|line| split(line.as_bytes(), b';')) {
            let member = member.trim_ascii();
            let Some(equals) = member.iter().position(|&byte| byte == b'=') else { continue };
            let name = std::str::from_utf8(&member[..equals]).unwrap_or_default();
            if let Some(mark) = name.strip_prefix(prefix).filter(|mark| is_mark(mark))
                && !found.iter().any(|(other, _)| *other == mark)
            {
                found.push((mark, &member[equals + 1..]));
            }
        }
        found
    }
}

/// Whether a cookie of this `name` is of a sign-in, of this one or of another configuration.
pub fn is_of_sign_in(name: &[u8]) -> bool {
    [OVER_TLS, PLAIN].iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// Nothing else is written into an answer.
fn is_mark(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn cookies_are_of_this_host_and_come_along_with_a_link() {
        let text = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        let [tls, plain] = [true, false].map(|over_tls| StateCookies { over_tls });
        assert_eq!(
            text(tls.set("0123abcd", "x")),
            "__Host-influx-oidc-0123abcd=x; Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax"
        );
        assert_eq!(
            text(plain.delete("0123abcd")),
            "influx-oidc-0123abcd=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; \
             HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn over_tls_no_cookie_counts_that_another_host_could_have_set() {
        let lines = [
            "influx-oidc-00000000=tossed; __Host-influx-oidc-0123abcd=a; x=y",
            "__Host-influx-oidc-0123abcd=b; __Host-influx-oidc-0123ABCD=c; __Host-influx-oidc-1=d",
            "__Host-influx-oidc-ffffffff",
        ];
        let headers = headers(&lines);
        let tls = StateCookies { over_tls: true }.all(&headers);
        assert_eq!(tls, [("0123abcd", b"a".as_slice())]);
        let plain = StateCookies { over_tls: false }.all(&headers);
        assert_eq!(plain, [("00000000", b"tossed".as_slice())]);
    }

    proptest! {
        #[test]
        fn whatever_cookies_come_marks_are_marks_and_each_comes_once(
            line in "((__Host-)?influx-oidc-[0-9a-f]{7,9}=[ -~]{0,5}; ?|[ -~]{0,9};?){0,9}",
            over_tls: bool,
        ) {
            let headers: HeaderMap =
                HeaderValue::from_str(&line).into_iter().map(|line| (COOKIE, line)).collect();
            let all = StateCookies { over_tls }.all(&headers);
            let marks: std::collections::HashSet<_> = all.iter().map(|(mark, _)| mark).collect();
            prop_assert_eq!(marks.len(), all.len());
            prop_assert!(all.iter().all(|(mark, _)| is_mark(mark)));
        }
    }
}
