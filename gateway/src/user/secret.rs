//! Credentials for the upstream: API tokens and InfluxDB's session cookies.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::HeaderValue;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// An InfluxDB API token. Cannot be printed; wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiToken(Zeroizing<String>);

impl ApiToken {
    /// Reads a token; white space around it, as a file's last line has it, does not count.
    ///
    /// The error does not repeat the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("the token is empty".to_owned());
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a token is visible ASCII without blanks".to_owned());
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The token in the file at `path`, which `read` reads.
    pub fn of_file(
        path: &Path,
        read: impl Fn(&Path) -> Result<String, String>,
    ) -> Result<Self, String> {
        let text = Zeroizing::new(read(path)?);
        Self::parse(&text).map_err(|what| format!("{}: {what}", path.display()))
    }

    /// The token itself, for whoever has to write it elsewhere than into `Authorization`.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// How many characters it has.
    pub fn length(&self) -> usize {
        self.0.len()
    }

    /// The SHA-256 of the token.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }

    /// The value of an `Authorization` header that carries the token, marked as sensitive.
    pub fn authorization(&self, scheme: Scheme) -> HeaderValue {
        let word = match scheme {
            Scheme::Token => "Token ",
            Scheme::Bearer => "Bearer ",
        };
        // Taken over as it is: one copy, with every request.
        let text = [word, &self.0].concat();
        let mut value =
            HeaderValue::try_from(text).expect("a token is visible ASCII, which is a header value");
        value.set_sensitive(true);
        value
    }
}

/// The scheme before a token. InfluxDB 2 takes either, InfluxDB 3 requires `Bearer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `Token`.
    Token,
    /// `Bearer`.
    Bearer,
}

/// The token for users who have none of their own, and how tokens are written.
pub struct Shared {
    token: ArcSwapOption<ApiToken>,
    /// The word before any token that the gateway injects.
    pub scheme: Scheme,
}

impl Shared {
    /// `token`, if there is one, and the word before it and before those of users.
    pub fn new(token: Option<ApiToken>, scheme: Scheme) -> Self {
        Self { token: ArcSwapOption::from_pointee(token), scheme }
    }

    /// The `Authorization` for users who have no token of their own.
    pub fn authorization(&self) -> Option<HeaderValue> {
        self.token.load().as_ref().map(|token| token.authorization(self.scheme))
    }

    /// Whether there is one.
    pub fn has_token(&self) -> bool {
        self.token.load().is_some()
    }

    /// Lets `token` be used from the next request on; false if it already is.
    pub fn replace(&self, token: Option<ApiToken>) -> bool {
        let is_new = self.token.load().as_deref() != token.as_ref();
        if is_new {
            self.token.store(token.map(Arc::new));
        }
        is_new
    }
}

/// A session of InfluxDB's own: the cookie that it gave to the gateway. Cannot be printed.
pub struct UpstreamSession(HeaderValue);

impl UpstreamSession {
    /// The session in these values of `Set-Cookie`, by its name: others on the way may have cookies
    /// of their own to set. `session` is how InfluxDB 2.0 called it.
    pub fn find(set_cookies: &[&[u8]]) -> Option<Self> {
        let named = |name: &[u8]| {
            let has_name = |line: &&&[u8]| {
                let rest = line.trim_ascii_start().strip_prefix(name);
                rest.is_some_and(|rest| rest.trim_ascii_start().starts_with(b"="))
            };
            set_cookies.iter().filter(has_name).find_map(|line| Self::parse(line))
        };
        named(b"influxdb-oss-session").or_else(|| named(b"session"))
    }

    /// The session in the value of a `Set-Cookie`; `None` if there is no cookie in it.
    pub fn parse(set_cookie: &[u8]) -> Option<Self> {
        let pair = set_cookie.split(|&byte| byte == b';').next()?.trim_ascii();
        let equals = pair.iter().position(|&byte| byte == b'=')?;
        if equals == 0 || pair.len() == equals + 1 {
            return None;
        }
        let mut value = HeaderValue::from_bytes(pair).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }

    /// `name=value`, as the `Cookie` header has it.
    pub fn cookie(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstreams_cookie_is_what_comes_before_its_attributes() {
        let cookie = |text: &str| UpstreamSession::parse(text.as_bytes()).map(|s| s.cookie());
        let line = "influxdb-oss-session=abc==; Path=/api/; HttpOnly";
        assert_eq!(cookie(line).unwrap(), "influxdb-oss-session=abc==");
        assert_eq!(cookie("session=x").unwrap(), "session=x");
        for odd in ["", "session", "session=", "=x", "; Path=/"] {
            assert!(cookie(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn f_09_influxdbs_cookie_is_found_among_others() {
        let find = |lines: &[&str]| {
            let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
            UpstreamSession::find(&lines)
                .map(|session| session.cookie().to_str().unwrap().to_owned())
        };
        let own = "influxdb-oss-session=a==; Path=/api/; HttpOnly";
        for lines in [
            &[own][..],
            &["AWSALB=x; Path=/", own, "AWSALBCORS=y"],
            &["session=of the balancer", own],
            &["influxdb-oss-session2=b", "my-influxdb-oss-session=c", own],
            &["influxdb-oss-session=", "influxdb-oss-session", own],
        ] {
            assert_eq!(find(lines).as_deref(), Some("influxdb-oss-session=a=="), "{lines:?}");
        }
        assert_eq!(find(&["AWSALB=x", "session=b; Path=/"]).as_deref(), Some("session=b"));
        for lines in [&[][..], &["AWSALB=x; Path=/"], &["sessions=x"], &["session="]] {
            assert_eq!(find(lines), None, "{lines:?}");
        }
    }
}
