//! A line of the log, as text or as a JSON object.

use std::cell::Cell;
use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use log::Level;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Format {
    /// For people, and for programs that know the lines.
    Text,
    /// The same on a terminal.
    Coloured,
    /// One JSON object a line.
    Json,
}

impl Format {
    pub(super) fn of(number: u8) -> Self {
        [Self::Text, Self::Coloured, Self::Json]
            .into_iter()
            .find(|format| *format as u8 == number)
            .unwrap_or(Self::Text)
    }
}

/// Appends how a line begins, which is said by `whom`: at what level, and under which name. In text, a blank is to follow; in
/// JSON, the object goes on.
pub fn begin(out: &mut Vec<u8>, format: Format, time: SystemTime, whom: (Level, &str)) {
    let (level, target) = whom;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    if format == Format::Json {
        out.extend_from_slice(b"{\"time\":\"");
        second(out, since.as_secs());
        let millis = since.subsec_millis();
        let digit = |place: u32| b"0123456789"[(millis / place % 10) as usize];
        out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1)]);
        out.extend_from_slice(b"Z\",\"level\":\"");
        out.extend_from_slice(level.as_str().as_bytes());
        out.extend_from_slice(b"\",\"target\":\"");
        json(out, target);
        out.push(b'"');
        return;
    }
    out.push(b'[');
    second(out, since.as_secs());
    out.extend_from_slice(b"Z ");
    if format == Format::Coloured {
        out.extend_from_slice(colour(level).as_bytes());
    }
    out.extend_from_slice(padded(level).as_bytes());
    if format == Format::Coloured {
        out.extend_from_slice(b"\x1b[0m");
    }
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.push(b']');
}

/// Appends a whole line of JSON, at `info`, whose member `target` is `object`: JSON in visible ASCII and blanks.
pub fn object(out: &mut Vec<u8>, time: SystemTime, target: &str, object: &str) {
    begin(out, Format::Json, time, (Level::Info, target));
    out.extend_from_slice(b",\"");
    json(out, target);
    out.extend_from_slice(b"\":");
    out.extend_from_slice(object.as_bytes());
    out.extend_from_slice(b"}\n");
}

/// Appends a whole line that says `text`. What is said in several lines stays one entry: in text, those that follow are
/// indented, and other controls are written as in a program.
pub fn record(
    out: &mut Vec<u8>,
    format: Format,
    time: SystemTime,
    whom: (Level, &str),
    text: &str,
) {
    begin(out, format, time, whom);
    if format == Format::Json {
        out.extend_from_slice(b",\"message\":\"");
        json(out, text);
        out.extend_from_slice(b"\"}\n");
        return;
    }
    out.push(b' ');
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        out.extend_from_slice(text.as_bytes());
    } else {
        let mut escaped = String::with_capacity(text.len() + 16);
        for said in text.chars() {
            match said {
                '\n' => escaped.push_str("\n    "),
                said if said.is_control() => escaped.extend(said.escape_default()),
                said => escaped.push(said),
            }
        }
        out.extend_from_slice(escaped.as_bytes());
    }
    out.push(b'\n');
}

/// Appends `text` as it stands between the quotes of a JSON string, in visible ASCII and blanks only: no control
/// character ends the line or reaches a terminal, no mark turns text around.
pub fn json(out: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if is_plain(byte) => escaped.push(char::from(byte)),
            Ok(b'\\') => escaped.push_str("\\\\"),
            Ok(b'\n') => escaped.push_str("\\n"),
            // The quote too: whoever looks for `","` finds the gateway's own.
            _ => drop(write!(escaped, "\\u{unit:04x}")),
        }
    }
    out.extend_from_slice(escaped.as_bytes());
}

/// Appends a second of the clock, `2026-11-22T12:00:00`. The last one is kept, since it serves for many lines.
fn second(out: &mut Vec<u8>, second: u64) {
    thread_local! {
        static LAST: Cell<(u64, [u8; 19])> = const { Cell::new((0, *b"1970-01-01T00:00:00")) };
    }
    let last = LAST.get();
    if last.0 == second {
        out.extend_from_slice(&last.1);
        return;
    }
    let mut text = String::with_capacity(20);
    let _ = write!(
        text,
        "{}",
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(second))
    );
    if let Some(digits) = text.as_bytes().first_chunk() {
        LAST.set((second, *digits));
        out.extend_from_slice(digits);
    }
}

/// The level, as wide as the widest.
fn padded(level: Level) -> &'static str {
    match level {
        Level::Error => "ERROR",
        Level::Warn => "WARN ",
        Level::Info => "INFO ",
        Level::Debug => "DEBUG",
        Level::Trace => "TRACE",
    }
}

fn colour(level: Level) -> &'static str {
    match level {
        Level::Error => "\x1b[1;31m",
        Level::Warn => "\x1b[33m",
        Level::Info => "\x1b[32m",
        Level::Debug => "\x1b[34m",
        Level::Trace => "\x1b[36m",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(format: Format, text: &str) -> String {
        let mut out = Vec::new();
        let time = UNIX_EPOCH + Duration::from_millis(1_795_348_800_007);
        record(&mut out, format, time, (Level::Warn, "access"), text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_entry_is_one_line_whatever_is_said() {
        let line = |text| line(Format::Text, text);
        assert_eq!(line("a=1"), "[2026-11-22T12:00:00Z WARN  access] a=1\n");
        assert!(line("a\n[2026 INFO access] b").ends_with("] a\n    [2026 INFO access] b\n"));
        assert!(line("é\u{9b}31m").ends_with("] é\\u{9b}31m\n"));
        assert!(line("\u{1b}[31mé\r").ends_with("] \\u{1b}[31mé\\r\n"));
    }

    #[test]
    fn seconds_are_kept_and_told_apart() {
        let mut out = Vec::new();
        for now in [0, 0, 1, 951_782_400, 0] {
            second(&mut out, now);
            out.push(b' ');
        }
        let text = String::from_utf8(out).unwrap();
        let start = "1970-01-01T00:00:00 ";
        assert_eq!(text, format!("{start}{start}1970-01-01T00:00:01 2000-02-29T00:00:00 {start}"));
        second(&mut Vec::new(), u64::MAX / 4);
    }

    proptest! {
        #[test]
        fn every_text_comes_back_from_one_line_of_ascii(text in ".{0,80}|(\\PC|\n|\r|\"|\\\\){0,20}") {
            let line = line(Format::Json, &text);
            prop_assert!(line.bytes().rev().skip(1).all(|byte| (b' '..=b'~').contains(&byte)));
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            prop_assert_eq!(value["message"].as_str().unwrap(), text.as_str());
            prop_assert_eq!(&value["time"], "2026-11-22T12:00:00.007Z");
            prop_assert_eq!((&value["level"], &value["target"]), (&"WARN".into(), &"access".into()));
        }
    }
}
