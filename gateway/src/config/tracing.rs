//! `[tracing]`: where spans go, if they are to go somewhere.

use std::time::Duration;

use http::uri::{Scheme, Uri};

use super::Own;
use super::duration::duration;
use crate::server_address;
use crate::toml_reader::Table;

/// How requests are traced.
#[derive(Clone, Debug)]
pub struct Tracing {
    /// Where spans are sent: the URL of an OpenTelemetry collector, `http` or `https`.
    pub endpoint: Uri,
    /// Which share of the traces that begin here is recorded, from 0 to 1.
    pub ratio: f64,
    /// How long the collector may take for a batch, connecting included.
    pub timeout: Duration,
    /// How many spans may wait to be sent.
    pub queue: usize,
}

impl Tracing {
    /// Whether the collector is spoken to over TLS.
    pub fn is_secure(&self) -> bool {
        self.endpoint.scheme() == Some(&Scheme::HTTPS)
    }
}

/// Reads the table. `None` if nothing is to be traced. The gateway itself has the listeners `own`: spans that came there
/// would make spans.
pub(super) fn read(mut table: Table<'_>, own: &Own) -> Option<Tracing> {
    let endpoint = table.parsed("endpoint", |text| {
        let uri = endpoint(text)?;
        let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
        let why_not = uri.authority().and_then(|it| own.why_not(it, is_tls, "the collector"));
        why_not.map_or(Ok(uri), Err)
    });
    let ratio = table.fraction("ratio").unwrap_or(1.0);
    let timeout = table.parsed("timeout", duration).unwrap_or(Duration::from_secs(10));
    let queue = table.count("queue", 1).unwrap_or(2048);
    if queue > MOST {
        table.fault("queue", &format!("expected a whole number of at most {MOST}, found {queue}"));
    }
    table.close();
    Some(Tracing { endpoint: endpoint?, ratio, timeout, queue: queue.min(MOST) })
}

/// What may wait: some gigabytes.
const MOST: usize = 1_000_000;

fn endpoint(text: &str) -> Result<Uri, String> {
    // Not what was written: there may be a password in it.
    let wrong = || {
        "not a URL of a collector; write for example \"http://127.0.0.1:4318/v1/traces\", with a path, without \
         query or user"
            .to_owned()
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let is_http = uri.scheme().is_some_and(|it| [Scheme::HTTP, Scheme::HTTPS].contains(it));
    let is_host = uri.authority().is_some_and(|it| server_address::port(it, false).is_some());
    let is_plain = uri.path() != "/" && uri.query().is_none() && !text.contains('#');
    if is_http && is_host && is_plain { Ok(uri) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_collectors() {
        for right in ["http://h/v1/traces", "https://h:4318/x", "http://[::1]:4318/v1/traces"] {
            assert!(endpoint(right).is_ok(), "{right}");
        }
        for wrong in [
            "h:4318/v1/traces",
            "http://h",
            "http://h:4318/",
            "http://u:secret@h/v1/traces",
            "http://h/v1/traces?key=secret",
            "http://h:0/v1/traces",
            "http://h:431800/v1/traces",
            "http://h/v1/traces#x",
            "grpc://h/v1/traces",
            "/v1/traces",
        ] {
            let fault = endpoint(wrong).unwrap_err();
            assert!(fault.contains("4318/v1/traces") && !fault.contains("secret"), "{wrong}");
        }
    }
}
