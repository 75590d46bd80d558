//! `OPTIONS` of the local endpoints, and what browsers ask for across origins.

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN,
};
use http::{HeaderMap, HeaderValue};

use super::rejection::Rejection;
use super::{Response, no_content};

/// Answers a preflight as InfluxDB does, without authentication; an `OPTIONS` that is none is
/// just a wrong method.
pub fn answer(headers: &HeaderMap, allow: &'static str) -> Result<Response, Rejection> {
    if !headers.contains_key(ORIGIN) {
        return Err(Rejection::MethodNotAllowed(allow));
    }
    let mut response = no_content();
    let methods = HeaderValue::from_static("POST, GET, OPTIONS, PUT, DELETE, PATCH");
    let names = HeaderValue::from_static(
        "Accept, Content-Type, Content-Length, Accept-Encoding, Authorization, User-Agent",
    );
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, names);
    Ok(response)
}

/// Lets the page at the request's origin read `response`, as InfluxDB lets any page.
///
/// Never with `Access-Control-Allow-Credentials`: a foreign page gets no answer that depends on
/// the cookie.
pub fn allow_origin(request: &HeaderMap, response: &mut http::Response<Bytes>) {
    if let Some(origin) = request.get(ORIGIN) {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
}
