//! Where a request comes from, for those who decide by it or write it down.

use std::net::{IpAddr, Ipv4Addr};

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Visit<'a> {
    /// The client's address, that of trusted proxies taken off; `None` if it is not known.
    pub address: Option<IpAddr>,
    /// The request's id.
    pub request_id: &'a str,
    /// Whether the client spoke TLS.
    pub over_tls: bool,
}

impl Visit<'_> {
    /// The client as throttles tell clients apart.
    pub fn network(&self) -> ClientNetwork {
        ClientNetwork::of(self.address)
    }
}

/// One client, as far as limits and throttles can tell clients apart.
///
/// An IPv4 address; for IPv6 the first 64 bits, which is what one customer usually has and can walk
/// through at will. An IPv4 address mapped into IPv6 is that IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientNetwork(IpAddr);

impl ClientNetwork {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn b_07_a_mapped_address_is_ipv4_and_a_network_of_64_bits_is_one_client() {
        let of = |text: &str| ClientNetwork::of(Some(text.parse().unwrap()));
        assert_eq!(of("::ffff:1.2.3.4"), of("1.2.3.4"));
        assert_ne!(of("1.2.3.5"), of("1.2.3.4"));
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:2"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(ClientNetwork::of(None), of("0.0.0.0"));
    }
}
