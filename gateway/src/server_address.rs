//! Where a server is, by the authority of its URL.

use http::uri::Authority;

/// The port of a server: the one that `authority` names, or that of its scheme. `None` if it does not say where a server is:
/// it has no host, a user, or a port that is none (RFC 3986 section 3.2).
///
/// The `http` crate takes a port of 80870 for none at all, and whoever asks it would end at that of the scheme.
pub fn port(authority: &Authority, is_tls: bool) -> Option<u16> {
    let host = authority.host();
    let rest = authority.as_str().strip_prefix(host).filter(|_| !host.is_empty())?;
    if rest.is_empty() {
        return Some(if is_tls { 443 } else { 80 });
    }
    let digits =
        rest.strip_prefix(':').filter(|it| it.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|port| *port != 0)
}

/// `host` as an address is parsed and a name looked up: without the brackets that IPv6 has in a URL.
pub fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_is_none_is_not_that_of_the_scheme() {
        for (text, expected) in [
            ("h", Some(80)),
            ("h:1", Some(1)),
            ("h:65535", Some(65_535)),
            ("[::1]", Some(80)),
            ("[::1]:8086", Some(8086)),
            ("1.2.3.4:008086", Some(8086)),
            ("h:", None),
            ("h:0", None),
            ("h:65536", None),
            ("h:80870", None),
            ("h:80a", None),
            ("h:+8087", None),
            ("[::1]:80870", None),
            ("u@h", None),
            ("h@h", None),
            ("u:8086@h", None),
            ("u:p@h:8086", None),
        ] {
            let authority: Result<Authority, _> = text.parse();
            assert_eq!(authority.ok().and_then(|it| port(&it, false)), expected, "{text}");
        }
        assert_eq!(port(&Authority::from_static("h"), true), Some(443));
    }
}
