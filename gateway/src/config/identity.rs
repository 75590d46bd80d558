//! `[identity]`.

use http::HeaderName;

use crate::api::identity::{self, IdentityHeaders};
use crate::toml_reader::Table;
use crate::user::name::TokenPrefix;

/// The headers that tell the upstream who asks.
#[derive(Debug)]
pub struct Identity {
    /// The headers that carry the user, and those that clients may not send.
    pub headers: IdentityHeaders,
    /// What the names of tokens' owners begin with.
    pub token_prefix: Option<TokenPrefix>,
    /// Whether there is such a key at all, good or bad.
    pub(super) has_token_prefix: bool,
}

/// Reads the table.
pub(super) fn read(mut table: Table<'_>) -> Identity {
    let name = table.parsed("header", identity_header);
    let name = name.unwrap_or(HeaderName::from_static("x-forwarded-user"));
    let id = table.parsed("id_header", identity_header);
    if id.as_ref().is_some_and(|id| identity::are_one(id, &name)) {
        table.fault("id_header", &format!("the same header as identity.header: {name}"));
    }
    let mut strip = table.texts("strip").unwrap_or_default();
    strip.retain(|pattern| {
        let fault = fault_of_pattern(pattern);
        if let Some(what) = &fault {
            table.fault("strip", what);
        }
        fault.is_none()
    });
    let has_token_prefix = table.has("token_prefix");
    let token_prefix = table.parsed("token_prefix", str::parse::<TokenPrefix>);
    table.close();
    Identity { headers: IdentityHeaders::new(name, id, &strip), token_prefix, has_token_prefix }
}

/// A header that can carry an identity: one that means something else already would break
/// requests, or be removed on the way.
fn identity_header(text: &str) -> Result<HeaderName, String> {
    let name = HeaderName::from_bytes(text.as_bytes())
        .map_err(|_| format!("{text:?} is not a header name"))?;
    if identity::is_taken(&name) {
        return Err(format!(
            "{text} means something else already; write for example \
                            \"X-Forwarded-User\""
        ));
    }
    Ok(name)
}

/// What is wrong with a header's name, or the beginning of names that ends with a star.
fn fault_of_pattern(pattern: &str) -> Option<String> {
    let name = pattern.strip_suffix('*').unwrap_or(pattern);
    if name.is_empty() || name.contains('*') || HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Some(format!(
            "{pattern:?} is not a header name; write for example \"X-Corp-User\", or \
             \"X-Corp-*\" for all that begin so"
        ));
    }
    identity::is_needed(pattern).then(|| {
        format!("{pattern} cannot be stripped: requests need it, or it has rules of its own")
    })
}
