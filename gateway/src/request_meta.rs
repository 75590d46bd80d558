//! The client, request id and kind of client of a request, for decisions and logs.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct RequestMeta<'a> {
    /// The client's address, that of trusted proxies taken off; `None` if it is not known.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: &'a str,
    /// Whether the client spoke TLS.
    pub over_tls: bool,
    /// What kind of client it is, where that is asked.
    pub kind: ClientKind,
}

/// The kind of client: a browser, InfluxDB's command line, a library. It is what the client claims, so nothing is
/// allowed or forbidden by it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClientKind {
    bits: u32,
    /// What people call it, filled up with zeros. Two of one kind may have different ones.
    family: [u8; FAMILY],
}

/// How much of a name is kept: as much as `influxdb-client-python` has.
const FAMILY: usize = 22;

/// Browsers, which all call themselves `Mozilla`, by what else they say, in this order.
const BROWSERS: [(&[u8], &[u8]); 5] = [
    (b"Edg/", b"Edge"),
    (b"OPR/", b"Opera"),
    (b"Firefox/", b"Firefox"),
    (b"Chrome/", b"Chrome"),
    (b"Safari/", b"Safari"),
];

impl PartialEq for ClientKind {
    fn eq(&self, other: &Self) -> bool {
        self.bits == other.bits
    }
}

impl Eq for ClientKind {}

/// The client that has opened a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its address, if it is known.
    pub address: Option<IpAddr>,
    /// What kind of client it is.
    pub kind: ClientKind,
}

impl ClientKind {
    /// The kind that calls itself so in `User-Agent`: its first product, whatever the version.
    pub fn of(agent: &[u8]) -> Self {
        let product = agent.split(|byte| matches!(byte, b'/' | b' ')).next().unwrap_or_default();
        // FNV-1a: nothing hangs on two kinds that are taken for one.
        let mix = |hash: u32, byte: &u8| {
            (hash ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(16_777_619)
        };
        let bits = product.iter().fold(2_166_136_261, mix);
        let is_browser = |(mark, _): &&(&[u8], &[u8])| memmem(agent, mark);
        let browser = BROWSERS.iter().find(is_browser).filter(|_| product == b"Mozilla");
        Self { bits, ..Self::default() }.called(browser.map_or(product, |(_, name)| name))
    }

    /// The same kind, called so: letters, digits and `-_.` as they are, anything else as `?`.
    #[must_use]
    pub fn called(mut self, name: &[u8]) -> Self {
        let plain = |byte: u8| {
            if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) { byte } else { b'?' }
        };
        self.family = [0; FAMILY];
        for (place, byte) in self.family.iter_mut().zip(name) {
            *place = plain(*byte);
        }
        self
    }

    /// What people call it: a browser, or the first product of its `User-Agent`, as far as it is kept; empty if it says
    /// nothing.
    pub fn family(&self) -> &str {
        let name = self.family.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(name).unwrap_or_default()
    }

    /// The kind as a number.
    pub fn bits(self) -> u32 {
        self.bits
    }

    /// The kind that [`ClientKind::bits`] was made of.
    pub fn of_bits(bits: u32) -> Self {
        Self { bits, ..Self::default() }
    }
}

fn memmem(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

impl RequestMeta<'_> {
    /// Who asks.
    pub fn client(&self) -> Client {
        Client { address: self.address.map(|address| address.to_canonical()), kind: self.kind }
    }

    /// The client, as the throttle counts clients.
    pub fn network(&self) -> ClientKey {
        ClientKey::of(self.address)
    }
}

/// One client, as far as limits and throttles can tell clients apart.
///
/// An IPv4 address; for IPv6 the first 64 bits, which is what one customer usually has and can walk
/// through at will. An IPv4 address mapped into IPv6 is that IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey(IpAddr);

impl ClientKey {
    /// The client at `address`. All whose address is not known are one client.
    pub fn of(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V6(address)) => {
                let network = u128::from(address) >> 64 << 64;
                Self(IpAddr::V6(network.into()))
            }
            Some(v4 @ IpAddr::V4(_)) => Self(v4),
            None => Self(Ipv4Addr::UNSPECIFIED.into()),
        }
    }

    /// Whether its address is known.
    pub fn is_known(self) -> bool {
        !self.0.is_unspecified()
    }

    /// The client in as many bytes as any other.
    pub fn octets(self) -> [u8; 16] {
        match self.0 {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
            IpAddr::V6(network) => network.octets(),
        }
    }
}

/// The address, or the network.
impl fmt::Display for ClientKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(out),
            IpAddr::V6(network) => write!(out, "{network}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_a_client_are_one_kind() {
        let of = |text: &str| ClientKind::of(text.as_bytes());
        assert_eq!(
            of("influx/2.7.5 (linux) Sha/a79a2a1b825867421d320428538f76a4c90aa34c"),
            of("Influx/2")
        );
        assert_ne!(of("Mozilla/5.0 (X11; Linux x86_64)"), of("influx/2.7.5"));
        assert_eq!(of("curl"), of("curl/8"));
        for (agent, family) in [
            ("", ""),
            ("curl/8.5.0", "curl"),
            ("influxdb-client-python/1.50.0", "influxdb-client-python"),
            ("a-name-that-is-far-too-long-to-be-kept/1", "a-name-that-is-far-too"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox"),
            (
                "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0",
                "Edge",
            ),
            ("Mozilla/5.0 (compatible)", "Mozilla"),
            ("\u{1b}[31m\u{202e}", "??31m???"),
        ] {
            assert_eq!(of(agent).family(), family);
        }
    }

    #[test]
    fn b_07_a_mapped_address_is_ipv4_and_a_network_of_64_bits_is_one_client() {
        let of = |text: &str| ClientKey::of(Some(text.parse().unwrap()));
        assert_eq!(of("::ffff:1.2.3.4"), of("1.2.3.4"));
        assert_ne!(of("1.2.3.5"), of("1.2.3.4"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(ClientKey::of(None), of("0.0.0.0"));
    }
}
