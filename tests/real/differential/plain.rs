//! An answer without what is another at each InfluxDB, or each time: ids, tokens and times.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;

use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::support::*;

/// An answer as it can be compared.
#[derive(Clone)]
pub(super) struct Plain {
    /// Of the interim answers and the last one.
    status: String,
    /// The values of each name, sorted.
    headers: BTreeMap<String, Vec<String>>,
    body: String,
}

/// How much of two answers can be the same.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sameness {
    #[default]
    Bytes,
    /// What is in the body, not its order: some lists are in the order of random ids.
    Pieces,
    /// Status and headers: InfluxDB's body is another each time.
    Head,
}

/// One thing that two answers differ in.
pub(super) struct Difference {
    /// `status`, `body` or a header's name.
    pub(super) part: String,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Plain {
    /// Without what `names` has names for. Of another order at each InfluxDB, it is put in one; of other
    /// bytes each time, there is no body.
    pub(super) fn of(answers: &[Answer], names: &[(String, String)], sameness: Sameness) -> Self {
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status.to_string()).collect();
        let mut plain =
            Self { status: statuses.join(" "), headers: BTreeMap::new(), body: String::new() };
        let Some(answer) = answers.last() else { return plain };
        plain.body = match sameness {
            Sameness::Bytes => text_of(&body_of(answer), names),
            Sameness::Pieces => {
                let text = text_of(&body_of(answer), names);
                let mut pieces: Vec<_> = text.split([',', '\n', '[', ']', '{', '}']).collect();
                pieces.sort_unstable();
                pieces.join("\n")
            }
            Sameness::Head if answer.status >= 400 => text_of(&body_of(answer), names),
            Sameness::Head => String::new(),
        };
        for (name, value) in answer.headers.iter().filter(|(name, _)| name != "date") {
            // Another id or time may be of another length; that the length is the body's, reading it showed.
            let is_of_body = name == "content-length" && !answer.body.is_empty();
            let value =
                if is_of_body { "<length>".into() } else { text_of(value.as_bytes(), names) };
            plain.headers.entry(name.clone()).or_default().push(value);
        }
        plain.headers.values_mut().for_each(|values| values.sort());
        plain
    }

    pub(super) fn status(&self) -> &str {
        &self.status
    }

    pub(super) fn body(&self) -> &str {
        &self.body
    }

    /// What is otherwise in `found`.
    pub(super) fn differences(&self, found: &Self) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut compare = |part: &str, expected: &str, found: &str| {
            if expected != found {
                let [part, expected, found] = [part, expected, found].map(str::to_owned);
                differences.push(Difference { part, expected, found });
            }
        };
        compare("status", &self.status, &found.status);
        let names: BTreeSet<_> = self.headers.keys().chain(found.headers.keys()).collect();
        for name in names {
            let value =
                |plain: &Self| plain.headers.get(name).cloned().unwrap_or_default().join(" | ");
            compare(name, &value(self), &value(found));
        }
        compare("body", &self.body, &found.body);
        differences
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, expected, found } = self;
        let same = expected.bytes().zip(found.bytes()).take_while(|(one, other)| one == other);
        let mut start = same.count().saturating_sub(60);
        if expected.len().max(found.len()) < 200 {
            start = 0;
        }
        while !expected.is_char_boundary(start) || !found.is_char_boundary(start) {
            start -= 1;
        }
        let more = if start > 0 { "…" } else { "" };
        let (expected, found) = (&expected[start..], &found[start..]);
        write!(
            formatter,
            "{part}: InfluxDB {more}{expected:.200?}\n    {:1$}  gateway {more}{found:.200?}",
            "",
            part.len()
        )
    }
}

/// The body, unpacked.
fn body_of(answer: &Answer) -> Vec<u8> {
    let mut body = answer.body.clone();
    if answer.header("content-encoding") == Some("gzip") && !body.is_empty() {
        let packed = std::mem::take(&mut body);
        GzDecoder::new(&*packed).read_to_end(&mut body).unwrap();
    }
    body
}

fn text_of(bytes: &[u8], names: &[(String, String)]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    for (name, id) in names.iter().filter(|(_, id)| bytes.len() >= id.len()) {
        if text.contains(id) {
            text = text.replace(id, &format!("<{name}>"));
        }
    }
    without_chance(&text)
}

/// `text` with a word in place of each id, token, time and duration.
fn without_chance(text: &str) -> String {
    let is_of_word = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let (mut plain, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.bytes().position(is_of_word) {
        plain += &rest[..start];
        rest = &rest[start..];
        let bytes = rest.as_bytes();
        let length = run(bytes, is_of_word);
        let may_be = length >= 16 || bytes[0].is_ascii_digit() || bytes.get(3) == Some(&b',');
        let kinds: &[fn(&[u8]) -> Chance] = &[id, token, time, duration];
        let found = may_be.then(|| kinds.iter().find_map(|kind| kind(bytes))).flatten();
        let (word, length) = found.unwrap_or_else(|| {
            let length = run(bytes, |byte| byte.is_ascii_alphanumeric()).max(1);
            (&rest[..length], length)
        });
        plain += word;
        rest = &rest[length..];
    }
    plain + rest
}

type Chance = Option<(&'static str, usize)>;

fn run(text: &[u8], is_of_it: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|&&byte| is_of_it(byte)).count()
}

fn id(text: &[u8]) -> Chance {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let length = run(text, |byte| byte.is_ascii_alphanumeric());
    // Those of multipart bodies have 60 digits.
    let is_id = matches!(length, 16 | 60) && run(text, is_hex) == length;
    // The one of `openapi.py` that nothing has.
    (is_id && !text.starts_with(b"00000000")).then_some(("<id>", length))
}

/// 64 random bytes.
fn token(text: &[u8]) -> Chance {
    let length = run(text, |byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (length == 86 && text[length..].starts_with(b"==")).then_some(("<token>", 88))
}

/// Of the present: those of the points that are written are older.
fn time(text: &[u8]) -> Chance {
    if has_shape(text, b"Mon, 00 Mon 0000 00:00:00 GMT") {
        return Some(("<date>", 29));
    }
    let shape = b"0000-00-00T00:00:00";
    if !has_shape(text, shape) || text < &b"2026"[..] {
        return None;
    }
    let length =
        shape.len() + run(&text[shape.len()..], |byte| byte.is_ascii_digit() || byte == b'.');
    let zone = match text.get(length) {
        Some(b'Z') => 1,
        Some(b'+' | b'-') => 6,
        _ => 0,
    };
    Some(("<time>", length + zone))
}

/// Whether `text` begins like `shape`, any digits for 0.
fn has_shape(text: &[u8], shape: &[u8]) -> bool {
    let fits = |(&byte, &shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        b'a'..=b'z' | b'A'..=b'Z' => byte.is_ascii_alphabetic(),
        _ => byte == shape,
    };
    text.len() >= shape.len() && text.iter().zip(shape).all(fits)
}

/// Such as `1.234ms` and `2h3m4s`, and what is as exact without a unit.
fn duration(text: &[u8]) -> Chance {
    let length = run(text, |byte| byte.is_ascii_digit() || b".hmsn\xc2\xb5".contains(&byte));
    let text = &text[..length];
    let has = |wanted: &[u8]| text.iter().any(|byte| wanted.contains(byte));
    let decimals = text.len() - text.iter().position(|&byte| byte == b'.').unwrap_or(length);
    let is_exact = decimals > 6 && !has(b"hms");
    let is_one = text.first().is_some_and(u8::is_ascii_digit)
        && (is_exact || text.ends_with(b"s") && has(b".m"));
    is_one.then_some(("<duration>", length))
}
