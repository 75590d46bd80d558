//! HTTP without sockets: requests in, responses out.

pub mod authorization;
pub mod chunks;
pub mod compatible;
pub mod cookie;
pub mod csrf;
pub mod form;
pub mod forward;
pub mod framing;
pub mod grpc;
pub mod hosts;
pub mod identity;
pub mod json;
pub mod me;
pub mod names;
pub mod oidc;
pub mod options;
pub mod own_cookies;
pub mod page;
pub mod password;
pub mod path;
pub mod rejection;
pub mod route;
pub mod session_cookies;
pub mod sessions;
pub mod signin;
pub mod signout;
mod split;
pub mod target;
pub mod users;
pub mod websocket;

use bytes::Bytes;

/// A whole response, small enough to be held.
pub type Response = http::Response<Bytes>;

/// An answer that consists of its status: 204 and no `Content-Type`, or clients would try to
/// parse the empty body as JSON.
pub fn no_content() -> Response {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = http::StatusCode::NO_CONTENT;
    response
}

/// JSON as InfluxDB's newer handlers write it: indented by tabs, without a final newline, and
/// with `<`, `>` and `&` escaped, as Go does.
pub fn pretty_json(value: &impl serde::Serialize) -> Bytes {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"\t");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
    value.serialize(&mut serializer).expect("plain data serialises into memory");
    escape_html(&text)
}

/// JSON as InfluxDB's older handlers write it: compact, and escaped as [`pretty_json`].
pub fn compact_json(value: &impl serde::Serialize) -> Bytes {
    escape_html(&serde_json::to_vec(value).expect("plain data serialises into memory"))
}

/// These three characters stand in strings only, so they can be replaced in the finished text.
fn escape_html(json: &[u8]) -> Bytes {
    let mut escaped = Vec::with_capacity(json.len());
    for &byte in json {
        match byte {
            b'<' => escaped.extend_from_slice(b"\\u003c"),
            b'>' => escaped.extend_from_slice(b"\\u003e"),
            b'&' => escaped.extend_from_slice(b"\\u0026"),
            other => escaped.push(other),
        }
    }
    escaped.into()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fmt::Write;

    use super::Response;

    /// Status line, headers in order, blank line, body: what a snapshot shows of a response.
    pub(crate) fn wire(response: &Response) -> String {
        let mut text = format!("{}\n", response.status());
        for (name, value) in response.headers() {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
        text + "\n" + std::str::from_utf8(response.body()).unwrap()
    }
}
