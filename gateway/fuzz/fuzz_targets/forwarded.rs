//! What proxies say of clients: a chain of addresses, as far as it is believed, that reads back the same.
#![no_main]

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use influx_gateway::internals::{ClientInfo, TrustedProxies};
use libfuzzer_sys::fuzz_target;

const NAMES: [&str; 5] =
    ["host", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];

// Each line is a header, of which there are five: the first byte says which.
fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|&byte| byte == b'\n') {
        if let Some((index, value)) = line.split_first()
            && let Some(name) = NAMES.get(usize::from(index.wrapping_sub(b'0')))
            && let Ok(value) = HeaderValue::from_bytes(value)
        {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().expect("a network"));
    let proxies = TrustedProxies::new(networks.to_vec());
    let of = |peer: &str, headers: &HeaderMap| -> ClientInfo {
        proxies.client_info(peer.parse().ok(), false, headers)
    };

    let stranger = of("192.0.2.1", &headers);
    assert!(stranger.client == "192.0.2.1" && stranger.forwarded_for == "192.0.2.1");
    assert!(!stranger.over_tls && stranger.host.as_ref() == headers.get("host"));

    let origin = of("10.0.0.1", &headers);
    let chain = addresses(&origin.forwarded_for);
    assert_eq!(chain.last(), Some(&"10.0.0.1".parse().expect("an address")));
    assert_eq!(chain.first(), origin.address.as_ref(), "the client is the first that is believed");
    assert_eq!(origin.client, origin.address.expect("an address").to_string());

    // As the next proxy gets it.
    let told = HeaderMap::from_iter([(HeaderName::from_static(NAMES[2]), origin.forwarded_for)]);
    let next = of("10.0.0.2", &told);
    assert_eq!(
        (next.address, addresses(&next.forwarded_for).len()),
        (origin.address, chain.len() + 1)
    );
});

fn addresses(chain: &HeaderValue) -> Vec<IpAddr> {
    let text = chain.to_str().expect("ASCII");
    text.split(", ").map(|address| address.parse().expect("an address")).collect()
}
