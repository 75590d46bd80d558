//! The two text formats: Prometheus' own, version 0.0.4, and `OpenMetrics` 1.0.0.
//!
//! By hand: the crate that is there for it writes the second only, and keeps what has labels behind locks.

use std::fmt::{Display, Write};

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' own.
    Prometheus,
    /// `OpenMetrics`.
    OpenMetrics,
}

impl Format {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It grows and shrinks.
    Gauge,
    /// How often something took how long.
    Histogram,
}

/// The units that a name may end with.
const UNITS: [&str; 2] = ["seconds", "bytes"];

/// Metrics that are being written.
pub struct Text {
    format: Format,
    out: String,
    name: &'static str,
}

impl Text {
    /// Nothing yet.
    pub fn new(format: Format) -> Self {
        Self { format, out: String::with_capacity(16 * 1024), name: "" }
    }

    /// Begins the metric `name`. That of a counter ends with `_total`.
    pub fn begin(&mut self, name: &'static str, kind: Kind, help: &str) {
        self.name = name;
        let is_open = self.format == Format::OpenMetrics;
        let family = if is_open { name.trim_end_matches("_total") } else { name };
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.put(format_args!("# HELP {family} "));
        escape(&mut self.out, help.trim(), is_open);
        self.put(format_args!("\n# TYPE {family} {kind}\n"));
        let is_in = |unit: &&&str| family.strip_suffix(**unit).is_some_and(|it| it.ends_with('_'));
        if let (true, Some(unit)) = (is_open, UNITS.iter().find(is_in)) {
            self.put(format_args!("# UNIT {family} {unit}\n"));
        }
    }

    /// Adds a value of the metric; `part` is what a histogram's samples have behind its name.
    pub fn sample(&mut self, part: &str, labels: &[(&str, &str)], value: impl Display) {
        let name = self.name;
        self.put(format_args!("{name}{part}"));
        for (number, (label, text)) in labels.iter().enumerate() {
            self.put(format_args!("{}{label}=\"", if number == 0 { '{' } else { ',' }));
            escape(&mut self.out, text, true);
            self.out.push('"');
        }
        let end = if labels.is_empty() { "" } else { "}" };
        self.put(format_args!("{end} {value}\n"));
    }

    /// All that was written.
    pub fn end(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.out.push_str("# EOF\n");
        }
        self.out
    }

    fn put(&mut self, what: std::fmt::Arguments<'_>) {
        // Into memory, which takes everything.
        let _ = self.out.write_fmt(what);
    }
}

/// Appends `text` so that it cannot end what it is in.
fn escape(out: &mut String, text: &str, in_quotes: bool) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if in_quotes => out.push_str("\\\""),
            other => out.push(other),
        }
    }
}

/// Nanoseconds, written as seconds.
pub struct Seconds(pub u64);

impl Display for Seconds {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SECOND: u64 = 1_000_000_000;
        write!(out, "{}.{:09}", self.0 / SECOND, self.0 % SECOND)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a reader makes of the value of the only label in `line`, and of what follows it.
    fn read(line: &str) -> (String, &str) {
        let (_, rest) = line.split_once("=\"").unwrap();
        let (mut value, mut characters) = (String::new(), rest.char_indices());
        loop {
            match characters.next().unwrap() {
                (end, '"') => return (value, &rest[end + 1..]),
                (_, '\\') => match characters.next().unwrap().1 {
                    'n' => value.push('\n'),
                    other => value.push(other),
                },
                (_, other) => value.push(other),
            }
        }
    }

    fn written(format: Format, write: impl FnOnce(&mut Text)) -> String {
        let mut text = Text::new(format);
        write(&mut text);
        text.end()
    }

    #[test]
    fn a_counter_in_both_formats() {
        let write = |text: &mut Text| {
            text.begin("sent_bytes_total", Kind::Counter, " What \"went\" \\ out.");
            text.sample("", &[], 7);
            text.sample("", &[("a", "b"), ("c", "d\"\n")], Seconds(1_500_000_000));
        };
        let samples = "sent_bytes_total 7\nsent_bytes_total{a=\"b\",c=\"d\\\"\\n\"} 1.500000000\n";
        let head =
            "# HELP sent_bytes_total What \"went\" \\\\ out.\n# TYPE sent_bytes_total counter\n";
        assert_eq!(written(Format::Prometheus, write), format!("{head}{samples}"));
        let head = "# HELP sent_bytes What \\\"went\\\" \\\\ out.\n# TYPE sent_bytes counter\n";
        let unit = "# UNIT sent_bytes bytes\n";
        assert_eq!(written(Format::OpenMetrics, write), format!("{head}{unit}{samples}# EOF\n"));
    }

    proptest! {
        #[test]
        fn o_03_no_value_of_a_label_is_read_as_anything_else(value in "(?s).{0,40}|[\\\\\"\n{},= #]{0,12}") {
            let text = written(Format::Prometheus, |text| text.sample("x", &[("user", &value)], 1));
            prop_assert_eq!(text.lines().count(), 1, "{}", text);
            prop_assert_eq!(read(&text), (value, "} 1\n"));
        }
    }
}
