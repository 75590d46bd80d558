//! `[identity]`.

use http::HeaderName;

use crate::api::identity::IdentityHeaders;
use crate::document::Section;

/// Reads the section.
pub(super) fn read(mut section: Section<'_>) -> IdentityHeaders {
    let name = section.parsed("header", identity_header);
    let name = name.unwrap_or(HeaderName::from_static("x-forwarded-user"));
    let id = section.parsed("id_header", identity_header);
    if id.as_ref() == Some(&name) {
        section.fault("id_header", &format!("the same header as identity.header: {name}"));
    }
    section.close();
    IdentityHeaders { name, id }
}

/// A header that can carry an identity: one that means something else already would break
/// requests, or be removed on the way.
fn identity_header(text: &str) -> Result<HeaderName, String> {
    const TAKEN: [&str; 17] = [
        "authorization",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "origin",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "x-request-id",
    ];
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("{text:?} is not a header name"))?;
    if TAKEN.contains(&name.as_str()) {
        return Err(format!(
            "{text} means something else already; write for example \
                            \"X-Forwarded-User\""
        ));
    }
    Ok(name)
}
