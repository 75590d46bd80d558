//! Fields of a form or of a query: `name=value`, with `&` between them.

use zeroize::Zeroizing;

/// The value of the first field of this name, decoded; `None` if there is none, or if it cannot be decoded.
pub fn field(text: &[u8], name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let of_name = |pair: &[u8]| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(decode);
    text.split(|&byte| byte == b'&').find_map(of_name)?
}

/// `+` is a blank, and `%` begins two hex digits.
fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            other => other,
        });
    }
    Some(decoded)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// `text` as the value of a field of a query.
pub fn encoded(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

/// Where a browser is sent on: `wanted`, if it is a plain path of this site and cannot be read as anything else; `/`
/// otherwise.
pub fn landing(wanted: &[u8]) -> &str {
    let wanted = std::str::from_utf8(wanted).unwrap_or_default();
    let (path, query) = wanted.split_once('?').unwrap_or((wanted, ""));
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let is_query = |byte: u8| is_plain(byte) || b"=&%+,:?".contains(&byte);
    let is_fine = path.starts_with('/')
        && !path.contains("//")
        && path.bytes().all(is_plain)
        && query.bytes().all(is_query);
    if is_fine { wanted } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_decoded() {
        let of = |text: &str, name| field(text.as_bytes(), name).map(|value| value.to_vec());
        let form = "name=a%64a+l&pass=x&password=%c3%A9%26&password=second&bad=%x";
        assert_eq!(of(form, "name"), Some(b"ada l".to_vec()));
        assert_eq!(of(form, "password"), Some("é&".as_bytes().to_vec()));
        assert_eq!((of(form, "bad"), of(form, "none"), of("", "name")), (None, None, None));
        assert_eq!(of("name=%4", "name"), None);
    }

    #[test]
    fn nobody_is_sent_to_another_site() {
        for fine in
            ["/", "/orgs/1/dashboards/2?lower=now%28%29-1h", "/gateway/?lang=de", "/a.b~c_d"]
        {
            assert_eq!(landing(fine.as_bytes()), fine);
        }
        for evil in [
            "",
            "evil.test",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\\/evil.test",
            "/%2f%2fevil.test",
            "/%5cevil.test",
            "/%2F/evil.test",
            "https:evil.test",
            "https://evil.test",
            "http:/evil.test",
            "javascript:alert(1)",
            "data:text/html,x",
            "/\tevil.test",
            "\t//evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            "/\r\nSet-Cookie: a=b",
            "/@evil.test",
            "//a@evil.test",
            "/x#y",
            "/#//evil.test",
            "/x//evil.test",
            " /x",
            "/ /evil.test",
            "/\u{2f}\u{2f}evil.test",
            "/\u{ff0f}evil.test",
            "/\u{0}",
            "/x?a=\"><script>",
            "/x?next=//evil.test#x",
            ".//evil.test",
            "/;@evil.test",
            "?//evil.test",
        ] {
            assert_eq!(landing(evil.as_bytes()), "/", "{evil:?}");
        }
        assert_eq!(landing(b"/\xff"), "/");
    }

    /// What leads elsewhere somewhere: by how browsers, servers and libraries read what stands between the beginning and a
    /// host. Each of these with each of those, as it is and with its special characters encoded, once and twice.
    #[test]
    fn whatever_is_read_as_a_host_somewhere_is_no_place_here() {
        let before = [
            "//",
            "///",
            "////",
            "\\\\",
            "/\\",
            "\\/",
            "/\\/",
            "\\/\\/",
            "/\t/",
            "/\t\\",
            "\t//",
            "/\n/",
            "/\r\n/",
            "/\u{0}/",
            "/\u{b}/",
            "/ /",
            " //",
            "/.//",
            "/./\\",
            "/..//",
            "/../\\",
            "/a/..//",
            "/a//",
            "/a/\\",
            "/;//",
            "/;@",
            "/@",
            "/:@",
            "/x:y@",
            "/#@",
            "/#//",
            "/<>//",
            "/\"//",
            "/'//",
            "/|//",
            "/^//",
            "/`//",
            "/{}//",
            "/[]//",
            "/$//",
            "/*//",
            "/!//",
            "/(//",
            "//;@",
            "//@",
            "//:@",
            "//%5c@",
            "///;@",
            "//a@b@",
            "/\u{3002}/",
            "//\u{3002}",
            "/\u{ff0f}",
            "/\u{2215}",
            "/\u{2044}/",
            "/\u{200b}/",
            "/\u{ad}/",
            "/\u{feff}/",
            "http:",
            "http:/",
            "http://",
            "http:///",
            "https:",
            "https:\\",
            "https:/\\",
            "https:\t//",
            "ht\ttps://",
            "HTTPS://",
            "hTTp:",
            "ftp://",
            "ws://",
            "//http:",
            "/http://",
            "/https:/",
            "/https:\\",
            "/https:///",
            "javascript:",
            "JavaScript:",
            "java\tscript:",
            " javascript:",
            "\u{1}javascript:",
            "/javascript://",
            "vbscript:",
            "data:",
            "data:text/html,//",
            "file:///",
            "blob:https://",
            "about:",
            "x:1/:///",
            "/x:1/:///",
            ".",
            "..",
            "@",
            ":",
            ";",
            "?//",
            "#",
            "~//",
            "",
            "%2f",
            "%2f%2f",
            "%5c%5c",
            "/%2f",
            "/%5c",
            "/%09/",
            "/%0a/",
            "/%0d%0a",
            "/%00/",
            "/%2e%2e//",
            "/%25%32%66",
        ];
        let hosts = [
            "evil.test",
            "evil.test/",
            "evil.test/%2e%2e",
            "evil.test/%2f..",
            "3627734734",
            "0x7f.1",
            "[::1]",
            "localhost",
            "evil%E3%80%82test",
            "evil.test:80",
            "evil.test#@gateway.test",
            "evil.test\\@gateway.test",
        ];
        let encode = |text: &str| {
            let plain =
                |byte: u8| byte.is_ascii_alphanumeric().then(|| char::from(byte).to_string());
            let encode = |byte: u8| plain(byte).unwrap_or_else(|| format!("%{byte:02x}"));
            text.bytes().map(encode).collect::<String>()
        };
        for (before, host) in before.iter().flat_map(|it| hosts.map(|host| (it, host))) {
            let wanted = format!("{before}{host}");
            let once = encode(&wanted);
            let below = format!("/{once}");
            let all = [wanted, once.clone(), encode(&once), below];
            for wanted in all.iter().filter(|it| *it != "/3627734734" && *it != "/localhost") {
                assert_eq!(landing(wanted.as_bytes()), "/", "{wanted:?}");
            }
            // In a query it is a value, which leads nowhere by itself; with anything special in it, it is let be.
            let inside = format!("/a?next={once}");
            assert_eq!(landing(inside.as_bytes()), inside);
        }
    }

    proptest! {
        #[test]
        fn whatever_is_wanted_is_a_path_here(wanted in any::<Vec<u8>>()) {
            let path = landing(&wanted);
            prop_assert!(path.starts_with('/') && !path.starts_with("//") && !path.contains('\\'));
            prop_assert!(http::HeaderValue::from_str(path).is_ok());
            let _ = field(&wanted, "name");
        }

        #[test]
        fn what_is_encoded_is_decoded(text in ".{0,20}") {
            let query = format!("a={}&b=c", encoded(&text));
            prop_assert_eq!(field(query.as_bytes(), "a").unwrap().to_vec(), text.into_bytes());
        }
    }
}
