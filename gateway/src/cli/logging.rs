//! Logging by `env_logger`, limited so that no level shows a secret.

use std::fmt::Write;
use std::io::IsTerminal;

use env_logger::Logger;
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::log_writer;
use crate::clock;

/// Below `info`, these libraries write request headers, cookies and credentials included.
const TALKATIVE: [&str; 7] = ["pingora", "h2", "hyper", "rustls", "httparse", "tokio", "mio"];

/// What Pingora calls an error or a warning, and is everyday business of a server on a network: where it
/// says so, and what its words hold. Anybody can have these written as often as they like, and nobody
/// could do anything about them.
const EVERYDAY: [(&str, &str); 9] = [
    // A probe that connects and leaves; one who speaks something else; a client that is gone.
    ("pingora_core::services::listening", "Downstream handshake error"),
    ("pingora_core::services::listening", "Downstream handshake timeout"),
    ("pingora_core::protocols::tls", "TLS shutdown failed"),
    ("pingora_core::apps", "H2 handshake error"),
    ("pingora_core::apps", "fails to read from downstream"),
    ("pingora_core::apps", "fails to finish the request"),
    ("pingora_proxy", ", downstream session type: "),
    ("pingora_proxy", "failed to send error response to downstream"),
    // Two threads met at a connection that was put back: another is opened.
    ("pingora_core::connectors", "failed to acquire reusable stream"),
];

/// Under whose name it is written instead, at `debug`.
const OWN: &str = "influx_gateway::net";

/// Starts the log: to standard error, at `info` unless `RUST_LOG` says otherwise.
pub(super) fn start(default: &str) {
    let environment = env_logger::Env::default().default_filter_or(default);
    let inner = env_logger::Builder::from_env(environment).build();
    let (most, is_for_people) = (inner.filter(), std::io::stderr().is_terminal());
    // A second start is of no consequence: the first log stays.
    if log::set_boxed_logger(Box::new(Capped { inner, is_for_people })).is_ok() {
        // Nobody here has more to say than `debug`. Pingora has, but its lines are capped below, and one
        // of them, on an answer's head that is not Unicode, would panic before it could be dropped.
        log::set_max_level(most.min(LevelFilter::Debug));
        // A panic costs one request or one task, and belongs where everything else is said.
        std::panic::set_hook(Box::new(|panic| {
            let thread = std::thread::current();
            log::error!("thread {}: {panic}", thread.name().unwrap_or("-"));
            if thread.name() == Some("main") {
                // The process ends.
                log::logger().flush();
            }
        }));
    }
}

/// `env_logger` without what talkative libraries say in detail, whatever `RUST_LOG` asks for.
struct Capped {
    inner: Logger,
    /// On a terminal, where `env_logger` writes in colours. Elsewhere it would write the same line into
    /// one buffer and the line without its colours into another, which is half of what a line costs.
    is_for_people: bool,
}

/// A line as `env_logger` writes it, without colours. What is said in several lines stays one entry:
/// those that follow are indented. Other controls are written as in a program.
fn line(record: &Record<'_>) -> String {
    let mut line = String::with_capacity(256);
    let time = humantime::format_rfc3339_seconds(clock::wall());
    let _ = write!(line, "[{time} {:<5} {}] ", record.level(), record.target());
    let start = line.len();
    let _ = line.write_fmt(*record.args());
    // Most lines are plain: they are looked at byte by byte, and not taken apart.
    if line[start..].bytes().any(|byte| !matches!(byte, b' '..=b'~')) {
        for said in line.split_off(start).chars() {
            match said {
                '\n' => line.push_str("\n    "),
                said if said.is_control() => line.extend(said.escape_default()),
                said => line.push(said),
            }
        }
    }
    line.push('\n');
    line
}

/// The most detailed level that `target` may write at.
fn cap(target: &str) -> LevelFilter {
    if TALKATIVE.iter().any(|prefix| target.starts_with(prefix)) {
        LevelFilter::Warn
    } else {
        LevelFilter::Trace
    }
}

fn is_allowed(target: &str, level: Level) -> bool {
    level <= cap(target)
}

/// Whether Pingora calls something an error that is none.
fn is_everyday(record: &Record<'_>) -> bool {
    if record.level() > Level::Warn || !record.target().starts_with("pingora") {
        return false;
    }
    let said = record.args().to_string();
    EVERYDAY.iter().any(|(place, words)| record.target().starts_with(place) && said.contains(words))
}

impl Capped {
    fn write(&self, record: &Record<'_>) {
        if self.is_for_people {
            self.inner.log(record);
        } else if self.inner.matches(record) {
            log_writer::write(line(record).into_bytes());
        }
    }
}

impl Log for Capped {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_allowed(metadata.target(), metadata.level()) && self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !is_allowed(record.target(), record.level()) {
            return;
        }
        if is_everyday(record) {
            let mut lesser = Record::builder();
            self.write(&lesser.args(*record.args()).level(Level::Debug).target(OWN).build());
        } else {
            self.write(record);
        }
    }

    fn flush(&self) {
        log_writer::flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_one_line_whatever_is_said() {
        let line = |text: &str| {
            let mut record = Record::builder();
            let record = record.level(Level::Warn).target("access");
            line(&record.args(format_args!("{text}")).build())
        };
        let (time, rest) =
            line("a=1").split_once(' ').map(|(a, b)| (a.len(), b.to_owned())).unwrap();
        assert_eq!((time, &*rest), ("[2026-11-22T12:00:00Z".len(), "WARN  access] a=1\n"));
        assert!(line("a\n[2026 INFO access] b").ends_with("] a\n    [2026 INFO access] b\n"));
        assert!(line("é\u{9b}31m").ends_with("] é\\u{9b}31m\n"));
        assert!(line("\u{1b}[31mé\r").ends_with("] \\u{1b}[31mé\\r\n"));
    }

    #[test]
    fn f_38_everyday_business_is_no_error() {
        let is_everyday = |level: Level, target: &str, text: &str| {
            let mut record = Record::builder();
            is_everyday(&record.level(level).target(target).args(format_args!("{text}")).build())
        };
        let gone = "Fail to proxy: Downstream ConnectionClosed, downstream session type: HTTP1";
        assert!(is_everyday(Level::Error, "pingora_proxy", gone));
        let taken = "failed to acquire reusable stream";
        assert!(is_everyday(Level::Error, "pingora_core::connectors", taken));
        let failed = "Fail to proxy: Upstream ConnectRefused, status: 502, tries: 1";
        assert!(!is_everyday(Level::Error, "pingora_proxy", failed));
        let full = "Accept() failed Too many open files";
        assert!(!is_everyday(Level::Error, "pingora_core::services::listening", full));
        assert!(!is_everyday(Level::Error, "influx_gateway::net", taken), "our own words stand");
    }

    #[test]
    fn pingora_does_not_write_headers_at_any_level() {
        for target in ["pingora_proxy", "pingora_core::protocols::http::v1::server", "h2::codec"] {
            assert!(!is_allowed(target, Level::Trace) && !is_allowed(target, Level::Debug));
            assert!(is_allowed(target, Level::Error));
        }
        assert!(is_allowed("influx_gateway::net", Level::Trace));
        assert!(is_allowed("access", Level::Info));
    }
}
