//! `[audit]`: the file of the audit trail, if there is one.

use std::path::{Path, PathBuf};

use crate::toml_reader::Table;

/// Reads the table.
pub(super) fn read(mut table: Table<'_>, folder: &Path) -> Option<PathBuf> {
    let file = table.text("file").map(|file| folder.join(file));
    table.close();
    file
}
