//! What the configuration and the users file refer to outside themselves: the environment, and other files.

use std::path::Path;

use crate::file_identity::Files;
use crate::toml_reader::Environment;

/// The folder of the file at `path`, to which paths in it are relative.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// The text of a file, or why there is none.
pub(super) fn read_file(path: &Path, files: &Files) -> Result<String, String> {
    files.read_text(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// The environment of this process, and other files by `file`.
#[expect(clippy::disallowed_methods, reason = "the environment is read here and in main only")]
pub(super) fn environment(file: &dyn Fn(&Path) -> Result<String, String>) -> Environment<'_> {
    Environment { variable: &|name| std::env::var(name).ok(), file }
}
