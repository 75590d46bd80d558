//! The programs in `tests/clients`, each of a real client.

use std::process::Command;

use crate::support::repository;

/// A program below the root of the repository that `make test` puts there.
pub(crate) fn made(path: &str) -> Command {
    let program = repository().join(path);
    assert!(program.exists(), "{} is missing; `make test` makes it", program.display());
    Command::new(program)
}

/// A script for the Python that has the real clients installed.
pub(crate) fn python(script: &str) -> Command {
    let mut command = made(".venv/bin/python");
    command.arg(repository().join("tests/clients").join(script));
    command
}

/// A script of the real JavaScript client.
pub(crate) fn javascript(script: &str) -> Command {
    let folder = repository().join("tests/clients/javascript");
    assert!(folder.join("node_modules").exists(), "`make test` installs the JavaScript client");
    let mut command = Command::new("node");
    command.arg(folder.join(script));
    command
}

/// A program of the real Go client.
pub(crate) fn go(program: &str) -> Command {
    made(&format!("target/go-clients/{program}"))
}
