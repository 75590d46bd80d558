//! The fields of an access log line, as text or as members of a JSON object.
//!
//! By hand, without the standard library's machinery of formats: a line is written for every request.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use super::escape::put_escaped;
use crate::process_log::line;

/// Appends fields to a line that has begun: of text, or of JSON.
pub(super) struct Fields<'a, const JSON: bool> {
    pub(super) out: &'a mut Vec<u8>,
}

/// The name of a field, with what is around it.
pub(super) struct Name {
    text: Short,
    json: Short,
}

/// A few bytes in a place of fixed size, since to copy 24 bytes is quicker than to ask how many there are.
struct Short {
    bytes: [u8; 24],
    len: usize,
}

macro_rules! name {
    ($name:literal) => {
        const {
            $crate::gateway::access_log::fields::Name::new(
                concat!(" ", $name, "=").as_bytes(),
                concat!(",\"", $name, "\":").as_bytes(),
            )
        }
    };
}
pub(super) use name;

impl Name {
    /// Of a field, by how it begins in text and in JSON.
    pub(super) const fn new(text: &[u8], json: &[u8]) -> Self {
        Self { text: Short::new(text), json: Short::new(json) }
    }
}

impl Short {
    const fn new(text: &[u8]) -> Self {
        let mut bytes = [0; 24];
        bytes.split_at_mut(text.len()).0.copy_from_slice(text);
        Self { bytes, len: text.len() }
    }

    fn put(&self, out: &mut Vec<u8>) {
        let end = out.len() + self.len;
        out.extend_from_slice(&self.bytes);
        out.truncate(end);
    }
}

impl<const JSON: bool> Fields<'_, JSON> {
    /// A word of the gateway's own: visible ASCII without quotes and backslashes. `-` or `null` if there is none.
    pub(super) fn word(&mut self, name: &Name, word: Option<&[u8]>) {
        self.name(name);
        match word {
            Some(word) if JSON => self.quoted(|out| out.extend_from_slice(word)),
            Some(word) => self.out.extend_from_slice(word),
            None if JSON => self.out.extend_from_slice(b"null"),
            None => self.out.push(b'-'),
        }
    }

    /// What a client makes up. The same text in both formats, so that it can be looked for in both.
    pub(super) fn text(&mut self, name: &Name, text: Option<&str>) {
        let Some(text) = text else { return self.word(name, None) };
        self.name(name);
        if JSON {
            let mut escaped = Vec::with_capacity(text.len());
            put_escaped(&mut escaped, text);
            self.quoted(|out| line::json(out, &String::from_utf8_lossy(&escaped)));
        } else {
            put_escaped(self.out, text);
        }
    }

    /// A number.
    pub(super) fn number(&mut self, name: &Name, number: u64) {
        self.name(name);
        put_number(self.out, number);
    }

    /// Milliseconds, with three digits behind the point. `-` or `null` if it is not known.
    pub(super) fn millis(&mut self, name: &Name, time: Option<Duration>) {
        let Some(time) = time else { return self.word(name, None) };
        self.name(name);
        let micros =
            time.as_secs().saturating_mul(1_000_000).saturating_add(time.subsec_micros().into());
        put_number(self.out, micros / 1000);
        let [hundreds, tens, ones] = THREE_DIGITS[(micros % 1000) as usize];
        self.out.extend_from_slice(&[b'.', hundreds, tens, ones]);
    }

    /// An address. `-` or `null` if there is none.
    pub(super) fn address(&mut self, name: &Name, address: Option<SocketAddr>) {
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

    fn name(&mut self, name: &Name) {
        let name = if JSON { &name.json } else { &name.text };
        name.put(self.out);
    }

    fn quoted(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(b'"');
        put(self.out);
        self.out.push(b'"');
    }
}

/// The numbers from 0 to 999, each in three digits: looked up, they are quicker than divided.
static THREE_DIGITS: [[u8; 3]; 1000] = {
    let mut all = [[b'0'; 3]; 1000];
    let mut number = 0;
    while number < 1000 {
        let digits = [number / 100, number / 10 % 10, number % 10];
        let mut place = 0;
        while place < 3 {
            all[number][place] = b"0123456789"[digits[place]];
            place += 1;
        }
        number += 1;
    }
    all
};

/// Most numbers of a line are a status, or bytes and milliseconds of one digit.
fn put_number(out: &mut Vec<u8>, number: u64) {
    match usize::try_from(number) {
        Ok(digit @ 0..10) => out.push(THREE_DIGITS[digit][2]),
        Ok(three @ 100..1000) => out.extend_from_slice(&THREE_DIGITS[three]),
        _ => out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written<const JSON: bool>(put: impl FnOnce(&mut Fields<'_, JSON>)) -> String {
        let mut out = Vec::new();
        put(&mut Fields { out: &mut out });
        String::from_utf8(out).unwrap()
    }

    fn made_up<const JSON: bool>(text: &str) -> String {
        written::<JSON>(|fields| {
            fields.text(&name!("path"), Some(text));
            fields.number(&name!("status"), 200);
        })
    }

    proptest! {
        #[test]
        fn times_are_in_milliseconds(micros: u64) {
            let time = Some(Duration::from_micros(micros));
            let line = written::<false>(|fields| fields.millis(&name!("ms"), time));
            prop_assert_eq!(line, format!(" ms={}.{:03}", micros / 1000, micros % 1000));
        }

        #[test]
        fn numbers_are_written_in_digits(number in prop_oneof![0..2000_u64, any::<u64>()]) {
            let line = written::<false>(|fields| fields.number(&name!("bytes"), number));
            prop_assert_eq!(line, format!(" bytes={number}"));
        }

        /// Whatever a client makes up is one member, and the same text as in the other format.
        #[test]
        fn o_01_nothing_forges_a_member(text in ".{0,60}|(\\PC|\n|\r|\"|\\\\|,|:){0,30}") {
            let (plain, json) = (made_up::<false>(&text), made_up::<true>(&text));
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
