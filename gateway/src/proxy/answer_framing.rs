//! What the head of an upstream's answer says of its body, and of another head to come: made what every client reads in the
//! same way, or refused.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderValue, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::{Error, ErrorType};

use crate::limits::MOST_INTERIM_ANSWERS;

/// Makes it one of HTTP/1.1 (RFC 9110 section 2.5), with one length, or chunks, or neither. An error if it says more than one
/// thing, or has been coded in a way that only one hop knows; and if it is one interim answer (1xx) too many, which are
/// counted in `interim`.
pub fn mend(head: &mut ResponseHeader, interim: &mut usize) -> pingora::Result<()> {
    head.set_version(Version::HTTP_11);
    *interim += usize::from(head.status.is_informational());
    if *interim > MOST_INTERIM_ANSWERS && head.status != StatusCode::SWITCHING_PROTOCOLS {
        return broken("interim answers without end");
    }
    if head.status == StatusCode::NO_CONTENT || head.status.is_informational() {
        // Nothing follows, whatever they say (RFC 9110 section 8.6, RFC 9112 section 6.1).
        head.remove_header(&CONTENT_LENGTH);
        head.remove_header(&TRANSFER_ENCODING);
        return Ok(());
    }
    if head.status == StatusCode::NOT_MODIFIED {
        head.remove_header(&TRANSFER_ENCODING);
    }
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    if codings.next().is_some_and(|coding| !is_chunked(coding)) || codings.next().is_some() {
        return broken("a transfer coding other than chunked");
    }
    let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Ok(()) };
    let is_plain = lengths.next().is_none() && is_number(first.as_bytes());
    let Some(length) = length(head) else { return broken("no length, or several") };
    if !is_plain {
        head.insert_header(CONTENT_LENGTH, length)?;
    }
    Ok(())
}

fn is_chunked(value: &HeaderValue) -> bool {
    value.as_bytes().eq_ignore_ascii_case(b"chunked")
}

/// Whether it is a number as it is written usually.
fn is_number(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_digit) && (text.len() == 1 || !text.starts_with(b"0"))
}

/// The one length that all fields say (RFC 9110 section 8.6).
fn length(head: &ResponseHeader) -> Option<u64> {
    let fields = head.headers.get_all(CONTENT_LENGTH).iter();
    let mut lengths =
        fields.flat_map(|field| field.as_bytes().split(|&byte| byte == b',')).map(|text| {
            let text = text.trim_ascii();
            let digits = text.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(text).ok());
            digits??.parse().ok()
        });
    let first = lengths.next()??;
    lengths.all(|length| length == Some(first)).then_some(first)
}

fn broken(what: &'static str) -> pingora::Result<()> {
    Error::e_explain(ErrorType::InvalidHTTPHeader, what)
        .map_err(|error: Box<Error>| error.into_up())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of these headers of an answer with this status; `None` if it is refused.
    fn mended(status: u16, headers: &[(&'static str, &'static str)]) -> Option<String> {
        let mut head = ResponseHeader::build(status, None).unwrap();
        head.set_version(Version::HTTP_10);
        for (name, value) in headers {
            head.append_header(*name, *value).unwrap();
        }
        mend(&mut head, &mut 0).ok()?;
        assert_eq!(head.version, Version::HTTP_11);
        let lines =
            head.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        Some(lines.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn another_head_comes_so_often_and_no_more() {
        let mut interim = 0;
        let mut next =
            |status| mend(&mut ResponseHeader::build(status, None).unwrap(), &mut interim).is_ok();
        assert!((0..MOST_INTERIM_ANSWERS).all(|_| next(102)));
        assert!(next(200) && next(101) && !next(103));
    }

    #[test]
    fn it_says_one_thing() {
        const LENGTH: &str = "content-length";
        const CODING: &str = "transfer-encoding";
        for (status, headers, wanted) in [
            (200, vec![], Some("")),
            (200, vec![(LENGTH, "3")], Some("content-length: 3")),
            (200, vec![(LENGTH, "3"), (LENGTH, "3")], Some("content-length: 3")),
            (200, vec![(LENGTH, "3, 3")], Some("content-length: 3")),
            (200, vec![(LENGTH, "03")], Some("content-length: 3")),
            (200, vec![(LENGTH, "3"), (LENGTH, "4")], None),
            (200, vec![(LENGTH, "3,")], None),
            (200, vec![(LENGTH, "+3")], None),
            (200, vec![(LENGTH, "")], None),
            (200, vec![(LENGTH, "99999999999999999999")], None),
            (200, vec![(CODING, "Chunked")], Some("transfer-encoding: Chunked")),
            (200, vec![(CODING, "gzip, chunked")], None),
            (200, vec![(CODING, "gzip")], None),
            (200, vec![(CODING, "chunked"), (CODING, "chunked")], None),
            (204, vec![(LENGTH, "5"), (CODING, "chunked")], Some("")),
            (103, vec![(LENGTH, "x")], Some("")),
            (304, vec![(LENGTH, "5"), (CODING, "gzip")], Some("content-length: 5")),
        ] {
            assert_eq!(mended(status, &headers).as_deref(), wanted, "{status} {headers:?}");
        }
    }
}
