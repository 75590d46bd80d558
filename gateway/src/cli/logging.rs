//! Logs: `env_logger`, capped so that no level shows a secret.

use std::io::IsTerminal;

use env_logger::Target;
use log::{Level, LevelFilter, Log, Metadata, Record};

use super::log_writer::{self, LogWriter};

/// Below `info`, these libraries write request headers, cookies and credentials included.
const TALKATIVE: [&str; 7] = ["pingora", "h2", "hyper", "rustls", "httparse", "tokio", "mio"];

/// Starts the log: to standard error, at `info` unless `RUST_LOG` says otherwise.
pub(super) fn start(default: &str) {
    let environment = env_logger::Env::default().default_filter_or(default);
    let mut builder = env_logger::Builder::from_env(environment);
    if !std::io::stderr().is_terminal() {
        builder.target(Target::Pipe(Box::new(LogWriter)));
    }
    let inner = builder.build();
    let most = inner.filter();
    // A second start is of no consequence: the first log stays.
    if log::set_boxed_logger(Box::new(Capped { inner })).is_ok() {
        log::set_max_level(most);
    }
}

/// `env_logger` without what talkative libraries say in detail, whatever `RUST_LOG` asks for.
struct Capped<L> {
    inner: L,
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

impl<L: Log> Log for Capped<L> {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_allowed(metadata.target(), metadata.level()) && self.inner.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if is_allowed(record.target(), record.level()) {
            self.inner.log(record);
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
    fn pingora_does_not_write_headers_at_any_level() {
        for target in ["pingora_proxy", "pingora_core::protocols::http::v1::server", "h2::codec"] {
            assert!(!is_allowed(target, Level::Trace) && !is_allowed(target, Level::Debug));
            assert!(is_allowed(target, Level::Error));
        }
        assert!(is_allowed("influx_gateway::edge", Level::Trace));
        assert!(is_allowed("access", Level::Info));
    }
}
