//! Strict parsing of the head of an HTTP/1 request.
//!
//! What two parsers could read in two ways is refused here, before anybody reads it (RFC 9112
//! sections 2.2, 3, 5.1, 5.2, 6 and 11).

use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use memchr::memchr;

use super::path::is_unreserved;
use super::rejection::Rejection;
use super::split::split;
use super::target::{Target, are_all, set};
use crate::limits::Limits;

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes of the whole head; beyond it 431.
    pub bytes: usize,
    /// Header fields; beyond it 431.
    pub fields: usize,
    /// Bytes of the request target; beyond it 414.
    pub target: usize,
    /// Whether a WebSocket may be asked for.
    pub websockets: bool,
}

impl From<&Limits> for HeadLimits {
    fn from(limits: &Limits) -> Self {
        Self {
            bytes: limits.head_bytes,
            fields: limits.head_fields,
            target: limits.target_bytes,
            websockets: false,
        }
    }
}

/// What is known of a request once its head is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked<'a> {
    /// What follows the head.
    pub body: Body,
    /// What it is for.
    pub target: Target<'a>,
}

/// What follows the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// So many bytes, perhaps none.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// Looks for the end of a head that arrives in pieces, each byte once.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    seen: usize,
    line_start: usize,
}

impl HeadScan {
    /// Where the head at the beginning of `bytes` ends; `None` if it is not all there yet. `bytes`
    /// are those of the last call, and more.
    ///
    /// Refused at once is what cannot become a head any more, however much follows.
    pub fn scan(&mut self, bytes: &[u8], limits: &HeadLimits) -> Result<Option<usize>, Rejection> {
        let within = &bytes[..bytes.len().min(limits.bytes)];
        while let Some(length) = memchr(b'\n', within.get(self.seen..).unwrap_or_default()) {
            let end = self.seen + length;
            let line = within[self.line_start..end].strip_suffix(b"\r");
            let line = line.ok_or(Rejection::Unreadable)?;
            // What was there before has been checked, but for a last return.
            let fresh = self.seen.saturating_sub(self.line_start + 1);
            if !may_stand_in_a_line(line.get(fresh..).unwrap_or_default()) {
                return Err(Rejection::Unreadable);
            }
            self.seen = end + 1;
            self.line_start = end + 1;
            if line.is_empty() {
                return Ok(Some(end + 1));
            }
        }
        let rest = &within[self.line_start..];
        let fresh = self.seen.saturating_sub(self.line_start + 1);
        if !may_stand_in_a_line(rest[fresh..].strip_suffix(b"\r").unwrap_or(&rest[fresh..])) {
            return Err(Rejection::Unreadable);
        }
        self.seen = within.len();
        match (bytes.len() > limits.bytes, self.line_start) {
            (false, _) => Ok(None),
            (true, 0) => Err(Rejection::TargetTooLong),
            (true, _) => Err(Rejection::HeadTooLarge),
        }
    }
}

/// The length that the body is said to have.
pub fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether there are no controls but tabs. Without a branch for each byte, so that compilers look at many
/// at once.
fn may_stand_in_a_line(bytes: &[u8]) -> bool {
    let is_odd = |byte: u8| (byte < b' ' && byte != b'\t') || byte == 0x7f;
    bytes.iter().fold(0, |odd, &byte| odd | u8::from(is_odd(byte))) == 0
}

/// Checks a whole head, its final empty line included.
pub fn check<'a>(head: &'a [u8], limits: &HeadLimits) -> Result<Checked<'a>, Rejection> {
    let mut lines = split(head, b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let request = RequestLine::parse(lines.next().unwrap_or_default(), limits)?;
    let mut fields = Fields { websockets: limits.websockets, ..Fields::default() };
    for (count, line) in lines.take_while(|line| !line.is_empty()).enumerate() {
        if count >= limits.fields {
            return Err(Rejection::HeadTooLarge);
        }
        fields.add(line)?;
    }
    Ok(Checked { body: fields.body(&request)?, target: request.target })
}

struct RequestLine<'a> {
    target: Target<'a>,
    is_1_1: bool,
}

impl<'a> RequestLine<'a> {
    fn parse(line: &'a [u8], limits: &HeadLimits) -> Result<Self, Rejection> {
        let mut words = line.split(|&byte| byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Rejection::Unreadable);
        };
        if target.len() > limits.target {
            return Err(Rejection::TargetTooLong);
        }
        if !is_token(method) {
            return Err(Rejection::Unreadable);
        }
        if method == b"CONNECT" || method == b"TRACE" {
            return Err(Rejection::MethodNotAllowed(super::route::METHODS));
        }
        let target = Target::parse(target)?;
        match version {
            b"HTTP/1.1" => Ok(Self { target, is_1_1: true }),
            b"HTTP/1.0" => Ok(Self { target, is_1_1: false }),
            _ => Err(Rejection::Unreadable),
        }
    }
}

/// The fields that say where a request ends and whom it is for.
#[derive(Default)]
struct Fields<'a> {
    host: Option<&'a [u8]>,
    length: Option<u64>,
    is_chunked: bool,
    /// Whether a WebSocket may be asked for; how, is looked at where it is known of what.
    websockets: bool,
}

