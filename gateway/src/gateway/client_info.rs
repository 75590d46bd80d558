//! The client of a request: its address, scheme and host, from the connection or from a trusted proxy.

mod forwarded;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::HOST;
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use super::request_id::RequestId;
use crate::api::framing::is_host;
use crate::request_meta::{ClientKind, RequestMeta};
use forwarded::Hop;

/// Whose word about other clients counts.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    /// Whether it has been said that one of them writes what is no address.
    has_warned: Arc<AtomicBool>,
}

/// What is known of the client of a request.
#[derive(Clone, Debug)]
pub struct ClientInfo {
    /// The client's address, for throttles and the audit trail; `None` if it is not known.
    pub address: Option<IpAddr>,
    /// The same as text, for logs.
    pub client: HeaderValue,
    /// `X-Forwarded-For` for the upstream: what trusted proxies said, and the connection's peer.
    pub forwarded_for: HeaderValue,
    /// Whether the client spoke TLS, with us or with a trusted proxy.
    pub over_tls: bool,
    /// The host that the client asked for.
    pub host: Option<HeaderValue>,
    /// The id by which the answer can be found in the log.
    pub request_id: RequestId,
}

impl ClientInfo {
    /// From nobody knows where.
    pub fn unknown(over_tls: bool, host: Option<HeaderValue>, request_id: RequestId) -> Self {
        let client = HeaderValue::from_static("-");
        Self { address: None, forwarded_for: client.clone(), client, over_tls, host, request_id }
    }

    fn direct(
        address: IpAddr,
        over_tls: bool,
        host: Option<HeaderValue>,
        request_id: RequestId,
    ) -> Self {
        let client = address_value(address);
        let forwarded_for = client.clone();
        Self { address: Some(address), forwarded_for, client, over_tls, host, request_id }
    }

    /// The same for those who need not know of headers.
    pub fn meta(&self) -> RequestMeta<'_> {
        RequestMeta {
            address: self.address,
            request_id: self.request_id.as_str(),
            over_tls: self.over_tls,
            kind: ClientKind::default(),
        }
    }
}

impl TrustedProxies {
    /// The proxies in these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self { networks, has_warned: Arc::default() }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// What is known of the client of a request, of the connection's `peer`. What a peer that is not trusted says
    /// about it counts for nothing.
    pub fn client_info(
        &self,
        peer: Option<IpAddr>,
        peer_over_tls: bool,
        headers: &HeaderMap,
    ) -> ClientInfo {
        let (host, request_id) = (headers.get(HOST).cloned(), RequestId::of(headers));
        let Some(peer) = peer.map(|address| address.to_canonical()) else {
            return ClientInfo::unknown(peer_over_tls, host, request_id);
        };
        if !self.trusts(peer) {
            return ClientInfo::direct(peer, peer_over_tls, host, request_id);
        }
        let hops = forwarded::hops(headers);
        let (client, chain) = self.client_behind(peer, &hops);
        let nearest = hops.last();
        let proto = nearest.and_then(|hop| hop.proto.as_deref());
        let over_tls = match proto.or_else(|| last(headers, "x-forwarded-proto")) {
            Some(word) => word.eq_ignore_ascii_case("https"),
            None => peer_over_tls,
        };
        let told = nearest.and_then(|hop| hop.host.as_deref());
        let told = told.or_else(|| first(headers, "x-forwarded-host"));
        let told = told.filter(|host| is_host(host.as_bytes()));
        ClientInfo {
            address: Some(client),
            client: value(&client.to_string()),
            forwarded_for: value(&chain),
            over_tls,
            host: told.map(value).or(host),
            request_id,
        }
    }

    /// The client behind a trusted `peer`: from the right, the first address that is not a trusted
    /// proxy's. And the chain as far as it can be believed.
    fn client_behind(&self, peer: IpAddr, hops: &[Hop]) -> (IpAddr, String) {
        let mut chain = vec![peer];
        let mut client = peer;
        for hop in hops.iter().rev() {
            let Some(address) = hop.address() else {
                self.warn_of(&hop.from, client);
                break;
            };
            client = address;
            chain.push(address);
            if !self.trusts(address) {
                break;
            }
        }
        let words: Vec<_> = chain.iter().rev().map(IpAddr::to_string).collect();
        (client, words.join(", "))
    }

    /// Says once that a trusted proxy writes what is no address: everybody behind it is one client.
    fn warn_of(&self, from: &str, proxy: IpAddr) {
        if self.has_warned.swap(true, Ordering::Relaxed) {
            return;
        }
        let from: String = from.chars().take(100).collect();
        log::warn!(
            "the trusted proxy {proxy} says that a request comes from {from:?}, which is not an address: \
             everybody behind it counts as one client, for limits and bans too; have it add the \
             client's address to X-Forwarded-For or Forwarded (said once)"
        );
    }
}

/// The last member of a list of words, which the nearest proxy has added.
fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.split(',').next_back().map(str::trim)
}

/// The first member of a list of words: what the proxy says that the client came to first.
fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()?.split(',').next().map(str::trim)
}

