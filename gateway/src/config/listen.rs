//! `[listen]`.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

use super::duration;
use crate::api::framing::is_host;
use crate::api::hosts::HostName;
use crate::toml_reader::{Named, Table};

/// `[listen]`: addresses, and which proxies, hosts and origins are trusted.
#[derive(Debug)]
pub struct Listen {
    /// Addresses that speak HTTP.
    pub http: Vec<SocketAddr>,
    /// Addresses that speak HTTPS.
    pub https: Vec<SocketAddr>,
    /// The certificate, with those that vouch for it, and the key of each of those, in PEM; also where the address has a
    /// fault.
    pub pairs: Vec<(Named, Named)>,
    /// Whether those that speak HTTP take HTTP/2 too; `None`: if there is gRPC.
    pub h2c: Option<bool>,
    /// How long browsers should use TLS only; `None`: `Strict-Transport-Security` is not sent.
    pub hsts: Option<Duration>,
    /// Proxies whose word about other clients counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Hosts that are answered; none: all.
    pub hosts: Vec<HostName>,
    /// Origins, besides the gateway's own, whose pages may use a session.
    pub allowed_origins: Vec<String>,
}

impl Listen {
    /// Whether the socket at `address` must leave IPv4 alone: by itself `[::]` takes its connections
    /// too, and could not be opened beside a socket of IPv4 on the same port.
    pub fn is_ipv6_only(&self, address: SocketAddr) -> bool {
        let other = |other: SocketAddr| other.is_ipv4() && other.port() == address.port();
        let is_any = address.is_ipv6() && address.ip().is_unspecified() && address.port() != 0;
        is_any && self.addresses().any(other)
    }

    /// All addresses.
    pub(super) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.http.iter().chain(&self.https).copied()
    }

    /// Whether HTTP/2 is spoken without TLS, where there is `grpc` or not.
    pub fn speaks_h2c(&self, grpc: bool) -> bool {
        self.h2c.unwrap_or(grpc)
    }
}

/// Reads the table; certificates and keys are looked for in `folder`.
pub(super) fn read(mut table: Table<'_>, folder: &Path) -> Listen {
    let (mut https, mut pairs): (Vec<SocketAddr>, Vec<_>) = (Vec::new(), Vec::new());
    for table in table.tables("https") {
        let (one, pair) = read_https(table, &https, folder);
        https.extend(one);
        pairs.extend(pair);
    }
    let default = || if https.is_empty() { vec!["127.0.0.1:8086".to_owned()] } else { Vec::new() };
    let texts = table.texts("http").unwrap_or_else(default);
    let mut http: Vec<SocketAddr> = Vec::new();
    for text in &texts {
        let others = http.iter().chain(&https).copied();
        match address(text).and_then(|address| free(address, others)) {
            Ok(address) => http.push(address),
            Err(what) => table.fault("http", &what),
        }
    }
    if texts.is_empty() && https.is_empty() {
        table.fault("http", "at least one address to listen on is needed");
    }
    let h2c = table.choice("h2c", &[("grpc", true), ("off", false)]);
    let tls_only = table.parsed("hsts", |text| match text {
        "off" => Ok(None),
        text => duration(text).map(Some),
    });
    let trusted_proxies = all(&mut table, "trusted_proxies", network);
    let hosts = all(&mut table, "hosts", host);
    let allowed_origins = all(&mut table, "allowed_origins", origin);
    table.close();
    let half_a_year = Duration::from_secs(180 * 24 * 3600);
    Listen {
        http,
        https,
        pairs,
        h2c,
        hsts: tls_only.unwrap_or(Some(half_a_year)),
        trusted_proxies,
        hosts,
        allowed_origins,
    }
}

