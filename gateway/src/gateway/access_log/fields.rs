//! The fields of an access log line, as text or as members of a JSON object.
//!
//! By hand, without the standard library's machinery of formats: a line is written for every request.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use super::escape::put_escaped;
use crate::process_log::line;

/// Appends fields to a line that has begun.
pub(super) struct Fields<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) is_json: bool,
}

impl Fields<'_> {
    /// A word of the gateway's own: visible ASCII without quotes and backslashes. `-` or `null` if there is none.
    pub(super) fn word(&mut self, name: &str, word: Option<&[u8]>) {
        self.name(name);
        match (word, self.is_json) {
            (Some(word), false) => self.out.extend_from_slice(word),
            (Some(word), true) => self.quoted(|out| out.extend_from_slice(word)),
            (None, false) => self.out.push(b'-'),
            (None, true) => self.out.extend_from_slice(b"null"),
        }
    }

    /// What a client makes up. The same text in both formats, so that it can be looked for in both.
    pub(super) fn text(&mut self, name: &str, text: Option<&str>) {
        let Some(text) = text else { return self.word(name, None) };
        self.name(name);
        if self.is_json {
            let mut escaped = Vec::with_capacity(text.len());
            put_escaped(&mut escaped, text);
            self.quoted(|out| line::json(out, &String::from_utf8_lossy(&escaped)));
        } else {
            put_escaped(self.out, text);
        }
    }

    /// A number.
    pub(super) fn number(&mut self, name: &str, number: u64) {
        self.name(name);
        put_number(self.out, number);
    }

    /// Milliseconds, with three digits behind the point. `-` or `null` if it is not known.
    pub(super) fn millis(&mut self, name: &str, time: Option<Duration>) {
        let Some(time) = time else { return self.word(name, None) };
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.name(name);
        put_number(self.out, micros / 1000);
        let digit = |place| digit(micros / place % 10);
        self.out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
    }

    /// An address. `-` or `null` if there is none.
    pub(super) fn address(&mut self, name: &str, address: Option<SocketAddr>) {
        thread_local! {
            /// The last one, since it serves for many lines.
            static LAST: RefCell<Option<(SocketAddr, String)>> = const { RefCell::new(None) };
        }
        let Some(address) = address else { return self.word(name, None) };
        LAST.with_borrow_mut(|last| {
            let last = match last {
                Some(last) if last.0 == address => last,
                _ => last.insert((address, address.to_string())),
            };
            self.word(name, Some(last.1.as_bytes()));
        });
    }

    fn name(&mut self, name: &str) {
        if self.is_json {
            self.out.extend_from_slice(b",\"");
            self.out.extend_from_slice(name.as_bytes());
            self.out.extend_from_slice(b"\":");
            return;
        }
        if self.out.last() != Some(&b' ') {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(b'=');
    }

    fn quoted(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(b'"');
        put(self.out);
        self.out.push(b'"');
    }
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    let (mut digits, mut first, mut rest) = ([0; 20], 20, number);
    loop {
        first -= 1;
        digits[first] = digit(rest % 10);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

fn digit(number: u64) -> u8 {
    b'0' + u8::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_written_as_the_standard_library_does(number: u64) {
            let mut out = Vec::new();
            put_number(&mut out, number);
            prop_assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
            let mut fields = Fields { out: &mut Vec::new(), is_json: false };
            fields.millis("ms", Some(Duration::from_micros(number)));
            let expected = format!(" ms={}.{:03}", number / 1000, number % 1000);
            prop_assert_eq!(String::from_utf8(fields.out.clone()).unwrap(), expected);
        }

        /// Whatever a client makes up is one member, and the same text as in the other format.
        #[test]
        fn o_01_nothing_forges_a_member(text in ".{0,60}|(\\PC|\n|\r|\"|\\\\|,|:){0,30}") {
            let written = |is_json| {
                let mut fields = Fields { out: &mut Vec::new(), is_json };
                fields.text("path", Some(&text));
                fields.number("status", 200);
                String::from_utf8(fields.out.clone()).unwrap()
            };
            let (plain, json) = (written(false), written(true));
            prop_assert!(json.bytes().all(|byte| byte.is_ascii_graphic()));
            let value: serde_json::Value = serde_json::from_str(&format!("{{\"a\":1{json}}}")).unwrap();
            let text = value["path"].as_str().unwrap();
            prop_assert_eq!(plain, format!(" path={text} status=200"));
            prop_assert_eq!(&value["status"], &200);
            prop_assert_eq!(value.as_object().unwrap().len(), 3);
            prop_assert_eq!(json.matches("\"status\":").count(), 1);
        }
    }
}
