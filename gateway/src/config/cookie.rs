//! `[cookie]`.

use http::HeaderName;

use super::Listen;
use crate::api::cookie::{self, CookieRules, SameSite, Secure};
use crate::toml_reader::Table;

/// Reads the table of a gateway that listens like this.
pub(super) fn read(mut table: Table<'_>, listen: &Listen) -> CookieRules {
    let name = table.parsed("name", |text| {
        let is_token = HeaderName::from_bytes(text.as_bytes()).is_ok();
        is_token.then(|| text.to_owned()).ok_or_else(|| {
            "not a cookie name: letters, digits and !#$%&'*+-.^_`|~ are allowed".to_owned()
        })
    });
    let path = table.parsed("path", |text| {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b';';
        let is_path = text.starts_with('/') && text.bytes().all(is_allowed);
        is_path.then(|| text.to_owned()).ok_or_else(|| {
            "not a cookie path: it begins with / and has neither blanks nor semicolons".to_owned()
        })
    });
    let secures = [("auto", Secure::Auto), ("always", Secure::Always), ("never", Secure::Never)];
    let secure = table.choice("secure", &secures).unwrap_or(Secure::Auto);
    let same_sites =
        [("strict", SameSite::Strict), ("lax", SameSite::Lax), ("none", SameSite::None)];
    let same_site = table.choice("same_site", &same_sites).unwrap_or(SameSite::Strict);
    // Browsers compare the prefix without regard to case.
    let has_prefix = |prefix: &str| {
        let start = name.as_deref().and_then(|name| name.get(..prefix.len()));
        start.is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let (is_host, is_secure) = (has_prefix("__Host-"), has_prefix("__Secure-"));
    // Then no connection of a client is known to be secure.
    let is_plain = listen.https.is_empty() && listen.trusted_proxies.is_empty();
    let is_never = secure == Secure::Never || secure == Secure::Auto && is_plain;
    if same_site == SameSite::None && is_never && !is_host && !is_secure {
        table.fault(
            "same_site",
            "browsers drop a cookie with \"none\" that is not secure; set secure to \"always\", or to \"auto\" with \
             listen.https or with the proxy that speaks TLS in listen.trusted_proxies",
        );
    }
    if is_host && path.as_deref() != Some("/") {
        table.fault("path", "browsers take a cookie named __Host-… with the path \"/\" only");
    }
    if (is_host || is_secure) && secure == Secure::Never {
        table.fault("secure", "browsers take a cookie of this name only if it is secure");
    }
    // Whatever the connection looks like from here.
    let secure = if is_host || is_secure { Secure::Always } else { secure };
    table.close();
    CookieRules {
        name: name.unwrap_or_else(|| cookie::INFLUXDB.to_owned()),
        path: path.unwrap_or_else(|| cookie::OF_INFLUXDB.to_owned()),
        secure,
        same_site,
        hints: false,
    }
}
