//! What is legal and yet, very likely, not what was meant.

use crate::config::Config;
use crate::directory::users::Users;
use crate::user::access::Access;

/// One line for each thing that whoever runs the gateway should know about.
pub fn of(config: &Config, users: &Users) -> Vec<String> {
    let mut warnings = Vec::new();
    for user in users.sorted() {
        let word = match user.access {
            Access::Read => "read",
            Access::Write => "write",
            Access::Full => continue,
        };
        if config.upstream.token.is_some() && user.token.is_none() {
            warnings.push(format!(
                "user {}: access = \"{word}\" with the shared upstream token: the gateway reads no Flux, \
                 and a query can write, call out and read secrets as far as that token may; give the \
                 user a {} API token of InfluxDB by token_file",
                user.name,
                if user.access == Access::Read { "read-only" } else { "narrow" },
            ));
        }
    }
    warnings
}
