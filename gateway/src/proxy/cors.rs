//! The CORS headers of the upstream's responses.

use http::HeaderMap;
use http::header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, VARY};
use pingora::http::ResponseHeader;

use crate::api::csrf::AllowedOrigins;
use crate::api::options;

/// Has the upstream's `response` say to the page that asks, and to no other, that it may have what
/// a session gets; everything is said once.
pub fn share(
    origins: &AllowedOrigins,
    request: &HeaderMap,
    response: &mut ResponseHeader,
) -> pingora::Result<()> {
    if !origins.are_none() {
        response.append_header(VARY, options::BY_ORIGIN)?;
    }
    if response.headers.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS) {
        // The session is ours, so whom it serves is ours to say.
        response.remove_header(&ACCESS_CONTROL_ALLOW_CREDENTIALS);
    }
    if let Some(origin) = origins.allowed(request) {
        response.insert_header(ACCESS_CONTROL_ALLOW_ORIGIN, origin)?;
        response.insert_header(ACCESS_CONTROL_ALLOW_CREDENTIALS, options::TRUE)?;
        return Ok(());
    }
    let mut told = response.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter();
    if let (Some(first), Some(_)) = (told.next().cloned(), told.next()) {
        response.insert_header(ACCESS_CONTROL_ALLOW_ORIGIN, first)?;
    }
    Ok(())
}
