//! Why a users file is not changed.

use std::io;
use std::path::PathBuf;

use super::PATIENCE;
use crate::toml_reader::Diagnostic;
use crate::user::gateway_token::{Label, Mark};
use crate::user::name::Username;

/// Why a users file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// The file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The users file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file cannot be replaced by another one.
    #[error("{path}: {what}")]
    Place {
        /// The users file.
        path: PathBuf,
        /// What is in the way, and how to mend it.
        what: String,
    },
    /// Somebody else keeps the file locked.
    #[error(
        "{path}: another process has locked it (flock) for {}s and more; `lslocks` shows which",
        PATIENCE.as_secs()
    )]
    Locked {
        /// The users file.
        path: PathBuf,
    },
    /// The process ends.
    #[error("given up: the process ends")]
    GivenUp,
    /// The gateway would not take the changed file.
    #[error("the gateway would refuse it: {}", lines(.0).join("; "))]
    Refused(Vec<Diagnostic>),
    /// The user's password stands in these environment variables.
    #[error(
        "the password of {0} comes from the environment (${{{vars}}} in the users file): change it there, or write a \
         hash into the file", vars = .1.join("}, ${")
    )]
    Elsewhere(Username, Vec<String>),
    /// The file is not TOML.
    #[error("{path}: not TOML; `influx-gateway check` tells where")]
    NotToml {
        /// The users file.
        path: PathBuf,
    },
    /// There is such a user already.
    #[error("there is a user {0} already; `influx-gateway user passwd` changes the password")]
    Exists(Username),
    /// There is no such user.
    #[error("there is no user {0}; `influx-gateway user list` shows who there is")]
    Missing(Username),
    /// The user has another hash in the file than the one that was to be replaced, or another id.
    #[error("the password of {0} was changed in the meantime")]
    Changed(Username),
    /// The user has a gateway token of that label already.
    #[error("{0} has a token {label:?} already; `influx-gateway token list` shows which there are", label = .1.as_str())]
    LabelExists(Username, Label),
    /// The user has no such gateway token.
    #[error("{0} has no token {1} any more; `influx-gateway token list` shows which there are")]
    TokenMissing(Username, Mark),
    /// The user's gateway tokens are no tables.
    #[error("client_token of {0} is no [[user.client_token]]; `influx-gateway check` tells where")]
    NotTables(Username),
}

fn lines(faults: &[Diagnostic]) -> Vec<String> {
    faults.iter().map(Diagnostic::to_string).collect()
}
