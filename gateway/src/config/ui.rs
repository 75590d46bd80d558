//! `[ui]`: another server than InfluxDB for its pages.

use std::path::Path;

use http::uri::Authority;

use super::Own;
use super::upstream::upstream_url;
use crate::toml_reader::{Named, Table};

/// The server that InfluxDB's own pages come from, if that is not InfluxDB.
pub struct UiServer {
    /// Host and port, as in the URL.
    pub authority: Authority,
    /// Whether it is spoken to over TLS; its certificate is verified then.
    pub tls: bool,
    /// Certificates that may have signed its own; none: those of the system.
    pub ca_file: Option<Named>,
}

/// Reads the table; files are looked for in `folder`. It is of use where pages are forwarded `by_session` only. The gateway
/// itself has the listeners `own`.
pub(super) fn read(
    mut table: Table<'_>,
    folder: &Path,
    by_session: bool,
    own: &Own,
) -> Option<UiServer> {
    let url = table.parsed("url", upstream_url);
    let ca_file = table.file("ca_file", folder);
    if table.has("url") && !by_session {
        let fault = "is for pages with a session, which forward.ui = \"session\" opens: set it, or remove this";
        table.fault("url", fault);
    }
    let why_not = |(at, tls): &(Authority, bool)| own.why_not(at, *tls, "the server of pages");
    if let Some(what) = url.as_ref().and_then(why_not) {
        table.fault("url", &what);
    }
    let is_secure = url.as_ref().is_some_and(|(_, tls)| *tls);
    if ca_file.is_some() && !is_secure {
        table.fault("ca_file", "needs a url that begins with https://");
    }
    table.close();
    url.map(|(authority, tls)| UiServer { authority, tls, ca_file })
}
