//! Parsing of `X-Forwarded-For` and `Forwarded` (RFC 7239).

use std::net::IpAddr;

use http::HeaderMap;
use http::header::FORWARDED;

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// What is said of one hop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// Who came, as it was written.
    pub from: String,
    /// By which scheme, if that is said.
    pub proto: Option<String>,
    /// For which host, if that is said.
    pub host: Option<String>,
}

impl Hop {
    /// The address of who came; `None` for what is none: `unknown`, a name in place of an address.
    pub fn address(&self) -> Option<IpAddr> {
        address(&self.from)
    }
}

/// All hops, the nearest last: of `X-Forwarded-For` where there is one, otherwise of `Forwarded`. Of
/// both, a proxy writes the one it knows and passes on the other, whoever wrote that.
pub fn hops(headers: &HeaderMap) -> Vec<Hop> {
    let lines =
        |name| headers.get_all(name).iter().map(|line| String::from_utf8_lossy(line.as_bytes()));
    if headers.contains_key(X_FORWARDED_FOR) {
        let all: Vec<_> = lines(X_FORWARDED_FOR).collect();
        let members = all.iter().flat_map(|line| line.split(','));
        return members
            .map(str::trim)
            .filter(|member| !member.is_empty())
            .map(|member| Hop { from: member.to_owned(), ..Hop::default() })
            .collect();
    }
    lines(FORWARDED.as_str())
        .flat_map(|line| split(&line, ',').map(element).collect::<Vec<_>>())
        .flatten()
        .collect()
}

/// One member of `Forwarded`, such as `for="[2001:db8::1]:4711";proto=https`. Nothing for an empty one;
/// of what is no list of pairs, no address can be had.
fn element(text: &str) -> Option<Hop> {
    if text.trim().is_empty() {
        return None;
    }
    let mut hop = Hop::default();
    for pair in split(text, ';').filter(|pair| !pair.trim().is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Some(Hop { from: text.trim().to_owned(), ..Hop::default() });
        };
        let value = unquoted(value.trim());
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => hop.from = value,
            "proto" => hop.proto = Some(value),
            "host" => hop.host = Some(value),
            _ => {}
        }
    }
    Some(hop)
}

/// The parts of `text` between `mark`s, those within quotation marks aside.
fn split(text: &str, mark: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |letter| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match letter {
            '\\' if is_quoted => is_escaped = !was_escaped,
            '"' if !was_escaped => is_quoted = !is_quoted,
            letter => return letter == mark && !is_quoted,
        }
        false
    })
}

/// `text` without the quotation marks around it, and without what escapes (RFC 9110 section 5.6.4).
fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let Some(inner) = inner else { return text.to_owned() };
    let (mut plain, mut is_escaped) = (String::with_capacity(inner.len()), false);
    for letter in inner.chars() {
        if letter == '\\' && !is_escaped {
            is_escaped = true;
        } else {
            plain.push(letter);
            is_escaped = false;
        }
    }
    plain
}

/// The address in any of its spellings: bare, in brackets, with a port, with a zone, in quotation marks,
/// and each of them after `for=`.
fn address(text: &str) -> Option<IpAddr> {
    let text = unquoted(text.trim());
    let text = match text.get(..4) {
        Some(name) if name.eq_ignore_ascii_case("for=") => unquoted(text[4..].trim()),
        _ => text,
    };
    let bare = match text.strip_prefix('[') {
        Some(rest) => {
            let (inner, port) = rest.split_once(']')?;
            (port.is_empty() || is_port(port.strip_prefix(':')?)).then_some(inner)?
        }
        // An IPv6 address without brackets has more than one colon, and no port.
        None => match text.split_once(':') {
            Some((address, port)) if !port.contains(':') => is_port(port).then_some(address)?,
            _ => &text,
        },
    };
    // Which of the proxy's networks an IPv6 address is in says nothing to us.
    let without_zone = bare.split_once('%').map_or(bare, |(address, _zone)| address);
    let address: IpAddr = without_zone.parse().ok()?;
    (address.is_ipv6() || without_zone == bare).then(|| address.to_canonical())
}

