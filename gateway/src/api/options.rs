//! `OPTIONS` and CORS: which pages of other origins may read an answer.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use super::csrf::AllowedOrigins;
use super::rejection::Rejection;
use super::{Response, no_content};

/// What `Access-Control-Allow-Credentials` says if it says anything.
pub const TRUE: HeaderValue = HeaderValue::from_static("true");

/// What `Vary` says of answers that are one thing to one origin, and another to another.
pub const BY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");

/// The headers that InfluxDB allows pages to send.
const NAMES: HeaderValue = HeaderValue::from_static(
    "Accept, Content-Type, Content-Length, Accept-Encoding, Authorization, User-Agent",
);

/// Answers a preflight as InfluxDB does, without authentication; an `OPTIONS` that is none is
/// just a wrong method.
pub fn answer(headers: &HeaderMap, allow: &'static str) -> Result<Response, Rejection> {
    if !headers.contains_key(ORIGIN) {
        return Err(Rejection::MethodNotAllowed(allow));
    }
    Ok(allowing(NAMES))
}

/// The answer to a preflight of a page that may use a session, wherever it leads: whether it may is
/// nothing that the upstream knows.
pub fn preflight(origins: &AllowedOrigins, request: &Parts) -> Option<Response> {
    let headers = &request.headers;
    if request.method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
        return None;
    }
    origins.allowed(headers)?;
    // With credentials, `*` would not stand for all.
    let names = headers.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    Some(allowing(names.unwrap_or(NAMES)))
}

fn allowing(names: HeaderValue) -> Response {
    let mut response = no_content();
    let methods = HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE, PATCH");
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    response
}

/// Lets the page at the request's origin read a local answer, as InfluxDB lets any page; and
/// whatever the answer is to the cookie, if the page's origin is one of `origins`.
pub fn share(origins: &AllowedOrigins, request: &HeaderMap, answer: &mut HeaderMap) {
    if !origins.are_none() {
        answer.append(VARY, BY_ORIGIN);
    }
    if let Some(origin) = request.get(ORIGIN) {
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    if origins.allowed(request).is_some() {
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
    }
}
