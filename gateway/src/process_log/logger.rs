//! What is written of all that the process says, limited so that no level shows a secret.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use env_filter::{Builder, Filter};
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::line::{self, Format};
use crate::clock;

/// Below `info`, these libraries write request headers, cookies and credentials included.
const TALKATIVE: [&str; 7] = ["pingora", "h2", "hyper", "rustls", "httparse", "tokio", "mio"];

/// What Pingora calls an error or a warning, and is everyday business of a server on a network: where it
/// says so, and what its words hold. Anybody can have these written as often as they like, and nobody
/// could do anything about them.
const EVERYDAY: [(&str, &str); 7] = [
    // A probe that connects and leaves; one who speaks something else; a client that is gone.
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

/// The target of access lines.
pub const ACCESS: &str = "access";

/// What is written. `None` until the log is started.
static RULES: RwLock<Option<Rules>> = RwLock::new(None);

/// Whether access lines are, so that no request has to look it up.
static IS_ACCESS_WANTED: AtomicBool = AtomicBool::new(false);

/// What is written of all that is said.
struct Rules {
    /// The value of `RUST_LOG`, which outranks the configuration.
    environment: Option<String>,
    filter: Filter,
}

/// Starts the log: to standard error, at `info` unless `environment`, the value of `RUST_LOG`, says otherwise.
pub fn start(environment: Option<String>) {
    // Nothing can fail on standard error.
    let _ = super::write_to(None, Format::Text);
    *rules() = Some(Rules { environment, filter: Builder::new().build() });
    set_level(LevelFilter::Info, true);
    // A second start is of no consequence: the first log stays.
    if log::set_logger(&Logger).is_ok() {
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

/// From now on, what is more detailed than `level` is not written, and access lines only if `access` says so. What
/// `RUST_LOG` asks for outranks `level`.
pub fn set_level(level: LevelFilter, access: bool) {
    let mut rules = rules();
    let Some(rules) = &mut *rules else { return };
    let mut builder = Builder::new();
    match &rules.environment {
        Some(environment) => builder.parse(environment),
        None => builder.filter_level(level),
    };
    if !access {
        builder.filter_module(ACCESS, LevelFilter::Off);
    }
    rules.filter = builder.build();
    let line = Metadata::builder().level(Level::Info).target(ACCESS).build();
    IS_ACCESS_WANTED.store(rules.filter.enabled(&line), Ordering::Relaxed);
    // Nobody here has more to say than `debug`. Pingora has, but its lines are capped below, and one
    // of them, on an answer's head that is not Unicode, would panic before it could be dropped.
    log::set_max_level(rules.filter.filter().min(LevelFilter::Debug));
}

/// Whether access lines are written at all. If not, nothing is collected for them.
pub fn is_access_wanted() -> bool {
    IS_ACCESS_WANTED.load(Ordering::Relaxed)
}

fn rules() -> RwLockWriteGuard<'static, Option<Rules>> {
    RULES.write().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the filter lets it pass.
fn is_wanted(metadata: &Metadata<'_>) -> bool {
    let rules = RULES.read().unwrap_or_else(PoisonError::into_inner);
    rules.as_ref().is_some_and(|rules| rules.filter.enabled(metadata))
}

/// The log without what talkative libraries say in detail, whatever `RUST_LOG` asks for.
struct Logger;

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

/// Writes it, unless nobody wants to know.
fn write(record: &Record<'_>) {
    if !is_wanted(record.metadata()) {
        return;
    }
    let text = record.args().to_string();
    let mut line = Vec::with_capacity(text.len() + 64);
    line::record(
        &mut line,
        super::format(),
        clock::wall(),
        (record.level(), record.target()),
        &text,
    );
    if record.level() > Level::Info {
        super::append(&line);
    } else {
        super::append_now(&line);
    }
}

/// Says `object`, which is JSON in visible ASCII and blanks, at `info`: in a log of JSON as the member `target` of the
/// line, so that whoever reads it parses once; otherwise as text.
pub fn say_object(target: &'static str, object: &str) {
    if super::format() != Format::Json {
        log::info!(target: target, "{object}");
    } else if is_wanted(&Metadata::builder().level(Level::Info).target(target).build()) {
        let mut line = Vec::with_capacity(object.len() + 96);
        line::object(&mut line, clock::wall(), target, object);
        super::append_now(&line);
    }
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_allowed(metadata.target(), metadata.level()) && is_wanted(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !is_allowed(record.target(), record.level()) {
            return;
        }
        if is_everyday(record) {
            let mut lesser = Record::builder();
            write(&lesser.args(*record.args()).level(Level::Debug).target(OWN).build());
        } else {
            write(record);
        }
    }

    fn flush(&self) {
        super::flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