/// An address as the value of a header. Those of IPv4 by hand: it is done for every request.
fn address_value(address: IpAddr) -> HeaderValue {
    let IpAddr::V4(address) = address else { return value(&address.to_string()) };
    let (mut text, mut length) = ([0; 15], 0);
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            text[length] = b'.';
            length += 1;
        }
        for (least, digit) in [(100, octet / 100), (10, octet / 10 % 10), (0, octet % 10)] {
            if octet >= least {
                text[length] = b'0' + digit;
                length += 1;
            }
        }
    }
    HeaderValue::from_bytes(&text[..length]).expect("digits and dots are a header value")
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("addresses and hosts are header values")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderName;

    #[test]
    fn addresses_are_written_as_everywhere() {
        for text in ["0.0.0.0", "1.20.100.9", "10.0.200.255", "127.0.0.1", "2001:db8::1", "::1"] {
            assert_eq!(address_value(text.parse().unwrap()), text);
        }
    }

    fn origin(peer: &str, headers: &[(&'static str, &str)]) -> (String, String, bool, String) {
        let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().unwrap());
        let trusted = TrustedProxies::new(networks.to_vec());
        let header = |(name, text): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(text).unwrap())
        };
        let mut map: HeaderMap = HeaderMap::new();
        for (name, text) in headers.iter().map(header) {
            map.append(name, text);
        }
        let origin = trusted.client_info(Some(peer.parse().unwrap()), false, &map);
        let text = |value: HeaderValue| value.to_str().unwrap().to_owned();
        let host = origin.host.map(text).unwrap_or_default();
        (text(origin.client), text(origin.forwarded_for), origin.over_tls, host)
    }

    fn check(peer: &str, headers: &[(&'static str, &str)], expected: (&str, &str, bool, &str)) {
        let (client, chain, tls, host) = origin(peer, headers);
        assert_eq!((&*client, &*chain, tls, &*host), expected, "{peer} {headers:?}");
    }

    #[test]
    fn a_stranger_is_not_believed() {
        let all = [
            ("host", "h"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil"),
        ];
        check("1.2.3.4", &all, ("1.2.3.4", "1.2.3.4", false, "h"));
        check("::ffff:1.2.3.4", &all, ("1.2.3.4", "1.2.3.4", false, "h"));
    }

    #[test]
    fn a_trusted_proxy_is_read_from_the_right() {
        let chain = |text| [("x-forwarded-for", text)];
        check("10.0.0.1", &chain("1.1.1.1"), ("1.1.1.1", "1.1.1.1, 10.0.0.1", false, ""));
        check("10.0.0.1", &chain("6.6.6.6, 1.1.1.1"), ("1.1.1.1", "1.1.1.1, 10.0.0.1", false, ""));
        check(
            "10.0.0.1",
            &chain("6.6.6.6, 1.1.1.1, 10.0.0.2"),
            ("1.1.1.1", "1.1.1.1, 10.0.0.2, 10.0.0.1", false, ""),
        );
        check("10.0.0.1", &chain("1.1.1.1, junk"), ("10.0.0.1", "10.0.0.1", false, ""));
        check("10.0.0.1", &[], ("10.0.0.1", "10.0.0.1", false, ""));
        check(
            "2001:db8::1",
            &chain("2001:db9::7"),
            ("2001:db9::7", "2001:db9::7, 2001:db8::1", false, ""),
        );
        let two = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")];
        check("10.0.0.1", &two, ("1.1.1.1", "1.1.1.1, 10.0.0.1", false, ""));
    }

    #[test]
    fn a_trusted_proxy_tells_scheme_and_host() {
        let told =
            |proto, host| [("host", "h"), ("x-forwarded-proto", proto), ("x-forwarded-host", host)];
        check("10.0.0.1", &told("https", "site.test"), ("10.0.0.1", "10.0.0.1", true, "site.test"));
        check("10.0.0.1", &told("http, HTTPS", "a:1, b"), ("10.0.0.1", "10.0.0.1", true, "a:1"));
        check("10.0.0.1", &told("ftp", "no host"), ("10.0.0.1", "10.0.0.1", false, "h"));
    }

    #[test]
    fn forwarded_tells_the_same() {
        let told = |text| [("host", "h"), ("forwarded", text)];
        let chain = "1.1.1.1, 10.0.0.2, 10.0.0.1";
        check(
            "10.0.0.1",
            &told(
                "for=6.6.6.6, for=\"1.1.1.1:80\";proto=http, for=10.0.0.2;proto=https;host=\"a:1\"",
            ),
            ("1.1.1.1", chain, true, "a:1"),
        );
        check("10.0.0.1", &told("for=unknown"), ("10.0.0.1", "10.0.0.1", false, "h"));
        check("1.2.3.4", &told("for=1.1.1.1;proto=https"), ("1.2.3.4", "1.2.3.4", false, "h"));
        let both = [("forwarded", "for=6.6.6.6;proto=https"), ("x-forwarded-for", "1.1.1.1:80")];
        check("10.0.0.1", &both, ("1.1.1.1", "1.1.1.1, 10.0.0.1", false, ""));
    }
}
