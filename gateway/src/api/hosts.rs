//! The hosts that the gateway serves. A page that points its own name at the gateway (DNS rebinding) is refused.

use std::net::{IpAddr, Ipv6Addr};

use http::HeaderValue;

use super::framing::is_host;

/// The hosts that are served; all if the list is empty.
#[derive(Clone, Debug, Default)]
pub struct AnsweredHosts(Vec<HostName>);

/// A host as requests name it: letter case, the port, and a dot at the end do not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostName {
    /// A name, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

impl AnsweredHosts {
    /// These hosts, or all if there are none.
    pub fn new(hosts: Vec<HostName>) -> Self {
        Self(hosts)
    }

    /// Whether every host is answered.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request for `host` is answered that came in at the address `own`.
    ///
    /// Over loopback an address is answered for itself, for probes. No page by another name can
    /// come by it: a browser names what stands in its address line.
    pub fn answer(&self, host: Option<&HeaderValue>, own: Option<IpAddr>) -> bool {
        let Some(host) = host.and_then(|host| HostName::read(host.as_bytes())) else {
            return self.are_all();
        };
        let is_probe = || {
            let own = own.map(|address| address.to_canonical());
            own.is_some_and(|own| own.is_loopback() && host == HostName::Address(own))
        };
        self.are_all() || self.0.contains(&host) || is_probe()
    }
}

impl HostName {
    /// The host in the value of a `Host` header; `None` if it is none.
    pub fn read(value: &[u8]) -> Option<Self> {
        if !is_host(value) {
            return None;
        }
        let text = std::str::from_utf8(value).ok()?;
        if let Some(rest) = text.strip_prefix('[') {
            let address: Ipv6Addr = rest.split(']').next()?.parse().ok()?;
            return Some(Self::Address(IpAddr::from(address).to_canonical()));
        }
        let host = text.split(':').next()?;
        let host = host.strip_suffix('.').unwrap_or(host);
        Some(host.parse().map_or_else(|_| Self::Name(host.to_ascii_lowercase()), Self::Address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_by_what_they_name() {
        let named = ["Influx.test", "b.test.:1", "10.0.0.1", "[2001:db8::1]:1"]
            .map(|host| HostName::read(host.as_bytes()).unwrap());
        let hosts = AnsweredHosts::new(named.to_vec());
        let check = |host: &str, own: &str, expected| {
            let value = HeaderValue::from_str(host).unwrap();
            assert_eq!(hosts.answer(Some(&value), own.parse().ok()), expected, "{host} at {own}");
        };
        for host in ["influx.test", "INFLUX.TEST.:80", "B.test", "10.0.0.1:9", "[2001:DB8:0::1]"] {
            check(host, "127.0.0.1", true);
            check(host, "10.9.9.9", true);
        }
        for host in
            ["influx.test..", "x.influx.test", "influx.tes", "10.0.0.10", "[::1]", "", "a b"]
        {
            check(host, "127.0.0.1", false);
        }
        check("127.0.0.1:8086", "127.0.0.1", true);
        check("127.0.0.1:8086", "127.0.0.2", false);
        check("127.0.0.1", "10.9.9.9", false);
        check("10.9.9.9", "10.9.9.9", false);
        check("[::1]:8086", "::1", true);
        check("127.0.0.1", "::ffff:127.0.0.1", true);
        check("localhost", "127.0.0.1", false);
        assert!(!hosts.answer(None, "127.0.0.1".parse().ok()));
        assert!(AnsweredHosts::default().answer(None, None));
    }
}