/// A port, or what hides one (RFC 7239 section 6.2).
fn is_port(text: &str) -> bool {
    match text.strip_prefix('_') {
        Some(hidden) => {
            let is_mark = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            !hidden.is_empty() && hidden.bytes().all(is_mark)
        }
        None => (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    use http::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    fn of(headers: &[(&'static str, &str)]) -> Vec<Hop> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        hops(&map)
    }

    #[test]
    fn every_spelling_of_an_address_is_read() {
        for (text, expected) in [
            ("192.0.2.43", "192.0.2.43"),
            ("192.0.2.43:4711", "192.0.2.43"),
            ("192.0.2.43:_hidden", "192.0.2.43"),
            ("\"192.0.2.43:4711\"", "192.0.2.43"),
            ("2001:db8::17", "2001:db8::17"),
            ("2001:DB8:0::17", "2001:db8::17"),
            ("[2001:db8::17]", "2001:db8::17"),
            ("[2001:db8::17]:4711", "2001:db8::17"),
            ("\"[2001:db8::17]:_h-1.x\"", "2001:db8::17"),
            ("fe80::1%eth0", "fe80::1"),
            ("[fe80::1%25eth0]:80", "fe80::1"),
            ("::ffff:192.0.2.43", "192.0.2.43"),
            ("[::ffff:192.0.2.43]:80", "192.0.2.43"),
            ("for=192.0.2.43", "192.0.2.43"),
            ("For=\"[2001:db8::17]:4711\"", "2001:db8::17"),
            (" 192.0.2.43\t", "192.0.2.43"),
        ] {
            assert_eq!(address(text), Some(expected.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "unknown",
            "_hidden",
            "192.0.2",
            "192.0.2.43:",
            "192.0.2.43:x",
            "192.0.2.43:123456",
            "192.0.2.43%eth0",
            "192.0.2.043",
            "[192.0.2.43",
            "[2001:db8::17]4711",
            "[]",
            "[::1]:",
            "host.test",
            "host.test:80",
            "192.0.2.43 10.0.0.1",
            "\"192.0.2.43",
            "1.2.3.4:5:6",
            "_:_",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn forwarded_is_a_list_of_pairs() {
        let hop = |from: &str, proto: Option<&str>, host: Option<&str>| Hop {
            from: from.to_owned(),
            proto: proto.map(str::to_owned),
            host: host.map(str::to_owned),
        };
        let one =
            [("forwarded", "For=\"[2001:db8::1]:4711\" ; PROTO=https;host=\"a.test:1\";by=_x")];
        assert_eq!(of(&one), [hop("[2001:db8::1]:4711", Some("https"), Some("a.test:1"))]);
        let several =
            [("forwarded", "for=1.1.1.1, ,for=\"_a,b;c\\\"\";proto=http"), ("forwarded", "junk")];
        let expected = [
            hop("1.1.1.1", None, None),
            hop("_a,b;c\"", Some("http"), None),
            hop("junk", None, None),
        ];
        assert_eq!(of(&several), expected);
        // What a proxy does not know, it passes on, whoever wrote it.
        let both = [("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "1.1.1.1:80, , 2.2.2.2")];
        assert_eq!(of(&both), [hop("1.1.1.1:80", None, None), hop("2.2.2.2", None, None)]);
        assert_eq!(of(&[("forwarded", "proto=https")]), [hop("", Some("https"), None)]);
    }

    proptest! {
        /// Whatever is written: read, or not; and what an address was written as is what is read.
        #[test]
        fn every_address_is_read_in_every_spelling(
            ip: IpAddr,
            port: u16,
            spelling in 0..4,
            soup in "[\\[\\]:.;,=\"\\\\ %_a-f0-9]{0,40}",
        ) {
            let _ = address(&soup);
            let _ = of(&[("forwarded", &soup)]);
            let _ = of(&[("x-forwarded-for", &soup)]);
            let text = match spelling {
                0 => ip.to_string(),
                1 => SocketAddr::new(ip, port).to_string(),
                2 => format!("\"{}\"", SocketAddr::new(ip, port)),
                _ => format!("[{ip}]"),
            };
            if spelling < 3 || ip.is_ipv6() {
                prop_assert_eq!(address(&text), Some(ip.to_canonical()), "{}", text);
            }
        }
    }
}