/// An address, and what it shows to clients, which may be good if the address is not.
fn read_https(
    mut table: Table<'_>,
    before: &[SocketAddr],
    folder: &Path,
) -> (Option<SocketAddr>, Option<(Named, Named)>) {
    let others = || before.iter().copied();
    let address =
        table.required("address", |text| address(text).and_then(|one| free(one, others())));
    let certificate = table.required_file("certificate", folder);
    let key = table.required_file("key", folder);
    table.close();
    (address, certificate.zip(key))
}

/// An address and port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text.parse().map_err(|_| {
        format!(
            "{text:?} is not an IP address and port; write for example \"127.0.0.1:8086\" or \
             \"[::]:8086\""
        )
    })?;
    Ok(match address.ip().to_canonical() {
        // Written as IPv6, it is an address of IPv4 all the same.
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    })
}

/// `address`, unless one of `others` has it already: the system would refuse it then.
pub(super) fn free(
    address: SocketAddr,
    mut others: impl Iterator<Item = SocketAddr>,
) -> Result<SocketAddr, String> {
    let is_same = |other: SocketAddr| {
        let holds_all = address.ip().is_unspecified() || other.ip().is_unspecified();
        address == other || holds_all && address.is_ipv4() == other.is_ipv4()
    };
    match others.find(|other| other.port() == address.port() && is_same(*other)) {
        None => Ok(address),
        Some(_) if address.port() == 0 => Ok(address),
        Some(other) if other == address => Err(format!("{address} is listed twice")),
        Some(other) => Err(format!(
            "{address} and {other} hold the same addresses, so that only one of them can be opened; \
             list the one that begins with 0.0.0.0 or [::] alone, or take another port"
        )),
    }
}

fn network(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(single).ok_or_else(|| {
        format!("{text:?} is not a network; write for example \"10.0.0.0/8\" or \"::1\"")
    })
}

fn host(text: &str) -> Result<HostName, String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(&byte);
    let host = text.bytes().all(is_plain).then(|| HostName::read(text.as_bytes())).flatten();
    host.ok_or_else(|| {
        format!(
            "{text:?} is not a host; write for example \"influx.example.com\" or \"10.0.0.1\", \
             each name by itself"
        )
    })
}

/// As browsers write it: in lower case, without the port that the scheme has anyway.
fn origin(text: &str) -> Result<String, String> {
    let lower = text.to_ascii_lowercase();
    let schemes = [("https://", ":443"), ("http://", ":80")];
    schemes
        .iter()
        .find_map(|(scheme, port)| {
            let host = lower.strip_prefix(scheme)?;
            let host = host.strip_suffix(port).unwrap_or(host);
            is_host(host.as_bytes()).then(|| format!("{scheme}{host}"))
        })
        .ok_or_else(|| {
            format!("{text:?} is not an origin; write for example \"https://grafana.test\"")
        })
}

fn all<T>(
    table: &mut Table<'_>,
    key: &'static str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Vec<T> {
    let mut read = Vec::new();
    for text in table.texts(key).unwrap_or_default() {
        match parse(&text) {
            Ok(value) => read.push(value),
            Err(what) => table.fault(key, &what),
        }
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_another_holds_is_a_fault() {
        let check = |one: &str, other: &str| {
            let parse = |text| address(text).unwrap();
            free(parse(one), std::iter::once(parse(other))).is_ok()
        };
        for (one, other) in [
            ("0.0.0.0:1", "[::]:1"),
            ("[::]:1", "127.0.0.1:1"),
            ("127.0.0.1:1", "127.0.0.2:1"),
            ("[::1]:1", "0.0.0.0:1"),
            ("0.0.0.0:1", "127.0.0.1:2"),
            ("0.0.0.0:0", "0.0.0.0:0"),
        ] {
            assert!(check(one, other) && check(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("[::ffff:127.0.0.1]:1", "127.0.0.1:1"),
            ("[::ffff:0.0.0.0]:1", "127.0.0.1:1"),
        ] {
            assert!(!check(one, other) && !check(other, one), "{one} {other}");
        }
    }
}
