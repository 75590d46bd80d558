//! Names and values as they stand in the query of a URL, or in a form that is sent.

use http::Uri;
use zeroize::Zeroizing;

/// `name=value`, with `&` between them. Wiped when dropped: there may be secrets in it.
#[derive(Default)]
pub struct Parameters(Zeroizing<String>);

impl Parameters {
    /// The same, and one more.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        // At once, so that no shorter copy stays behind.
        self.0.reserve(name.len() + 3 * value.len() + 2);
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        encode(value, &mut self.0);
        self
    }

    /// The text of a form.
    pub fn form(&self) -> &str {
        &self.0
    }

    /// `uri` with them in its query.
    pub fn behind(&self, uri: &Uri) -> Zeroizing<String> {
        let mark = if uri.query().is_some() { '&' } else { '?' };
        Zeroizing::new(format!("{uri}{mark}{}", *self.0))
    }
}

/// `text` as it stands in a form.
pub fn encoded(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(3 * text.len()));
    encode(text, &mut out);
    out
}

fn encode(text: &str, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for digit in [byte >> 4, byte & 15] {
                out.push(char::from(DIGITS[usize::from(digit)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plain_is_encoded() {
        let parameters = Parameters::default().with("a", "x y&=%é").with("b", "https://h/p?q");
        let expected = "a=x%20y%26%3D%25%C3%A9&b=https%3A%2F%2Fh%2Fp%3Fq";
        assert_eq!(parameters.form(), expected);
        let behind = |uri: &str| parameters.behind(&uri.parse().unwrap()).to_string();
        assert_eq!(behind("https://i.test/a"), format!("https://i.test/a?{expected}"));
        assert_eq!(behind("https://i.test/a?x=1"), format!("https://i.test/a?x=1&{expected}"));
        assert_eq!(*encoded("a:b"), "a%3Ab");
    }
}
