//! HTTP/2, as far as it is not Pingora's: the preface, the paths of requests, and what waits to be written.

pub mod frames;
pub mod gathered;
mod hpack;
mod huffman;

/// Whether a client that has said `bytes` first speaks HTTP/2, by prior knowledge; `None` if more must come to tell.
///
/// It looks at what would be a head of HTTP/1, of a version that there is not (RFC 9113 section 3.4).
pub fn begins(bytes: &[u8]) -> Option<bool> {
    const BEGINNING: &[u8] = b"PRI * HTTP/2.0\r\n\r\n";
    let count = bytes.len().min(BEGINNING.len());
    match bytes[..count] == BEGINNING[..count] {
        true if count < BEGINNING.len() => None,
        is_same => Some(is_same),
    }
}

#[cfg(test)]
mod tests {
    use super::begins;

    #[test]
    fn it_begins_as_no_request_of_http_1_does() {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        for count in 0..=preface.len() {
            let expected = (count >= 18).then_some(true);
            assert_eq!(begins(&preface[..count]), expected, "{count}");
        }
        for other in
            ["G", "POST / HTTP/1.1", "PRI * HTTP/1.1\r\n", "PRIORITY / HTTP/1.1", "\r\nPRI"]
        {
            assert_eq!(begins(other.as_bytes()), Some(false), "{other}");
        }
    }
}
