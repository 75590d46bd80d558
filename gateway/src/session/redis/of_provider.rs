//! What the record of a session says of the sign-in provider that its user came by.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::seal::Seal;
use crate::session::Session;
use crate::session::provider::Kept;
use crate::session::record::UnixMillis;
use crate::session::token::SessionToken;

/// What a record says of a provider.
#[derive(Debug, PartialEq)]
pub(super) struct OfProvider {
    /// What it is called here.
    pub(super) id: String,
    /// What it calls the user, as a digest.
    pub(super) subject: Option<String>,
    /// The groups of the user that grants are for.
    pub(super) groups: Vec<String>,
    /// When it last said that the user is still signed in, by Redis' clock; `None`: when the session began.
    pub(super) refreshed: Option<UnixMillis>,
}

/// Reads it; `None` if the user came by none.
pub(super) fn read(flat: &HashMap<String, Vec<u8>>) -> Option<OfProvider> {
    let text = |name| std::str::from_utf8(flat.get(name)?).ok();
    let groups = text("groups").and_then(|groups| serde_json::from_str(groups).ok());
    let refreshed = text("refreshed").and_then(|time| time.parse().ok()).map(UnixMillis);
    let subject = text("subject").map(str::to_owned);
    Some(OfProvider { id: text("provider")?.to_owned(), subject, groups: groups?, refreshed })
}

/// What a record says of the provider of `session`, that of `token`, as field and value by turns.
pub(super) fn fields(session: &Session, token: &SessionToken) -> Vec<(&'static str, Vec<u8>)> {
    let Some(half) = session.provider() else { return Vec::new() };
    let kept = half.kept();
    vec![
        ("provider", half.provider().as_bytes().to_vec()),
        ("groups", groups(&kept)),
        ("kept", sealed(&kept, token)),
    ]
}

/// The groups, as they are written down.
pub(super) fn groups(kept: &Kept) -> Vec<u8> {
    serde_json::to_vec(&kept.groups).unwrap_or_default()
}

/// All that is kept, which only whoever brings `token` can open.
pub(super) fn sealed(kept: &Kept, token: &SessionToken) -> Vec<u8> {
    let text = Zeroizing::new(serde_json::to_vec(kept).unwrap_or_default());
    Seal::of_provider(token).seal(&text)
}

/// What was sealed so; `None` if it was not, or for another session.
pub(super) fn opened(sealed: &[u8], token: &SessionToken) -> Option<Kept> {
    serde_json::from_slice(&Seal::of_provider(token).open(sealed)?).ok()
}
