//! `[listen]`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::duration;
use crate::document::Section;

/// Where clients come from, and what is believed of them.
#[derive(Debug)]
pub struct Listen {
    /// Addresses that speak HTTP.
    pub http: Vec<SocketAddr>,
    /// Addresses that speak HTTPS.
    pub https: Vec<Https>,
    /// For how long browsers are told to come over TLS only; `None`: they are not.
    pub hsts: Option<Duration>,
    /// Proxies whose word about other clients counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Origins, besides the gateway's own, whose pages may use a session.
    pub allowed_origins: Vec<String>,
}

/// An address that speaks HTTPS.
#[derive(Debug)]
pub struct Https {
    /// The address.
    pub address: SocketAddr,
    /// The certificate and those that vouch for it, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
}

/// Reads the section; certificates and keys are looked for in `folder`.
pub(super) fn read(mut section: Section<'_>, folder: &Path) -> Listen {
    let https = section.sections("https").into_iter().filter_map(|table| https(table, folder));
    let https: Vec<_> = https.collect();
    let default = || if https.is_empty() { vec!["127.0.0.1:8086".to_owned()] } else { Vec::new() };
    let texts = section.texts("http").unwrap_or_else(default);
    let mut http: Vec<SocketAddr> = Vec::new();
    for text in &texts {
        match address(text) {
            Ok(address) if http.contains(&address) && address.port() != 0 => {
                section.fault("http", &format!("{text} is listed twice"));
            }
            Ok(address) => http.push(address),
            Err(what) => section.fault("http", &what),
        }
    }
    if texts.is_empty() && https.is_empty() {
        section.fault("http", "at least one address to listen on is needed");
    }
    let hsts = section.parsed("hsts", |text| match text {
        "off" => Ok(None),
        text => duration(text).map(Some),
    });
    let trusted_proxies = all(&mut section, "trusted_proxies", network);
    let allowed_origins = all(&mut section, "allowed_origins", origin);
    section.close();
    let hsts = hsts.unwrap_or(Some(Duration::from_secs(180 * 24 * 3600)));
    Listen { http, https, hsts, trusted_proxies, allowed_origins }
}

fn https(mut section: Section<'_>, folder: &Path) -> Option<Https> {
    let address = section.required("address", address);
    let certificate = section.required("certificate", |path| Ok(folder.join(path)));
    let key = section.required("key", |path| Ok(folder.join(path)));
    section.close();
    Some(Https { address: address?, certificate: certificate?, key: key? })
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!(
            "{text:?} is not an IP address and port; write for example \"127.0.0.1:8086\" or \
             \"[::]:8086\""
        )
    })
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(single).ok_or_else(|| {
        format!("{text:?} is not a network; write for example \"10.0.0.0/8\" or \"::1\"")
    })
}

fn origin(text: &str) -> Result<String, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match host {
        Some(host) if crate::api::framing::is_host(host.as_bytes()) => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is not an origin; write for example \"https://grafana.test\"")),
    }
}

fn all<T>(
    section: &mut Section<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let mut read = Vec::new();
    for text in section.texts(key).unwrap_or_default() {
        match parse(&text) {
            Ok(value) => read.push(value),
            Err(what) => section.fault(key, &what),
        }
    }
    read
}
