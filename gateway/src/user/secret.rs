//! InfluxDB API tokens.

use http::HeaderValue;
use zeroize::Zeroizing;

/// An InfluxDB API token. Cannot be printed; wiped when dropped.
#[derive(Clone)]
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

    /// The value of an `Authorization` header that carries the token, marked as sensitive.
    pub fn authorization(&self) -> HeaderValue {
        let text = Zeroizing::new(format!("Token {}", *self.0));
        let mut value = HeaderValue::from_str(&text)
            .expect("a token is visible ASCII, which is a header value");
        value.set_sensitive(true);
        value
    }
}