impl<'a> Fields<'a> {
    fn add(&mut self, line: &'a [u8]) -> Result<(), Rejection> {
        let colon = memchr(b':', line).ok_or(Rejection::Unreadable)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        // A line that begins with a blank would continue the one before; a blank before the
        // colon is read in two ways.
        if !is_token(name) {
            return Err(Rejection::Unreadable);
        }
        // Upstreams that map headers to variables read these as the real ones.
        let folded = |wanted: &[u8]| {
            let fold = |byte: u8| if byte == b'_' || byte == b'.' { b'-' } else { byte };
            name.len() == wanted.len()
                && name.iter().zip(wanted).all(|(&a, &b)| fold(a.to_ascii_lowercase()) == b)
        };
        if folded(b"host") {
            return set_once(&mut self.host, value);
        }
        if folded(b"content-length") {
            let length =
                length_of(value).filter(|_| !is_alias(name)).ok_or(Rejection::Unreadable)?;
            return set_once(&mut self.length, length);
        }
        if folded(b"transfer-encoding") {
            let is_fine =
                value.eq_ignore_ascii_case(b"chunked") && !is_alias(name) && !self.is_chunked;
            self.is_chunked = true;
            return if is_fine { Ok(()) } else { Err(Rejection::Unreadable) };
        }
        let is_websocket = || self.websockets && value.eq_ignore_ascii_case(b"websocket");
        if folded(b"upgrade") && !is_declined_quietly(value) && !is_websocket() {
            return Err(Rejection::UpgradeRefused);
        }
        if folded(b"expect") && !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Rejection::ExpectationFailed);
        }
        Ok(())
    }

    fn body(&self, request: &RequestLine<'_>) -> Result<Body, Rejection> {
        match (self.host, request.target.authority()) {
            (None, _) if request.is_1_1 => return Err(Rejection::BadHost),
            (Some(host), _) if !is_host(host) => return Err(Rejection::BadHost),
            (Some(host), Some(authority)) if host != authority => return Err(Rejection::BadHost),
            (None, Some(authority)) if !is_host(authority) => return Err(Rejection::BadHost),
            _ => {}
        }
        match (self.is_chunked, self.length) {
            (true, Some(_)) => Err(Rejection::Unreadable),
            (true, None) if !request.is_1_1 => Err(Rejection::Unreadable),
            (true, None) => Ok(Body::Chunked),
            (false, length) => Ok(Body::Length(length.unwrap_or(0))),
        }
    }
}

/// Whether an `Upgrade` asks for nothing but protocols that a server may decline by not answering it
/// (RFC 9110 section 7.8), which clients offer beside ordinary requests: TLS and HTTP/2. It is not
/// forwarded.
fn is_declined_quietly(protocols: &[u8]) -> bool {
    protocols.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).all(|protocol| {
        let is_tls = |name: &[u8]| name.eq_ignore_ascii_case(b"TLS");
        match memchr(b'/', protocol) {
            None => is_tls(protocol) || protocol.eq_ignore_ascii_case(b"h2c"),
            Some(slash) => is_tls(&protocol[..slash]) && is_token(&protocol[slash + 1..]),
        }
    })
}

fn set_once<T>(slot: &mut Option<T>, value: T) -> Result<(), Rejection> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Rejection::Unreadable),
    }
}

fn is_alias(name: &[u8]) -> bool {
    name.iter().any(|&byte| byte == b'_' || byte == b'.')
}

/// Digits and nothing else, as many as cannot overflow.
fn length_of(value: &[u8]) -> Option<u64> {
    // Eighteen: what fits a signed number too, which is what others read it into.
    let is_plain = (1..=18).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    // A leading zero is a number that some read as octal.
    let is_plain = is_plain && (value == b"0" || value[0] != b'0');
    is_plain.then(|| value.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

/// A name or an address, and perhaps a port.
pub fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.strip_prefix(b"[") {
        Some(rest) => {
            let Some(end) = rest.iter().position(|&byte| byte == b']') else { return false };
            let is_address = std::str::from_utf8(&rest[..end])
                .is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
            if !is_address {
                return false;
            }
            (&b"v6"[..], &rest[end + 1..])
        }
        None => value.split_at(value.iter().position(|&byte| byte == b':').unwrap_or(value.len())),
    };
    let is_port = match port.strip_prefix(b":") {
        Some(digits) => {
            let number = std::str::from_utf8(digits).unwrap_or_default();
            digits.iter().all(u8::is_ascii_digit)
                && (number.is_empty() || number.parse::<u16>().is_ok())
        }
        None => port.is_empty(),
    };
    !host.is_empty() && host.len() <= 255 && host.iter().all(|&byte| is_unreserved(byte)) && is_port
}

fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && are_all(bytes, &TOKEN)
}

/// The characters of a token (RFC 9110 section 5.6.2).
pub(super) static TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0_u8;
    while byte < 0x80 {
        token[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    set(token, b"!#$%&'*+-.^_`|~", true)
};

#[cfg(test)]
mod tests;
