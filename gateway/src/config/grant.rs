//! `[[grant]]`: what users of identity providers may do.

use std::path::Path;
use std::sync::Arc;

use super::UpstreamKind;
use crate::jwt::grants::{Grant, Who};
use crate::toml_reader::{Named, Table};
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::secret::{ApiToken, Shared};

/// A grant, and the file of its token.
pub(super) fn read(
    mut table: Table<'_>,
    folder: &Path,
    upstream: UpstreamKind,
    issuers: &[String],
) -> (Grant, Option<Named>) {
    let line = table.line();
    let issuer = table.text("issuer");
    if let Some(issuer) = &issuer
        && !issuers.contains(issuer)
    {
        table.fault("issuer", "no [[jwt]] and no [[oidc]] has this issuer");
    }
    let group = table.text("group");
    let user = table.parsed("user", str::parse::<Username>);
    if group.is_some() && table.has("user") {
        table.fault("user", "a grant is for a group or for a user, not for both");
    }
    let are_several = issuers.iter().any(|other| *other != issuers[0]);
    if table.has("user") && issuer.is_none() && are_several {
        table.fault(
            "user",
            "expected an issuer beside it: there are several, each may have a user of this name, and all of them would \
             get this; add issuer = \"…\", and a [[grant]] for each issuer if all are meant",
        );
    }
    let who = match (group, user) {
        (Some(group), _) => Who::Group(group),
        (None, Some(user)) => Who::User(user),
        (None, None) => Who::Everybody,
    };
    let words = Access::ALL.map(|access| (access.word(), access));
    let access = table.choice("access", &words).unwrap_or(Access::Read);
    let files = table.environment().file;
    let token = table.parsed("token_file", |path| ApiToken::of_file(&folder.join(path), files));
    let file = table.file("token_file", folder);
    table.close();
    let token = token.map(|token| Arc::new(Shared::new(Some(token), upstream.scheme())));
    (Grant { issuer, who, access, token, line }, file)
}
