//! Checks that names in the users file cannot be confused with names of tokens' owners.

use std::path::Path;
use std::sync::Arc;

use crate::directory::users::Users;
use crate::toml_reader::Diagnostic;
use crate::user::User;
use crate::user::name::TokenPrefix;

/// The `users` of the file at `path`, if none has a name as the owners of tokens have behind `prefix`.
pub(super) fn apart(
    users: Users,
    prefix: Option<&TokenPrefix>,
    path: &Path,
) -> Result<Users, Vec<Diagnostic>> {
    let Some(prefix) = prefix else { return Ok(users) };
    let is_taken = |user: &&&Arc<User>| prefix.could_begin(&user.name);
    let fault = |user: &Arc<User>| {
        let what = format!(
            "the name {} begins with identity.token_prefix, {prefix}, as those of tokens' owners \
             do; choose another prefix, best one with a colon, which no name of the file has",
            user.name
        );
        Diagnostic::of_file(&path.display().to_string(), what)
    };
    let faults: Vec<_> = users.sorted().iter().filter(is_taken).map(|user| fault(user)).collect();
    if faults.is_empty() { Ok(users) } else { Err(faults) }
}
