//! `[upstream]`.

use std::path::Path;

use http::uri::{Authority, Scheme, Uri};

use super::{Listen, Own, Upstream, UpstreamKind};
use crate::server_address;
use crate::toml_reader::Table;
use crate::user::secret::{ApiToken, Scheme as TokenScheme};

impl UpstreamKind {
    /// How tokens are sent to it.
    pub fn scheme(self) -> TokenScheme {
        match self {
            Self::Influxdb2 => TokenScheme::Token,
            Self::Influxdb3 => TokenScheme::Bearer,
        }
    }
}

/// Reads the table; the token file is looked for in `folder`. The gateway itself has the listeners `own`.
pub(super) fn read(
    mut table: Table<'_>,
    folder: &Path,
    (listen, own): (&Listen, &Own),
) -> Upstream {
    let url = table.parsed("url", upstream_url);
    let files = table.environment().file;
    let token = table.parsed("token_file", |path| ApiToken::of_file(&folder.join(path), files));
    let token_file = table.file("token_file", folder);
    let kinds = [("influxdb2", UpstreamKind::Influxdb2), ("influxdb3", UpstreamKind::Influxdb3)];
    let kind = table.choice("kind", &kinds).unwrap_or(UpstreamKind::Influxdb2);
    let grpc = table.boolean("grpc").unwrap_or(false);
    if grpc && kind != UpstreamKind::Influxdb3 {
        table.fault("grpc", "only InfluxDB 3 speaks gRPC: kind = \"influxdb3\"");
    }
    if listen.h2c == Some(true) && !grpc {
        table.fault("grpc", "listen.h2c = \"grpc\" is for gRPC: grpc = true, or remove it");
    }
    let ca_file = table.file("ca_file", folder);
    let certificate = table.file("client_certificate", folder);
    let key = table.file("client_key", folder);
    if certificate.is_some() != key.is_some() {
        table.fault("client_key", "client_certificate and client_key go together");
    }
    let is_plain = url.as_ref().is_some_and(|(_, tls)| !tls);
    if is_plain && (ca_file.is_some() || certificate.is_some()) {
        table.fault("url", "ca_file and client_certificate need a URL that begins with https://");
    }
    let client = certificate.zip(key);
    let is_faulty = table.has("url") && url.is_none();
    // What stands for a faulty one is never used.
    let (authority, tls) = url.unwrap_or((Authority::from_static("127.0.0.1:8087"), false));
    let why_not = own.why_not(&authority, tls, "InfluxDB");
    if let Some(what) = why_not.filter(|_| !is_faulty) {
        table.fault("url", &what);
    }
    table.close();
    Upstream { authority, kind, grpc, tls, ca_file, client, token, token_file }
}

/// Host and port of an upstream's URL, and whether it is spoken to over TLS.
pub(super) fn upstream_url(text: &str) -> Result<(Authority, bool), String> {
    let wrong = || {
        "not a URL of an upstream; write for example \"http://127.0.0.1:8087\" or \
         \"https://influxdb.example.com\", without path, query or user"
            .to_owned()
    };
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let scheme = uri.scheme().ok_or_else(wrong)?;
    let authority = uri.authority().ok_or_else(wrong)?;
    let is_tls = match scheme {
        scheme if *scheme == Scheme::HTTP => false,
        scheme if *scheme == Scheme::HTTPS => true,
        _ => return Err(wrong()),
    };
    let is_plain = uri.path() == "/" && uri.query().is_none() && !text.contains('#');
    if !is_plain || server_address::port(authority, is_tls).is_none() {
        return Err(wrong());
    }
    Ok((authority.clone(), is_tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_upstreams() {
        for right in
            ["http://h", "http://h/", "https://h:8443", "http://[::1]:8086", "http://1.2.3.4"]
        {
            assert!(upstream_url(right).is_ok(), "{right}");
        }
        for wrong in [
            "h",
            "h:80",
            "http://",
            "http://u:p@h",
            "http://h/path",
            "http://h?q",
            "unix:/x",
            "http://h:0",
            "http://h:80870",
            "http://h:80a",
            "http://h:80#x",
        ] {
            assert!(upstream_url(wrong).is_err(), "{wrong}");
        }
    }
}
